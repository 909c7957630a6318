"""A price that changed is noticed once, over restarts; a new one and another source's day change nothing."""

from datetime import date

from orchestrator.alerting.known_prices import changed_prices
from orchestrator.catalog.price import Price


def price(output: str, **fields) -> Price:
    plain = {"input": "1", "output": output, "source": "a list", "date": date(2026, 11, 1)}
    return Price.model_validate({**plain, **fields})


def test_a_change_is_told_with_both_prices_and_once(tmp_path):
    path = str(tmp_path / "alerts")
    assert changed_prices(path, {"a/x": price("5"), "b/y": price("2")}) == {}
    assert changed_prices(path, {"a/x": price("5", date=date(2026, 11, 2))}) == {}
    (facts,) = changed_prices(path, {"a/x": price("6"), "b/y": price("2"), "c/z": price("1")}).values()
    assert (facts.name, facts.detail) == (
        "a/x",
        "$1.00 / $5.00 → $1.00 / $6.00 per Mtok".replace(" → ", " per Mtok → "),
    )
    assert changed_prices(path, {"a/x": price("6")}) == {}


def test_a_damaged_file_is_written_anew(tmp_path):
    (tmp_path / "prices.json").write_text("[1")
    assert changed_prices(str(tmp_path), {"a/x": price("5")}) == {}
    assert len(changed_prices(str(tmp_path), {"a/x": price("7")})) == 1
