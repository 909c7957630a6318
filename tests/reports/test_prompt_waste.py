"""What prompts show is said with the lines that apply it; where a price is not known, that is said instead."""

import pytest

from orchestrator.core.language import Language
from orchestrator.reports.prompt_sums import BeginningSum, PromptSums, RepeatSum, WaitingSum
from orchestrator.reports.prompt_waste import PromptPrice, PromptTerms, prompt_waste, unknown_prices
from orchestrator.reports.report_words import phrase_in
from orchestrator.reports.usage_sums import CellKey, UsageSums

DAYS = [f"2026-11-{number:02}" for number in range(1, 11)]


def english(phrase):
    return phrase_in(phrase, Language.EN)


def _spent(nusd: int) -> UsageSums:
    sums = UsageSums()
    sums.cells[CellKey(DAYS[0], "bulk", "p/m", "m")].cost_nusd = nusd
    return sums


def _repeats(hourly: int, daily: int) -> PromptSums:
    prompts = PromptSums()
    prompts.repeats["bulk"] = RepeatSum(100, hourly, daily)
    prompts.repeats["bulk"].hourly_by_day.update(dict.fromkeys(DAYS, 10 * hourly))
    prompts.repeats["bulk"].daily_by_day.update(dict.fromkeys(DAYS, 10 * daily))
    return prompts


@pytest.mark.parametrize(
    ("ttl_s", "hourly", "daily", "apply"),
    [
        (0, 40, 50, "cache_ttl_s: 3600    # today 0"),
        (3600, 2, 50, "cache_ttl_s: 86400    # today 3600"),
        (3600, 40, 50, "cache='use'"),
        (604_800, 40, 50, "cache='use'"),
        (604_800, 2, 50, None),
        (0, 2, 50, None),
    ],
)
def test_repeated_prompts_get_the_lifetime_that_would_have_answered_them(ttl_s, hourly, daily, apply):
    found = list(prompt_waste(_spent(20_000), _repeats(hourly, daily), PromptTerms({"bulk": ttl_s}), DAYS))
    assert [apply in english(change.apply) for change in found] == ([True] if apply else [])
    if apply and "cache_ttl_s" in apply:
        repeated = hourly if ttl_s == 0 else daily - hourly
        assert (found[0].count, found[0].out_of, found[0].month_nusd) == (repeated, 100, 300 * repeated)


def test_too_little_is_not_worth_a_change():
    assert list(prompt_waste(_spent(1_000_000), _repeats(40, 50), PromptTerms({"bulk": 0}), DAYS)) == []
    assert list(prompt_waste(_spent(20_000), _repeats(40, 50), PromptTerms(), DAYS)) == []


def test_of_equal_beginnings_the_length_that_is_worth_most_is_said_with_how_to_get_the_discount():
    prompts = PromptSums()
    for length, tokens in ((4_096, 1_000), (16_384, 3_000), (65_536, 0)):
        prompts.beginnings["bulk", "p/m", length] = BeginningSum(100, 60)
        prompts.beginnings["bulk", "p/m", length].tokens_by_day.update(dict.fromkeys(DAYS, tokens))
    for marks, apply in ((True, "cache_control"), (False, "looks for equal beginnings by itself")):
        price = PromptPrice(2_000_000, None, takes_marks=marks)
        (found,) = prompt_waste(_spent(100), prompts, PromptTerms(prices={"p/m": price}), DAYS)
        assert (found.subject, found.figure, found.month_nusd) == ("bulk, p/m", 16_384, 3 * 10 * 6_000)
        assert apply in english(found.apply)
    assert list(prompt_waste(_spent(100), prompts, PromptTerms(), DAYS)) == []
    (unknown,) = (item for item in unknown_prices(prompts, PromptTerms()) if item.kind == "common_prefixes")
    assert unknown.names == ("p/m",)


def test_what_nobody_waits_for_is_priced_as_a_batch_where_that_price_is_stated():
    prompts = PromptSums()
    for deployment in ("p/m", "q/m"):
        prompts.waiting["bulk", deployment] = WaitingSum(30)
        prompts.waiting["bulk", deployment].cost_by_day.update(dict.fromkeys(DAYS, 1_000))
    terms = PromptTerms(prices={"p/m": PromptPrice(None, 5_000), "q/m": PromptPrice(None, None)})
    (found,) = prompt_waste(_spent(20_000), prompts, terms, DAYS)
    assert (found.count, found.out_of, found.month_nusd) == (30, 60, 3 * 10 * 500)
    assert english(found.apply).endswith("costs less:\np/m: -50%")
    (unknown,) = (item for item in unknown_prices(prompts, terms) if item.kind == "batch_price")
    assert "q/m" in unknown.reason
