"""Rules tell what begins, goes on and is over, once over processes; they end in time and lose nothing."""

import threading
from dataclasses import replace

import pytest

from orchestrator import Alert, CacheUse, UnavailableError
from orchestrator.core.alerts import AlertKind, AlertState
from orchestrator.monitoring.alert_watch import AlertWatch
from tests.support.receiver import receiver

KEYS = dict.fromkeys(("OPENROUTER_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"), "practice")
PRIMARY = "openrouter/gpt-6.1-sol"


@pytest.fixture
def make(make_orchestrator, tmp_path, clock):
    watches = []

    def watch(rules, channels=None, budgets=None, **fields):
        alerts = {"path": str(tmp_path / "alerts"), "rules": rules, "channels": channels or {}, **fields}
        changes = {"alerts": alerts, "budgets": budgets or {}}
        orchestrator = make_orchestrator(changes, clock=clock, **KEYS)
        watches.append(AlertWatch(orchestrator, clock=clock))
        return orchestrator, watches[-1]

    yield watch
    for watch in watches:
        watch.stop()


def states(alerts: tuple[Alert, ...]) -> list[AlertState]:
    return [alert.state for alert in alerts]


def test_a_provider_that_fails_is_told_once_then_again_after_a_day_then_that_it_is_back(make, clock):
    orchestrator, watch = make({"down": {"kind": "provider_down"}})
    heard: list[Alert] = []
    orchestrator.on_alert(heard.append)
    assert watch.look() == ()
    for _ in range(60):
        orchestrator.health.observe("openrouter", healthy=False)
    began = watch.look()
    assert [(alert.kind, alert.state, alert.facts.name) for alert in began] == [
        (AlertKind.PROVIDER_DOWN, AlertState.BEGAN, "openrouter")
    ]
    assert watch.look() == ()
    clock.advance(86_400)
    orchestrator.health.observe("openrouter", healthy=False)
    assert states(watch.look()) == [AlertState.STILL]
    close_circuit(orchestrator)
    assert watch.look() == (), "well for no time yet"
    clock.advance(60)
    assert states(watch.look()) == [AlertState.OVER]
    assert states(tuple(heard)) == [AlertState.BEGAN, AlertState.STILL, AlertState.OVER]
    assert heard[-1].message == (
        "[OVER] A provider is down: openrouter; before it was over: openrouter: half_open"
    )


def close_circuit(orchestrator) -> None:
    orchestrator.health._providers["openrouter"].circuit.heal(orchestrator._services.clock.monotonic_s())


def test_two_processes_of_one_folder_tell_once_and_the_end_once(make):
    rules = {"down": {"kind": "provider_down", "calm_s": 0}}
    (first, watch), (second, other) = make(rules), make(rules)
    for orchestrator in (first, second):
        for _ in range(60):
            orchestrator.health.observe("openrouter", healthy=False)
    assert states(watch.look() + other.look()) == [AlertState.BEGAN]
    for orchestrator in (first, second):
        close_circuit(orchestrator)
    assert states(other.look() + watch.look()) == [AlertState.OVER]
    assert watch.look() + other.look() == ()


def test_a_budget_tells_its_marks_by_what_the_ledger_says(make, clock):
    limits = [{"scope": "tenant:acme", "day": 0.0001}]
    orchestrator, watch = make(
        {"money": {"kind": "budget", "scope": "tenant:*", "at_percent": [1, 100]}}, budgets={"limits": limits}
    )
    assert watch.look() == (), "there is no ledger yet"
    orchestrator.complete(
        "Hi", model="openrouter/gpt-6-luna", tenant="acme", max_tokens=16, cache=CacheUse.OFF
    )
    (alert,) = watch.look()
    assert alert.facts.percent == 1
    (status,) = [status for status in orchestrator.standings() if status.limit == 100_000]
    assert alert.facts.spent_nusd == status.spent > 0
    assert watch.look() == ()
    clock.advance(86_400)
    assert watch.look() == (), "a new day is no news"


def test_failures_and_fallbacks_of_real_requests_are_counted(make, practice):
    rules = {
        name: {"kind": name, "min_requests": 1, "above_percent": 1}
        for name in ("error_rate", "fallback_rate")
    }
    orchestrator, watch = make(rules)
    practice.faults.add("openrouter:status=503")
    reply = orchestrator.complete("Xin chào", use_case="customer_service", cache=CacheUse.OFF)
    assert reply.degraded
    assert [alert.rule for alert in watch.look()] == ["fallback_rate"]
    with pytest.raises(UnavailableError):
        orchestrator.complete("Xin chào", model=PRIMARY, cache=CacheUse.OFF)
    assert [alert.rule for alert in watch.look()] == ["error_rate"]
    assert "Xin chào" not in str(watch.look())


def test_a_changed_price_and_a_model_past_its_end_are_told_once(make, shipped_data):
    rules = {"prices": {"kind": "price_change"}, "ends": {"kind": "model_ended"}}
    orchestrator, watch = make(rules)
    assert watch.look() == ()
    config = orchestrator.config
    deployment = config.catalog.deployments[PRIMARY]
    changed = replace(
        deployment,
        price=deployment.price.model_copy(update={"output": deployment.price.output * 2}),
        model=deployment.model.model_copy(
            update={"ends": orchestrator._services.clock.now().date().replace(day=1)}
        ),
    )
    catalog = replace(config.catalog, deployments={**config.catalog.deployments, PRIMARY: changed})
    orchestrator.reload(replace(config, catalog=catalog))
    assert sorted(alert.facts.name for alert in watch.look()) == ["gpt-6.1-sol", PRIMARY]
    assert watch.look() == ()


def test_a_counter_that_was_tampered_with_is_told(make, clock):
    import sqlite3

    orchestrator, watch = make({"books": {"kind": "ledger_difference", "every_s": 60}})
    orchestrator.complete("Hi", model="openrouter/gpt-6-luna", cache=CacheUse.OFF, max_tokens=16)
    assert watch.look() == ()
    with sqlite3.connect(orchestrator.config.settings.ledger.path) as books:
        books.execute("UPDATE counters SET spent_nusd = spent_nusd + 1 WHERE scope = 'all'")
    books.close()
    assert watch.look() == (), "it is read once a minute"
    clock.advance(60)
    periods = ("2026-11-23T16+07:00", "2026-11-23", "2026-W48", "2026-11")
    assert {alert.facts.name for alert in watch.look()} == {f"all {period}" for period in periods}


def test_what_is_told_goes_over_the_rules_channels_and_what_happens_at_once_too(make, clock):
    with receiver() as ops, receiver() as other:
        channels = {
            name: {"kind": "webhook", "url": seen.url} for name, seen in (("ops", ops), ("other", other))
        }
        rules = {
            "down": {"kind": "provider_down", "channels": ["ops"]},
            "excess": {"kind": "excess", "channels": ["ops"]},
        }
        orchestrator, watch = make(rules, channels, close_wait_s=30)
        watch.start()
        orchestrator.alerts.tell(Alert(AlertKind.EXCESS, "too much", "r-1", clock.now()))
        orchestrator.alerts.tell(Alert(AlertKind.BOOKED_LATE, "late", "r-1", clock.now()))
        assert watch.stop() == 0
        assert [body["alerts"][0]["kind"] for body in ops.bodies] == ["excess"]
        assert other.bodies == []
        orchestrator.alerts.tell(Alert(AlertKind.EXCESS, "too much", "r-2", clock.now()))
        assert len(ops.bodies) == 1


def test_what_was_not_delivered_at_the_end_is_told_again_by_the_next_process(make):
    rules = {"down": {"kind": "provider_down"}}
    with receiver() as ops:
        ops.hangs = True
        channels = {"ops": {"kind": "webhook", "url": ops.url, "timeout_s": 60}}
        orchestrator, watch = make(rules, channels, close_wait_s=0.1)
        for _ in range(60):
            orchestrator.health.observe("openrouter", healthy=False)
        assert states(watch.look()) == [AlertState.BEGAN]
        assert ops.arrived.wait(300)
        assert watch.stop() == 1
        again, other = make(rules, channels, close_wait_s=0.1)
        for _ in range(60):
            again.health.observe("openrouter", healthy=False)
        assert states(other.look()) == [AlertState.BEGAN]


def test_a_request_waits_for_no_channel_and_no_look(make):
    with receiver() as ops:
        ops.hangs = True
        channels = {"ops": {"kind": "webhook", "url": ops.url, "timeout_s": 60}}
        rules = {"slow": {"kind": "error_rate"}, "excess": {"kind": "excess"}}
        orchestrator, watch = make(rules, channels, close_wait_s=0)
        watch.start()
        orchestrator.alerts.tell(
            Alert(AlertKind.EXCESS, "too much", None, orchestrator._services.clock.now())
        )
        assert ops.arrived.wait(300)
        assert orchestrator.complete("Hi", cache=CacheUse.OFF, max_tokens=16).text
        watch.stop()
    assert "orchestrator-alert-watch" not in {thread.name for thread in living()}


def living():
    for thread in threading.enumerate():
        if thread.name == "orchestrator-alert-watch":
            thread.join(30)
    return threading.enumerate()


def test_changed_rules_count_from_the_next_look_on(make, make_config):
    orchestrator, watch = make({"down": {"kind": "provider_down"}})
    for _ in range(60):
        orchestrator.health.observe("openrouter", healthy=False)
    assert len(watch.look()) == 1
    settings = orchestrator.config.settings
    alerts = settings.alerts.model_copy(update={"rules": {}})
    orchestrator.reload(replace(orchestrator.config, settings=settings.model_copy(update={"alerts": alerts})))
    assert watch.look() == ()
    assert watch._firing == {}
