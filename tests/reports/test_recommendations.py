"""What is wasted is named, and nothing is invented where nothing is wasted."""

import re

import pytest

from orchestrator.core.language import Language
from orchestrator.ledger.reader import LedgerReader
from orchestrator.reports.prompt_sums import PromptSums, read_prompt_sums
from orchestrator.reports.recommendations import ConfiguredLimits, not_known, recommendations
from orchestrator.reports.report_words import REPORT_WORDS, phrase_in, title_of
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


ENGLISH = set(
    re.findall(r"\w+", "the of that which are was were had would is at as for and with from until today by")
)
"""Words that no Vietnamese sentence has, and no condition on rows."""


def assert_vietnamese(change):
    """A sentence of a recommendation in Vietnamese has no English word; names and conditions are data."""
    words = REPORT_WORDS[Language.VI]
    said = (
        title_of(change, Language.VI), words[f"risk_{change.kind}"],
        phrase_in(change.rows, Language.VI), phrase_in(change.apply, Language.VI),
    )  # fmt: skip
    for sentence in said:
        assert not set(re.findall(r"[A-Za-z']+", sentence.lower())) & ENGLISH, sentence
        assert "{" not in sentence.replace('{"', "").replace("{file", "")


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
    assert all(change.count and change.kind.risk for change in changes)
    for change in changes:
        assert_vietnamese(change)
    assert all(change.interval for change in changes if change.month_nusd)


@pytest.mark.parametrize("seed", [3, 4])
def test_nothing_is_invented_on_clean_traffic(tmp_path, seed):
    Traffic(tmp_path / "ledger.sqlite3", seed).write()
    assert _found(tmp_path / "ledger.sqlite3", frozenset())[1] == ()


def test_what_was_not_looked_for_is_said_with_its_reason():
    kinds = {item.kind: item.reason for item in not_known(UsageSums(), PromptSums(), ConfiguredLimits())}
    assert set(kinds) == {"repeated_prompts", "idle_commitments"}
    assert "'record' is off" in kinds["repeated_prompts"]
