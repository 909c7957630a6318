"""Whoever listens is told, the log always; nobody who fails to listen stops a request."""

import logging
from dataclasses import replace

from orchestrator import Alert, Orchestrator
from orchestrator.core.alerts import AlertKind, Alerts
from orchestrator.core.money import nano_usd
from orchestrator.practice import PracticeServer


def alert(clock) -> Alert:
    return Alert(AlertKind.EXCESS, "too much", "a-request", clock.now())


def test_every_listener_and_the_log_are_told(clock, caplog):
    received = []
    alerts = Alerts()
    alerts.subscribe(received.append)
    alerts.subscribe(received.append)
    alerts.tell(alert(clock))
    assert received == [alert(clock)] * 2
    assert (
        "orchestrator.alerts",
        logging.ERROR,
        "excess: request=a-request: too much",
    ) in caplog.record_tuples


def test_a_listener_that_fails_stops_nobody(clock, caplog):
    received = []
    alerts = Alerts()
    alerts.subscribe(lambda _: 1 / 0)
    alerts.subscribe(received.append)
    alerts.tell(alert(clock))
    assert received == [alert(clock)]
    assert "a listener of alerts failed" in caplog.text


def test_a_charge_above_the_hold_is_booked_in_full_named_and_alerted(
    make_orchestrator, listed_prices
) -> None:
    """OpenRouter may not choose a dearer host, but a list may be wrong: caching is charged at what it likes."""
    luna = ("openrouter", "openai/gpt-6-luna")
    cached = {luna: replace(listed_prices[luna], cached_input=nano_usd("1000"))}
    question = "Xin kiểm tra đơn hàng giúp tôi với. " * 400
    received: list[Alert] = []
    with PracticeServer(prices={**listed_prices, **cached}) as unexpected:
        orchestrator: Orchestrator = make_orchestrator(OPENROUTER_BASE_URL=unexpected.base_url("openrouter"))
        orchestrator.on_alert(received.append)
        wanted = {"model": "openrouter/gpt-6-luna", "cache": "off"}
        first, reply = (orchestrator.complete(question, **wanted) for _ in range(2))
        assert first.cost_nusd + reply.cost_nusd == unexpected.bill.total_nusd() > 0
    assert [(alert.kind, alert.request_id) for alert in received] == [(AlertKind.EXCESS, reply.request_id)]
    assert "openrouter/gpt-6-luna charged more than was held" in received[0].message
    assert "the excess is booked" in reply.notices[-1]
    standing = next(standing for standing in orchestrator.standings() if standing.scope == "all")
    assert standing.spent == first.cost_nusd + reply.cost_nusd
