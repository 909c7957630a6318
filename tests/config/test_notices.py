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
