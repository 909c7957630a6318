"""Days, months and ranges; what is none is refused with the way to write it."""

from datetime import UTC, date, datetime

import pytest

from orchestrator.reports.span import Span, SpanError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("span", "label", "before"),
    [
        (Span.of_month("2026-03"), "2026-03", "2026-02"),
        (Span.of_month("2024-02"), "2024-02", "2024-01"),
        (Span.of_day("2026-01-01"), "2026-01-01", "2025-12-31"),
        (Span.between("2026-11-09", "2026-11-15", now=NOW, time_zone="UTC"), "2026-11-09 to 2026-11-15", "2026-11-02 to 2026-11-08"),
        (Span.between("2026-11-22", None, now=NOW, time_zone="UTC"), "2026-11-22 to 2026-11-23", "2026-11-20 to 2026-11-21"),
        (Span.between("2026-11-01", "2026-11-30", now=NOW, time_zone="UTC"), "2026-11", "2026-10"),
    ],
)  # fmt: skip
def test_a_span_knows_its_name_and_the_range_before(span, label, before):
    assert (span.label, span.before.label) == (label, before)


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-1", "9999-12", "november", "", "0001-01", "2026-11-02", "२०२६-११"]
)
def test_a_month_that_is_none_is_refused(text):
    with pytest.raises(SpanError, match="YYYY-MM"):
        Span.of_month(text)


@pytest.mark.parametrize("text", ["2026-02-30", "20261123", "2026-W48-1", "today", "", "2026-11-23T00:00"])
def test_a_day_that_is_none_is_refused(text):
    with pytest.raises(SpanError, match="YYYY-MM-DD"):
        Span.of_day(text)


@pytest.mark.parametrize(
    ("since", "until", "says"),
    [
        ("2026-11-02", "2026-11-01", "ends before it begins"),
        (None, "2026-11-01", "needs --since"),
        ("yesterday", None, "--since: 'yesterday' is no moment"),
        ("2026-11-01", "20261123", "--until: '20261123' is no moment"),
        ("2001-01-01", "2026-11-01", "days long"),
        ("2026-12-01", None, "ends before it begins"),
    ],
)
def test_a_range_that_is_none_is_refused(since, until, says):
    with pytest.raises(SpanError, match=says):
        Span.between(since, until, now=NOW, time_zone="UTC")


def test_a_range_is_of_the_days_in_which_its_moments_lie():
    assert Span.between("7d", "24h", now=NOW, time_zone="UTC") == Span(date(2026, 11, 16), date(2026, 11, 22))
    # 18:00 in London is the next day in Hanoi.
    late = Span.between("2026-11-20T18:00+00:00", None, now=NOW, time_zone="Asia/Ho_Chi_Minh")
    assert late == Span(date(2026, 11, 21), date(2026, 11, 23))


def test_whole_months_are_those_of_which_every_day_is_meant():
    span = Span(date(2026, 1, 2), date(2026, 3, 31))
    assert span.months == ("2026-01", "2026-02", "2026-03")
    assert span.whole_months == ("2026-02", "2026-03")
