"""What is opened for a configuration, and that it is closed with the loop that used it."""

import os
import warnings

import pytest

from orchestrator import CacheUse, Orchestrator
from orchestrator.practice import PracticeServer
from orchestrator.providers.litellm import transport as litellm_transport
from orchestrator.providers.wire.http import WireClient
from orchestrator.providers.wire.transport import WireTransport


def test_our_own_wire_is_the_usual_way(practised: Orchestrator) -> None:
    assert isinstance(practised._snapshot.transport, WireTransport)


def test_connections_outlive_a_configuration_and_close_with_the_orchestrator(
    make_orchestrator, make_config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that nobody closes is told by aiohttp when it is collected."""
    closed: list[WireClient] = []
    close = WireClient.close

    async def noted(self: WireClient) -> None:
        closed.append(self)
        await close(self)

    monkeypatch.setattr(WireClient, "close", noted)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        orchestrator = make_orchestrator()
        orchestrator.complete("Xin chào", cache=CacheUse.OFF)
        orchestrator.reload(make_config({"retry_profiles": {"interactive": {"attempts_per_deployment": 1}}}))
        orchestrator.complete("Xin chào", cache=CacheUse.OFF)
        assert closed == []
        orchestrator.close()
    assert len(closed) == 1
    assert not list(closed[0]._sessions._by_loop)


def test_nothing_of_litellm_sends_what_our_wire_speaks(
    practised: Orchestrator, practice: PracticeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litellm_transport.LiteLLMTransport, "send", None)
    practice.faults.add("openrouter:status=503", "google:status=503")
    reply = practised.complete("Xin chào", cache=CacheUse.OFF)
    assert reply.provider == "openai"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_sends_over_connections_of_its_own(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """The parent's sockets stay the parent's: both get the answer to their own question."""
    practised.complete("Xin chào", cache=CacheUse.OFF)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            reply = practised.complete("Xin chào từ con", cache=CacheUse.OFF)
            practised.close()
            code = 0 if reply.text else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert practised.complete("Xin chào nữa", cache=CacheUse.OFF).text
