"""Streams that are closed or full, and homes that are unknown, are one clear line and the right exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.standard_streams import settle_streams
from orchestrator.core.errors import ConfigError
from tests.support.nobody_home import nobody_is_home

ROOT = Path(__file__).resolve().parents[2]
NO_RESULT = "error: the result cannot be written to standard output: "
VERBS = (
    ("ask", "hello"),
    ("chain", "--list"),
    ("route", "hello"),
    ("report",),
    ("requests",),
    ("requests", "show", "0" * 32),
    ("requests", "forget", "--expired"),
    ("feedback", "0" * 32, "--score", "3"),
    ("top", "--once"),
    ("keys", "list"),
    ("keys", "make", "--tenant", "acme"),
    ("alerts", "list"),
    ("ledger", "verify"),
    ("ledger", "reconcile"),
    ("ledger", "compact"),
    ("ledger", "backup", "/nowhere/b"),
    ("prices",),
    ("doctor", "--no-live"),
)


def in_shell(line: str) -> subprocess.CompletedProcess[str]:
    command = line.replace("orchestrator", f"{sys.executable} -m orchestrator", 1)
    return subprocess.run(
        ["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=90, check=False
    )


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="this system has no /dev/full")
def test_a_full_standard_output_is_a_failure_told_once():
    ran = in_shell("orchestrator config check >/dev/full")
    assert ran.returncode == 1
    assert ran.stderr.splitlines() == [
        f"{NO_RESULT}No space left on device; what the command had to do besides is done"
    ]


def test_closed_streams_are_a_failure_told_once_and_their_places_are_taken(tmp_path):
    """A ledger that was opened in the place of standard output would get what is printed."""
    ran = in_shell("orchestrator --version <&- >&-")
    assert ran.returncode == 1
    assert ran.stderr.splitlines() == [
        f"{NO_RESULT}the stream is closed; what the command had to do besides is done"
    ]


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="this system has no /dev/full")
def test_a_standard_error_that_takes_nothing_changes_no_result():
    ran = in_shell("orchestrator keys make --tenant acme 2>/dev/full")
    assert ran.returncode == 0
    assert ran.stdout.startswith("nfk_")


def test_a_line_of_standard_error_is_there_at_once_in_a_file_too(monkeypatch, tmp_path):
    """The log of a server is read while it runs."""
    path = tmp_path / "serve.log"
    with path.open("w", encoding="utf-8") as log:
        for name in ("stderr", "__stderr__"):
            monkeypatch.setattr(sys, name, log)
        settle_streams()
        print("attempt failed", file=sys.stderr)
        assert path.read_text(encoding="utf-8") == "attempt failed\n"


def test_a_closed_standard_input_is_an_empty_one():
    ran = in_shell("orchestrator route - <&-")
    assert (ran.returncode, ran.stderr) == (2, "error: the prompt from standard input is empty\n")


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_an_unknown_home_is_one_line_for_every_verb(run, monkeypatch, verb):
    monkeypatch.delenv("ORCHESTRATOR_HOME")
    nobody_is_home(monkeypatch)
    ran = run(*verb)
    lines = (ran.out + ran.err).splitlines()
    if ran.code == 0:
        assert verb in {("chain", "--list"), ("prices",)}, "it needs no home"
    else:
        assert ran.code in {ConfigError.exit_code, 1}
        assert any("home" in line and "ORCHESTRATOR_HOME" in line for line in lines)
        assert verb[0] == "doctor" or len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_home_that_cannot_be_made_is_no_bug_for_any_verb(run, monkeypatch, verb):
    monkeypatch.setenv("ORCHESTRATOR_HOME", "/dev/null/home")
    ran = run(*verb)
    assert "This is a bug" not in ran.err
    assert ran.code in {0, 1, 2, 4, 6}
    assert ran.code == 0 or ran.out or "error: " in ran.err
