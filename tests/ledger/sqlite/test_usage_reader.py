"""How names and durations are read in SQL, beside the plain way to read them."""

import json
from dataclasses import replace

import pytest

from orchestrator.core.errors import LedgerError
from orchestrator.ledger.sqlite.queries import scoped
from orchestrator.ledger.sqlite.usage_queries import _counted_ms
from orchestrator.ledger.usage import Duration, Selection
from orchestrator.reports.usage_sums import read_sums

DAY = "2026-11-23"


@pytest.mark.parametrize("names", [
    {"tenant": "acme"}, {"tenant": 'x"use_case:evil', "use_case": "bulk"}, {"user": "a\\b"}, {"use_case": ""},
    {"tenant": "tenant:acme", "user": "Hà Nội"}, {},
])  # fmt: skip
def test_a_name_is_read_from_scopes_as_json_reads_it(books, names):
    books.ledger.check_writable()
    scopes = json.dumps(["all", *(f"{kind}:{name}" for kind, name in names.items())], ensure_ascii=False)
    for kind in ("tenant", "use_case", "user"):
        assert books.rows(f"SELECT {scoped(kind)} FROM (SELECT ? AS scopes)", scopes) == [(names.get(kind),)]  # noqa: S608 -- fixed words


def test_durations_are_counted_in_steps_of_half_a_percent(books):
    books.ledger.check_writable()
    values = [*range(3_000), *range(3_000, 40_000_000, 9_973)]
    counted = books.rows(
        f"SELECT value, {_counted_ms('value')} FROM json_each(?)",  # noqa: S608 -- fixed words
        json.dumps(values),
    )
    assert all(abs(step - exact) <= exact * 0.005 for exact, step in counted)
    assert all(step == exact for exact, step in counted if exact < 200)
    assert len({step for _, step in counted}) < 2_000


def test_a_day_that_is_summed_and_one_that_is_not_are_counted_together(books):
    for number, day in enumerate((23, 24, 25)):
        books.clock.set(books.clock.now().replace(day=day))
        books.request(f"op-{number}", 100 + number)
    assert books.ledger.store.sum_day(DAY)
    with books.reader as view:
        days = Selection(DAY, "2026-11-24")
        assert view.unsummed_days(since=DAY, before="2026-11-25") == ("2026-11-24",)
        assert [(cost.day[-2:], cost.cost_nusd) for cost in sorted(view.day_totals(days), key=str)] == [
            ("23", 100),
            ("24", 101),
        ]
        assert [count.count for count in view.durations(days, Duration.REQUEST)] == [2]
        assert sorted((group.kind, group.requests, group.cost_nusd) for group in view.name_groups(days)) == [
            ("tag", 2, 201),
            ("user", 2, 201),
        ]


def test_a_user_is_looked_for_on_the_days_alone_that_have_him_and_others_stay_whole(books):
    for number, day in enumerate((23, 24, 25)):
        books.clock.set(books.clock.now().replace(day=day))
        books.request(f"op-{number}", 100 + number)
    (name,) = {user for (user,) in books.rows("SELECT user FROM operations")}
    assert all(books.ledger.store.sum_day(f"2026-11-{day}") for day in (23, 24))
    with books.reader as view:
        everybody = Selection(DAY, "2026-11-25")
        own, nobody = replace(everybody, user=name), replace(everybody, user="nobody")
        assert view._days_with_name(own) == ["2026-11-23", "2026-11-24", "2026-11-25"]
        assert view._days_with_name(nobody) == ["2026-11-25"]
        for _ in range(2):
            costs = [sum(cost.cost_nusd for cost in view.day_totals(of)) for of in (own, nobody, everybody)]
            assert costs == [303, 0, 303]


@pytest.mark.parametrize(("damage", "words"), [
    ("UPDATE attempts SET day = '2026-11-2x'", "a day '2026-11-2x', which is none"),
    ("UPDATE operations SET tenant = x'ff'", "damaged rows"),
    ("UPDATE attempts SET cost_nusd = 1.5", "damaged rows"),
    ("UPDATE operations SET latency_ms = 'slow'", "damaged rows"),
    ("UPDATE operations SET tags = '{'", "malformed JSON"),
    ("UPDATE operations SET tags = '[7]'", "damaged rows"),
])  # fmt: skip
def test_rows_that_no_program_writes_are_named_as_damage(books, damage, words):
    books.request("op")
    books.write(damage)
    with books.reader as view, pytest.raises(LedgerError, match=words):
        read_sums(view, Selection("2026-11-01", "2026-11-30"))
