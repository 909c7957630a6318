"""What the ledger says of requests, ready to be replayed."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from orchestrator.core.errors import LedgerError
from orchestrator.ledger.opening import LedgerSettings, open_view
from orchestrator.whatif.recorded_traffic import read_traffic
from tests.support.planted_traffic import Traffic

SINCE, UNTIL = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    """A ledger of three days."""
    Traffic(tmp_path / "ledger.sqlite3", seed=1, days=3, a_day=40).write()
    return tmp_path / "ledger.sqlite3"


def read(path, *, since=SINCE, fresh_s=3600.0):
    fresh = dict.fromkeys(("customer_service", "content_generation", "data_analysis"), fresh_s)
    view = open_view(LedgerSettings(path=str(path)))
    return read_traffic(view, since=since, until=UNTIL, time_zone="UTC", fresh_s=fresh)


def test_every_request_is_there_in_its_order_with_a_size(path):
    traffic = read(path)
    assert [request.number for request in traffic.requests] == list(range(120))
    assert all(
        one.at_s <= other.at_s for one, other in zip(traffic.requests, traffic.requests[1:], strict=False)
    )
    assert all(request.expected_tokens > 0 for request in traffic.requests)
    assert traffic.spent_before == ()


def test_what_many_rows_name_is_in_memory_once(path):
    traffic = read(path)
    for name in ("tenant", "use_case"):
        values = [getattr(request, name) for request in traffic.requests]
        assert len({id(value) for value in values}) == len(set(values)) > 1
    deployments = [send.deployment for send in traffic.sends]
    assert len({id(name) for name in deployments}) == len(set(deployments)) > 1


def test_what_was_spent_before_it_in_the_same_month_is_kept(path):
    later = datetime(2026, 11, 23, tzinfo=UTC)
    whole, part = read(path), read(path, since=later)
    spent = sum(before.cost_nusd for before in part.spent_before)
    assert spent == sum(
        request.cost_nusd for request in whole.requests if request.at_s < (later - SINCE).total_seconds()
    )
    assert spent > 0


def test_mistakes_of_callers_and_probes_are_left_out_and_counted(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE operations SET error = 'InvalidRequestError' WHERE id IN "
                           "(SELECT id FROM operations ORDER BY id LIMIT 3)")  # fmt: skip
        connection.execute("UPDATE operations SET tenant = 'probe:doctor' WHERE id IN "
                           "(SELECT id FROM operations ORDER BY id DESC LIMIT 2)")  # fmt: skip
    traffic = read(path)
    assert traffic.left_out == {"mistakes of callers": 3, "probes of providers": 2}
    assert len(traffic.requests) == 115


def test_shadows_are_left_out_and_sides_of_experiments_are_drawn_anew(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE operations SET tenant = 'shadow:faq' WHERE id IN "
                           "(SELECT id FROM operations ORDER BY id LIMIT 2)")  # fmt: skip
        connection.execute('UPDATE operations SET tags = \'["web", "arm:faq@1a2b3c4d:live"]\'')
    traffic = read(path)
    assert traffic.left_out == {"shadows of experiments": 2}
    assert {request.tags for request in traffic.requests} == {("web",)}


def test_a_ledger_of_an_older_schema_says_what_to_do(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 4")
    with pytest.raises(LedgerError, match="has schema 4, this program reads .*orchestrator doctor"):
        read(path)


def test_requests_for_vectors_are_no_chats(path):
    view = open_view(LedgerSettings(path=str(path)))
    traffic = read_traffic(
        view, since=SINCE, until=UNTIL, time_zone="UTC", fresh_s={}, embeddings=["data_analysis"]
    )
    assert traffic.left_out == {"embeddings": 120 - len(traffic.requests)}
    assert "data_analysis" not in {request.use_case for request in traffic.requests}


@pytest.mark.parametrize(
    "broken",
    [
        "UPDATE operations SET outcome = 'splendid' WHERE id IN (SELECT id FROM operations ORDER BY id LIMIT 3)",
        "UPDATE operations SET tags = '{oops' WHERE id IN (SELECT id FROM operations ORDER BY id LIMIT 3)",
        "UPDATE operations SET tags = '3' WHERE id IN (SELECT id FROM operations ORDER BY id LIMIT 3)",
    ],
)
def test_rows_that_another_program_wrote_are_left_out_and_counted(path, broken):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(broken)
        connection.execute("UPDATE attempts SET script = 'runes'")
    traffic = read(path)
    assert traffic.left_out == {"rows that this program cannot read": 3}
    assert len(traffic.requests) == 117
