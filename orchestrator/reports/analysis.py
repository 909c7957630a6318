"""A range of days with all that is said of it: report, savings, forecast, unusual days, what to change."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from orchestrator.catalog.catalog import Deployment, ProviderKind
from orchestrator.catalog.models import Mode
from orchestrator.config.loader import Config
from orchestrator.config.measured_policies import measured_policies
from orchestrator.config.modes import use_cases_of
from orchestrator.core.errors import UnknownNameError
from orchestrator.ledger.periods import CALENDAR
from orchestrator.ledger.store import LedgerView
from orchestrator.reports.forecast import HISTORY_DAYS, Forecast, forecasts
from orchestrator.reports.goals import Goal, goals_of
from orchestrator.reports.idle_commitments import Committed
from orchestrator.reports.phrase import Phrase
from orchestrator.reports.prompt_sums import PromptSums, read_prompt_sums
from orchestrator.reports.prompt_waste import PromptPrice, PromptTerms
from orchestrator.reports.recommendation import NotKnown, Recommendation
from orchestrator.reports.recommendations import ConfiguredLimits, not_known, recommendations
from orchestrator.reports.savings import Savings, savings
from orchestrator.reports.span import Span
from orchestrator.reports.unusual_spend import UnusualDay, unusual_days
from orchestrator.reports.usage_report import EVERYBODY, Filter, UsageReport, look, report_of
from orchestrator.reports.usage_sums import Cause, UsageSums, costs_by_cause, daily_costs


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a report shows."""

    report: UsageReport
    savings: Savings | None
    no_savings: Phrase | None
    """Why they are not known; None where they are."""
    goals: tuple[Goal, ...]
    forecasts: tuple[Forecast, ...]
    """Of today and this month, where the range reaches today."""
    unusual: tuple[UnusualDay, ...]
    recommendations: tuple[Recommendation, ...]
    not_known: tuple[NotKnown, ...]
    """What was not looked for, or not everywhere."""


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
    whole_days = tuple(day for day in days if day < str(today))
    prompts, limits = (
        _prompts(view, span, of),
        configured_limits(config, whole_days if of == EVERYBODY else ()),
    )
    report = report_of(now, then, span, of=of, today=today)
    return Analysis(
        report,
        saved,
        reason,
        goals_of(config.settings.report.goals, report, saved),
        forecasts(_history(view, of, today), today) if span.first <= today <= span.last else (),
        unusual_days(now.sums, whole_days, lambda: _costs_by_cause(view, span, of)),
        recommendations(now.sums, prompts, limits, days),
        not_known(now.sums, prompts, limits),
    )


def configured_limits(config: Config, committed_days: tuple[str, ...] = ()) -> ConfiguredLimits:
    """Return what config.yaml says of what is recommended; commitments count in `committed_days`."""
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
        PromptTerms(
            {name: _cache_ttl_s(config, name) for name in use_cases_of(config.settings, Mode.CHAT)},
            {name: _prompt_price(deployment) for name, deployment in config.catalog.deployments.items()},
        ),
        Committed(config.settings.commitments, committed_days),
        measured_policies(config),
    )


def _cache_ttl_s(config: Config, use_case: str) -> float:
    cache, ttl_s = config.settings.cache, config.settings.use_cases[use_case].cache_ttl_s
    return 0.0 if not cache.enabled else cache.ttl_s if ttl_s is None else ttl_s


def _prompt_price(deployment: Deployment) -> PromptPrice:
    price = deployment.price
    discount = None if price.cached_input is None else max(0, price.input - price.cached_input)
    # A batch is paid by the list: how much of what was paid in cheaper hours it would save is not known.
    batch = price.batch_percent if price.batch_percent and price.off_peak is None else None
    return PromptPrice(discount, batch, takes_marks=deployment.provider.kind is ProviderKind.OPENROUTER)


def _prompts(view: LedgerView, span: Span, of: Filter) -> PromptSums:
    if not view.exists:
        return PromptSums()
    with view:
        return read_prompt_sums(view, of.over(span))


def _costs_by_cause(view: LedgerView, span: Span, of: Filter) -> Mapping[Cause, Mapping[str, int]]:
    with view:
        return costs_by_cause(view, of.over(span))


def _history(view: LedgerView, of: Filter, today: date) -> Mapping[date, int]:
    if not view.exists:
        return {}
    first = min(today.replace(day=1), today - timedelta(days=HISTORY_DAYS))
    with view:
        return daily_costs(view, of.over(Span(first, today)))


def _savings(sums: UsageSums, config: Config) -> tuple[Savings | None, Phrase | None]:
    settings = config.settings
    named = settings.report.baseline or settings.use_cases[settings.default_use_case].primary.deployment
    try:
        embedding = frozenset(name for name, model in settings.models.items() if model.mode is Mode.EMBEDDING)
        baseline, voting = config.catalog.named(named)[0], _voting(config)
        return savings(sums, baseline, embedding_models=embedding, voting=voting), None
    except UnknownNameError:
        is_off = named in config.catalog.off or config.catalog.model_of(named) in settings.models
        return None, Phrase("baseline_off" if is_off else "unknown_baseline", {"baseline": named})


def _voting(config: Config) -> frozenset[str]:
    """Return the use cases in which models vote."""
    use_cases = config.settings.use_cases.items()
    return frozenset(
        name for name, use_case in use_cases if use_case.policy is not None and use_case.policy.agreement
    )
