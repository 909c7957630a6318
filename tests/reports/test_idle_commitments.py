"""What is paid for and not used is said; what is nearly used up, or too young, is not."""

from datetime import date, timedelta

import pytest

from orchestrator.catalog.commitments import CommitmentSettings
from orchestrator.core.language import Language
from orchestrator.core.money import NANO_PER_USD
from orchestrator.reports.idle_commitments import Committed, idle_commitments
from orchestrator.reports.report_words import phrase_in
from orchestrator.reports.usage_sums import UsageSums

DAYS = tuple(str(date(2026, 11, 1) + timedelta(days=number)) for number in range(10))


def _sums(*, usd_a_day: float = 0, tokens_a_day: int = 0) -> UsageSums:
    sums = UsageSums()
    for day in DAYS:
        tally = sums.provider_days[day, "openai"]
        tally.requests, tally.cost_nusd, tally.input_tokens = (
            10,
            round(usd_a_day * NANO_PER_USD),
            tokens_a_day,
        )
    sums.providers["openai"].requests = 100
    return sums


def _committed(days=DAYS, **more) -> Committed:
    paid = {"provider": "openai", "usd_per_month": 300, "since": "2026-01-01", "until": "2026-12-31", **more}
    return Committed((CommitmentSettings.model_validate(paid),), days)


def test_a_promised_spend_is_idle_by_what_was_not_booked():
    (found,) = idle_commitments(_sums(usd_a_day=4), _committed())
    assert found.month_nusd == 180 * NANO_PER_USD
    assert (found.interval.low, found.interval.high) == (found.month_nusd, found.month_nusd)
    assert (found.subject, found.count, found.out_of) == ("openai", 100, 100)
    assert "usd_per_month: 120    # today 300" in phrase_in(found.apply, Language.EN)
    assert "after 2026-12-31" in phrase_in(found.apply, Language.EN)


def test_throughput_is_idle_by_the_tokens_that_did_not_come():
    (found,) = idle_commitments(_sums(tokens_a_day=360_000, usd_a_day=99), _committed(tokens_per_min=1_000))
    assert found.month_nusd == 225 * NANO_PER_USD


@pytest.mark.parametrize(
    ("sums", "committed"),
    [
        (_sums(usd_a_day=8.1), _committed()),
        (_sums(usd_a_day=30), _committed()),
        (_sums(), _committed(days=DAYS[:4])),
        (_sums(), _committed(days=())),
        (_sums(), _committed(since="2027-01-01", until="2027-12-31")),
        (_sums(), Committed((), DAYS)),
    ],
)
def test_what_is_used_or_not_known_is_not_named(sums, committed):
    assert list(idle_commitments(sums, committed)) == []


def test_two_commitments_to_one_provider_count_together():
    (paid,) = _committed().commitments
    (found,) = idle_commitments(_sums(usd_a_day=10), Committed((paid, paid), DAYS))
    assert found.month_nusd == 300 * NANO_PER_USD
