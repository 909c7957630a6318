"""Only who has been quiet is looked at, and only an open circuit is worth money."""

import pytest

from orchestrator.core.money import nano_usd
from orchestrator.ledger.budgets import BudgetSettings, Limits, LimitSettings, Window
from orchestrator.resilience.health_check_policy import (
    Due,
    HealthCheckSettings,
    Look,
    ProviderView,
    due,
    limit_of,
)

SETTINGS = HealthCheckSettings(every_s=60, daily_usd=0.01)
DEPLOYMENT = "google/gemini-3.8-flash"


@pytest.mark.parametrize(
    ("quiet_s", "looked_at"), [(None, True), (0, False), (59.9, False), (60, True), (3600, True)]
)
def test_only_a_quiet_provider_is_looked_at(quiet_s, looked_at):
    found = list(due([ProviderView("google", quiet_s)], SETTINGS))
    assert found == ([Due("google", Look.FREE)] if looked_at else [])


def test_an_open_circuit_is_left_in_peace_until_it_lets_a_probe_through():
    assert list(due([ProviderView("google", None, shut=(DEPLOYMENT,))], SETTINGS)) == []


def test_a_half_open_circuit_is_probed_at_once_whoever_was_heard_of():
    seen = ProviderView("google", 0, shut=(DEPLOYMENT, "google/x"), ready=(DEPLOYMENT, "google/x"))
    assert list(due([seen], SETTINGS)) == [Due("google", Look.PAID, DEPLOYMENT)]


def test_the_limit_is_the_ledgers_and_is_not_shown_among_those_written_down():
    limits = Limits(BudgetSettings(), own=(limit_of(SETTINGS),))
    assert limits.of("tenant:probe:health_check", Window.DAY) == nano_usd("0.01")
    assert limits.named() == ()


def test_a_limit_that_is_written_down_replaces_it():
    written = BudgetSettings(limits=(LimitSettings(scope="tenant:probe:health_check", day=1),))
    assert Limits(written, own=(limit_of(SETTINGS),)).of("tenant:probe:health_check", Window.DAY) == nano_usd(
        1
    )
