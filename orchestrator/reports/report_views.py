"""A report as the plain data that `--json` prints; money is whole nano-dollars, and dollars as a text."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from orchestrator.core.formatting import money
from orchestrator.core.language import Language
from orchestrator.reports.ledger_views import plain_budgets
from orchestrator.reports.report_words import phrase_in

if TYPE_CHECKING:
    from orchestrator.ledger.feedback import FeedbackSum
    from orchestrator.ledger.ledger import BudgetStatus
    from orchestrator.reports.analysis import Analysis
    from orchestrator.reports.durations import Durations
    from orchestrator.reports.forecast import Forecast
    from orchestrator.reports.phrase import Phrase
    from orchestrator.reports.ratings import Ratings
    from orchestrator.reports.recommendation import Recommendation
    from orchestrator.reports.resampling import Interval
    from orchestrator.reports.savings import Saving
    from orchestrator.reports.usage_report import Part, UsageReport


def plain_analysis(result: "Analysis", budgets: "Sequence[BudgetStatus]" = ()) -> dict[str, Any]:
    """Return everything that is said of a range, and how the budgets stand."""
    saved = result.savings
    return {
        **plain_report(result.report),
        "savings": {"unknown": None if result.no_savings is None else _english(result.no_savings)}
        if saved is None
        else {
            "baseline": saved.baseline,
            **money("baseline", saved.baseline_nusd),
            "model": _plain_saving(saved.model),
            "agreement": _plain_saving(saved.agreement),
            "cache": _plain_saving(saved.cache),
            "total": _plain_saving(saved.total),
            "share": saved.share,
            "share_interval": None if saved.share_interval is None else asdict(saved.share_interval),
            "unpriced_repeats": saved.unpriced_repeats,
        },
        "goals": [
            {"goal": goal.kind.value, "target": goal.target, "reached": goal.reached, "is_met": goal.is_met}
            for goal in result.goals
        ],
        "forecasts": [_plain_forecast(forecast) for forecast in result.forecasts],
        "unusual_days": [
            {
                "day": day.day, **money("cost", day.cost_nusd), **money("usual", day.usual_nusd),
                "tenant": day.tenant, "use_case": day.use_case, "model": day.model,
                **money("rise", day.rise_nusd),
            }
            for day in result.unusual
        ],
        "recommendations": [_plain_recommendation(change) for change in result.recommendations],
        "not_looked_for": {item.kind: item.reason for item in result.not_known},
        "budgets": plain_budgets(budgets),
    }  # fmt: skip


def plain_report(report: "UsageReport") -> dict[str, Any]:
    """Return the counted part of a report."""
    return {
        "period": report.span.label,
        "since": f"{report.span.first}",
        "until": f"{report.span.last}",
        **asdict(report.of),
        "requests": report.requests,
        "outcomes": dict(report.outcomes),
        **money("cost", report.cost_nusd),
        **money("experiments_cost", report.experiments_nusd),
        **money("average_cost", report.average_cost_nusd),
        "average_latency_s": report.average_latency_s,
        "latency": _plain_durations(report.latency),
        "requests_per_hour": report.requests_per_hour,
        "success_rate": report.success_rate,
        "probes": report.probes,
        "cache_hits": report.cache_hits,
        "joined": report.joined,
        "stale": report.stale,
        "degraded": report.degraded,
        "feedback": _plain_ratings(report.ratings),
        "cost_by_source": {name: money("cost", amount) for name, amount in report.cost_by_source.items()},
        "before": {
            "period": report.trend.label,
            "requests": report.trend.requests,
            **money("cost", report.trend.cost_nusd),
            "change": report.trend.change,
        },
        "days": [
            {"day": day.day, "requests": day.requests, **money("cost", day.cost_nusd)} for day in report.days
        ],
        "models": [_plain_model(part) for part in report.models],
        "use_cases": [_plain_part(part) for part in report.use_cases],
        "tenants": [_plain_part(part) for part in report.tenants],
        "experiments": [_plain_part(part) for part in report.experiments],
        "users": [_plain_part(part) for part in report.users],
        "tags": [_plain_part(part) for part in report.tags],
        "notices": [_english(notice) for notice in report.notices],
    }


def _plain_ratings(ratings: "Ratings") -> dict[str, Any]:
    groups = {"models": ratings.models, "use_cases": ratings.use_cases, "tenants": ratings.tenants}
    return {
        **_plain_rating(ratings.total),
        **{
            group: [{"name": name, **_plain_rating(rating)} for name, rating in named.items()]
            for group, named in groups.items()
        },
    }


def _plain_rating(rating: "FeedbackSum") -> dict[str, Any]:
    return {
        "count": rating.answers,
        "average_score": rating.average_score,
        "scores": rating.scored,
        "corrected": rating.corrected,
    }


def _plain_part(part: "Part") -> dict[str, Any]:
    return {
        "name": part.name,
        "requests": part.requests,
        "share": part.share,
        **money("cost", part.cost_nusd),
        **money("average_cost", part.average_cost_nusd),
        "average_latency_s": part.average_latency_s,
        "success_rate": part.success_rate,
    }


def _plain_model(part: "Part") -> dict[str, Any]:
    return {
        **_plain_part(part),
        "latency": _plain_durations(part.latency),
        "first_token": _plain_durations(part.first_token),
        "output_tokens_per_s": part.output_tokens_per_s,
    }


def _plain_durations(durations: "Durations | None") -> dict[str, Any] | None:
    return None if durations is None else asdict(durations)


def _plain_interval(interval: "Interval | None") -> dict[str, Any] | None:
    if interval is None:
        return None
    return {**money("low", interval.low), **money("high", interval.high)}


def _plain_saving(saving: "Saving") -> dict[str, Any]:
    return {**money("amount", saving.amount_nusd), "interval": _plain_interval(saving.interval)}


def _plain_forecast(forecast: "Forecast") -> dict[str, Any]:
    return {
        "period": forecast.label,
        **money("spent", forecast.spent_nusd),
        **money("expected", forecast.expected_nusd),
        "interval": _plain_interval(forecast.interval),
        "history_days": forecast.history_days,
    }


def _plain_recommendation(change: "Recommendation") -> dict[str, Any]:
    return {
        "kind": change.kind.value,
        "subject": change.subject,
        "money": change.meaning.value,
        **money("month", change.month_nusd),
        "interval": _plain_interval(change.interval),
        "evidence": {"count": change.count, "out_of": change.out_of, "rows": _english(change.rows)},
        "risk": change.kind.risk,
        "apply": _english(change.apply),
    }


def _english(phrase: "Phrase") -> str:
    return phrase_in(phrase, Language.EN)
