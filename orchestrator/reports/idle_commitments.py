"""Commitments that are paid for and not used up."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from orchestrator.catalog.commitments import CommitmentSettings
from orchestrator.core.money import NanoUsd, to_usd
from orchestrator.reports.phrase import Phrase
from orchestrator.reports.recommendation import MONTH_DAYS, MoneyMeaning, Recommendation, RecommendationKind
from orchestrator.reports.resampling import interval_of_sum
from orchestrator.reports.usage_sums import UsageSums

_DAYS_MIN = 5
_IDLE_SHARE_MIN = 0.2
"""Of what is paid: nobody fills a commitment to the last token."""
_MINUTES_A_DAY = 24 * 60
_CENT_NUSD = 10_000_000


@dataclass(frozen=True, slots=True)
class Committed:
    """The commitments of config.yaml, and on which days of a report their use is known."""

    commitments: tuple[CommitmentSettings, ...] = ()
    days: tuple[str, ...] = ()
    """Whole days; none where a report is of some requests alone, whose use says nothing of the rest."""


def idle_commitments(sums: UsageSums, committed: Committed) -> Iterator[Recommendation]:
    """Yield the commitments of which much was not used; those of one kind with one provider together."""
    groups: defaultdict[tuple[str, bool], list[CommitmentSettings]] = defaultdict(list)
    for commitment in committed.commitments:
        groups[commitment.provider, commitment.tokens_per_min is not None].append(commitment)
    for (provider, _), group in groups.items():
        days = [
            day for day in committed.days if any(item.holds_on(date.fromisoformat(day)) for item in group)
        ]
        if len(days) >= _DAYS_MIN:
            yield from _idle(sums, provider, group, days)


def _idle(
    sums: UsageSums, provider: str, group: Sequence[CommitmentSettings], days: Sequence[str]
) -> Iterator[Recommendation]:
    paid, used = zip(*(_paid_and_used(sums, provider, group, day) for day in days), strict=True)
    idle = sum(paid) - sum(used)
    if idle < _IDLE_SHARE_MIN * sum(paid):
        return
    scale = MONTH_DAYS / len(days)
    needed = -(-round(scale * sum(used)) // _CENT_NUSD) * _CENT_NUSD
    today = sum(item.usd_per_month for item in group)
    yield Recommendation(
        RecommendationKind.IDLE_COMMITMENT,
        provider,
        MoneyMeaning.SAVED,
        NanoUsd(round(scale * idle)),
        interval_of_sum([cost - use for cost, use in zip(paid, used, strict=True)], scale=scale),
        sum(
            sums.provider_days[day, provider].requests
            for day in days
            if (day, provider) in sums.provider_days
        ),
        sum(tally.requests for tally in sums.providers.values()),
        Phrase("rows_idle_commitment", {"provider": provider, "first": days[0], "last": days[-1]}),
        Phrase(
            "apply_idle_commitment",
            {
                "provider": provider,
                "until": f"{max(item.until for item in group)}",
                "needed": f"{to_usd(needed):f}",
                "today": f"{to_usd(today):f}",
            },
        ),
    )


def _paid_and_used(
    sums: UsageSums, provider: str, group: Sequence[CommitmentSettings], day: str
) -> tuple[int, int]:
    """Return what was paid for a day, and what of it was used, both in nano-dollars."""
    held = [item for item in group if item.holds_on(date.fromisoformat(day))]
    paid = sum(item.usd_per_month for item in held) // MONTH_DAYS
    tally = sums.provider_days.get((day, provider))
    if tally is None:
        return paid, 0
    capacity = sum(item.tokens_per_min or 0 for item in held) * _MINUTES_A_DAY
    if not capacity:
        return paid, tally.cost_nusd
    tokens = tally.input_tokens + tally.output_tokens
    return paid, paid * min(tokens, capacity) // capacity
