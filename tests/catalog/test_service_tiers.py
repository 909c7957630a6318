"""An answer in a dearer class of service costs more than the list, and one nobody knows the most."""

import pytest

from orchestrator.catalog.service_tiers import tier_percent


@pytest.mark.parametrize("tier", [None, "default", "standard", "flex", "batch", "on_demand", "scale"])
def test_no_less_than_the_list_is_ever_booked(tier) -> None:
    assert tier_percent(tier) == 100


def test_a_dearer_class_costs_more_and_an_unknown_one_the_most() -> None:
    assert 200 <= tier_percent("priority") < tier_percent("ultrafast") == tier_percent("not-yet-invented")
