"""What may be looked for, and what is an id."""

from datetime import UTC, datetime

import pytest

from orchestrator.core.errors import InvalidRequestError
from orchestrator.ledger.requests import RequestOrder, query_of, request_id_of

WHOLE = "01a207a31ce070008000000000000001"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"limit": 0}, "1 to 1000"),
        ({"limit": 1001}, "1 to 1000"),
        ({"limit": True}, "1 to 1000"),
        ({"limit": "5"}, "1 to 1000"),
        ({"order": "cheapest"}, "newest, dearest, slowest"),
        ({"tennant": "acme"}, "known: order"),
        ({"tenant": 5}, "'tenant' is a text"),
        ({"since": datetime(2026, 11, 23)}, "time zone"),  # noqa: DTZ001 -- the mistake itself
        ({"until": "2026-11-23"}, "time zone"),
        ({"before": "op'1"}, "no request id"),
        ({"before": WHOLE, "order": "dearest"}, "newest first"),
    ],
)
def test_what_cannot_be_looked_for_is_refused_in_clear_words(parts, words):
    with pytest.raises(InvalidRequestError, match=words):
        query_of(**parts)


def test_a_query_takes_every_part_at_once():
    query = query_of(order="slowest", failed=True, tenant="acme", since=datetime(2026, 11, 23, tzinfo=UTC))
    assert (query.order, query.failed, query.tenant) == (RequestOrder.SLOWEST, True, "acme")


@pytest.mark.parametrize(
    "text", [WHOLE, WHOLE.upper(), f" {WHOLE}\n", "01a207a3-1ce0-7000-8000-000000000001"]
)
def test_an_id_is_known_however_it_is_written(text):
    assert request_id_of(text) == WHOLE


@pytest.mark.parametrize(
    "text", ["", "-", "xyz", WHOLE + "0", "%", "01a2_", "01a2*", "１２", None, 5.5, "a\0"]
)
def test_what_is_no_id_is_refused(text):
    with pytest.raises(InvalidRequestError, match="no request id"):
        request_id_of(text)
