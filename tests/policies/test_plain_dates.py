"""A date is one day however it is written; what can be two days is none."""

import pytest

from orchestrator.core.language import Language
from orchestrator.policies.plain_dates import date_of


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-28",
        "2026/11/28",
        "28/11/2026",
        "11/28/2026",
        "ngày 28/11/2026",
        "28 tháng 11 năm 2026",
        "Ngày 28 tháng 11, năm 2026",
        "November 28, 2026",
        "Nov 28 2026",
        "28th of November 2026",
        "2026-11-28T00:00:00",
    ],
)
def test_a_day_has_one_spelling(text):
    assert date_of(text) == "2026-11-28"


def test_the_language_decides_which_number_is_the_month():
    assert date_of("03/04/2026", language=Language.VI) == "2026-04-03"
    assert date_of("03/04/2026") is None


@pytest.mark.parametrize(
    "text", ["31/02/2026", "2026-13-01", "soon", "28/11", "M 3 2026", "2026-11-28T99:00"]
)
def test_what_is_no_day_is_none(text):
    assert date_of(text) is None


def test_a_moment_keeps_its_time():
    assert date_of("2026-11-28T10:30:00Z") == "2026-11-28T10:30:00+00:00"
