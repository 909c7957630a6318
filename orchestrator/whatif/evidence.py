"""What a deployment would have answered: drawn from what the ledger recorded of it, near that time.

A request that was sent to a deployment gets from it what it got then. For another deployment a send is
drawn that the ledger has of it around the same moment, so that an outage is one in the replay too. Its
length is that of the request's own answer, as much longer or shorter as the model usually writes; its
latency grows with the length as the recorded ones do. Of a deployment with too few sends of its own, those
of its model at all providers are taken, then those of its provider, then all: `rests_on` says which. Sends of
shadows and probes count as others do.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from orchestrator.catalog.catalog import Deployment
from orchestrator.core.failures import FailureKind
from orchestrator.whatif.drawn import drawn_number
from orchestrator.whatif.recorded_traffic import RecordedRequest, RecordedSend

ENOUGH = 20
"""So many sends say enough of a deployment."""
_AROUND_S = (60.0, 600.0)
"""How far from a moment sends are looked for; then the nearest count, however far they are."""
_NEAREST = 16
_SCALE_MAX = 4.0
"""Nobody writes more than so many times what another writes."""
_OF_THE_REQUEST = frozenset({FailureKind.BAD_REQUEST, FailureKind.CONTENT_FILTERED})
"""Failures that speak of a request and not of who was asked."""


class RestsOn(StrEnum):
    """Whose recorded sends stand for a deployment."""

    ITSELF = "itself"
    MODEL = "its model at all providers"
    PROVIDER = "all models of its provider"
    ALL = "all deployments"


class DrawnSend(NamedTuple):
    """What comes of a send in a replay."""

    failure: FailureKind | None
    status: int | None
    latency_s: float
    first_token_s: float
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int


@dataclass(slots=True)
class Pool:
    """Recorded sends that stand for a deployment, oldest first."""

    sends: list[RecordedSend] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    output_mean: float = 0.0
    latency_per_token_s: float = 0.0
    tokens_per_expected: float = 1.0

    @classmethod
    def of(cls, sends: Iterable[RecordedSend]) -> "Pool":
        """Learn from sends, oldest first."""
        pool = cls([send for send in sends if send.failure not in _OF_THE_REQUEST])
        pool.times_s = [send.at_s for send in pool.sends]
        answered = [send for send in pool.sends if send.failure is None and send.output_tokens]
        if answered:
            pool.output_mean = sum(send.output_tokens for send in answered) / len(answered)
            pool.latency_per_token_s = _slope(answered, pool.output_mean)
        counted = [send for send in answered if send.expected_tokens and send.input_tokens]
        expected = sum(send.expected_tokens for send in counted)
        if expected:
            pool.tokens_per_expected = sum(send.input_tokens for send in counted) / expected
        return pool

    def near(self, at_s: float, lot: int) -> RecordedSend:
        """Return one of the sends around a moment; `lot` says which."""
        for reach_s in _AROUND_S:
            first, last = (
                bisect_left(self.times_s, at_s - reach_s),
                bisect_right(self.times_s, at_s + reach_s),
            )
            if last > first:
                return self.sends[first + lot % (last - first)]
        place = bisect_left(self.times_s, at_s)
        first = max(0, min(place - _NEAREST // 2, len(self.sends) - _NEAREST))
        return self.sends[first + lot % min(_NEAREST, len(self.sends))]


class SendEvidence:
    """What is known of every deployment; the same seed draws the same."""

    def __init__(
        self, sends: Sequence[RecordedSend], requests: Iterable[RecordedRequest], *, seed: int
    ) -> None:
        """Sort recorded sends by whom they were sent to."""
        self._seed = seed
        self._pools: dict[tuple[RestsOn, str], Pool] = {}
        self._means = _output_means(requests)
        by_key: dict[tuple[RestsOn, str], list[RecordedSend]] = defaultdict(list)
        for send in sends:
            by_key[RestsOn.ITSELF, send.deployment].append(send)
            by_key[RestsOn.MODEL, send.model].append(send)
            by_key[RestsOn.PROVIDER, send.provider].append(send)
            by_key[RestsOn.ALL, ""].append(send)
        for key, many in by_key.items():
            pool = Pool.of(many)
            if pool.sends:
                self._pools[key] = pool
        self._chosen: dict[str, tuple[RestsOn, Pool]] = {}

    def rests_on(self, deployment: Deployment) -> tuple[RestsOn, int]:
        """Return whose sends stand for a deployment, and how many there are."""
        rests_on, pool = self._pool_of(deployment)
        return rests_on, len(pool.sends)

    def own_sends(self, deployment: str) -> int:
        """Return how many recorded sends went to a deployment, shadows and probes among them."""
        pool = self._pools.get((RestsOn.ITSELF, deployment))
        return 0 if pool is None else len(pool.sends)

    def draw(self, request: RecordedRequest, deployment: Deployment, *, nth: int) -> DrawnSend:
        """Return what comes of the `nth` send of a request to a deployment, from 0."""
        own = [send for send in request.sends if send.deployment == deployment.name]
        rests_on, pool = self._pool_of(deployment)
        if nth < len(own):
            return _repeated(own[nth], request, pool)
        refused = next((send for send in request.sends if send.failure == FailureKind.BAD_REQUEST), None)
        if refused is not None:
            return _repeated(refused, request, pool)
        lot = drawn_number(self._seed, request.number, deployment.name, nth)
        send = pool.near(request.at_s, lot)
        if send.failure is not None:
            return _repeated(send, request, pool)
        output = self._output_of(request, deployment.name, send, pool)
        longer_s = (output - send.output_tokens) * pool.latency_per_token_s
        latency_s = max(0.2 * send.latency_s, send.latency_s + longer_s)
        share = send.cached_input_tokens / send.input_tokens if send.input_tokens else 0.0
        inputs = _input_of(request, pool)
        cached = round(share * inputs) if rests_on is RestsOn.ITSELF else 0
        return DrawnSend(None, None, latency_s, _first_token_s(send, latency_s), inputs, output, cached)

    def _output_of(self, request: RecordedRequest, deployment: str, send: RecordedSend, pool: Pool) -> int:
        answered = next((own for own in reversed(request.sends) if own.failure is None), None)
        if answered is None:
            return send.output_tokens
        usual = self._means.get((request.use_case, answered.deployment))
        here = self._means.get((request.use_case, deployment))
        if here is None:
            usual, here = self._mean_of(answered.deployment), pool.output_mean
        scale = min(_SCALE_MAX, max(1 / _SCALE_MAX, here / usual)) if usual and here else 1.0
        return max(1, round(answered.output_tokens * scale))

    def _mean_of(self, deployment: str) -> float:
        pool = self._pools.get((RestsOn.ITSELF, deployment))
        return 0.0 if pool is None else pool.output_mean

    def _pool_of(self, deployment: Deployment) -> tuple[RestsOn, Pool]:
        chosen = self._chosen.get(deployment.name)
        if chosen is None:
            chosen = self._chosen[deployment.name] = self._choose(deployment)
        return chosen

    def _choose(self, deployment: Deployment) -> tuple[RestsOn, Pool]:
        names = {
            RestsOn.ITSELF: deployment.name,
            RestsOn.MODEL: deployment.model_name,
            RestsOn.PROVIDER: deployment.provider_name,
            RestsOn.ALL: "",
        }
        known = [
            (rests_on, self._pools[rests_on, name])
            for rests_on, name in names.items()
            if (rests_on, name) in self._pools
        ]
        return next(((rests_on, pool) for rests_on, pool in known if len(pool.sends) >= ENOUGH), known[-1])


def _repeated(send: RecordedSend, request: RecordedRequest, pool: Pool) -> DrawnSend:
    failure = None if send.failure is None else _kind_of(send.failure)
    inputs = send.input_tokens or _input_of(request, pool)
    return DrawnSend(
        failure,
        send.status,
        send.latency_s,
        _first_token_s(send, send.latency_s),
        inputs,
        max(1, send.output_tokens),
        min(inputs, send.cached_input_tokens),
    )


def _kind_of(failure: str) -> FailureKind:
    return FailureKind(failure) if failure in set(FailureKind) else FailureKind.UNKNOWN


def _first_token_s(send: RecordedSend, latency_s: float) -> float:
    share = 0.3 if send.first_token_s is None or not send.latency_s else send.first_token_s / send.latency_s
    return latency_s * min(1.0, share)


def _input_of(request: RecordedRequest, pool: Pool) -> int:
    return max(1, round(request.expected_tokens * pool.tokens_per_expected))


def _slope(sends: Sequence[RecordedSend], output_mean: float) -> float:
    """Return by how many seconds an answer takes longer for each token: least squares, never below 0."""
    latency_mean = sum(send.latency_s for send in sends) / len(sends)
    square = sum((send.output_tokens - output_mean) ** 2 for send in sends)
    product = sum((send.output_tokens - output_mean) * (send.latency_s - latency_mean) for send in sends)
    return max(0.0, product / square) if square else 0.0


def _output_means(requests: Iterable[RecordedRequest]) -> Mapping[tuple[str, str], float]:
    """Return how much each deployment writes in each use case, where enough is recorded."""
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for request in requests:
        for send in request.sends:
            if send.failure is None:
                counted = sums[request.use_case, send.deployment]
                counted[0] += send.output_tokens
                counted[1] += 1
    return {key: total / count for key, (total, count) in sums.items() if count >= ENOUGH}
