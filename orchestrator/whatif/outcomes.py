"""What became of replayed requests: a fate, a cost and a latency for each, and the load of deployments."""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from orchestrator.core.errors import OrchestratorError
from orchestrator.core.reply import Attempt, CacheState, ChatReply, Outcome
from orchestrator.whatif.recorded_traffic import RecordedRequest

_MINUTE_S = 60.0


class Fate(IntEnum):
    """What a request came to."""

    ANSWERED = 0
    DEGRADED = 1
    """Answered otherwise than the plan's first choice would have."""
    REFUSED = 2
    """By a budget, or because too much was under way."""
    FAILED = 3
    CANCELLED = 4


@dataclass(slots=True)
class DeploymentLoad:
    """What one deployment had to do."""

    provider: str
    sends: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nusd: int = 0


@dataclass(slots=True)
class PeakCount:
    """The most sends of a minute, counted when they end."""

    peak: int = 0
    _minute: int = -1
    _count: int = 0

    def add(self, at_s: float) -> None:
        """Count one; moments never go back."""
        minute = int(at_s // _MINUTE_S)
        self._count = self._count + 1 if minute == self._minute else 1
        self._minute, self.peak = minute, max(self.peak, self._count)


@dataclass(slots=True)
class ReplayOutcomes:
    """What became of all requests, in the order of the traffic."""

    fates: "array[int]"
    costs_nusd: "array[int]"
    latencies_s: "array[float]"
    repeated: int = 0
    """Answered from the cache."""
    errors: Counter[str] = field(default_factory=Counter)
    """What callers got instead of an answer, by the type of the error."""
    loads: dict[str, DeploymentLoad] = field(default_factory=dict)
    peaks: dict[str, PeakCount] = field(default_factory=dict)
    """Of each provider: the most sends in a minute."""

    @classmethod
    def of(cls, count: int) -> "ReplayOutcomes":
        """Return a place for the outcomes of so many requests."""
        return cls(array("b", bytes(count)), array("q", bytes(8 * count)), array("d", bytes(8 * count)))

    def note(
        self, number: int, reply: ChatReply | None, error: BaseException | None, *, latency_s: float
    ) -> None:
        """Note what a request came to."""
        self.latencies_s[number] = latency_s
        self.fates[number] = _fate(reply, error)
        if reply is None:
            self.errors[type(error).__name__] += 1
        elif reply.cached in {CacheState.HIT, CacheState.JOINED}:
            self.repeated += 1

    def pay(self, number: int, attempts: Sequence[Attempt], *, at_s: float) -> None:
        """Count the sends of a request."""
        for attempt in attempts:
            load = self.loads.get(attempt.deployment)
            if load is None:
                load = self.loads[attempt.deployment] = DeploymentLoad(attempt.provider)
            load.sends += 1
            load.failed += attempt.outcome is Outcome.FAILED
            load.input_tokens += attempt.usage.input_tokens
            load.output_tokens += attempt.usage.output_tokens
            load.cost_nusd += attempt.cost_nusd
            self.costs_nusd[number] += attempt.cost_nusd
            self.peaks.setdefault(attempt.provider, PeakCount()).add(at_s)


def recorded_outcomes(requests: Sequence[RecordedRequest]) -> ReplayOutcomes:
    """Return what became of requests when they were made, as far as their rows say it."""
    outcomes = ReplayOutcomes.of(len(requests))
    fates = {Outcome.REFUSED: Fate.REFUSED, Outcome.FAILED: Fate.FAILED, Outcome.CANCELLED: Fate.CANCELLED}
    for request in requests:
        answered = Fate.DEGRADED if request.is_degraded else Fate.ANSWERED
        outcomes.fates[request.number] = fates.get(request.outcome, answered)
        outcomes.costs_nusd[request.number] = request.cost_nusd
        outcomes.latencies_s[request.number] = request.latency_s
    return outcomes


def _fate(reply: ChatReply | None, error: BaseException | None) -> Fate:
    if reply is not None:
        return Fate.ANSWERED if reply.degraded is None else Fate.DEGRADED
    if not isinstance(error, OrchestratorError):
        return Fate.CANCELLED
    return Fate.REFUSED if type(error).__name__ in {"BudgetExceededError", "OverloadedError"} else Fate.FAILED
