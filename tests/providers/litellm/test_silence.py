"""LiteLLM and what it sends with say nothing of a prompt, a reply or a key, whatever is switched on."""

import logging
from collections.abc import Iterator
from typing import Any

import litellm
import pytest
from litellm.integrations.custom_logger import CustomLogger

from orchestrator import Orchestrator
from orchestrator.core.errors import RejectedByProviderError
from orchestrator.practice import PracticeServer
from tests.support.prefixed import AZURE, BEDROCK, CLAUDE, DEEPSEEK, KEY, VERTEX, prefixed, prefixed_server

PROMPT = "Đơn DH1001 của Hoa"


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    with prefixed_server() as server:
        yield server


def hear_everything() -> None:
    """Do as a program that sets every logger to DEBUG."""
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            logger.setLevel(logging.DEBUG)


@pytest.mark.parametrize("name", [CLAUDE, DEEPSEEK, AZURE, BEDROCK, VERTEX])
def test_no_switch_of_litellms_shows_a_prompt_a_reply_or_a_key(
    make_orchestrator: Any, server: PracticeServer, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], name: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD", "1")
    monkeypatch.setenv("LITELLM_LOG", "DEBUG")
    orchestrator: Orchestrator = make_orchestrator(prefixed(server, name))
    orchestrator.complete("Xin chào", max_tokens=50, cache="off")
    levels = {name: logging.getLogger(name).level for name in logging.root.manager.loggerDict}
    try:
        hear_everything()
        with caplog.at_level(logging.DEBUG):
            text = "".join(str(piece) for piece in orchestrator.stream(PROMPT, max_tokens=50, cache="off"))
            # What LiteLLM does behind a stream is done when the loop has ended.
            orchestrator.close()
    finally:
        for logger, level in levels.items():
            logging.getLogger(logger).setLevel(level)
    assert "DH1001" in text
    said = f"{caplog.text}{''.join(capfd.readouterr())}"
    assert "DH1001" not in said
    assert KEY not in said


class Listener(CustomLogger):
    """A logger of the program's own, for the calls of LiteLLM that it makes itself."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def log_pre_api_call(self, *_: Any, **__: Any) -> None:
        self.heard.append("before")

    def log_post_api_call(self, *_: Any, **__: Any) -> None:
        self.heard.append("after")

    def log_success_event(self, *_: Any, **__: Any) -> None:
        self.heard.append("success")

    async def async_log_success_event(self, *_: Any, **__: Any) -> None:
        self.heard.append("success")


@pytest.mark.parametrize("how", ["complete", "stream"])
def test_what_a_program_sets_in_litellm_for_itself_hears_and_keeps_nothing_of_ours(
    make_orchestrator: Any, server: PracticeServer, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """No prompt, no key, and no reply, which its cache would give to any tenant."""
    orchestrator: Orchestrator = make_orchestrator(prefixed(server, DEEPSEEK))
    orchestrator.warm_up()
    listener, kept = Listener(), litellm.Cache(type="local")
    for name in ("callbacks", "input_callback", "success_callback", "_async_success_callback"):
        monkeypatch.setattr(litellm, name, [listener])
    monkeypatch.setattr(litellm, "cache", kept)
    for tenant in ("acme", "lotus"):
        fields = {"tenant": tenant, "max_tokens": 50, "cache": "off"}
        if how == "complete":
            assert orchestrator.complete(PROMPT, **fields).cost_nusd > 0
        else:
            assert "DH1001" in "".join(map(str, orchestrator.stream(PROMPT, **fields)))
    orchestrator.close()
    assert len(server.requests) == 2
    assert listener.heard == []
    assert kept.cache.cache_dict == {}


def test_a_program_that_sets_its_own_callbacks_does_not_take_our_guard_out(
    make_orchestrator: Any, server: PracticeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure was called "nothing was sent" then, and booked by nobody."""
    orchestrator: Orchestrator = make_orchestrator(prefixed(server, DEEPSEEK))
    orchestrator.warm_up()
    monkeypatch.setattr(litellm, "callbacks", [Listener()])
    server.faults.add("compatible:status=400")
    with pytest.raises(RejectedByProviderError) as refusal:
        orchestrator.complete(PROMPT, max_tokens=50, model=DEEPSEEK)
    assert "nothing was sent" not in str(refusal.value)
