"""Channels wait for nobody and nobody for them: bounded, patient, one digest for many, and an end in time."""

import pytest

from orchestrator.alerting.delivery import Delivery
from orchestrator.alerting.settings import AlertsSettings


@pytest.fixture
def delivery(clock):
    opened = []

    def make(channels, **fields):
        fields = {"close_wait_s": 30, **fields}
        opened.append(Delivery(AlertsSettings.model_validate({"channels": channels, **fields}), clock=clock))
        return opened[-1]

    yield make
    for delivery in opened:
        delivery.close()


def hook(url: str, **fields) -> dict:
    return {"kind": "webhook", "url": url, **fields}


def test_a_500_and_a_429_are_tried_again_with_growing_pauses(delivery, receiver, clock, alert):
    receiver.statuses.extend([500, 429, 503, 200])
    carried = delivery({"ops": hook(receiver.url)})
    carried.offer(alert(), ["ops"])
    assert carried.close() == {}
    assert len(receiver.bodies) == 4
    assert clock.slept_s == [1, 2, 4]


def test_who_refuses_for_good_is_given_up_and_logged(delivery, receiver, alert, caplog):
    receiver.statuses.append(404)
    carried = delivery({"ops": hook(receiver.url)})
    carried.offer(alert(), ["ops"])
    assert carried.close() == {}
    assert len(receiver.bodies) == 1
    assert "channel ops did not take '[ALERT] A provider is down: openrouter': HTTP 404" in caplog.text
    assert "hush" not in caplog.text


def test_who_is_never_there_is_given_up_after_its_time(delivery, alert, clock, caplog):
    carried = delivery({"ops": hook("http://127.0.0.1:9/x")}, give_up_after_s=600)
    carried.offer(alert(), ["ops"])
    assert carried.close() == {}
    assert sum(clock.slept_s) <= 600
    assert "did not take" in caplog.text


def test_ten_thousand_alerts_are_few_messages_and_little_memory(delivery, receiver, alert):
    carried = delivery({"ops": hook(receiver.url)}, queue_max=100)
    for number in range(10_000):
        carried.offer(alert(f"p{number}"), ["ops"])
        assert len(carried._couriers["ops"]._waiting) <= 100
    assert carried.close() == {}
    assert sum(body["count"] for body in receiver.bodies) == 10_000
    dropped = sum(body.get("dropped", 0) for body in receiver.bodies)
    named = sum(len(body["alerts"]) for body in receiver.bodies)
    assert dropped + named == 10_000
    assert len(receiver.bodies) < 1000
    assert all(len(body["text"]) < 4096 for body in receiver.bodies)


def test_a_channel_that_hangs_holds_up_no_other_and_a_flood_is_one_digest(delivery, receiver, alert):
    with receiver_of_its_own() as hanging:
        hanging.hangs = True
        carried = delivery(
            {"dead": hook(hanging.url, timeout_s=60), "ops": hook(receiver.url)}, close_wait_s=0.3
        )
        carried.offer(alert(), ["dead", "ops"])
        assert hanging.arrived.wait(300)
        for number in range(10_000):
            carried.offer(alert(f"p{number}"), ["dead"])
        assert receiver.arrived.wait(300)
        left = carried.close()
    assert list(left) == ["dead"]
    assert len(left["dead"]) == 1 + 200
    assert len(hanging.bodies) == 1


def receiver_of_its_own():
    from tests.support.receiver import receiver

    return receiver()
