"""A moment is a day, a time, or how long ago; anything else is refused."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.moments import duration_of, moment_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ZONE = "Asia/Ho_Chi_Minh"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("24h", NOW - timedelta(hours=24)),
        (" 7d ", NOW - timedelta(days=7)),
        ("2026-11-20", datetime(2026, 11, 19, 17, tzinfo=UTC)),
        ("2026-11-20T14:30", datetime(2026, 11, 20, 7, 30, tzinfo=UTC)),
        ("2026-11-20T14:30+00:00", datetime(2026, 11, 20, 14, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_as_people_write_it(text, moment):
    assert moment_of(text, now=NOW, time_zone=ZONE) == moment


def test_a_duration_is_written_like_how_long_ago():
    assert [duration_of(text) for text in ("90m", "24h", "7d", "7w", "")] == [
        timedelta(minutes=90), timedelta(hours=24), timedelta(days=7), None, None,
    ]  # fmt: skip


def test_a_day_at_the_end_is_included():
    assert moment_of("2026-11-20", now=NOW, time_zone=ZONE, is_end=True) == datetime(
        2026, 11, 20, 17, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "7",
        "7w",
        "-7d",
        "٧d",
        "2026-13-01",
        "2026-02-30",
        "9999-12-31",
        "999999d",
        "20261123",
        "2026-W48-1",
        "2026-11-20T14",
        "1999-01-01",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(InvalidRequestError, match="is no moment"):
        moment_of(text, now=NOW, time_zone=ZONE, is_end=True)
