"""An entry is a price of tokens when tokens are all that it charges for."""

import pytest

from orchestrator.catalog.price_units import is_of_tokens

TEXT = {"mode": "chat", "input_cost_per_token": 1, "output_cost_per_token": 2}


def is_stated(*, input_rate: int = 1, output_rate: int = 2, **entry: object) -> bool:
    return is_of_tokens({**TEXT, **entry}, input_rate=input_rate, output_rate=output_rate)


@pytest.mark.parametrize(
    "name",
    [
        *("input_cost_per_request", "citation_cost_per_token", "input_cost_per_query"),
        *("ocr_cost_per_page", "input_cost_per_message", "output_cost_of_next_year"),
    ],
)
def test_a_fee_beside_tokens_is_no_price_of_tokens(name: str) -> None:
    assert not is_stated(**{name: 0.01})
    assert is_stated(**{name: 0})


@pytest.mark.parametrize(
    "name",
    [
        *("search_context_cost_per_query", "cache_creation_input_token_cost_above_1hr"),
        *("input_dbu_cost_per_token", "output_cost_per_token_priority", "cache_read_input_token_cost"),
    ],
)
def test_what_nobody_asks_for_is_no_matter(name: str) -> None:
    assert is_stated(**{name: 0.01})


def test_another_unit_counts_where_the_price_of_tokens_is_none() -> None:
    assert is_stated(output_cost_per_image=0.04)
    assert not is_stated(output_rate=0, input_rate=0, output_cost_per_image=0.04)
    assert not is_stated(input_rate=0, input_cost_per_video_per_second=0.01)


def test_words_that_cost_nothing_to_questions_that_do_are_a_router() -> None:
    assert not is_stated(output_rate=0)
    assert is_stated(input_rate=0, output_rate=0)
    assert is_stated(output_rate=0, mode="embedding")
