"""What prompts show that was paid for more than once, or at more than it had to be.

Looked for: equal prompts that a cache would have answered, equal beginnings that a provider would have
given for less, and work nobody waited for that has a price for batches. Each is counted as the least that
it can be.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from orchestrator.catalog.price import WHOLE, BasisPoints, percent_text
from orchestrator.core.money import TOKENS_PER_MTOK, NanoUsd
from orchestrator.reports.phrase import Numeral, Phrase
from orchestrator.reports.prompt_sums import PromptSums, RepeatSum
from orchestrator.reports.recommendation import (
    MONTH_DAYS,
    MoneyMeaning,
    NotKnown,
    Recommendation,
    RecommendationKind,
)
from orchestrator.reports.resampling import interval_of_sum
from orchestrator.reports.usage_sums import UsageSums

_ROWS_MIN = 20
_SHARE_MIN = 0.02
"""Of what a use case costs: below it a change is worth nobody's time."""
_HOUR_S, _DAY_S = 3_600, 86_400


@dataclass(frozen=True, slots=True)
class PromptPrice:
    """What a deployment takes for prompts that were sent before, and for what may wait."""

    discount_nusd_per_mtok: int | None
    """How much less a million input tokens cost when they are read from its cache; None is not known."""
    batch_points: int | None
    """Hundredths of a percent that a batch costs less; None is not known."""
    takes_marks: bool = False
    """`cache_control` in a prompt goes on to the provider; others look for equal beginnings by themselves."""


@dataclass(frozen=True, slots=True)
class PromptTerms:
    """What config.yaml and its prices say of prompts."""

    cache_ttl_s: Mapping[str, float] = field(default_factory=dict)
    """For how long each use case repeats replies, 0 is never."""
    prices: Mapping[str, PromptPrice] = field(default_factory=dict)
    """By deployment."""


class _Waste(NamedTuple):
    """What was wasted on a use case, before it is asked whether it is worth a change."""

    kind: RecommendationKind
    use_case: str
    by_day: Mapping[str, int]
    """Nano-dollars."""
    matched: int
    """How many rows say so."""
    out_of: int
    rows: Phrase
    apply: Phrase
    deployment: str = ""
    length_bytes: int = 0


def prompt_waste(
    sums: UsageSums, prompts: PromptSums, terms: PromptTerms, days: Sequence[str]
) -> Iterator[Recommendation]:
    """Yield what prompts show; `days` are those of the range that have begun."""
    costs: defaultdict[str, int] = defaultdict(int)
    for key, tally in sums.cells.items():
        costs[key.use_case] += tally.cost_nusd
    for waste in (*_repeated(prompts, terms), *_beginnings(prompts, terms), *_batches(prompts, terms)):
        saved = sum(waste.by_day.values())
        if waste.matched >= _ROWS_MIN and saved > 0 and saved >= _SHARE_MIN * costs[waste.use_case]:
            yield _recommended(waste, days)


def _recommended(waste: _Waste, days: Sequence[str]) -> Recommendation:
    scale = MONTH_DAYS / len(days)
    return Recommendation(
        waste.kind,
        f"{waste.use_case}, {waste.deployment}" if waste.deployment else waste.use_case,
        MoneyMeaning.SAVED,
        NanoUsd(round(scale * sum(waste.by_day.values()))),
        interval_of_sum([waste.by_day.get(day, 0) for day in days], scale=scale),
        waste.matched,
        waste.out_of,
        waste.rows,
        waste.apply,
        waste.length_bytes,
    )


def unknown_prices(prompts: PromptSums, terms: PromptTerms) -> Iterator[NotKnown]:
    """Yield where a price that would have been needed is not stated."""
    if not prompts.repeats:
        yield NotKnown("repeated_prompts")
    alike = {deployment for (_, deployment, _), sums in prompts.beginnings.items() if sums.alike >= _ROWS_MIN}
    uncached = {name for name in alike if _price(terms, name).discount_nusd_per_mtok is None}
    if uncached:
        yield NotKnown("common_prefixes", tuple(sorted(uncached)))
    waited = {
        deployment for (_, deployment), sums in prompts.waiting.items() if any(sums.cost_by_day.values())
    }
    unbatched = {name for name in waited if _price(terms, name).batch_points is None}
    if unbatched:
        yield NotKnown("batch_price", tuple(sorted(unbatched)))


def _price(terms: PromptTerms, deployment: str) -> PromptPrice:
    return terms.prices.get(deployment, PromptPrice(None, None))


def _repeated(prompts: PromptSums, terms: PromptTerms) -> Iterator[_Waste]:
    for use_case, repeats in prompts.repeats.items():
        if use_case in terms.cache_ttl_s:
            remedies = _remedies(use_case, repeats, terms.cache_ttl_s[use_case])
            yield max(remedies, key=lambda waste: sum(waste.by_day.values()))


def _remedies(use_case: str, repeats: RepeatSum, ttl_s: float) -> Iterator[_Waste]:
    """Yield what would have answered repeated prompts: a cache that keeps replies an hour, or a day."""

    def waste(count: int, by_day: Mapping[str, int], within: str, apply: Phrase) -> _Waste:
        kind, rows = (
            RecommendationKind.REPEATED_PROMPTS,
            Phrase(f"rows_repeated_{within}", {"use_case": use_case}),
        )
        return _Waste(kind, use_case, by_day, count, repeats.requests, rows, apply)

    def lifetime(needed_s: int) -> Phrase:
        return Phrase("apply_lifetime", {"use_case": use_case, "needed": needed_s, "today": f"{ttl_s:g}"})

    hourly = (repeats.hourly, repeats.hourly_by_day, "hourly")
    if ttl_s < _HOUR_S:
        yield waste(*hourly, lifetime(_HOUR_S))
        return
    # The cache keeps them for an hour already, so these did not ask it.
    yield waste(*hourly, Phrase("apply_ask_the_cache"))
    if ttl_s < _DAY_S:
        earlier = repeats.hourly_by_day
        later = {day: cost - earlier.get(day, 0) for day, cost in repeats.daily_by_day.items()}
        count = repeats.daily - repeats.hourly
        yield waste(count, later, "daily", lifetime(_DAY_S))


def _beginnings(prompts: PromptSums, terms: PromptTerms) -> Iterator[_Waste]:
    # The length that is worth most: a shorter beginning is a part of a longer one.
    best: dict[tuple[str, str], tuple[int, int]] = {}
    for (use_case, deployment, length), sums in prompts.beginnings.items():
        worth = (sum(sums.tokens_by_day.values()), length)
        best[use_case, deployment] = max(worth, best.get((use_case, deployment), worth))
    for (use_case, deployment), (_, length) in best.items():
        sums, price = prompts.beginnings[use_case, deployment, length], _price(terms, deployment)
        discount = price.discount_nusd_per_mtok or 0
        yield _Waste(
            RecommendationKind.COMMON_PREFIXES,
            use_case,
            {day: tokens * discount // TOKENS_PER_MTOK for day, tokens in sums.tokens_by_day.items()},
            sums.alike,
            sums.sends,
            Phrase(
                "rows_common_prefixes",
                {"deployment": deployment, "use_case": use_case, "length": Numeral(f"{length:,}")},
            ),
            Phrase("apply_mark" if price.takes_marks else "apply_keep_equal"),
            deployment,
            length,
        )


def _batches(prompts: PromptSums, terms: PromptTerms) -> Iterator[_Waste]:
    use_cases: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for use_case, deployment in prompts.waiting:
        if points := _price(terms, deployment).batch_points:
            use_cases[use_case][deployment] = points
    for use_case, batched in use_cases.items():
        by_day: defaultdict[str, int] = defaultdict(int)
        for deployment, points in batched.items():
            for day, cost in prompts.waiting[use_case, deployment].cost_by_day.items():
                by_day[day] += cost * points // WHOLE
        yield _Waste(
            RecommendationKind.BATCH_PRICE,
            use_case,
            by_day,
            sum(prompts.waiting[use_case, deployment].sends for deployment in batched),
            sum(sums.sends for (name, _), sums in prompts.waiting.items() if name == use_case),
            Phrase("rows_batch_price", {"use_case": use_case}),
            Phrase(
                "apply_batch_price",
                {
                    "discounts": "\n".join(
                        f"{deployment}: -{percent_text(BasisPoints(points))}"
                        for deployment, points in sorted(batched.items())
                    )
                },
            ),
        )
