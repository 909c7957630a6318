"""What is wasted is named, and nothing is invented where nothing is wasted."""

import pytest

from orchestrator.ledger.reader import LedgerReader
from orchestrator.reports.prompt_sums import PromptSums, read_prompt_sums
from orchestrator.reports.recommendations import ConfiguredLimits, not_known, recommendations
from orchestrator.reports.span import Span
from orchestrator.reports.usage_report import EVERYBODY
from orchestrator.reports.usage_sums import UsageSums, read_sums
from tests.support.planted_traffic import SUBJECTS, TODAY, Traffic, configured

MONTH = Span.of_month("2026-11")
DAYS = [str(day) for day in MONTH.until(TODAY).days()]
WASTES = frozenset(
    (kind, names[number % len(names)]) for number, (kind, names) in enumerate(SUBJECTS.items())
)
FAILING = next(subject for kind, subject in WASTES if kind == "paid_failures")


def _found(path, wastes):
    with LedgerReader(path) as view:
        sums = read_sums(view, EVERYBODY.over(MONTH), durations=False)
        prompts = read_prompt_sums(view, EVERYBODY.over(MONTH))
    return sums, recommendations(sums, prompts, configured(wastes), DAYS)


@pytest.mark.parametrize("seed", [1, 2])
def test_each_planted_waste_is_found_and_nothing_else(tmp_path, seed):
    Traffic(tmp_path / "ledger.sqlite3", seed, WASTES).write()
    sums, changes = _found(tmp_path / "ledger.sqlite3", WASTES)
    assert {(change.kind.value, change.subject) for change in changes} == WASTES
    failures = next(change for change in changes if change.kind == "paid_failures")
    lost = sum(tally.failed_nusd for key, tally in sums.cells.items() if key.deployment == FAILING)
    assert failures.month_nusd == round(30 / len(DAYS) * lost)
    assert failures.interval.low <= failures.month_nusd <= failures.interval.high
    assert all(change.count and change.rows and change.apply and change.kind.risk for change in changes)
    assert all(change.interval for change in changes if change.month_nusd)


@pytest.mark.parametrize("seed", [3, 4])
def test_nothing_is_invented_on_clean_traffic(tmp_path, seed):
    Traffic(tmp_path / "ledger.sqlite3", seed).write()
    assert _found(tmp_path / "ledger.sqlite3", frozenset())[1] == ()


def test_what_was_not_looked_for_is_said_with_its_reason():
    kinds = {item.kind: item.reason for item in not_known(UsageSums(), PromptSums(), ConfiguredLimits())}
    assert set(kinds) == {"repeated_prompts", "idle_commitments"}
    assert "'record' is off" in kinds["repeated_prompts"]
