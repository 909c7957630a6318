"""A wait is believed where a provider says it in a way that can be read, and for as long as it is finite."""

from datetime import UTC, datetime

import pytest

from orchestrator.providers.retry_after import asked_wait_s, wait_of

NOW = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": 7}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Sat, 28 Nov 99999999999999999999 12:00:30 GMT"}, None),
        ({"retry-after": "Sat, 28 Nov 2026 12:00:30 +99999999999999999999"}, None),
        ({"retry-after": "Sat, 28 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sat, 28 Nov 2026 12:00:30 -0000"}, 30.0),
        ({"retry-after": "Sat, 28 Nov 2026 11:59:00 GMT"}, 0.0),
        ({"retry-after": "2", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "2", "retry-after-ms": "soon"}, 2.0),
        ({"retry-after-ms": "inf"}, None),
    ],
)
def test_headers_say_how_long_to_wait(headers, wait_s) -> None:
    assert asked_wait_s(headers, now=lambda: NOW) == wait_s


@pytest.mark.parametrize(
    ("written", "wait"),
    [("34", 34.0), ("34.5", 34.5), ("", None), ("inf", None), ("-1", 0.0), ("1.2.3", None)],
)
def test_a_number_that_is_finite_is_a_wait(written, wait) -> None:
    assert wait_of(written) == wait
