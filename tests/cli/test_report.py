"""`orchestrator report`: the month, exact."""

import csv
import io

import pytest


def test_no_ledger_is_a_friendly_line_and_no_file(run, home):
    """Before the first request the report says so, exits 0, and creates nothing."""
    ran = run("report")
    assert ran.code == 0
    assert "Nothing was booked" in ran.out
    assert not home.exists()


def test_the_report_adds_up_to_the_providers_bill(run, practice):
    """Totals, models, use cases and tenants each add up to what was billed, to the nano-dollar."""
    for number in range(3):
        run("ask", f"question {number}", "--tenant", f"t{number % 2}")
    run("ask", "question 0", "--tenant", "t0")
    month = run("report", "--json").json
    billed = practice.bill.total_nusd()
    assert month["cost_nusd"] == billed
    for group in ("models", "use_cases", "tenants"):
        assert sum(part["cost_nusd"] for part in month[group]) == billed
    assert (month["requests"], month["cache_hits"], month["success_rate"]) == (4, 1, 1.0)
    assert month["average_cost_nusd"] == -(-billed // 4)
    day = next(budget for budget in month["budgets"] if (budget["scope"], budget["window"]) == ("all", "day"))
    assert day["spent_nusd"] == billed


def test_people_see_totals_models_and_budgets_in_80_columns(run, practice):
    """The tables fit, and no number is cut off."""
    practice.faults.add("openrouter:status=503,times=3")
    run("ask", "hello")
    ran = run("report")
    assert ran.code == 0
    for word in ("for 1 requests", "gemini-3.8-flash", "customer_service", "default", "budget", "success"):
        assert word in ran.out
    assert "…" not in ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 80


def test_csv_has_a_row_for_each_part_with_exact_costs(run, practice):
    """--csv is one table: total, models, use cases, tenants."""
    run("ask", "hello", "--tenant", "acme")
    rows = list(csv.DictReader(io.StringIO(run("report", "--csv").out)))
    assert [row["group"] for row in rows] == ["total", "model", "use_case", "tenant"]
    assert {int(row["cost_nusd"]) for row in rows} == {practice.bill.total_nusd()}


def test_a_tenant_sees_only_its_own(run, practice):
    """--tenant leaves the others out, costs included."""
    run("ask", "hello", "--tenant", "acme")
    run("ask", "good morning to you all", "--tenant", "other")
    month = run("report", "--tenant", "acme", "--json").json
    assert [tenant["name"] for tenant in month["tenants"]] == ["acme"]
    assert 0 < month["cost_nusd"] < practice.bill.total_nusd()


@pytest.mark.parametrize("month", ["2026-13", "november", "2026-1"])
def test_a_month_that_is_none_is_refused(run, month):
    """A wrong --month exits 2 and shows how to write one."""
    ran = run("report", "--month", month)
    assert ran.code == 2
    assert "YYYY-MM" in ran.err


def test_another_month_is_empty_and_has_no_standing(run, practice):
    """Budgets stand only for the month that runs."""
    run("ask", "hello")
    month = run("report", "--month", "2020-01", "--json").json
    assert month["requests"] == 0
    assert month["budgets"] == []


def test_a_damaged_ledger_exits_6(run, home):
    """A file that is no ledger is named, with what to do."""
    home.mkdir()
    (home / "ledger.sqlite3").write_bytes(b"this is no database, though it is long enough to be read" * 100)
    ran = run("report")
    assert ran.code == 6
    assert "cannot read the ledger" in ran.err
    assert "Traceback" not in ran.err
