"""F05: what is left of the day's budget steers the choice, before a limit refuses."""

import pytest

from orchestrator.catalog.models import ModelClass
from orchestrator.core.money import NanoUsd, nano_usd
from orchestrator.ledger.budgets import BudgetTier, tier_for

TIERS = (
    BudgetTier(above=50, best=ModelClass.PREMIUM),
    BudgetTier(above=10, best=ModelClass.BALANCED),
    BudgetTier(above=0, best=ModelClass.CHEAP, max_tokens_share=0.5),
)


@pytest.mark.parametrize(
    ("left", "best"),
    [
        ("50.01", ModelClass.PREMIUM),
        ("50", ModelClass.BALANCED),
        ("10.01", ModelClass.BALANCED),
        ("10", ModelClass.CHEAP),
        ("0", ModelClass.CHEAP),
    ],
)
def test_the_thresholds_are_those_of_the_source(left: str, best: ModelClass) -> None:
    found = tier_for(TIERS, nano_usd(left))
    assert found is not None
    assert found.best is best


def test_without_a_daily_limit_nothing_is_steered() -> None:
    assert tier_for(TIERS, None) is None
    assert tier_for((), NanoUsd(1)) is None


@pytest.mark.parametrize(
    ("day", "model", "max_tokens"),
    [(100, "gpt-6.1-sol", 800), (40, "claude-sonnet-5.5", 800), (5, "gpt-6-luna", 400)],
)
def test_a_smaller_rest_of_the_day_means_a_cheaper_model_and_shorter_replies(
    make_orchestrator, practice, day: int, model: str, max_tokens: int
) -> None:
    orchestrator = make_orchestrator({"budgets": {"limits": [{"scope": "all", "day": day}]}})
    reply = orchestrator.complete("Xin chào")
    assert reply.model == model
    assert practice.requests[-1].body["max_tokens"] == max_tokens
    assert (reply.degraded is None) == (day == 100)
    if day != 100:
        assert "fuller budget" in str(reply.degraded)


def test_a_use_case_may_be_marked_never_degrade(make_orchestrator) -> None:
    changes = {
        "budgets": {"limits": [{"scope": "all", "day": 5}]},
        "use_cases": {"customer_service": {"never_degrade": True}},
    }
    assert make_orchestrator(changes).complete("Xin chào").model == "gpt-6.1-sol"


def test_a_model_asked_for_by_name_is_not_changed(make_orchestrator) -> None:
    orchestrator = make_orchestrator({"budgets": {"limits": [{"scope": "all", "day": 5}]}})
    assert orchestrator.complete("Xin chào", model="claude-opus-5.5").model == "claude-opus-5.5"
