"""Both sides of an experiment compared, from the rows of the ledger: as often as anybody looks.

What is drawn is what is compared. In ab that is a user: all his requests are on one side, so they say less
than as many of different users would, and each user counts once, with his average. A request without a user
counts by itself. Of shadows it is the difference between a live answer and its shadow; where the live one is
a user's, his average difference.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.core.arms import ArmKind, ArmTags, Preferred, read_tags
from orchestrator.core.reply import CacheState, Outcome
from orchestrator.experiments.confidence import (
    UNITS_MIN,
    ConfidenceInterval,
    Sample,
    of_difference,
    of_mean,
    units_until,
)
from orchestrator.experiments.settings import ExperimentMode, ExperimentSettings, Metric
from orchestrator.ledger.facts import ArmRow
from orchestrator.ledger.feedback import SCORE_MAX, SCORE_MIN

_BOUNDS: Mapping[Metric, tuple[float, float]] = {
    Metric.RATING: (SCORE_MIN, SCORE_MAX),
    Metric.CORRECTION_RATE: (0.0, 1.0),
    Metric.CHECKS: (0.0, 1.0),
    Metric.JUDGE: (0.0, 1.0),
}
_LESS_IS_BETTER = frozenset({Metric.CORRECTION_RATE, Metric.COST, Metric.LATENCY})
_RELATIVE = frozenset({Metric.COST, Metric.LATENCY})
"""Their margin is a share of what the live side has."""
_NUSD_PER_USD = 1_000_000_000
_REPEATS = frozenset({CacheState.HIT.value, CacheState.JOINED.value, CacheState.REPLAYED.value})


class Finding(StrEnum):
    """What is proven of a candidate by one metric."""

    TOO_FEW = "too_few"
    """There are too few units to say anything."""
    OPEN = "open"
    """Nothing yet: the interval holds both."""
    BETTER = "better"
    NOT_WORSE = "not_worse"
    """Not by more than the margin."""
    WORSE = "worse"
    """By more than the margin."""


@dataclass(frozen=True, slots=True)
class MetricComparison:
    """The candidate beside what answers else, by one metric."""

    metric: Metric
    live: Sample
    """Users, or requests without one; of shadows those that have a pair."""
    candidate: Sample
    difference: ConfidenceInterval | None
    """Candidate less live; None of too few."""
    finding: Finding
    missing: int | None = None
    """About how many units more, of both sides, until something is proven, if all stays as it is; of too few,
    until anything can be said. None where it is proven, or too close to tell."""


@dataclass(frozen=True, slots=True)
class MeasuredArms:
    """What was measured of an experiment so far."""

    live_requests: int
    candidate_requests: int
    """Of shadows: those that have a row."""
    comparisons: tuple[MetricComparison, ...]
    """By every metric of which anything is known."""
    answered_by: Mapping[str, int]
    """How many answers on the candidate's side each deployment gave: where it fails, others do."""
    never_answered: bool
    """The candidate is one deployment, and gave none of the answers on its side."""

    def by(self, metric: Metric) -> MetricComparison | None:
        """Return the comparison by a metric, None where nothing is known of it."""
        return next((each for each in self.comparisons if each.metric is metric), None)


def measured(rows: Iterable[ArmRow], label: str, settings: ExperimentSettings) -> MeasuredArms:
    """Return what the rows of an experiment prove."""
    tagged = [(row, tags) for row in rows if (tags := read_tags(row.tags, label)) is not None]
    is_shadow = settings.mode is ExperimentMode.SHADOW
    beside = ArmKind.SHADOW if is_shadow else ArmKind.CANDIDATE
    counts = [sum(tags.kind is kind for _, tags in tagged) for kind in (ArmKind.LIVE, beside)]
    compare = _pairs if is_shadow else _sides
    # Nobody corrects what nobody reads.
    metrics = (each for each in Metric if not (is_shadow and each is Metric.CORRECTION_RATE))
    comparisons = (compare(tagged, metric, settings) for metric in metrics)
    answered_by = Counter(row.deployment for row, tags in tagged if tags.kind is beside and row.deployment)
    alone = settings.candidate.constant
    return MeasuredArms(
        *(counts[0], counts[1], tuple(each for each in comparisons if each is not None)),
        answered_by=dict(answered_by.most_common()),
        never_answered=counts[1] > 0 and alone is not None and alone not in answered_by,
    )


_Tagged = Sequence[tuple[ArmRow, ArmTags]]
_Unit = tuple[str, ...]


def _sides(tagged: _Tagged, metric: Metric, settings: ExperimentSettings) -> MetricComparison | None:
    """Compare users of one side with those of the other."""
    values: dict[ArmKind, dict[_Unit, list[float]]] = {
        ArmKind.LIVE: defaultdict(list),
        ArmKind.CANDIDATE: defaultdict(list),
    }
    for row, tags in tagged:
        value = _VALUES[metric](row, tags)
        if value is not None and tags.kind in values:
            values[tags.kind][_unit_of(row)].append(value)
    bounds = _BOUNDS.get(metric)
    live, candidate = (Sample.of(map(_mean, side.values()), bounds=bounds) for side in values.values())
    if not live.count and not candidate.count:
        return None
    difference = of_difference(live, candidate)
    return _compared(metric, live, candidate, difference, settings, count=live.count + candidate.count)


def _pairs(tagged: _Tagged, metric: Metric, settings: ExperimentSettings) -> MetricComparison | None:
    """Compare live answers with their shadows."""
    of_live = {row.id: (row, tags) for row, tags in tagged if tags.kind is ArmKind.LIVE}
    pairs: dict[_Unit, list[tuple[float, float]]] = defaultdict(list)
    compares = ArmKind.JUDGE if metric is Metric.JUDGE else ArmKind.SHADOW
    for row, tags in tagged:
        if tags.kind is not compares or tags.shadow_of not in of_live:
            continue
        live_row, live_tags = of_live[tags.shadow_of]
        shadow = _VALUES[metric](row, tags)
        # What a judge says is of both sides at once.
        live = _VALUES[metric](live_row, live_tags) if metric is not Metric.JUDGE else _other_half(shadow)
        if live is not None and shadow is not None:
            pairs[_unit_of(live_row)].append((live, shadow))
    if not pairs:
        return None
    bounds = _BOUNDS.get(metric)
    widest = None if bounds is None else (bounds[0] - bounds[1], bounds[1] - bounds[0])
    lives = Sample.of((_mean([live for live, _ in each]) for each in pairs.values()), bounds=bounds)
    shadows = Sample.of((_mean([shadow for _, shadow in each]) for each in pairs.values()), bounds=bounds)
    differences = (_mean([shadow - live for live, shadow in each]) for each in pairs.values())
    difference = of_mean(Sample.of(differences, bounds=widest))
    return _compared(metric, lives, shadows, difference, settings, count=lives.count)


def _compared(
    metric: Metric,
    live: Sample,
    candidate: Sample,
    difference: ConfidenceInterval | None,
    settings: ExperimentSettings,
    *,
    count: int,
) -> MetricComparison:
    """Return what `count` units prove by a metric."""
    margin = settings.margin * live.mean if metric in _RELATIVE else settings.margin
    # The margin is of the metric that decides; by others nothing is allowed to be worse.
    margin = margin if metric is settings.metric else 0.0
    finding = _finding(metric, difference, margin)
    missing = None
    if difference is None:
        missing = _until_anything(live, candidate, settings)
    elif finding is Finding.OPEN:
        gain = _gain(metric, difference)
        missing = units_until(gain, count, distance=abs(gain.value + margin))
    return MetricComparison(metric, live, candidate, difference, finding, missing)


def _until_anything(live: Sample, candidate: Sample, settings: ExperimentSettings) -> int:
    """Return about how many units are missing until each side has enough; of shadows each is on both."""
    if settings.mode is ExperimentMode.SHADOW:
        return UNITS_MIN - live.count
    shares = ((live, 1 - settings.share), (candidate, settings.share))
    return max(math.ceil((UNITS_MIN - side.count) / share) for side, share in shares)


def _gain(metric: Metric, difference: ConfidenceInterval) -> ConfidenceInterval:
    return difference.scaled(-1.0 if metric in _LESS_IS_BETTER else 1.0)


def _finding(metric: Metric, difference: ConfidenceInterval | None, margin: float) -> Finding:
    if difference is None:
        return Finding.TOO_FEW
    gain = _gain(metric, difference)
    if gain.low > 0:
        return Finding.BETTER
    if gain.high < -margin:
        return Finding.WORSE
    return Finding.NOT_WORSE if margin and gain.low > -margin else Finding.OPEN


def _unit_of(row: ArmRow) -> _Unit:
    return (row.id,) if row.user is None else (row.tenant, row.user)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _rating(row: ArmRow, _: ArmTags) -> float | None:
    return row.score


def _correction(row: ArmRow, _: ArmTags) -> float | None:
    return float(row.is_corrected) if row.outcome == Outcome.SUCCEEDED.value else None


def _checks(_: ArmRow, tags: ArmTags) -> float | None:
    return None if tags.passed is None else float(tags.passed)


def _cost(row: ArmRow, _: ArmTags) -> float | None:
    """Return dollars; an answer that was there already says nothing of who gave it."""
    was_sent = row.cached not in _REPEATS and row.outcome in {Outcome.SUCCEEDED.value, Outcome.FAILED.value}
    return row.cost_nusd / _NUSD_PER_USD if was_sent else None


def _latency(row: ArmRow, _: ArmTags) -> float | None:
    was_answered = row.cached == CacheState.MISS.value and row.outcome == Outcome.SUCCEEDED.value
    return row.latency_s if was_answered else None


_POINTS = {Preferred.LIVE: 0.0, Preferred.NEITHER: 0.5, Preferred.CANDIDATE: 1.0}


def _judged(_: ArmRow, tags: ArmTags) -> float | None:
    return None if tags.preferred is None else _POINTS[tags.preferred]


def _other_half(value: float | None) -> float | None:
    return None if value is None else 1.0 - value


_VALUES: Mapping[Metric, Callable[[ArmRow, ArmTags], float | None]] = {
    Metric.RATING: _rating,
    Metric.CORRECTION_RATE: _correction,
    Metric.CHECKS: _checks,
    Metric.COST: _cost,
    Metric.LATENCY: _latency,
    Metric.JUDGE: _judged,
}
