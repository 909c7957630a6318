"""Requests of an experiment come with the feedback on them, and no other's."""

from datetime import timedelta

import pytest

from tests.experiments.conftest import AB, experimenting, voices

__all__ = ["experimenting", "voices"]


@pytest.fixture
def faq(experimenting):
    return experimenting({**AB, "share": 0.999})


def rows(orchestrator, label=None, **ago):
    known = label or orchestrator.config.experiments[0].label
    with orchestrator.ledger_view as view:
        return list(view.arm_rows(known, since=orchestrator.clock.now() - timedelta(**ago)))


def test_what_was_said_of_an_answer_stands_beside_its_row(faq):
    first = faq.complete("Hi", user="u1", tags=["web"])
    second = faq.complete("Ho", user="u2")
    faq.complete("Hi", use_case="cost_sensitive")
    faq.feedback(first.request_id, score=2)
    faq.feedback(first.request_id, score=5, source="review")
    faq.feedback(second.request_id, corrected="A better one", source="agent")
    known = sorted(rows(faq, hours=1), key=lambda row: str(row.user))
    assert [(row.id, row.user, row.score, row.is_corrected) for row in known] == [
        (first.request_id, "u1", 3.5, False), (second.request_id, "u2", None, True),
    ]  # fmt: skip
    assert known[0].tags[0] == "web"
    assert known[0].cost_nusd == first.cost_nusd > 0


def test_what_is_older_or_of_another_label_is_not_read(faq, clock):
    faq.complete("Hi", user="u1")
    clock.advance(7200)
    assert rows(faq, hours=1) == []
    assert len(rows(faq, hours=3)) == 1
    assert rows(faq, label="faq", hours=3) == []
