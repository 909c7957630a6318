"""A request is found by its id or the beginning of it; a tenant's reader sees no trace of another's."""

import unicodedata

import pytest

from orchestrator.core.errors import InvalidRequestError, LedgerError, RequestNotFoundError
from orchestrator.ledger.reader import LedgerReader
from orchestrator.ledger.requests import RequestQuery
from orchestrator.requests.lookup import find_booked_id, find_request, find_requests
from tests.support.books import books

__all__ = ["books"]

FIRST, SECOND = "01a207a31ce070008000000000000001", "01a207a31ce07abc8000000000000002"


@pytest.fixture
def reader(books) -> LedgerReader:
    """Two requests of one millisecond, the second of another tenant."""
    for request_id in (FIRST, SECOND):
        books.request(request_id)
    books.write("UPDATE operations SET tenant = 'other' WHERE id = ?", SECOND)
    return LedgerReader(books.path)


@pytest.mark.parametrize("text", [FIRST, FIRST[:14], FIRST.upper(), "01a207a3-1ce0-7000"])
def test_a_beginning_that_only_one_request_has_is_enough(reader, text):
    assert find_request(reader, text).request.id == FIRST


def test_a_beginning_of_several_names_them(reader):
    with pytest.raises(RequestNotFoundError, match=f"{FIRST}, {SECOND}; give more digits"):
        find_request(reader, "01a2")


def test_a_whole_id_may_be_of_an_attempt_whose_request_has_no_row(reader):
    assert find_booked_id(reader, SECOND[:16]) == SECOND
    assert find_booked_id(reader, "f" * 32) == "f" * 32
    with pytest.raises(RequestNotFoundError, match="give more digits"):
        find_booked_id(reader, "01a2")
    with pytest.raises(RequestNotFoundError, match="no request 'ff'"):
        find_booked_id(reader, "ff")


def test_an_unknown_id_is_an_error_that_says_what_may_be_the_reason(reader):
    with pytest.raises(RequestNotFoundError, match=r"no request 'ff' is recorded.*under way"):
        find_request(reader, "ff")
    with pytest.raises(InvalidRequestError, match="no request id"):
        find_request(reader, "' OR 1=1 --")


def test_a_tenants_reader_sees_its_own_request_alone(reader):
    assert find_request(reader, "01a2", tenant="other").request.id == SECOND
    assert [row.id for row in find_requests(reader, RequestQuery(tenant="other"))] == [SECOND]


def test_a_tenant_is_looked_for_as_it_is_counted(books):
    books.request(FIRST)
    books.write("UPDATE operations SET tenant = 'Hà Nội' WHERE id = ?", FIRST)
    reader, decomposed = LedgerReader(books.path), unicodedata.normalize("NFD", " Hà  Nội")
    assert find_request(reader, "01a2", tenant=decomposed).request.id == FIRST
    assert [row.id for row in find_requests(reader, RequestQuery(tenant=decomposed))] == [FIRST]
    with pytest.raises(InvalidRequestError, match="'tenant' must be a name"):
        RequestQuery(tenant="Hà\u200bNội")


@pytest.mark.parametrize("text", [SECOND, "01a207a31ce07abc"])
def test_anothers_request_and_none_at_all_are_told_in_the_same_words(reader, text):
    unknown = "ff" * (len(text) // 2)
    messages = []
    for request_id in (text, unknown):
        with pytest.raises(RequestNotFoundError) as caught:
            find_request(reader, request_id, tenant="acme")
        messages.append(str(caught.value).replace(request_id, "ID"))
    assert messages[0] == messages[1]
    assert SECOND not in messages[0].replace("ID", "")


def test_without_a_ledger_nothing_is_found_and_none_is_made(tmp_path):
    reader = LedgerReader(tmp_path / "none.sqlite3")
    assert find_requests(reader, RequestQuery()) == ()
    with pytest.raises(RequestNotFoundError, match="no request has been recorded yet"):
        find_request(reader, FIRST)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_ledger_says_so(tmp_path):
    path = tmp_path / "damaged.sqlite3"
    path.write_bytes(b"Dear diary, this is no database. " * 100)
    with pytest.raises(LedgerError, match="cannot read the ledger"):
        find_requests(LedgerReader(path), RequestQuery())
