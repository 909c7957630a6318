"""`orchestrator ledger`: a wrong counter exits 6, an orphan is settled once, rows leave as files."""

import csv
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

_HOLDER = """
import sys
from orchestrator.core.clock import SystemClock
from orchestrator.ledger.budgets import BudgetSettings, Limits
from orchestrator.ledger.ledger import HoldRequest, Ledger, LedgerSettings
limits = Limits(BudgetSettings(time_zone="Asia/Ho_Chi_Minh"))
ledger = Ledger(LedgerSettings(path=sys.argv[1]), limits=limits, clock=SystemClock())
ledger.hold(HoldRequest("orphan", 1, "p/m", "p", "m", ("all", "tenant:acme", "use_case:bulk"), 1_000_000, "book"))
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(home):
    return home / "ledger.sqlite3"


@pytest.fixture
def orphan(path):
    """Money held by a process that was killed."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGKILL)


def change(path, sql):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)


@pytest.mark.parametrize("command", [("verify",), ("compact",), ("reconcile",), ("export", "-o", "out")])
def test_without_a_ledger_nothing_is_wrong_and_none_is_made(run, home, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = run("ledger", *command)
    assert ran.code == 0
    assert not home.exists()


def test_a_right_ledger_verifies(run, practice):
    run("ask", "hello")
    ran = run("ledger", "verify")
    assert ran.code == 0
    assert "every counter is the sum of its rows" in ran.out
    verification = run("ledger", "verify", "--json").json
    assert verification["counters_are_right"]
    assert (
        verification["differences"],
        verification["unequal_operations"],
        verification["unclaimed_attempts"],
    ) == ([], [], [])
    assert verification["cost_by_source"]["provider"]["cost_nusd"] == practice.bill.total_nusd()


def test_a_wrong_counter_exits_6_and_is_named(run, practice, path):
    run("ask", "hello")
    change(path, "UPDATE counters SET spent_nusd = spent_nusd + 1 WHERE scope = 'tenant:default'")
    ran = run("ledger", "verify")
    assert ran.code == 6
    assert "2 counters that differ" in ran.out
    assert "tenant:default 20" in ran.out
    failed = run("ledger", "verify", "--json")
    assert failed.code == 6
    first = failed.json["differences"][0]
    assert (first["scope"], first["counted_spent"] - first["booked_spent"]) == ("tenant:default", 1)


def test_an_orphan_is_shown_then_settled_then_gone(run, path, orphan):
    shown = run("ledger", "reconcile", "--dry-run")
    assert "orphan orphan on p/m" in shown.out
    assert "would be booked $0.001 of $0.001 held (bound)" in shown.out
    reconciliation = run("ledger", "reconcile", "--json").json
    assert [
        (settled["life"], settled["cost_nusd"], settled["cost_source"])
        for settled in reconciliation["orphans"]
    ] == [("dead", 1_000_000, "bound")]
    assert run("ledger", "reconcile").out == "nothing to reconcile\n"
    assert run("ledger", "verify").code == 0
    assert run("report", "--json").json["cost_nusd"] == 1_000_000


def test_as_overrides_the_configured_policy(run, orphan):
    reconciliation = run("ledger", "reconcile", "--as", "zero", "--json").json
    assert (reconciliation["policy"], reconciliation["orphans"][0]["cost_nusd"]) == ("zero", 0)


def test_the_policy_of_the_configuration_is_the_default(run, orphan, tmp_path, monkeypatch):
    shipped = (Path(__file__).parents[2] / "config.yaml").read_text(encoding="utf-8")
    changed = tmp_path / "config.yaml"
    changed.write_text(shipped.replace("orphans: bound", "orphans: zero"), encoding="utf-8")
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(changed))
    reconciliation = run("ledger", "reconcile", "--json").json
    assert (reconciliation["policy"], reconciliation["orphans"][0]["cost_source"]) == ("zero", "none")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("reconcile", "--as", "half"), "choose bound, zero, estimate"),
        (("export", "-o", "x", "--format", "xml"), "choose csv or parquet"),
        (("export", "-o", "x", "--month", "2026-13"), "YYYY-MM"),
    ],
)
def test_a_wrong_option_exits_2_and_says_what_to_write(run, arguments, message):
    ran = run("ledger", *arguments)
    assert ran.code == 2
    assert message in ran.err


def test_export_writes_what_the_providers_billed(run, practice, tmp_path):
    run("ask", "hello")
    ran = run("ledger", "export", "--format", "csv", "--output", str(tmp_path / "out"))
    assert ran.code == 0
    assert "attempts.csv: 1 rows" in ran.out
    with (tmp_path / "out" / "attempts.csv").open(encoding="utf-8", newline="") as file:
        assert [int(row["cost_nusd"]) for row in csv.DictReader(file)] == [practice.bill.total_nusd()]


def test_compact_leaves_a_young_ledger_alone(run, practice):
    run("ask", "hello")
    assert run("ledger", "compact").out == "no month is older than 400 days\n"
    assert run("ledger", "compact", "--json").json == {"compacted": [], "kept": []}


def test_compact_rolls_an_old_month_up(run, practice, path):
    run("ask", "hello")
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in ("attempts", "operations"):
            connection.execute(f"UPDATE {table} SET day = '2020-01-05', month = '2020-01'")  # noqa: S608 -- two words
        connection.execute(
            "UPDATE counters SET period = CASE length(period) WHEN 7 THEN '2020-01' ELSE '2020-01-05' END"
        )
    (rolled_up,) = run("ledger", "compact", "--json").json["compacted"]
    assert (rolled_up["month"], rolled_up["requests"], rolled_up["cost_nusd"]) == (
        "2020-01",
        1,
        practice.bill.total_nusd(),
    )
    ran = run("ledger", "verify", "--json")
    assert ran.code == 0
    assert ran.json["rows"]["monthly"] == 1
