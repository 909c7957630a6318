"""A commitment has days, and one that ends before it begins is a slip."""

from datetime import date

import pytest
from pydantic import ValidationError

from orchestrator.catalog.commitments import CommitmentSettings

PAID = {"provider": "openai", "usd_per_month": 100, "since": "2026-11-01", "until": "2026-11-30"}


def test_it_is_paid_for_from_its_first_day_to_its_last() -> None:
    commitment = CommitmentSettings.model_validate(PAID)
    held = [day for day in range(1, 31) if commitment.holds_on(date(2026, 11, day))]
    assert held == list(range(1, 31))
    assert not commitment.holds_on(date(2026, 10, 31))
    assert not commitment.holds_on(date(2026, 12, 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"until": "2026-10-01"}, "until 2026-10-01 is before since 2026-11-01; swap them"),
        ({"usd_per_month": 0}, "greater than 0|limit of 0"),
        ({"tokens_per_min": 0}, "greater than 0"),
        ({"since": "soon"}, "date"),
    ],
)
def test_what_is_none_is_refused(change, message) -> None:
    with pytest.raises(ValidationError, match=message):
        CommitmentSettings.model_validate({**PAID, **change})
