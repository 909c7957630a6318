"""LiteLLM and what it sends with say nothing of a prompt, a reply or a key, whatever is switched on."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator import Orchestrator
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
