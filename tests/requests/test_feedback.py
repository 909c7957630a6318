"""Feedback finds its request by a beginning of its id, within its tenant, and says what became of it."""

import pytest

from orchestrator import CacheState, Orchestrator
from orchestrator.core.errors import InvalidRequestError, RequestNotFoundError
from orchestrator.ledger.opening import LedgerSettings, open_contents
from orchestrator.providers.in_memory import InMemoryTransport
from orchestrator.requests.feedback import TakenFeedback, give_feedback
from tests.support.books import books

__all__ = ["books"]

ID = "01a207a31ce070008000000000000001"


@pytest.fixture
def give(books):
    books.request(ID)
    contents = open_contents(LedgerSettings(path=str(books.path)), clock=books.clock)

    def given(request_id=ID[:14], **feedback):
        return give_feedback(books.ledger.store, contents, request_id, now=books.clock.now(), **feedback)

    yield given
    contents.close()


def test_a_score_is_kept_and_the_same_again_changes_nothing(books, give):
    for _ in range(2):
        assert give(score=4) == TakenFeedback(ID, corrected_is_kept=False)
    assert books.rows("SELECT operation_id, source, tenant, model, score FROM feedback") == [
        (ID, "user", "acme", "m", 4)
    ]


@pytest.mark.parametrize(
    "feedback", [{}, {"score": 0}, {"score": 6}, {"corrected": " "}, {"corrected": "x" * 70_000}, {"corrected": b"x"}, {"corrected": ["x"]}, {"corrected": "\ud800"}, {"score": 3, "source": ""}]
)  # fmt: skip
def test_what_is_no_feedback_is_refused_and_keeps_nothing(books, give, feedback):
    with pytest.raises(InvalidRequestError):
        give(**feedback)
    assert books.rows("SELECT * FROM feedback") == []


@pytest.mark.parametrize(("request_id", "tenant"), [("ff", None), (ID, "other")])
def test_an_unknown_request_and_anothers_are_not_found(books, give, request_id, tenant):
    with pytest.raises(RequestNotFoundError, match="is recorded"):
        give(request_id, score=3, tenant=tenant)
    assert books.rows("SELECT * FROM feedback") == []


def test_of_a_better_answer_the_ledger_keeps_that_there_was_one(books, give):
    assert give(corrected="mã 4711") == TakenFeedback(ID, corrected_is_kept=False)
    assert books.rows("SELECT score, corrected FROM feedback") == [(None, 1)]
    assert b"4711" not in books.path.read_bytes()


def test_an_answer_of_the_cache_can_be_judged_at_once(make_config, clock):
    with Orchestrator(make_config(), clock=clock, transport=InMemoryTransport(clock=clock)) as orchestrator:
        orchestrator.complete("Hi")
        for _ in range(5):
            hit = orchestrator.complete("Hi")
            assert hit.cached is CacheState.HIT
            assert orchestrator.feedback(hit.request_id, score=4).request_id == hit.request_id
