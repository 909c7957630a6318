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
    for word in ("for 1 request,", "gemini-3.8-flash", "customer_service", "default", "budget", "success"):
        assert word in ran.out
    assert "…" not in ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 80


def test_what_the_headlines_leave_out_is_said(run, practice):
    """Probes are in no share of success, nothing before is no comparison, and few are not none."""
    run("ask", "hello")
    headlines = run("report").out
    assert "left out" not in headlines
    assert "nothing before, in 2" in " ".join(headlines.split())
    assert "0.0 requests an hour" not in " ".join(headlines.split())
    run("doctor")
    assert "(0 failed, " in run("report").out
    assert " of doctor and health checks left out);" in " ".join(run("report").out.split())


def test_in_60_columns_what_goes_on_in_the_next_line_stands_further_in(run, practice, monkeypatch):
    """A headline begins two columns in, and its rest four."""
    monkeypatch.setenv("COLUMNS", "60")
    run("ask", "hello")
    lines = run("report").out.splitlines()
    first = next(place for place, line in enumerate(lines) if "from the cache" in line)
    assert lines[first].startswith("  0 from the cache")
    assert lines[first + 1].startswith("    ")
    headlines = lines[1 : lines.index("")]
    assert all(line.startswith("  ") for line in headlines)
    assert max(map(len, headlines)) <= 60


def test_csv_has_a_row_for_each_part_with_exact_costs(run, practice):
    """--csv is one table: total, models, use cases, tenants."""
    run("ask", "hello", "--tenant", "acme")
    rows = list(csv.DictReader(io.StringIO(run("report", "--csv").out)))
    assert [row["group"] for row in rows] == [
        "total",
        *["day"] * (len(rows) - 4),
        "model",
        "use_case",
        "tenant",
    ]
    assert {int(row["cost_nusd"]) for row in rows if row["group"] != "day"} == {practice.bill.total_nusd()}


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


@pytest.mark.parametrize("language", ["en", "vi"])
def test_days_that_no_request_can_fill_any_more_come_without_advice(run, language):
    """Nor those that have not begun."""
    assert "orchestrator ask" in " ".join(run("report", "--language", language).out.split())
    for month in ("2020-01", "2090-01"):
        empty = run("report", "--month", month, "--language", language)
        assert (empty.code, "2020-01" in empty.out or "2090-01" in empty.out) == (0, True)
        assert "orchestrator" not in empty.out


def test_a_damaged_ledger_exits_6(run, home):
    """A file that is no ledger is named, with what to do."""
    home.mkdir()
    (home / "ledger.sqlite3").write_bytes(b"this is no database, though it is long enough to be read" * 100)
    ran = run("report")
    assert ran.code == 6
    assert "cannot read the ledger" in ran.err
    assert "Traceback" not in ran.err


def test_a_day_and_a_range_add_up_like_their_month(run, practice):
    """The same requests, whatever way their days are named."""
    run("ask", "hello", "--tag", "sale", "--user", "u1")
    month = run("report", "--json").json
    today = max(day["day"] for day in month["days"])
    for options in (("--day", today), ("--since", today), ("--tag", "sale"), ("--user", "u1")):
        assert run("report", "--json", *options).json["cost_nusd"] == practice.bill.total_nusd()
    assert run("report", "--json", "--tag", "other").json["cost_nusd"] == 0
    assert [part["name"] for part in month["tags"]] == ["sale"]
    assert month["savings"]["baseline"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--since", "2026-11-09", "--until", "2026-11-01"), "ends before it begins"),
        (("--until", "2026-11-01"), "needs --since"),
        (("--day", "2026-02-30"), "YYYY-MM-DD"),
        (("--day", "2026-02-03", "--month", "2026-02"), "choose one"),
    ],
)
def test_a_range_that_is_none_is_refused(run, options, says):
    """Exit 2, and how to write it."""
    ran = run("report", *options)
    assert (ran.code, says in ran.err) == (2, True)


def test_the_page_and_the_parquet_file_hold_the_report(run, practice, tmp_path):
    """Both are written whole; the rows of Parquet are those of CSV."""
    import pandas as pd

    run("ask", "hello", "--tenant", "Hà Nội")
    ran = run(
        "report", "--html", f"{tmp_path}/r.html", "--language", "vi", "--parquet", f"{tmp_path}/r.parquet"
    )
    assert ran.code == 0
    text = (tmp_path / "r.html").read_text()
    assert "Báo cáo" in text
    assert "Hà Nội" in text
    frame = pd.read_parquet(tmp_path / "r.parquet")
    assert set(frame.loc[frame["group"] != "day", "cost_nusd"]) == {practice.bill.total_nusd()}
    assert sorted(path.name for path in tmp_path.glob("r.*")) == ["r.html", "r.parquet"]
    refused = run("report", "--html", f"{tmp_path}/none/r.html")
    assert (refused.code, "cannot be written" in refused.err) == (2, True)


def test_feedback_and_goals_are_said_in_both_languages_and_as_json(run, practice):
    """What people thought of answers, which use case they like least, and what is wanted of all."""
    identity = run("ask", "hello", "--json").json["request_id"]
    before = run("report", "--json").json
    assert before["feedback"]["average_score"] is None
    assert [goal["is_met"] for goal in before["goals"]] == [False, True, None]
    assert "feedback" not in run("report").out
    other = run("ask", "hello", "--use-case", "data_analysis", "--json").json["request_id"]
    run("feedback", identity, "--score", "5")
    run("feedback", other, "--score", "2", "--corrected", "better")
    shown = " ".join(run("report").out.split())
    assert "feedback: 3.5 of 5 on average (2 scores), 1 corrected" in shown
    assert "lowest rated: data_analysis 2 (1), customer_service 5 (1)" in shown
    assert "99.9 % answered: 100 %, met; rated 4.5: 3.5, missed" in shown
    assert "đánh giá: trung bình 3,5 trên 5 (2 điểm)" in " ".join(
        run("report", "--language", "vi").out.split()
    )
    report = run("report", "--json").json
    assert report["feedback"]["use_cases"][0] == {
        "name": "data_analysis",
        "count": 1,
        "average_score": 2.0,
        "scores": 1,
        "corrected": 1,
    }
    assert run("report", "--csv").out.splitlines()[0].endswith(",rating,scores")


def test_a_baseline_without_its_key_is_off_and_not_unknown(run, practice, monkeypatch):
    """Whoever reads the books may have no key."""
    run("ask", "hello")
    monkeypatch.delenv("OPENROUTER_API_KEY")
    shown = " ".join(run("report").out.split())
    assert "openrouter/gpt-6.1-sol, which they are counted against, is off here: set its key" in shown
