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
from orchestrator.ledger.ledger import HoldRequest
from orchestrator.ledger.opening import LedgerSettings, open_ledger
limits = Limits(BudgetSettings(time_zone="Asia/Ho_Chi_Minh"))
ledger = open_ledger(LedgerSettings(path=sys.argv[1]), limits=limits, clock=SystemClock())
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
    assert ran.out.startswith("1 operations, 1 attempts, 0 holds, 0 corrections\n")
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
    assert "4 counters that differ" in ran.out
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
    assert "attempts.csv: 1 row\n" in ran.out
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
        connection.execute("DELETE FROM counters WHERE length(period) NOT IN (7, 10)")  # hours and weeks
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


# ---- what a provider got wrong


@pytest.fixture
def nonsense(run, practice, path):
    """A request that its provider says did cost a billion dollars; return its id."""
    ran = run("ask", "hello", "--json")
    booked = "UPDATE {} SET {} = {} + 1000000000000000000 - (SELECT SUM(cost_nusd) FROM operations)"
    for table, column in (("attempts", "cost_nusd"), ("counters", "spent_nusd"), ("operations", "cost_nusd")):
        change(path, booked.format(table, column, column))
    return ran.json["request_id"]


def test_a_cost_that_a_provider_got_wrong_closes_the_budgets_until_it_is_corrected(
    run, practice, path, nonsense
):
    assert run("ask", "closed").code == 3
    # As the table of `requests` shows the id.
    ran = run("ledger", "correct", nonsense[:16], "--cost", "0.0005", "--reason", "their unit was wrong")
    assert (ran.code, ran.out) == (
        0, f"attempt 1 of {nonsense}: -$1,000,000,000.00 booked, now $0.0005\n"
    )  # fmt: skip
    assert run("ask", "open again").code == 0
    verification = run("ledger", "verify", "--json")
    assert (verification.code, verification.json["excesses"], verification.json["unequal_operations"]) == (
        0,
        [],
        [],
    )
    assert run("ledger", "verify").out.count("\n") == 4


def test_a_correction_is_a_booking_that_an_auditor_finds(run, nonsense, tmp_path):
    run("ledger", "correct", nonsense, "--cost", "0.0005", "--reason", "their unit  was\nwrong")
    again = run("ledger", "correct", nonsense, "--cost", "0.0005", "--reason", "once more")
    assert again.out == f"attempt 1 of {nonsense} is booked at $0.0005 already\n"
    corrected = run(
        "ledger", "correct", nonsense, "--cost", "0.0004", "--reason", "the invoice", "--json"
    ).json
    assert (corrected["delta_nusd"], corrected["cost_nusd"]) == (-100_000, 400_000)
    run("ledger", "export", "--output", str(tmp_path / "out"))
    with (tmp_path / "out" / "corrections.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            (row["source"], row["step"], int(row["cost_nusd"]), row["note"]) for row in csv.DictReader(file)
        ]
    assert rows == [
        ("operator", "1", 500_000 - 10**18, "their unit was wrong"),
        ("operator", "2", -100_000, "the invoice"),
    ]
    assert run("report", "--json").json["cost_nusd"] == 400_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--cost", "-1", "--reason", "x"), "--cost '-1'"),
        (("--cost", "0_5", "--reason", "x"), "plain digits"),
        (("--cost", "1", "--reason", " "), "needs its reason"),
        (("--cost", "1", "--reason", "x", "--attempt", "7"), "no attempt 7 of request"),
    ],
)
def test_a_correction_that_makes_no_sense_books_nothing(run, nonsense, path, arguments, message):
    ran = run("ledger", "correct", nonsense, *arguments)
    assert ran.code != 0
    assert message in " ".join(ran.err.split())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM corrections").fetchone() == (0,)


def test_the_ledgers_zone_is_changed_by_its_command(run, practice, path, monkeypatch):
    run("ask", "hello")
    monkeypatch.setenv("ORCHESTRATOR_TIME_ZONE", "UTC")
    refused = run("ask", "hello", "--no-cache")
    assert refused.code != 0
    assert "counts days of Asia/Ho_Chi_Minh, config.yaml says UTC" in " ".join(refused.err.split())
    assert run("ledger", "time-zone", "Mars/Base").code == 2
    ran = run("ledger", "time-zone", "UTC")
    assert ran.out == (
        "the ledger counts days of UTC from now on, until now Asia/Ho_Chi_Minh;\n"
        "write 'time_zone: UTC' under budgets in config.yaml too, or nothing more is sent\n"
    )
    assert run("ask", "hello", "--no-cache").code == 0


@pytest.mark.parametrize(
    "arguments", [("correct", "x", "--cost", "1", "--reason", "x"), ("time-zone", "UTC")]
)
def test_what_changes_a_ledger_makes_none(run, home, arguments):
    ran = run("ledger", *arguments)
    assert (ran.code, "there is no ledger yet" in ran.err) == (2, True)
    assert not home.exists()


def test_no_line_of_verify_is_wider_than_60_columns(run, practice, path):
    run("ask", "hello")
    change(path, "UPDATE counters SET spent_nusd = spent_nusd + 1000000000000")
    change(path, "UPDATE operations SET cost_nusd = cost_nusd + 1000000000000")
    change(path, "UPDATE attempts SET held_nusd = 1")
    lines = run("ledger", "verify").out.splitlines()
    assert [line for line in lines if len(line) > 60] == []
    assert len(lines) > 20
