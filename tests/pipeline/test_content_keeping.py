"""Prompts and replies are kept where config.yaml says so, and a request never waits or fails for it."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator import Orchestrator

QUESTION = "Mã của tôi là ZK4711, và khoá practice-key-openai"


@pytest.fixture
def recording(make_orchestrator):
    def made(record) -> Orchestrator:
        return make_orchestrator({"record": record})

    return made


def files_of(orchestrator: Orchestrator) -> bytes:
    folder = Path(orchestrator.config.settings.ledger.path).parent
    return b"".join(path.read_bytes() for path in folder.glob("ledger*"))


def rows(orchestrator: Orchestrator, table: str) -> int:
    with closing(sqlite3.connect(orchestrator.config.settings.ledger.path)) as connection:
        return connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]  # noqa: S608


@pytest.mark.parametrize(("record", "plans"), [({"mode": "off"}, 0), ({"mode": "metadata"}, 1), ({}, 1)])
def test_unless_config_yaml_says_so_no_prompt_and_no_reply_is_kept(recording, record, plans):
    orchestrator = recording(record)
    reply = orchestrator.complete(QUESTION, tenant="acme", user="lan")
    assert orchestrator.content(reply.request_id) is None
    assert (rows(orchestrator, "operations"), rows(orchestrator, "attempts")) == (1, 1)
    assert rows(orchestrator, "plans") == plans
    assert b"ZK4711" not in files_of(orchestrator)
    assert reply.text.encode() not in files_of(orchestrator)
    assert orchestrator.request(reply.request_id).request.cost_nusd == reply.cost_nusd


def test_content_keeps_prompt_and_reply_beside_the_ledger_and_no_key(recording):
    orchestrator = recording({"tenants": {"acme": {"mode": "content", "keep_days": 7}}})
    reply = orchestrator.complete(QUESTION, tenant="acme")
    other = orchestrator.complete(QUESTION, tenant="other")
    content = orchestrator.content(reply.request_id)
    assert "ZK4711" in content.messages
    assert content.reply == reply.text.replace("practice-key-openai", "********")
    assert (content.until - content.kept_at).days == 7
    assert "practice-key-openai" not in content.messages
    assert b"practice-key-openai" not in files_of(orchestrator)
    assert orchestrator.content(other.request_id) is None
    ledger = Path(orchestrator.config.settings.ledger.path)
    assert b"ZK4711" not in ledger.read_bytes()
    assert orchestrator.feedback(reply.request_id, corrected="Tốt hơn").corrected_is_kept
    assert orchestrator.content(reply.request_id).corrected == "Tốt hơn"
    assert not orchestrator.feedback(other.request_id, corrected="Tốt hơn").corrected_is_kept


def test_off_names_the_kinds_of_a_degradation_and_no_words(recording, practice):
    orchestrator = recording({"mode": "off"})
    practice.faults.add("openrouter:status=503,times=1")
    reply = orchestrator.complete("xin chào", tenant="acme")
    detail = orchestrator.request(reply.request_id)
    assert (detail.request.degraded, detail.plan) == ("fallback", None)
    assert len(detail.attempts) == len(reply.attempts)


def test_a_file_that_cannot_be_written_fails_no_request_and_is_logged(recording, caplog):
    orchestrator = recording({"mode": "content"})
    ledger = Path(orchestrator.config.settings.ledger.path)
    ledger.parent.mkdir(parents=True, exist_ok=True)
    (ledger.parent / "ledger.content.sqlite3").mkdir()
    with caplog.at_level(logging.ERROR):
        reply = orchestrator.complete(QUESTION, tenant="acme")
    assert reply.text
    assert f"the content is not kept, or late: request={reply.request_id}" in caplog.text
    assert "ZK4711" not in caplog.text
    (ledger.parent / "ledger.content.sqlite3").rmdir()
