"""What was answered is written down at once, and nothing is asked twice."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.core.reply import ToolCall
from orchestrator.evaluation.case import Answer, EvaluationError, Score
from orchestrator.evaluation.journal import Journal, results_beside
from tests.evaluation.conftest import row
from tests.support.unprivileged import NOBODY

SETUP = {"use_case": "cost_sensitive", "practice": False}
ANSWER = Answer(text="đang giao", tool_calls=(ToolCall("1", "find", "{}"),), cost_nusd=7, deployment="d")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results.jsonl"


def test_another_start_knows_every_answer_verdict_and_the_run(path):
    with Journal.opened(path, setup=SETUP) as journal:
        journal.keep_answer(row("a"), "model", ANSWER)
        journal.keep_verdict(row("a"), "model", "judge:m", Score(0.5, "a draw"))
        run = journal.run
    with Journal.opened(path, setup=SETUP) as again:
        assert again.run == run
        assert again.answer_of(row("a"), "model") == ANSWER
        assert again.verdict_of(row("a"), "model", "judge:m") == Score(0.5, "a draw")
        assert again.answer_of(row("a", prompt="Another question"), "model") is None
        assert again.answer_of(row("a"), "other") is None


def test_a_line_that_its_process_did_not_finish_is_cut_off(path):
    with Journal.opened(path, setup=SETUP) as journal:
        journal.keep_answer(row("a"), "model", ANSWER)
    with path.open("ab") as file:
        file.write(b'{"row":"b#1","subj')
    with Journal.opened(path, setup=SETUP) as journal:
        journal.keep_answer(row("b"), "model", ANSWER)
    with Journal.opened(path, setup=SETUP) as journal:
        assert journal.answer_of(row("a"), "model") == journal.answer_of(row("b"), "model") == ANSWER


def test_a_new_answer_makes_an_earlier_verdict_void(path):
    with Journal.opened(path, setup=SETUP) as journal:
        journal.keep_answer(row(), "model", Answer(error="too late"))
        journal.keep_verdict(row(), "model", "judge:m", Score(0.0))
        journal.forget_failures()
        assert journal.answer_of(row(), "model") is None
        journal.keep_answer(row(), "model", ANSWER)
        assert journal.verdict_of(row(), "model", "judge:m") is None
    with Journal.opened(path, setup=SETUP) as again:
        assert again.answer_of(row(), "model") == ANSWER
        assert again.verdict_of(row(), "model", "judge:m") is None


def test_a_file_of_something_else_or_of_other_settings_is_refused(path):
    Journal.opened(path, setup=SETUP).close()
    with pytest.raises(EvaluationError, match="practice was False and is True"):
        Journal.opened(path, setup={**SETUP, "practice": True})
    with path.open("ab") as file:
        file.write(b'{"row": 1}\n')
    with pytest.raises(EvaluationError, match=r"results.jsonl:2: no line of results; delete it"):
        Journal.opened(path, setup=SETUP)
    path.write_text('{"id": "a", "prompt": "x"}\n', encoding="utf-8")
    with pytest.raises(EvaluationError, match=":1: this is no file of results"):
        Journal.opened(path, setup=SETUP)


def test_only_its_owner_may_read_it(path):
    Journal.opened(path, setup=SETUP).close()
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("data", "results"),
    [
        ("a/golden.csv", "a/golden.results.jsonl"),
        ("g.v2.jsonl", "g.v2.results.jsonl"),
        ("/", "/.results.jsonl"),
    ],
)
def test_results_stand_beside_the_data_whatever_that_is(data, results):
    assert results_beside(Path(data)) == Path(results)


def test_two_starts_at_once_cannot_have_one_file_by_whichever_name(path, tmp_path):
    (tmp_path / "link.jsonl").symlink_to(path)
    with Journal.opened(path, setup=SETUP) as journal:
        for name in ("results.jsonl", "link.jsonl"):
            with pytest.raises(EvaluationError, match="another evaluation has it; wait until"):
                Journal.opened(tmp_path / name, setup=SETUP)
        journal.keep_answer(row("a"), "model", ANSWER)
    with Journal.opened(path, setup=SETUP) as again:
        assert again.answer_of(row("a"), "model") == ANSWER
    assert {file.name for file in tmp_path.iterdir()} == {"results.jsonl", "link.jsonl"}


def test_a_start_that_was_killed_or_refused_keeps_nobody_out(path):
    program = f"""
import os, signal
from pathlib import Path
from orchestrator.evaluation.journal import Journal
kept = Journal.opened(Path({str(path)!r}), setup={SETUP!r})
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    with pytest.raises(EvaluationError, match="begun with other settings"):
        Journal.opened(path, setup=SETUP | {"practice": True})
    Journal.opened(path, setup=SETUP).close()


def test_a_folder_whose_file_system_cannot_lock_keeps_results_too(path, monkeypatch):
    """NFS without a lock service, and some that are no disk: the file of the lock is the lock there."""

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with (
        Journal.opened(path, setup=SETUP) as journal,
        pytest.raises(EvaluationError, match="another evaluation has it"),
    ):
        journal.keep_answer(row("a"), "model", ANSWER)
        Journal.opened(path, setup=SETUP)
    with Journal.opened(path, setup=SETUP) as again:
        assert again.answer_of(row("a"), "model") == ANSWER


def test_a_lock_whose_file_cannot_be_deleted_is_given_back(path, monkeypatch):
    """Windows deletes no file that is open."""

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "being used by another process")

    journal = Journal.opened(path, setup=SETUP)
    with monkeypatch.context() as windows:
        windows.setattr(Path, "unlink", refuse)
        journal.close()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives a file to another user")
def test_results_that_another_user_has_put_there_are_nobodys(path):
    """Else answers of theirs decide which model is used, and they may read ours."""
    Journal.opened(path, setup=SETUP).close()
    os.chown(path, NOBODY, NOBODY)
    path.parent.chmod(0o1777)
    with pytest.raises(EvaluationError, match="another user of this machine has put"):
        Journal.opened(path, setup=SETUP)
    path.parent.chmod(0o755)
    Journal.opened(path, setup=SETUP).close()
