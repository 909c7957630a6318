"""What is wasted is named, and nothing is invented where nothing is wasted."""

import pytest

from orchestrator.ledger.reader import LedgerReader
from orchestrator.reports.recommendations import ConfiguredLimits, recommendations
from orchestrator.reports.span import Span
from orchestrator.reports.usage_report import EVERYBODY
from orchestrator.reports.usage_sums import read_sums
from tests.support.planted_traffic import DEPLOYMENTS, LIMITS, TENANTS, TODAY, USE_CASES, Traffic

MONTH = Span.of_month("2026-11")
DAYS = [str(day) for day in MONTH.until(TODAY).days()]
WASTES = frozenset({
    ("paid_failures", DEPLOYMENTS[1]), ("refusing_limit", TENANTS[2]), ("unused_max_tokens", USE_CASES[0]),
})  # fmt: skip


def _found(path):
    with LedgerReader(path) as view:
        sums = read_sums(view, EVERYBODY.over(MONTH))
    return sums, recommendations(sums, ConfiguredLimits(LIMITS, ("all", "tenant:*")), DAYS)


@pytest.mark.parametrize("seed", [1, 2])
def test_each_planted_waste_is_found_and_nothing_else(tmp_path, seed):
    Traffic(tmp_path / "ledger.sqlite3", seed, WASTES).write()
    sums, changes = _found(tmp_path / "ledger.sqlite3")
    assert {(change.kind.value, change.subject) for change in changes} == WASTES
    failures = next(change for change in changes if change.kind == "paid_failures")
    lost = sum(tally.failed_nusd for key, tally in sums.cells.items() if key.deployment == DEPLOYMENTS[1])
    assert failures.month_nusd == round(30 / len(DAYS) * lost)
    assert failures.interval.low <= failures.month_nusd <= failures.interval.high
    assert all(change.count and change.rows and change.apply and change.kind.risk for change in changes)


@pytest.mark.parametrize("seed", [3, 4])
def test_nothing_is_invented_on_clean_traffic(tmp_path, seed):
    Traffic(tmp_path / "ledger.sqlite3", seed).write()
    assert _found(tmp_path / "ledger.sqlite3")[1] == ()
