"""A table says what its price says, to the nano-dollar."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.catalog.price_table import PriceTable
from orchestrator.core.reply import Usage
from tests.catalog.test_price import price, prices

tokens = st.integers(0, 3_000)


@given(prices, st.dates(date(2026, 11, 20), date(2026, 11, 26)), tokens, tokens)
def test_a_table_says_what_the_price_says_for_every_length(stated, day, input_tokens, output_tokens):
    """With its tiers, its hours and what is announced for tomorrow."""
    of_the_day = stated.on(day)
    table = PriceTable.of(of_the_day)
    used = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    assert table.bound_of(**used) == of_the_day.bound_of(**used)
    assert table.cost_of(**used) == of_the_day.cost_of(Usage(**used))


def test_a_tier_begins_above_its_threshold_in_the_table_too():
    table = PriceTable.of(price(tiers=[{"above_input_tokens": 1000, "input": 4, "output": 15}]))
    assert table.cost_of(input_tokens=1000, output_tokens=0) == 2_000_000
    assert table.cost_of(input_tokens=1001, output_tokens=0) == 4_004_000
