"""What people thought of the answers is added up as a plain loop over their words would."""

import random
from datetime import date

import pytest

from orchestrator.core.payer import is_own
from orchestrator.core.reply import Outcome
from orchestrator.ledger.feedback import Feedback
from orchestrator.ledger.reader import LedgerReader
from orchestrator.reports.report_rows import report_rows
from orchestrator.reports.span import Span
from orchestrator.reports.usage_report import Filter, usage_report

TODAY = date(2026, 11, 23)
MONTH = Span.of_month("2026-11")


@pytest.fixture
def words(book) -> list[dict]:
    """Give feedback on some of forty requests, on some by two sources; return it with whose it is."""
    chance, kept = random.Random(5), []  # noqa: S311 -- the same words in every run
    for number in range(40):
        names = {
            "tenant": chance.choice(("acme", "beta", "probe:doctor")),
            "use_case": chance.choice(("faq", "sales")),
            "model": chance.choice(("a", "b", "c")),
        }
        book.user, book.tags = f"u{number % 3}", (f"tag{number % 2}",)
        identity = book.request(
            (names["model"], Outcome.SUCCEEDED, 7), tenant=names["tenant"], use_case=names["use_case"]
        )
        for source in ("user", "agent")[: number % 3]:
            score = chance.choice((None, 1, 2, 3, 4, 5))
            feedback = {"score": score, "corrected": score is None or chance.random() < 0.3}
            word = Feedback(identity, source=source, given_at=book.clock.now(), **feedback)
            assert book.ledger.store.give_feedback(word)
            kept.append({**names, **feedback, "user": book.user, "tag": book.tags[0]})
    return kept


@pytest.mark.parametrize(
    "names", [{}, {"tenant": "acme"}, {"use_case": "faq"}, {"user": "u1"}, {"tag": "tag1", "tenant": "beta"}]
)
def test_every_number_equals_a_plain_loop_over_the_words(book, words, names):
    ratings = usage_report(LedgerReader(book.path), MONTH, of=Filter(**names), today=TODAY).ratings
    meant = [
        word
        for word in words
        if not is_own(word["tenant"]) and all(word[name] == value for name, value in names.items())
    ]
    assert meant
    groups = (("model", ratings.models), ("use_case", ratings.use_cases), ("tenant", ratings.tenants))
    for group, rated in ((None, {"": ratings.total}), *groups):
        for name, rating in rated.items():
            of_name = [word for word in meant if group is None or word[group] == name]
            scores = [word["score"] for word in of_name if word["score"] is not None]
            assert rating.answers == len(of_name)
            assert rating.scored == len(scores)
            assert rating.average_score == (sum(scores) / len(scores) if scores else None)
            assert rating.corrected == sum(word["corrected"] for word in of_name)
    for group, rated in groups:
        assert set(rated) == {word[group] for word in meant}
        averages = [rating.average_score for rating in rated.values() if rating.average_score is not None]
        assert averages == sorted(averages), "the lowest first"


def test_what_is_on_other_days_is_not_meant(book, words):
    report = usage_report(LedgerReader(book.path), Span.of_month("2026-10"), today=TODAY)
    assert report.ratings.total.answers == 0
    assert report.ratings.total.average_score is None


def test_the_table_of_a_report_has_ratings_beside_what_they_are_of(book, words):
    report = usage_report(LedgerReader(book.path), MONTH, today=TODAY)
    rows = {(row[1], row[2]): row[-2:] for row in report_rows(report)}
    assert rows["total", "all"] == (report.ratings.total.average_score, report.ratings.total.scored)
    assert rows["model", "b"] == (report.ratings.models["b"].average_score, report.ratings.models["b"].scored)
    assert rows["day", "2026-11-23"] == (None, None)
