"""Savings are sums of rows against one named price, and say how sure they are."""

from datetime import date
from types import SimpleNamespace

import pytest

from orchestrator.catalog.price import Price
from orchestrator.core.figures import Figures
from orchestrator.core.language import Language
from orchestrator.core.reply import Outcome, Usage
from orchestrator.ledger.reader import LedgerReader
from orchestrator.ledger.usage import Selection
from orchestrator.reports.resampling import interval_of_share, interval_of_sum
from orchestrator.reports.savings import savings, share_text
from orchestrator.reports.usage_sums import CellKey, UsageSums, read_sums


def _baseline(**rates):
    price = Price.model_validate({"source": "test", "date": date(2026, 11, 1), **rates})
    return SimpleNamespace(name="dear/one", price=price)


def _day(sums, day, *, cost, tokens, hits=0, asked=1):
    cell = sums.cells[CellKey(day, "chat", "cheap/one", "one")]
    for tally in (cell, sums.days[day]):
        tally.cost_nusd += cost
    cell.answered_input_tokens, cell.answered_output_tokens = tokens
    sums.sent_requests[day, "chat"] += asked
    if hits:
        sums.repeated[day, "chat"] += hits


def test_models_and_cache_are_counted_apart_and_add_up():
    """$1 and $5 a million: 1,000 in and 100 out would have cost 1,500,000; a hit costs what one ask costs."""
    sums, baseline = UsageSums(), _baseline(input=1, output=5)
    for day in range(1, 8):
        _day(sums, f"2026-11-0{day}", cost=400_000, tokens=(1000, 100), hits=3, asked=2)
    saved = savings(sums, baseline)
    paid = baseline.price.cost_of(Usage(1000, 100))
    assert saved.baseline_nusd == 7 * paid
    assert saved.model.amount_nusd == 7 * (paid - 400_000)
    assert saved.cache.amount_nusd == 7 * 3 * 200_000
    assert saved.total.amount_nusd == saved.model.amount_nusd + saved.cache.amount_nusd
    assert saved.share == pytest.approx(saved.total.amount_nusd / (7 * paid + 7 * 600_000))
    assert (saved.share_interval.low, saved.share_interval.high) == (pytest.approx(saved.share),) * 2
    assert share_text(saved, Figures()) == "81.0 % (81.0 % – 81.0 %)"
    assert share_text(saved, Figures(Language.VI)) == "81,0 % (81,0 % – 81,0 %)"
    # All days alike: there is nothing that could have come out otherwise.
    assert (saved.total.interval.low, saved.total.interval.high) == (saved.total.amount_nusd,) * 2


def test_a_dearer_model_saves_less_than_nothing_and_few_days_have_no_interval():
    sums = UsageSums()
    _day(sums, "2026-11-01", cost=9_000_000, tokens=(1000, 100))
    saved = savings(sums, _baseline(input=1, output=5))
    assert saved.model.amount_nusd < 0
    assert saved.total.interval is None


def test_the_baseline_would_have_been_asked_once_where_several_models_vote(book):
    """Two voters of 10 tokens and 5 each: the baseline would have had them once, and their cost was for both."""
    for _ in range(6):
        book.request(("a", Outcome.SUCCEEDED, 7), ("b", Outcome.SUCCEEDED, 9), use_case="tag_bulk")
        book.request(("a", Outcome.FAILED, 0), ("b", Outcome.SUCCEEDED, 9))
    day = "2026-11-23"
    with LedgerReader(book.path) as view:
        sums = read_sums(view, Selection(day, day))
    baseline = _baseline(input=1, output=5)
    once = baseline.price.cost_of(Usage(10, 5))
    saved = savings(sums, baseline, voting=frozenset({"tag_bulk"}))
    assert saved.baseline_nusd == 12 * once
    assert saved.agreement.amount_nusd == 6 * (once - 16)
    assert saved.model.amount_nusd == 6 * (once - 9)
    assert saved.total.amount_nusd == saved.model.amount_nusd + saved.agreement.amount_nusd
    assert savings(sums, baseline).model.amount_nusd == saved.total.amount_nusd


def test_embeddings_save_nothing_against_a_chat_model_that_could_not_make_them():
    sums = UsageSums()
    _day(sums, "2026-11-01", cost=400_000, tokens=(1000, 0))
    saved = savings(sums, _baseline(input=1, output=5), embedding_models=frozenset({"one"}))
    assert (saved.model.amount_nusd, saved.baseline_nusd) == (0, 400_000)


def test_a_hit_whose_question_was_never_paid_for_saves_nothing_known():
    sums = UsageSums()
    sums.repeated["2026-11-01", "chat"] = 4
    saved = savings(sums, _baseline(input=1, output=5))
    assert (saved.cache.amount_nusd, saved.unpriced_repeats, saved.share) == (0, 4, None)


def test_the_share_is_drawn_with_the_days_that_it_is_a_part_of():
    """Seven quiet days that save half, and a loud one that saves a tenth."""
    parts, wholes = [50] * 7 + [1_000], [100] * 7 + [10_000]
    spread = interval_of_share(parts, wholes)
    assert spread.low < sum(parts) / sum(wholes) < spread.high == 0.5
    assert spread.low > 0.1
    assert interval_of_share(parts[:4], wholes[:4]) is None
    assert interval_of_share(parts, [0] * 8) is None


def test_the_interval_is_wider_where_days_differ_more():
    calm, wild = [100, 101, 99, 100, 100, 102, 98], [10, 190, 30, 170, 100, 150, 50]
    narrow, wide = interval_of_sum(calm), interval_of_sum(wild)
    assert wide.high - wide.low > 10 * (narrow.high - narrow.low)
    assert narrow.low <= sum(calm) <= narrow.high
