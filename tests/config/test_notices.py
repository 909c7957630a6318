"""What is worth a line, though nothing is wrong."""

from orchestrator.catalog.price_book import PriceBook
from orchestrator.config.notices import notices_of
from tests.conftest import TODAY


def test_a_limit_that_ends_after_a_longer_one_is_told(make_config) -> None:
    config = make_config({"budgets": {"limits": [{"scope": "all", "day": 100, "month": 1}]}})
    book = PriceBook(config.settings.prices, today=TODAY)
    (line,) = [
        line
        for line in notices_of(config.settings, config.catalog.deployments, book)
        if "limit of all" in line
    ]
    assert line in config.notices
    assert "$100" in line


def test_a_price_that_is_too_low_for_a_region_of_openais_is_told(make_config) -> None:
    there = {"OPENAI_BASE_URL": "https://eu.api.openai.com/v1"}
    lines = [line for line in make_config(**there).notices if "region of OpenAI's" in line]
    assert any(line.startswith("openai/gpt-6-luna is asked") and "$0.11 and $0.55" in line for line in lines)
    stated = {"input": 0.11, "output": 0.55, "source": "our contract", "date": "2026-11-20"}
    mended = make_config({"deployments": {"openai/gpt-6-luna": {"price": stated}}}, **there)
    assert not [line for line in mended.notices if line.startswith("openai/gpt-6-luna is asked")]
    assert not [line for line in make_config().notices if "region of OpenAI's" in line]
