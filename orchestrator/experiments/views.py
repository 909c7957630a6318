"""Experiments as the plain data that `--json` prints, and their figures as people read them."""

from typing import Any

from orchestrator.core.formatting import money
from orchestrator.core.money import NanoUsd
from orchestrator.experiments.comparison import MetricComparison
from orchestrator.experiments.confidence import ALPHA, UNITS_MIN, Sample
from orchestrator.experiments.decision import ExperimentDecision
from orchestrator.experiments.settings import Metric
from orchestrator.experiments.standing import ExperimentStanding
from orchestrator.ledger.periods import Window


def plain_experiment(
    standing: ExperimentStanding,
    *,
    spent: tuple[tuple[Window, NanoUsd, NanoUsd], ...] = (),
    judge_spent: tuple[tuple[Window, NanoUsd, NanoUsd], ...] = (),
) -> dict[str, Any]:
    """Return an experiment with all that is known of it; `spent` are the windows of its shadows."""
    experiment, settings = standing.experiment, standing.experiment.settings
    return {
        "experiment": experiment.name,
        "label": experiment.label,
        "use_case": settings.use_case,
        "mode": settings.mode.value,
        "share": settings.share,
        "candidate": settings.candidate.model_dump(mode="json", exclude_defaults=True),
        "start": None if settings.start is None else settings.start.isoformat(),
        "end": None if settings.end is None else settings.end.isoformat(),
        "state": standing.state.value,
        "metric": settings.metric.value,
        "margin": settings.margin,
        "rule": None if settings.rule is None else settings.rule.value,
        "finding": standing.finding.value,
        "confidence": 1 - ALPHA,
        "units_min": UNITS_MIN,
        "live_requests": standing.measured.live_requests,
        "candidate_requests": standing.measured.candidate_requests,
        "candidate_answered_by": dict(standing.measured.answered_by),
        "comparisons": [plain_comparison(each) for each in standing.measured.comparisons],
        "decision": None if experiment.decision is None else plain_experiment_decision(experiment.decision),
        "judge": None if settings.judge is None else settings.judge.deployment,
        "shadow_budget": _plain_windows(spent),
        "judge_budget": _plain_windows(judge_spent),
    }


def _plain_windows(spent: tuple[tuple[Window, NanoUsd, NanoUsd], ...]) -> list[dict[str, Any]]:
    return [
        {"window": window.value, **money("spent", used), **money("limit", limit)}
        for window, used, limit in spent
    ]


def plain_comparison(comparison: MetricComparison) -> dict[str, Any]:
    """Return the comparison by one metric."""
    difference = comparison.difference
    return {
        "metric": comparison.metric.value,
        "live": _plain_sample(comparison.live),
        "candidate": _plain_sample(comparison.candidate),
        "difference": None
        if difference is None
        else {"value": difference.value, "low": difference.low, "high": difference.high},
        "finding": comparison.finding.value,
        "missing_units": comparison.missing,
    }


def plain_experiment_decision(decision: ExperimentDecision) -> dict[str, Any]:
    """Return what was decided."""
    return decision.model_dump(mode="json")


def figure_text(metric: Metric, value: float, *, signed: bool = False) -> str:
    """Return a value of a metric: `4.20`, `$0.000120`, `0.80 s`, `98.5 %`; a difference with its sign."""
    sign = "+" if signed else ""
    match metric:
        case Metric.RATING:
            return f"{value:{sign}.2f}"
        case Metric.COST:
            mark = "-" if value < 0 else sign
            return f"{mark}${abs(value):.6f}"
        case Metric.LATENCY:
            return f"{value:{sign}.2f} s"
        case _:
            return f"{100 * value:{sign}.1f} %"


def _plain_sample(sample: Sample) -> dict[str, Any]:
    return {"units": sample.count, "mean": sample.mean}
