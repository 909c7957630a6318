"""`orchestrator top` shows what the ledger booked in the last minutes, and needs no server."""

import os
import pty
import signal
import subprocess
import sys

import pytest


def test_without_a_ledger_it_shows_nothing_used_and_makes_none(run, home):
    shown = run("top", "--json").json
    assert (shown["requests"], shown["error_share"], shown["cost_nusd"]) == (0, None, 0)
    assert run("top", "--once").code == 0
    assert not home.exists()


def test_its_numbers_are_those_of_the_bill(run, practice):
    for number in range(3):
        assert run("ask", f"question {number}", "--tenant", "acme").code == 0
    shown = run("top", "--json").json
    assert (shown["requests"], shown["errors"], shown["window_s"]) == (3, 0, 300)
    assert shown["cost_nusd"] == practice.bill.total_nusd() > 0
    assert shown["cost_per_hour_nusd"] == shown["cost_nusd"] * 12
    assert sum(row["cost_nusd"] for row in shown["models"]) == shown["cost_nusd"]
    spent = {row["scope"]: row["spent_nusd"] for row in shown["budgets"] if row["window"] == "day"}
    assert spent["all"] == shown["cost_nusd"]


@pytest.mark.parametrize("columns", [80, 60])
def test_it_is_readable_in_a_narrow_terminal(run, practice, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert run("ask", "question", "--tenant", "a-tenant-of-a-long-name-of-fifty-letters-and-some").code == 0
    shown = run("top", "--once")
    assert shown.code == 0
    assert max(len(line) for line in shown.out.splitlines()) <= columns
    assert all(word in shown.out for word in ("requests", "errors", "p95", "an hour", "budget", "░"))


def test_minutes_are_bounded(run):
    assert run("top", "--minutes", "0").code == 2


def test_in_a_terminal_it_goes_on_until_ctrl_c_which_is_no_failure(home):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "top"], stdout=theirs, stderr=theirs, stdin=theirs
    )
    os.close(theirs)
    shown = b""
    # Drawn twice: it has looked again.
    while shown.count(b"the last 300 s") < 2:
        shown += os.read(ours, 65536)
    process.send_signal(signal.SIGINT)
    assert process.wait(300) == 0
    os.close(ours)
