"""A range of days with all that is said of it: report, savings, forecast, unusual days, what to change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from orchestrator.catalog.catalog import Mode
from orchestrator.config.loader import Config
from orchestrator.config.modes import use_cases_of
from orchestrator.core.errors import UnknownNameError
from orchestrator.ledger.periods import CALENDAR
from orchestrator.ledger.store import LedgerView
from orchestrator.reports.forecast import HISTORY_DAYS, Forecast, forecasts
from orchestrator.reports.recommendations import ConfiguredLimits, Recommendation, recommendations
from orchestrator.reports.savings import Savings, savings
from orchestrator.reports.span import Span
from orchestrator.reports.unusual_spend import UnusualDay, unusual_days
from orchestrator.reports.usage_report import EVERYBODY, Filter, UsageReport, look, report_of
from orchestrator.reports.usage_sums import UsageSums, daily_costs


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a report shows."""

    report: UsageReport
    savings: Savings | None
    no_savings: str
    """Why they are not known; empty where they are."""
    forecasts: tuple[Forecast, ...]
    """Of today and this month, where the range reaches today."""
    unusual: tuple[UnusualDay, ...]
    recommendations: tuple[Recommendation, ...]


def analysis(
    view: LedgerView, config: Config, span: Span, *, of: Filter = EVERYBODY, today: date
) -> Analysis:
    """Return everything that is said of some days; `today` is the ledger's.

    Raises:
        LedgerError: the ledger cannot be read.
        InvalidRequestError: a name of the filter is none.
    """
    now, then = look(view, span, of=of, today=today)
    days = tuple(map(str, span.until(today).days()))
    saved, reason = _savings(now.sums, config)
    return Analysis(
        report_of(now, then, span, of=of, today=today),
        saved,
        reason,
        forecasts(_history(view, of, today), today) if span.first <= today <= span.last else (),
        unusual_days(now.sums, [day for day in days if day < str(today)]),
        recommendations(now.sums, configured_limits(config), days),
    )


def configured_limits(config: Config) -> ConfiguredLimits:
    """Return the limits that recommendations are about."""
    return ConfiguredLimits(
        {
            name: config.settings.use_cases[name].max_tokens
            for name in use_cases_of(config.settings, Mode.CHAT)
        },
        tuple(
            limit.scope
            for limit in config.settings.budgets.limits
            if any(getattr(limit, window.value) is not None for window in CALENDAR)
        ),
    )


def _history(view: LedgerView, of: Filter, today: date) -> Mapping[date, int]:
    if not view.exists:
        return {}
    first = min(today.replace(day=1), today - timedelta(days=HISTORY_DAYS))
    with view:
        return daily_costs(view, of.over(Span(first, today)))


def _savings(sums: UsageSums, config: Config) -> tuple[Savings | None, str]:
    settings = config.settings
    named = settings.report.baseline or settings.use_cases[settings.default_use_case].primary.deployment
    try:
        embedding = frozenset(name for name, model in settings.models.items() if model.mode is Mode.EMBEDDING)
        return savings(sums, config.catalog.named(named)[0], embedding_models=embedding), ""
    except UnknownNameError as error:
        return None, f"report.baseline: {error}"
