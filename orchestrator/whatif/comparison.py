"""Two replays of the same traffic side by side: what differs, for whom, on how much evidence."""

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.config.loader import Config
from orchestrator.core.formatting import count_text
from orchestrator.whatif.evidence import ENOUGH, RestsOn, SendEvidence
from orchestrator.whatif.outcomes import DeploymentLoad, Fate, ReplayOutcomes
from orchestrator.whatif.recorded_traffic import RecordedTraffic


@dataclass(slots=True)
class Sum:
    """What became of some requests."""

    requests: int = 0
    cost_nusd: int = 0
    fates: list[int] = field(default_factory=lambda: [0] * len(Fate))

    def count(self, fate: Fate) -> int:
        """Return how many came to this."""
        return self.fates[fate]

    def share(self, fate: Fate) -> float:
        """Return which part of them came to this."""
        return self.fates[fate] / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class Latency:
    """How long answered requests took, in seconds."""

    p50_s: float
    p95_s: float
    mean_s: float


@dataclass(frozen=True, slots=True)
class Side:
    """One configuration under the traffic."""

    total: Sum
    latency: Latency | None
    """None where nothing was answered."""
    repeated: int
    """Answered from the cache."""
    errors: Mapping[str, int]
    loads: Mapping[str, DeploymentLoad]
    peaks: Mapping[str, int]
    """Of each provider: the most sends in a minute."""


@dataclass(frozen=True, slots=True)
class Affected:
    """A tenant or a use case, under both configurations."""

    name: str
    before: Sum
    after: Sum
    worse: int
    """Requests that were answered and are not, or are answered by another than the first choice."""
    better: int

    @property
    def differs(self) -> bool:
        """Return whether the change means anything to it."""
        return bool(self.worse or self.better) or self.before.cost_nusd != self.after.cost_nusd


@dataclass(frozen=True, slots=True)
class Ground:
    """What the numbers of a deployment rest on."""

    deployment: str
    sends: int
    """Replayed under the new configuration."""
    rests_on: RestsOn
    recorded: int
    """Recorded sends behind it."""
    own: int
    """Those of them that are the deployment's own, shadows and probes among them."""

    @property
    def is_thin(self) -> bool:
        """Return whether it says little: the deployment's own sends are few, or there are none."""
        return self.rests_on is not RestsOn.ITSELF or self.recorded < ENOUGH


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What another configuration would have changed."""

    began: datetime
    ended: datetime
    recorded: Sum
    recorded_latency: Latency | None
    """None where nothing was answered."""
    """As the ledger has it."""
    before: Side
    """Replayed under the configuration in use."""
    after: Side
    """Replayed under the other one."""
    tenants: tuple[Affected, ...]
    use_cases: tuple[Affected, ...]
    """Those that differ; the most affected first."""
    grounds: tuple[Ground, ...]
    left_out: Mapping[str, int]
    notices: tuple[str, ...]
    seed: int
    took_s: float = 0.0
    """Both replays together."""


def side_of(outcomes: ReplayOutcomes) -> Side:
    """Return the sums of a replay."""
    return Side(
        total=_total(outcomes),
        latency=latency_of(outcomes),
        repeated=outcomes.repeated,
        errors=dict(outcomes.errors.most_common()),
        loads=dict(sorted(outcomes.loads.items())),
        peaks={provider: count.peak for provider, count in sorted(outcomes.peaks.items())},
    )


def affected(names: Sequence[str], before: ReplayOutcomes, after: ReplayOutcomes) -> tuple[Affected, ...]:
    """Return who is affected, the most first; `names` say whose each request is."""
    sums: dict[str, tuple[Sum, Sum, list[int]]] = defaultdict(lambda: (Sum(), Sum(), [0, 0]))
    for number, name in enumerate(names):
        old, new, moved = sums[name]
        _count(old, before, number)
        _count(new, after, number)
        fate, other = before.fates[number], after.fates[number]
        if fate != other and Fate.CANCELLED not in (fate, other):
            moved[other < fate] += 1
    every = (Affected(name, old, new, *moved) for name, (old, new, moved) in sums.items())
    differing = [each for each in every if each.differs]
    return tuple(
        sorted(differing, key=lambda each: (-each.worse, -abs(each.after.cost_nusd - each.before.cost_nusd)))
    )


def grounds_of(side: Side, config: Config, evidence: SendEvidence) -> tuple[Ground, ...]:
    """Return what the numbers of each deployment rest on, the most asked first."""
    loads = sorted(side.loads.items(), key=lambda item: -item[1].sends)
    return tuple(
        Ground(
            name, load.sends, *evidence.rests_on(config.catalog.deployments[name]), evidence.own_sends(name)
        )
        for name, load in loads
    )


def comparison_notices(traffic: RecordedTraffic, side: Side, grounds: Sequence[Ground]) -> Iterator[str]:
    """Yield what a reader has to know before the numbers are believed."""
    sends = sum(ground.sends for ground in grounds)
    thin = [ground for ground in grounds if ground.is_thin]
    for ground in thin:
        yield (
            f"{ground.deployment} ({ground.sends / sends:.0%} of the sends) has {ground.own} of the {ENOUGH} recorded "
            f"sends that say enough, so it rests on {ground.recorded} of {ground.rests_on}: let some traffic go there "
            "first, then ask again"
        )
    if not any(request.is_repeated for request in traffic.requests):
        yield "no answer was repeated from the cache then, so what a cache would save is not seen"
    if unknown := side.errors.get("UnknownNameError"):
        yield f"the new configuration does not define the use case of {count_text(unknown, 'request')}"


def total_of(outcomes: ReplayOutcomes) -> Sum:
    """Return the sum of all requests."""
    return _total(outcomes)


def _total(outcomes: ReplayOutcomes) -> Sum:
    fates = [0] * len(Fate)
    for fate in outcomes.fates:
        fates[fate] += 1
    return Sum(len(outcomes.fates), sum(outcomes.costs_nusd), fates)


def _count(sums: Sum, outcomes: ReplayOutcomes, number: int) -> None:
    sums.requests += 1
    sums.cost_nusd += outcomes.costs_nusd[number]
    sums.fates[outcomes.fates[number]] += 1


def latency_of(outcomes: ReplayOutcomes) -> Latency | None:
    """Return how long those that were answered took; None where nothing was."""
    pairs = zip(outcomes.fates, outcomes.latencies_s, strict=True)
    answered = array("d", sorted(latency_s for fate, latency_s in pairs if fate <= Fate.DEGRADED))
    if not answered:
        return None
    last = len(answered) - 1
    return Latency(answered[last // 2], answered[round(0.95 * last)], sum(answered) / len(answered))
