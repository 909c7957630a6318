"""What has come of a dispatch: its result, or the error that says what went wrong where and what to do."""

import math
from typing import NamedTuple

from orchestrator.core.decision import Decision
from orchestrator.core.errors import (
    ASK_WHO_OPERATES,
    AllProvidersFailedError,
    DeadlineExceededError,
    FailedStep,
    OrchestratorError,
    PromptTooLargeError,
    RejectedByProviderError,
)
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.money import NanoUsd
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import Attempt, spent_on
from orchestrator.dispatch.dispatch_request import DispatchRequest
from orchestrator.dispatch.history import DispatchHistory
from orchestrator.routing.settings import OnFiltered

NO_TIME = "no time left"
"""Why a step was skipped for which the deadline left nothing."""


class DispatchResult(NamedTuple):
    """What has come of a dispatch, or of as much of it as there was."""

    dispatch: DispatchRequest
    answer: ProviderAnswer | None
    """None while no deployment has answered."""
    attempts: tuple[Attempt, ...] = ()
    notices: tuple[str, ...] = ()
    remark: str = ""
    """What our own parts say of the latest attempt."""
    story: str | None = None
    """How an answer came about that broke off and was finished by another attempt."""
    delivered: str = ""
    """What the reader of a stream has."""
    answered_by: Attempt | None = None
    """The attempt whose answer it is."""
    decision: Decision | None = None
    """How a policy chose among several answers."""
    passed_over: tuple[FailedStep, ...] = ()
    """Deployments of the plan that were not asked when it was their turn."""

    @property
    def spent_nusd(self) -> NanoUsd:
        """Return what all attempts cost."""
        return spent_on(self.attempts)


def failure_error(
    history: DispatchHistory,
    *,
    failure: Failure | None,
    advice: str,
    on_filtered: OnFiltered = OnFiltered.STOP,
    room_in_s: float | None = None,
    rested_in_s: float | None = None,
) -> OrchestratorError:
    """Return what to tell the caller of a dispatch that no deployment answered.

    `failure` is the last one, and `advice` is what the failures together ask for, empty when nothing;
    `on_filtered` is what a filter's refusal meant for the dispatch, `room_in_s` is when a provider's minute
    has room again that was in the way, and `rested_in_s` when the first may be asked again where all of them
    asked for a rest.
    """
    attempts, skipped = history.attempts, history.skipped
    failures = {attempt.failure for attempt in attempts}
    if failure is not None and (
        failure.kind is FailureKind.BAD_REQUEST or failures == {FailureKind.UNSUPPORTED}
    ):
        return _refused_error(failure, history)
    if not attempts and skipped and all(step.reason == NO_TIME for step in skipped):
        return DeadlineExceededError(
            "no time left to ask anybody; allow more with deadline_s, or ask for less", nothing_sent=True
        )
    names = ", ".join(attempt.deployment for attempt in attempts)
    if failures == {FailureKind.CONTEXT_OVERFLOW}:
        return PromptTooLargeError("the prompt is longer than every model of the plan takes; shorten it")
    is_filtered = failure is not None and failure.kind is FailureKind.CONTENT_FILTERED
    if failures == {FailureKind.CONTENT_FILTERED} or (is_filtered and on_filtered is OnFiltered.STOP):
        return _filtered_error(history, on_filtered)
    if failures == {FailureKind.NOT_SENT}:
        return _not_sent_error(history, names)
    steps = [
        FailedStep(
            attempt.deployment,
            history.remarks.get(attempt.number) or attempt.failure or "failed",
            attempt.failure,
        )
        for attempt in attempts
    ]
    nobody, again = "no provider could answer just now", _when_to_ask_again(room_in_s, rested_in_s)
    raised = "" if room_in_s is None else f", or {_RAISE_RATES}"
    # Each step once: that an attempt was made thrice is for the ledger.
    seen = "; ".join(dict.fromkeys(f"{step.deployment}: {step.reason}" for step in (*steps, *skipped)))
    return AllProvidersFailedError(
        nobody + (advice or again + raised),
        steps=(*steps, *skipped),
        retry_after_s=rested_in_s if room_in_s is None else room_in_s,
    ).told_callers(f"{nobody}{f'; {ASK_WHO_OPERATES}' if advice else again}{f' ({seen})' if seen else ''}")


_RAISE_RATES = "raise requests_per_min or tokens_per_min under 'providers' in config.yaml if they allow more"


def _refused_error(failure: Failure, history: DispatchHistory) -> RejectedByProviderError:
    """Return the error for a request that is refused as it is, by the last one asked or by all of them."""
    names = ", ".join(dict.fromkeys(attempt.deployment for attempt in history.attempts))
    if failure.kind is FailureKind.UNSUPPORTED:
        remarks = dict.fromkeys(
            history.remarks.get(attempt.number, str(failure)) for attempt in history.attempts
        )
        return RejectedByProviderError(
            f"{names} did not take this request ({'; '.join(remarks)}). "
            "Look at its parameters, tools, pictures and size, or allow other models."
        )
    return RejectedByProviderError(
        f"{history.attempts[-1].deployment} refused the request itself ({failure}); "
        "another provider would too. Look at its messages, tools and sampling parameters."
    )


def _when_to_ask_again(room_in_s: float | None, rested_in_s: float | None) -> str:
    if room_in_s is not None:
        return f"; ask again in {math.ceil(room_in_s)} s"
    if rested_in_s is not None:
        return f"; they asked for no more for a while: ask again in {math.ceil(rested_in_s)} s"
    return "; ask again later, not at once"


def _not_sent_error(history: DispatchHistory, names: str) -> RejectedByProviderError:
    why = "; ".join(dict.fromkeys(history.remarks.values()))
    nothing_sent = (
        f"the request cannot be written for any provider of its plan ({names}), and nothing was sent"
        f"{f': {why}' if why else ''}; look at the parts of its messages and its tools"
    )
    return RejectedByProviderError(
        f"{nothing_sent}, and at the headers and keys of these providers"
    ).told_callers(nothing_sent)


def _filtered_error(history: DispatchHistory, on_filtered: OnFiltered) -> RejectedByProviderError:
    filtered = [each for each in history.attempts if each.failure == FailureKind.CONTENT_FILTERED]
    if on_filtered is OnFiltered.NEXT_MODEL:
        names = ", ".join(attempt.deployment for attempt in filtered)
        return RejectedByProviderError(
            f"every model that was asked blocked the request by its content filter ({names}); "
            "say it in other words"
        )
    last = filtered[-1]
    remark = history.remarks.get(last.number)
    blocked = (
        f"the content filter of {last.deployment} blocked the request{f' ({remark})' if remark else ''}; say it "
        "in other words"
    )
    return RejectedByProviderError(
        f"{blocked}, or let its use case ask another model with 'on_filtered: next_model'"
    ).told_callers(f"{blocked}, or name another model")
