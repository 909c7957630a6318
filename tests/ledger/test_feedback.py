"""Feedback says something, on a scale of 1 to 5."""

from datetime import UTC, datetime

import pytest

from orchestrator.core.errors import InvalidRequestError
from orchestrator.ledger.feedback import Feedback, FeedbackSum

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize("score", [0, 6, -1, 4.5, True, "4", 2**70])
def test_a_score_that_is_none_is_refused(score):
    with pytest.raises(InvalidRequestError, match="whole number from 1 to 5"):
        Feedback("op", "user", NOON, score=score)


def test_feedback_that_says_nothing_is_refused():
    with pytest.raises(InvalidRequestError, match="needs a score"):
        Feedback("op", "user", NOON)


@pytest.mark.parametrize("source", ["", " ", "a\nb", "x" * 129, None])
def test_a_source_is_a_name(source):
    with pytest.raises(InvalidRequestError, match="source"):
        Feedback("op", source, NOON, score=3)


def test_without_a_score_there_is_no_average():
    assert FeedbackSum("acme", "bulk", "m", 1, 0, 0, 1).average_score is None
    assert FeedbackSum("acme", "bulk", "m", 3, 2, 9, 1).average_score == 4.5
