"""Goals are met by numbers of the report, missed by them, or nothing is known."""

from dataclasses import replace
from datetime import date

import pytest

from orchestrator.config.schema import GoalSettings
from orchestrator.core.reply import Outcome
from orchestrator.ledger.feedback import FeedbackSum
from orchestrator.ledger.reader import LedgerReader
from orchestrator.reports.goals import GoalKind, goals_of
from orchestrator.reports.ratings import ratings_of
from orchestrator.reports.savings import Saving, Savings
from orchestrator.reports.span import Span
from orchestrator.reports.usage_report import usage_report


@pytest.fixture
def report(book):
    book.request(("m", Outcome.SUCCEEDED, 7))
    return usage_report(LedgerReader(book.path), Span.of_month("2026-11"), today=date(2026, 11, 23))


def states(report, saved=None) -> dict[GoalKind, bool | None]:
    return {goal.kind: goal.is_met for goal in goals_of(GoalSettings(), report, saved)}


def test_without_feedback_and_a_baseline_nothing_is_known_of_them(report):
    assert states(report) == {GoalKind.SAVED: None, GoalKind.ANSWERED: True, GoalKind.RATING: None}


@pytest.mark.parametrize(("score_sum", "is_met"), [(9, True), (8, False)])
def test_a_rating_is_met_from_the_score_that_is_wanted(report, score_sum, is_met):
    ratings = ratings_of([FeedbackSum("acme", "faq", "m", 2, 2, score_sum, 0)])
    assert states(replace(report, ratings=ratings))[GoalKind.RATING] is is_met


@pytest.mark.parametrize(("rate", "is_met"), [(0.999, True), (0.9989, False), (None, None)])
def test_an_availability_is_met_to_the_thousandth(report, rate, is_met):
    assert states(replace(report, success_rate=rate))[GoalKind.ANSWERED] is is_met


@pytest.mark.parametrize(("saved_nusd", "is_met"), [(25, True), (24, False)])
def test_what_is_saved_is_a_share_of_the_baseline(report, saved_nusd, is_met):
    nothing, total = Saving(0, None), Saving(saved_nusd, None)
    saved = Savings("p/m", 100, total, nothing, nothing, total, saved_nusd / 100, None, 0)
    assert states(report, saved)[GoalKind.SAVED] is is_met
