"""How the time of a dispatch is shared out: how long an attempt's turn is, and what is left for waits."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from orchestrator.core.deadline import answer_time_s, turn_time_s
from orchestrator.dispatch.dispatch_request import DispatchRequest
from orchestrator.dispatch.recovery_wait import WaitBudget
from orchestrator.dispatch.services import Services
from orchestrator.dispatch.target import Target


class AttemptTime(NamedTuple):
    """The time of one attempt."""

    limit_s: float
    """How long it may be silent."""
    turn_s: float
    """How long it may bring nothing of use, while there is another to ask."""


class TimeShares:
    """What is left of one dispatch's time, shared between its attempts and its waits."""

    def __init__(self, dispatch: DispatchRequest, services: Services) -> None:
        """Share out what is left until the deadline of `dispatch`."""
        self._dispatch = dispatch
        self._health = services.health

    def left_s(self) -> float:
        """Return what is left until the deadline."""
        return self._dispatch.deadline.left_s()

    def turn_of(self, target: Target, *, has_next: bool, is_only: bool) -> AttemptTime:
        """Return the time of the next attempt: half of what is left while another can be asked.

        Who is the only one and has not been asked yet is asked again, where it is known that its answers do
        not take so long.
        """
        profile, provider = self._dispatch.profile, target.deployment.provider
        usual_s = self._health.usual_s(target.name)
        turn_s = math.inf
        if has_next or (is_only and usual_s > 0 and profile.asks_again):
            turn_s = max(profile.min_turn_s, self.left_s() / 2, turn_time_s(usual_s))
        limit_s = provider.first_token_timeout_s if self._dispatch.stream else provider.timeout_s
        # A silent provider must leave time for the next one; a caller in a hurry asks no other one.
        return AttemptTime(min(limit_s, turn_s), turn_s)

    def answer_s(self, target: Target) -> float:
        """Return how much of what is left no wait for a target may use up."""
        return answer_time_s(
            self._health.usual_s(target.name),
            left_s=self.left_s(),
            timeout_s=self._dispatch.deadline.timeout_s,
            least_s=self._dispatch.profile.min_turn_s,
        )

    def wait_budget(self, targets: Sequence[Target], *, now_s: float, has_older_answer: bool) -> WaitBudget:
        """Return what there is for waiting; nobody sits an outage out who has an older answer to give."""
        answers_s = {target.name: self.answer_s(target) for target in targets}
        usual_s = {target.name: self._health.usual_s(target.name) for target in targets}
        return WaitBudget(
            now_s=now_s,
            left_s=self.left_s(),
            answer_s=answers_s,
            hurried_s={
                name: min(answers_s[name], turn_time_s(each_s)) if each_s else answers_s[name]
                for name, each_s in usual_s.items()
            },
            patience_s=0.0 if has_older_answer else self._dispatch.profile.max_recovery_wait_s,
            outage=not all(
                self._health.is_closed(target.name, provider=target.deployment.provider_name)
                for target in targets
            ),
        )
