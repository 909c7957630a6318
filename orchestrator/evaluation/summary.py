"""What an evaluation says of each subject: quality with its interval, cost, latency, and the difference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from orchestrator.core.formatting import money
from orchestrator.core.money import NanoUsd
from orchestrator.evaluation.case import ScoredRow
from orchestrator.evaluation.intervals import MeanInterval, bootstrap, paired


@dataclass(frozen=True, slots=True)
class SubjectStanding:
    """One subject over all rows."""

    subject: str
    rows: int
    unscored: int
    """Rows without a value: not asked, or a scorer that could not tell."""
    first_unscored: str
    """The first of them with its line, and why it has none; empty where there is none."""
    failed: int
    """Rows without an answer; their score is 0."""
    quality: MeanInterval | None
    """Of the mean score; None where no row has one."""
    beside_first: MeanInterval | None
    """The difference to the first subject over the rows that both have; None for the first."""
    cost_nusd: NanoUsd
    latency_s: float | None
    """The median of what was answered."""
    by_scorer: Mapping[str, float | None]


def standings(results: Sequence[ScoredRow]) -> list[SubjectStanding]:
    """Return the subjects in the order in which they were named."""
    by_subject: dict[str, list[ScoredRow]] = {}
    for result in results:
        by_subject.setdefault(result.subject, []).append(result)
    first = next(iter(by_subject.values()), [])
    return [
        _standing(name, of_subject, None if of_subject is first else first)
        for name, of_subject in by_subject.items()
    ]


def _standing(name: str, results: Sequence[ScoredRow], first: Sequence[ScoredRow] | None) -> SubjectStanding:
    values = [result.value for result in results if result.value is not None]
    latencies = [result.answer.latency_s for result in results if not result.answer.error]
    return SubjectStanding(
        subject=name,
        rows=len(results),
        unscored=sum(result.value is None for result in results),
        first_unscored=next((_why_unscored(result) for result in results if result.value is None), ""),
        failed=sum(bool(result.answer.error) for result in results),
        quality=bootstrap(values) if values else None,
        beside_first=None if first is None else _beside(results, first),
        cost_nusd=NanoUsd(sum(result.answer.cost_nusd for result in results)),
        latency_s=median(latencies) if latencies else None,
        by_scorer={scorer: _mean_of(results, scorer) for scorer in results[0].scores},
    )


def _why_unscored(result: ScoredRow) -> str:
    missing = [f"{name}: {score.reason}" for name, score in result.scores.items() if score.value is None]
    return f"line {result.row.line} (row '{result.row.id}'), {missing[0] if missing else 'not asked'}"


def _beside(results: Sequence[ScoredRow], first: Sequence[ScoredRow]) -> MeanInterval | None:
    pairs = [
        (ours.value, theirs.value)
        for ours, theirs in zip(results, first, strict=True)
        if ours.value is not None and theirs.value is not None
    ]
    return paired([ours for ours, _ in pairs], [theirs for _, theirs in pairs]) if pairs else None


def _mean_of(results: Sequence[ScoredRow], scorer: str) -> float | None:
    values = [result.scores[scorer].value for result in results]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def why_not_passed(places: Sequence[SubjectStanding], *, min_score: float | None, stopped: str) -> list[str]:
    """Return why the evaluation has not passed, a line each; empty where it has."""
    reasons = [f"stopped: {stopped}"] if stopped else []
    for standing in places:
        if standing.unscored:
            reasons.append(
                f"{standing.subject}: {standing.unscored} of {standing.rows} rows have no score, first "
                f"{standing.first_unscored}; what was answered is kept, and another start scores it again"
            )
        mean = None if standing.quality is None else standing.quality.mean
        if min_score is not None and (mean is None or mean < min_score):
            shown = "unknown" if mean is None else f"{mean:.3f}"
            reasons.append(
                f"{standing.subject}: the mean score is {shown}, and at least {min_score:g} is asked for"
            )
    return reasons


def plain_evaluation(
    results: Sequence[ScoredRow], places: Sequence[SubjectStanding], reasons: Sequence[str], *, path: str
) -> dict[str, Any]:
    """Return an evaluation for JSON."""
    return {
        "ok": not reasons,
        "reasons": list(reasons),
        "results_file": path,
        "subjects": [plain_standing(standing) for standing in places],
        "rows": [
            {
                "id": result.row.id, "subject": result.subject, "value": result.value,
                "scores": {name: {"value": score.value, "reason": score.reason} for name, score in result.scores.items()},
                "error": result.answer.error, **money("cost", result.answer.cost_nusd),
            }
            for result in results
        ],
    }  # fmt: skip


def plain_standing(standing: SubjectStanding) -> dict[str, Any]:
    """Return the standing of a subject for JSON."""
    return {
        "subject": standing.subject, "rows": standing.rows, "unscored": standing.unscored,
        "failed": standing.failed, "quality": plain_interval(standing.quality),
        "beside_first": plain_interval(standing.beside_first), **money("cost", standing.cost_nusd),
        "latency_s": standing.latency_s, "by_scorer": dict(standing.by_scorer),
    }  # fmt: skip


def plain_interval(interval: MeanInterval | None) -> dict[str, float] | None:
    """Return an interval for JSON."""
    return None if interval is None else {"mean": interval.mean, "low": interval.low, "high": interval.high}
