"""What is booked for an attempt: the provider's word, else our price with its hours and discounts."""

from datetime import UTC, datetime

import pytest

from orchestrator import Orchestrator
from orchestrator.core.reply import CostSource
from orchestrator.core.request import CacheUse

NAME = "google/gemini-3.8-flash"
PRICE = {"input": 2, "output": 10, "source": "a test", "date": "2026-11-09"}
NIGHT = {**PRICE, "off_peak": {"begins": "16:30", "ends": "00:30", "input": 1, "output": 5}}
EVERY_CENT = {"providers": {"google": {"volume_discounts": [{"above_usd_per_month": 0, "percent": 10}]}}}


def told_version(orchestrator: Orchestrator) -> list[str]:
    import sqlite3

    with sqlite3.connect(orchestrator.config.settings.ledger.path) as ledger:
        return [row[0] for row in ledger.execute("SELECT price_version FROM attempts ORDER BY started_at")]


def ask(orchestrator: Orchestrator, model: str = NAME):
    return orchestrator.complete("Xin chào", cache=CacheUse.OFF, model=model)


@pytest.mark.parametrize(("hour", "output_usd"), [(12, 10), (20, 5)])
def test_the_hour_of_a_request_is_booked(make_orchestrator, clock, hour, output_usd):
    clock.set(datetime(2026, 11, 23, hour, tzinfo=UTC))
    orchestrator = make_orchestrator({"deployments": {NAME: {"price": NIGHT}}}, clock=clock)
    reply = ask(orchestrator)
    usage = reply.usage
    assert reply.cost_nusd == usage.output_tokens * output_usd * 1000 + usage.input_tokens * output_usd * 200
    (version,) = told_version(orchestrator)
    assert version == f"a test{', off-peak' if hour == 20 else ''}@2026-11-09"


def test_a_volume_discount_begins_once_enough_is_booked(make_orchestrator):
    orchestrator = make_orchestrator({**EVERY_CENT, "deployments": {NAME: {"price": PRICE}}})
    first, second = ask(orchestrator), ask(orchestrator)
    assert first.usage == second.usage
    assert second.cost_nusd == -(-first.cost_nusd * 9 // 10)
    assert told_version(orchestrator) == ["a test@2026-11-09", "a test@2026-11-09, volume -10%"]


def test_the_vendors_own_client_gets_the_same_discount(make_orchestrator):
    orchestrator = make_orchestrator({**EVERY_CENT, "deployments": {NAME: {"price": PRICE}}})
    for _ in range(2):
        orchestrator.native(NAME, tenant="acme").invoke("Xin chào")
    assert told_version(orchestrator) == ["a test@2026-11-09", "a test@2026-11-09, volume -10%"]


def test_no_discount_touches_a_cost_that_the_provider_reports(make_orchestrator, practice):
    discount = {"volume_discounts": [{"above_usd_per_month": 0, "percent": 90}]}
    orchestrator = make_orchestrator({"providers": {"openrouter": discount}})
    replies = [ask(orchestrator, "openrouter/gpt-6-luna") for _ in range(2)]
    assert {one.attempts[0].cost_source for one in replies} == {CostSource.PROVIDER}
    assert sum(one.cost_nusd for one in replies) == practice.bill.total_nusd("openrouter")
