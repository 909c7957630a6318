"""Every number of a report, computed again from raw rows by a plain loop that shares no code with it."""

import json
import math
import sqlite3
from collections import defaultdict
from contextlib import closing
from datetime import UTC, date, datetime

import pytest

from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import CostSource, Outcome
from orchestrator.ledger.reader import LedgerReader
from orchestrator.ledger.records import CostCorrection
from orchestrator.ledger.sqlite.store import SqliteStore
from orchestrator.reports.span import Span
from orchestrator.reports.usage_report import Filter, usage_report
from tests.support.planted_traffic import TODAY, PlantedClock, Traffic


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    traffic = Traffic(tmp_path_factory.mktemp("sums") / "ledger.sqlite3", seed=7, days=20, a_day=15)
    traffic.write()
    with sqlite3.connect(traffic.path) as rows:
        # As `correct` writes them, in two steps of which the last one names the source.
        found = rows.execute(
            "SELECT operation_id, number, day, month, scopes, hour FROM attempts LIMIT 9"
        ).fetchall()
        for step, source in ((1, "provider"), (2, "operator")):
            rows.executemany(
                "INSERT INTO corrections VALUES (?,?,?,?,?,?,?,'x',?,'why',?,'[]')",
                [(*row[:5], 111 * step, source, step, row[5]) for row in found],
            )
    _sum_some_days(traffic.path)
    return traffic.path


def _sum_some_days(path):
    """Sum every second day, and correct a send of one of them, whose sums are gone then."""
    store = SqliteStore(path, lock_timeout_s=60, clock=PlantedClock(), on_late=print)
    with closing(store):
        with store.view() as view:
            days = view.unsummed_days(since="2026-11-01", before="2026-12-01")
        assert all(store.sum_day(day) for day in days[::2])
        with closing(sqlite3.connect(path)) as rows:
            key = rows.execute(
                "SELECT operation_id, number FROM attempts WHERE day = ?", (days[4],)
            ).fetchone()
        assert store.correct(
            CostCorrection(*key, NanoUsd(7), CostSource.OPERATOR, datetime(2026, 11, 23, tzinfo=UTC), "late")
        )
        with store.view() as view:
            assert view.unsummed_days(since="2026-11-01", before="2026-12-01") == tuple(
                sorted({*days[1::2], days[4]})
            )


def _rows(path, table):
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608 -- fixed words


def _meant(row, span, names):
    if not str(span.first) <= row["day"] <= str(span.last):
        return False
    scopes = json.loads(row["scopes"]) if "scopes" in row else _scopes(row)
    return all(f"{kind}:{name}" in scopes for kind, name in names.items())


def _scopes(row):
    named = [f"tenant:{row['tenant']}", f"use_case:{row['use_case']}", f"user:{row['user']}"]
    return named + [f"tag:{tag}" for tag in json.loads(row["tags"])]


def _plain(path, span, names):
    """Return the numbers of a report, row by row."""
    corrections = _rows(path, "corrections")
    sends = [row for row in _rows(path, "attempts") if _meant(row, span, names)]
    for row in sends:
        steps = [
            c for c in corrections if (c["operation_id"], c["number"]) == (row["operation_id"], row["number"])
        ]
        row["cost_nusd"] += sum(c["cost_nusd"] for c in steps)
        row["cost_source"] = max(steps, key=lambda c: c["step"])["source"] if steps else row["cost_source"]
    return [row for row in _rows(path, "operations") if _meant(row, span, names)], sends


def _rank(values, percent):
    ordered = sorted(values)
    return ordered[math.ceil(percent * len(ordered) / 100) - 1] / 1000 if ordered else None


def _near(expected_s):
    """Return what equals a duration that is counted in steps: half a percent off at most."""
    return None if expected_s is None else pytest.approx(expected_s, rel=0.005)


def _by(rows, name):
    sums = defaultdict(lambda: [0, 0])
    for row in rows:
        for key in name(row):
            sums[key][0] += 1
            sums[key][1] += row.get("cost_nusd", 0)
    return sums


@pytest.mark.parametrize("names", [
    {}, {"tenant": "Hà Nội"}, {"use_case": "data_analysis"}, {"user": "u1"}, {"tag": "vip"},
    {"tenant": "acme", "tag": "sale", "user": "u2"}, {"tenant": "nobody"},
])  # fmt: skip
@pytest.mark.parametrize(
    "span", [Span.of_month("2026-11"), Span(date(2026, 11, 9), date(2026, 11, 15)), Span(TODAY, TODAY)]
)
def test_every_number_equals_a_plain_loop_over_the_rows(ledger, span, names):
    requests, sends = _plain(ledger, span, names)
    report = usage_report(LedgerReader(ledger), span, of=Filter(**names), today=TODAY)
    cost = sum(row["cost_nusd"] for row in sends)
    assert (report.requests, report.cost_nusd) == (len(requests), cost)
    assert report.average_cost_nusd == (math.ceil(cost / len(requests)) if requests else None)
    for outcome, count in report.outcomes.items():
        assert count == sum(row["outcome"] == outcome for row in requests)
    assert report.cache_hits == sum(row["cached"] == "hit" for row in requests)
    for source, amount in report.cost_by_source.items():
        assert amount == sum(row["cost_nusd"] for row in sends if row["cost_source"] == source)
    answered = [row["latency_ms"] for row in requests if row["outcome"] == "succeeded"]
    shown = (report.latency.p50_s, report.latency.p95_s) if report.latency else (None, None)
    assert shown == (_near(_rank(answered, 50)), _near(_rank(answered, 95)))
    assert report.average_latency_s == (
        pytest.approx(sum(answered) / len(answered) / 1000) if answered else None
    )
    for day in report.days:
        of_day = [row for row in sends if row["day"] == day.day]
        assert day.cost_nusd == sum(row["cost_nusd"] for row in of_day)
        assert day.requests == sum(row["day"] == day.day for row in requests)
    _groups_agree(report, requests, sends)
    _models_agree(report, sends)


def _groups_agree(report, requests, sends):
    def scope(kind):
        return lambda row: [
            s.split(":", 1)[1] for s in set(json.loads(row["scopes"])) if s.startswith(f"{kind}:")
        ]

    counted = {
        "tenants": (lambda row: [row["tenant"]], scope("tenant")),
        "use_cases": (lambda row: [row["use_case"]], scope("use_case")),
        "users": (lambda row: [row["user"]] if row["user"] else [], scope("user")),
        "tags": (lambda row: json.loads(row["tags"]), scope("tag")),
    }
    for name, (of_request, of_send) in counted.items():
        numbers, costs = _by(requests, of_request), _by(sends, of_send)
        shown = {part.name: (part.requests, part.cost_nusd) for part in getattr(report, name)}
        assert shown == {key: (numbers[key][0], costs[key][1]) for key in numbers.keys() | costs.keys()}


def _models_agree(report, sends):
    assert {part.name for part in report.models} == {row["model"] for row in sends}
    for part in report.models:
        own = [row for row in sends if row["model"] == part.name]
        good = [row for row in own if row["outcome"] == "succeeded"]
        assert (part.requests, part.cost_nusd) == (len(own), sum(row["cost_nusd"] for row in own))
        assert part.share == len(own) / len(sends)
        assert part.success_rate == len(good) / len(own)
        assert part.latency.p95_s == _near(_rank([row["latency_ms"] for row in good], 95))
        first = [row["first_token_ms"] for row in good if row["first_token_ms"] is not None]
        assert (part.first_token.p50_s if part.first_token else None) == _near(_rank(first, 50))
        busy_s = sum(row["latency_ms"] for row in good) / 1000
        assert part.output_tokens_per_s == pytest.approx(sum(row["output_tokens"] for row in good) / busy_s)


def test_the_trend_compares_with_as_many_days_of_the_range_before(ledger):
    week, before = Span(date(2026, 11, 17), TODAY), Span(date(2026, 11, 10), date(2026, 11, 16))
    trend = usage_report(LedgerReader(ledger), week, today=TODAY).trend
    requests, sends = _plain(ledger, before, {})
    assert (trend.label, trend.requests) == (before.label, len(requests))
    assert trend.cost_nusd == sum(row["cost_nusd"] for row in sends)


def test_a_correction_by_the_ledger_itself_is_in_the_report(tmp_path, new_book):
    with new_book() as book:
        identity = book.request(("a", Outcome.SUCCEEDED, 50))
        book.ledger.store.correct(
            CostCorrection(identity, 1, 80, CostSource.OPERATOR, book.clock.now(), "bill")
        )
        report = usage_report(LedgerReader(book.path), Span.of_month("2026-11"), today=TODAY)
    assert (report.cost_nusd, report.cost_by_source["operator"]) == (80, 80)
