"""What was saved against one named model for the same tokens: by cheaper models, and by the cache, apart.

    cheaper model   what the baseline would have charged for the tokens of every answered send, less what all
                    sends cost; failed sends and shadows of experiments have cost money and count against us
    cache           answers that were repeated, each at what an answered request of its use case and day cost
                    on average, which is what it would have cost here

The baseline is priced by its list without long-prompt tiers, and reads as much from its own cache as the
providers did: both make the saving smaller, never larger. It may be negative.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.catalog.catalog import Deployment
from orchestrator.core.figures import Figures
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Usage
from orchestrator.reports.resampling import Interval, ShareInterval, interval_of_share, interval_of_sum
from orchestrator.reports.usage_sums import UsageSums

_DayAndUseCase = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Saving:
    """Money that one cause saved; negative where it cost more."""

    amount_nusd: int
    interval: Interval | None
    """None with too few days."""


@dataclass(frozen=True, slots=True)
class Savings:
    """What was saved in a range, against which model."""

    baseline: str
    """The deployment whose prices were taken."""
    baseline_nusd: NanoUsd
    """What it would have charged for the tokens of every answered request, of several sends once."""
    model: Saving
    """Of requests that one model after the other was asked for."""
    agreement: Saving
    """Of use cases in which cheap models vote (`agreement`)."""
    cache: Saving
    total: Saving
    share: float | None
    """Of what the baseline would have cost, repeated answers included; None of nothing."""
    share_interval: ShareInterval | None
    """None with too few days on which something was asked."""
    unpriced_repeats: int
    """Repeated answers of which no equal was paid for in the range, counted as no saving."""


def savings(
    sums: UsageSums,
    baseline: Deployment,
    *,
    embedding_models: frozenset[str] = frozenset(),
    voting: frozenset[str] = frozenset(),
) -> Savings:
    """Return what was saved; days are what the intervals draw.

    `embedding_models` stand for themselves: no chat model could have answered for them. `voting` names the
    use cases whose policy is an agreement.
    """
    of_use_case = _baseline_by_use_case(sums, baseline, embedding_models)
    would_cost, by_vote = _by_day(of_use_case), _saved_by_votes(sums, of_use_case, voting)
    days = sorted(sums.days)
    by_agreement = [by_vote.get(day, 0) for day in days]
    by_model = [would_cost.get(day, 0) - sums.days[day].cost_nusd - by_vote.get(day, 0) for day in days]
    cache, unpriced = _cache_by_day(sums)
    by_cache = [cache.get(day, 0) for day in days]
    together = [sum(parts) for parts in zip(by_model, by_agreement, by_cache, strict=True)]
    wholes = [would_cost.get(day, 0) + cached for day, cached in zip(days, by_cache, strict=True)]
    # A day without a request saves nothing of nothing, and says nothing of a share.
    asked = [(saved, whole) for saved, whole in zip(together, wholes, strict=True) if whole]
    whole = sum(wholes)
    return Savings(
        baseline.name,
        NanoUsd(sum(would_cost.values())),
        _saving(by_model),
        _saving(by_agreement),
        _saving(by_cache),
        _saving(together),
        sum(together) / whole if whole else None,
        interval_of_share([saved for saved, _ in asked], [whole for _, whole in asked]),
        unpriced,
    )


def share_text(saved: Savings, figures: Figures) -> str:
    """Return `48.1 %`, or `48.1 % (45.0 % – 51.2 %)` where the interval is known."""
    spread = saved.share_interval
    shown = figures.share(saved.share)
    return (
        shown if spread is None else f"{shown} ({figures.share(spread.low)} – {figures.share(spread.high)})"
    )


def _saving(days: list[int]) -> Saving:
    return Saving(sum(days), interval_of_sum(days))


def _baseline_by_use_case(
    sums: UsageSums, baseline: Deployment, embedding_models: frozenset[str]
) -> Mapping[_DayAndUseCase, int]:
    """Return what the baseline would have charged, asked once for each answered request."""
    stand_for_themselves: defaultdict[_DayAndUseCase, int] = defaultdict(int)
    charged: defaultdict[_DayAndUseCase, int] = defaultdict(int)
    answered: defaultdict[_DayAndUseCase, int] = defaultdict(int)
    rates = baseline.price.rates_at(0)
    for key, tally in sums.cells.items():
        place = key.day, key.use_case
        if key.model in embedding_models:
            stand_for_themselves[place] += tally.cost_nusd
            continue
        usage = Usage(
            input_tokens=tally.answered_input_tokens,
            output_tokens=tally.answered_output_tokens,
            cached_input_tokens=min(tally.answered_cached_tokens, tally.answered_input_tokens),
        )
        charged[place] += rates.paid_for(usage)
        answered[place] += tally.answered
    return {
        place: stand_for_themselves[place]
        + _once(charged[place], answered[place], sums.sent_requests.get(place, 0))
        for place in charged.keys() | stand_for_themselves.keys()
    }


def _once(charged_nusd: int, answered: int, requests: int) -> int:
    """Return what an average answer of so many would cost, once for each request."""
    return charged_nusd * requests // answered if answered > requests else charged_nusd


def _by_day(of_use_case: Mapping[_DayAndUseCase, int]) -> Mapping[str, int]:
    by_day: defaultdict[str, int] = defaultdict(int)
    for (day, _), amount in of_use_case.items():
        by_day[day] += amount
    return by_day


def _saved_by_votes(
    sums: UsageSums, of_use_case: Mapping[_DayAndUseCase, int], voting: frozenset[str]
) -> Mapping[str, int]:
    by_day: defaultdict[str, int] = defaultdict(int)
    for (day, use_case), amount in of_use_case.items():
        by_day[day] += amount if use_case in voting else 0
    for key, tally in sums.cells.items():
        by_day[key.day] -= tally.cost_nusd if key.use_case in voting else 0
    return by_day


def _cache_by_day(sums: UsageSums) -> tuple[Mapping[str, int], int]:
    costs: defaultdict[tuple[str, str], int] = defaultdict(int)
    of_use_case: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for key, tally in sums.cells.items():
        costs[key.day, key.use_case] += tally.cost_nusd
        of_use_case[key.use_case][0] += tally.cost_nusd
    for (_, use_case), requests in sums.sent_requests.items():
        of_use_case[use_case][1] += requests
    by_day: defaultdict[str, int] = defaultdict(int)
    unpriced = 0
    for (day, use_case), repeated in sums.repeated.items():
        cost, requests = costs[day, use_case], sums.sent_requests.get((day, use_case), 0)
        if not requests:
            # Nothing was asked on that day: the average of the range stands in for it.
            cost, requests = of_use_case[use_case]
        if requests:
            by_day[day] += repeated * cost // requests
        else:
            unpriced += repeated
    return by_day, unpriced
