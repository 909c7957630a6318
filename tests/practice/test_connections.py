"""Connections that go wrong on purpose."""

import time

import httpx
import pytest

from orchestrator.practice import Delivered

PROVIDERS = ["openrouter", "openai", "google"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_reset_connection_costs_nothing(caller, provider):
    """The client sees a reset, no answer and no charge."""
    caller.server.faults.add(f"{provider}:reset")
    with pytest.raises(httpx.ReadError, match="reset by peer"):
        caller.post(provider)
    caller.server.wait_idle()
    assert caller.server.bill.count() == 0


def test_silence_lasts_until_the_client_gives_up(caller):
    """And costs nothing."""
    caller.server.faults.add("openai:silence")
    with pytest.raises(httpx.ReadTimeout):
        caller.http.request("POST", **caller.sent("openai"), timeout=0.2)
    caller.server.wait_idle()
    assert caller.server.bill.count() == 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_dripping_answer_is_whole_in_the_end(caller, stream):
    """No single read waits long, but all of it takes its time."""
    caller.server.faults.add("google:drip=4000")
    began_s = time.monotonic()
    response = caller.post("google", stream=stream)
    assert len(response.content) / 4000 * 0.8 < time.monotonic() - began_s
    caller.server.wait_idle()
    assert caller.server.bill.charges[-1].delivered is Delivered.WHOLE
