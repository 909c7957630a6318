"""A wait is believed where a provider says it in a way that can be read, and for as long as it is finite."""

from datetime import UTC, datetime

import pytest

from orchestrator.providers.retry_after import asked_wait_s, wait_of

NOW = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)

NOW_S = int(NOW.timestamp())


def left_of(left: str = "0", *, reset: object, what: str = "") -> dict[str, str]:
    """Headers of a limit of which so much is left."""
    return {f"x-ratelimit-remaining{what}": left, f"x-ratelimit-reset{what}": str(reset)}


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
        (left_of(reset=NOW_S + 90), 90.0),
        (left_of(reset=(NOW_S + 90) * 1000), 90.0),
        (left_of(reset=55), 55.0),
        (left_of(reset=0), None),
        (left_of(reset=10**400), None),
        (left_of(reset="soon"), None),
        (left_of(reset="6m0s", what="-requests"), 360.0),
        (left_of(reset="1h2m3.5s", what="-tokens"), 3723.5),
        (left_of(reset="120ms", what="-tokens"), 0.12),
        (left_of("-1", reset="55", what="-tokens"), 55.0),
        (left_of("12", reset="6m0s", what="-tokens"), None),
        ({**left_of(reset="20s", what="-requests"), **left_of("7", reset="6m0s", what="-tokens")}, 20.0),
        ({**left_of(reset="6m0s"), "retry-after": "2"}, 2.0),
        (
            {
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2026-11-28T12:00:41Z",
            },
            41.0,
        ),
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
