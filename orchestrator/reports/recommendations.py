"""What to change, from what was booked: dollars a month, evidence, risk, and the lines that apply it.

Looked for here: sends that failed and were paid for, limits that refuse what was good, max_tokens that no
answer came near; in `prompt_waste` what prompts show, in `idle_commitments` what is paid for and not used, in
`cheaper_policy` what was measured to be as good for less. What nothing shows is named with the reason by
`not_known`, and never guessed.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.config.measured_policies import MeasuredPolicy
from orchestrator.core.money import NanoUsd
from orchestrator.reports.cheaper_policy import cheaper_policies, unmeasured
from orchestrator.reports.idle_commitments import Committed, idle_commitments
from orchestrator.reports.phrase import Phrase
from orchestrator.reports.prompt_sums import PromptSums
from orchestrator.reports.prompt_waste import PromptTerms, prompt_waste, unknown_prices
from orchestrator.reports.recommendation import (
    MONTH_DAYS,
    MoneyMeaning,
    NotKnown,
    Recommendation,
    RecommendationKind,
)
from orchestrator.reports.resampling import interval_of_sum
from orchestrator.reports.usage_sums import UsageSums

_FAILED_SENDS_MIN = 5
_FAILED_SHARE_MIN = 0.02
"""Of a deployment's cost: below it, looking after the failures costs more than they do."""
_REFUSALS_MIN = 10
_REFUSED_SHARE_MIN = 0.01
_GOOD_SHARE_MIN = 0.95
"""Of a tenant's requests that were tried: with less, more of them would mostly be more failures."""
_ANSWERS_MIN = 200
_HEADROOM = 4
"""A limit that is more than four times the longest of so many answers was never used."""
_STEP_TOKENS = 50


@dataclass(frozen=True, slots=True)
class ConfiguredLimits:
    """What config.yaml says of the limits that recommendations are about."""

    max_tokens: Mapping[str, int] = field(default_factory=dict)
    """The output limit of each use case, as config.yaml has it."""
    scopes: tuple[str, ...] = ()
    """Every scope that has a limit of a day or a month."""
    prompts: PromptTerms = field(default_factory=PromptTerms)
    committed: Committed = field(default_factory=Committed)
    measured: tuple[MeasuredPolicy, ...] = ()
    """Policies that are proven and not in force."""


def recommendations(
    sums: UsageSums, prompts: PromptSums, limits: ConfiguredLimits, days: Sequence[str]
) -> tuple[Recommendation, ...]:
    """Return what to change, the most money first; `days` are those of the range that have begun."""
    changes = (
        *_paid_failures(sums, days),
        *_refusing_limits(sums, limits, days),
        *_unused_max_tokens(sums, limits),
        *prompt_waste(sums, prompts, limits.prompts, days),
        *idle_commitments(sums, limits.committed),
        *cheaper_policies(sums, limits.measured, days),
    )
    return tuple(sorted(changes, key=lambda change: (-change.month_nusd, change.kind, change.subject)))


def not_known(sums: UsageSums, prompts: PromptSums, limits: ConfiguredLimits) -> tuple[NotKnown, ...]:
    """Return what was not looked for, or not everywhere."""
    uncommitted = () if limits.committed.commitments else (NotKnown("idle_commitments"),)
    return (*unknown_prices(prompts, limits.prompts), *uncommitted, *unmeasured(sums, limits.measured))


def _paid_failures(sums: UsageSums, days: Sequence[str]) -> Iterator[Recommendation]:
    by_deployment: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    by_day: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for key, tally in sums.cells.items():
        entry = by_deployment[key.deployment]
        entry[0] += tally.failed_paid
        entry[1] += tally.requests
        entry[2] += tally.cost_nusd
        by_day[key.deployment][key.day] += tally.failed_nusd
    for deployment, (failed, sends, cost) in by_deployment.items():
        lost = sum(by_day[deployment].values())
        if failed < _FAILED_SENDS_MIN or lost < _FAILED_SHARE_MIN * cost:
            continue
        scale = MONTH_DAYS / len(days)
        yield Recommendation(
            RecommendationKind.PAID_FAILURES,
            deployment,
            MoneyMeaning.SAVED,
            NanoUsd(round(scale * lost)),
            interval_of_sum([by_day[deployment].get(day, 0) for day in days], scale=scale),
            failed,
            sends,
            Phrase("rows_paid_failures", {"deployment": deployment}),
            Phrase("apply_paid_failures", {"deployment": deployment}),
        )


def _refusing_limits(
    sums: UsageSums, limits: ConfiguredLimits, days: Sequence[str]
) -> Iterator[Recommendation]:
    for tenant, refused in sums.refused.items():
        tally = sums.tenants[tenant]
        tried = tally.succeeded + tally.failed
        good = tried and tally.succeeded / tried >= _GOOD_SHARE_MIN
        if not good or refused < max(_REFUSALS_MIN, _REFUSED_SHARE_MIN * tally.requests):
            continue
        # What a request of this tenant costs here, cached ones among them: so would the refused ones have.
        scale = MONTH_DAYS / len(days)
        each = tally.cost_nusd / tried
        by_day = [sums.refused_by_day.get((day, tenant), 0) for day in days]
        counted = interval_of_sum(by_day, scale=scale * each)
        yield Recommendation(
            RecommendationKind.REFUSING_LIMIT,
            tenant,
            MoneyMeaning.SPENT,
            NanoUsd(round(scale * each * refused)),
            counted,
            refused,
            tally.requests,
            Phrase("rows_refusing_limit", {"tenant": tenant}),
            Phrase("apply_refusing_limit", {"scopes": ", ".join(limits.scopes)}),
        )


def _unused_max_tokens(sums: UsageSums, limits: ConfiguredLimits) -> Iterator[Recommendation]:
    answers: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for key, tally in sums.cells.items():
        entry = answers[key.use_case]
        entry[0] += tally.succeeded
        entry[1] = max(entry[1], tally.output_tokens_max)
    for use_case, (count, longest) in answers.items():
        limit = limits.max_tokens.get(use_case)
        if limit is None or count < _ANSWERS_MIN or not 0 < longest * _HEADROOM < limit:
            continue
        lower = -(-2 * longest // _STEP_TOKENS) * _STEP_TOKENS
        if lower >= limit:
            continue
        yield Recommendation(
            RecommendationKind.UNUSED_MAX_TOKENS,
            use_case,
            MoneyMeaning.NONE,
            NanoUsd(0),
            None,
            count,
            count,
            Phrase("rows_unused_max_tokens", {"use_case": use_case, "longest": longest}),
            Phrase("apply_unused_max_tokens", {"use_case": use_case, "lower": lower, "limit": limit}),
            figure=longest,
        )
