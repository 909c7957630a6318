"""A decision is a file that is read as it was written, or an error that says what to do."""

import os
import re
from datetime import UTC, datetime

import pytest

from orchestrator.core.errors import ConfigError, StateError
from orchestrator.experiments.decision import (
    DecidedBy,
    Verdict,
    decided,
    decision_path,
    read_decision,
    write_decision,
)

DECISION = decided(
    "faq", Verdict.PROMOTED, candidate="1a2b3c4d", at=datetime(2026, 11, 23, tzinfo=UTC), by=DecidedBy.RULE, reason="x"
)  # fmt: skip


def test_what_is_written_is_read_and_none_is_none(tmp_path):
    path = decision_path(tmp_path / "config.yaml", "faq")
    assert path == tmp_path / "experiments" / "faq.json"
    assert read_decision(path, "faq") is None
    write_decision(path, DECISION)
    assert read_decision(path, "faq") == DECISION


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no decision: the file"),
        (b"\xff", "no decision: the file"),
        (b"[]", "no decision"),
        (DECISION.model_dump_json().replace("promoted", "praised").encode(), "no decision: verdict"),
        (DECISION.model_dump_json().replace('"faq"', '"bulk"').encode(), "on 'bulk'"),
        (DECISION.model_dump_json().replace("T00:00:00Z", "T00:00:00").encode(), "no decision: at"),
        (b" " * 70_000 + b"{}", "the decision cannot be read: larger than 65,536 bytes"),
    ],
)
def test_a_file_that_is_no_decision_is_named_with_what_to_do(tmp_path, content, words):
    path = tmp_path / "faq.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=re.escape(words)) as refused:
        read_decision(path, "faq")
    assert str(path) in str(refused.value)
    assert "delete it, and decide again" in str(refused.value)


def test_where_it_cannot_be_written_nothing_is_decided(tmp_path):
    (tmp_path / "experiments").write_text("a file", encoding="utf-8")
    with pytest.raises(StateError, match="nothing is decided"):
        write_decision(decision_path(tmp_path / "config.yaml", "faq"), DECISION)


def test_a_file_that_cannot_be_read_is_an_error_and_no_permission_to_go_on(tmp_path):
    (tmp_path / "faq.json").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read_decision(tmp_path / "faq.json", "faq")


@pytest.mark.skipif(os.name == "nt", reason="there are no such rights")
def test_a_decision_that_anybody_may_have_left_there_decides_nothing(tmp_path):
    path = decision_path(tmp_path / "config.yaml", "faq")
    write_decision(path, DECISION)
    path.parent.chmod(0o777)
    with pytest.raises(ConfigError, match="every user of this machine may write into its folder"):
        read_decision(path, "faq")
