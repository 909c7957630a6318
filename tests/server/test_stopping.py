"""A graceful stop: what runs ends, or is cancelled and booked within its time, and nothing new is taken."""

from concurrent.futures import ThreadPoolExecutor
from time import sleep

import httpx
import pytest

from orchestrator.practice import Fault

BODY = {"model": "cost_sensitive", "messages": [{"role": "user", "content": "Hello?"}]}


def ask(running, body):
    with running.client() as client:
        return client.post("/v1/chat/completions", json=body)


def until_under_way(running):
    while running.orchestrator.load().in_flight == 0:
        sleep(0.005)


def test_a_request_under_way_is_answered_after_the_signal(serve, practice):
    running = serve(stop_s=60)
    practice.faults.add(Fault.parse("*:slow_first_token=1"))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, running, BODY)
        until_under_way(running)
        running.server.should_exit = True
        assert answer.result().status_code == 200
    with pytest.raises(httpx.TransportError):
        ask(running, BODY)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_request_that_takes_too_long_is_told_so_and_booked(serve, practice, streamed):
    running = serve(stop_s=1)
    practice.faults.add(Fault.parse("*:silence"))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, running, BODY | {"stream": streamed})
        until_under_way(running)
        running.server.should_exit = True
        response = answer.result()
    assert (response.status_code, response.json()["error"]["code"]) == (503, "stopping")
    assert response.headers["x-should-retry"] == "true"
    while running.orchestrator.load().in_flight:
        sleep(0.005)
    assert not any(status.held for status in running.orchestrator.standings())
