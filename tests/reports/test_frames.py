"""The ledger as frames."""

from orchestrator.core.reply import Outcome
from orchestrator.ledger.budgets import BudgetSettings, Limits
from orchestrator.ledger.reader import LedgerReader
from orchestrator.reports import frames


def test_money_is_int64_and_its_sums_are_exact(book):
    """Amounts that a float would round add up to the last nano-dollar."""
    book.ledger.limits = Limits(BudgetSettings())
    dear = 2**53 + 1
    for number in range(3):
        book.request(("m", Outcome.SUCCEEDED, dear), tenant=f"t{number}")
    with LedgerReader(book.path) as reader:
        sent = frames.attempts(reader, month="2026-11")
        asked = frames.operations(reader, month="2026-11")
    for frame in (sent, asked):
        assert str(frame["cost_nusd"].dtype) == "int64"
        assert int(frame["cost_nusd"].sum()) == 3 * dear


def test_columns_have_types_to_work_with(book):
    """Times carry their zone, missing numbers stay missing, flags are booleans."""
    book.request(("a", Outcome.FAILED, 0), ("b", Outcome.SUCCEEDED, 5))
    with LedgerReader(book.path) as reader:
        sent = frames.attempts(reader, month="2026-11")
    assert str(sent["started_at"].dt.tz) == "UTC"
    assert sent["first_token_ms"].isna().all()
    assert sent["tokens_estimated"].dtype == bool
    assert list(sent["failure"].isna()) == [False, True]


def test_an_empty_month_has_the_same_columns(book):
    """A report of a quiet month needs no special case."""
    book.request(("m", Outcome.SUCCEEDED, 5))
    with LedgerReader(book.path) as reader:
        full, empty = frames.attempts(reader, month="2026-11"), frames.attempts(reader, month="2020-01")
    assert len(empty) == 0
    assert list(empty.columns) == list(full.columns)
    assert int(empty["cost_nusd"].sum()) == 0


def test_users_and_tags_are_there_of_requests_and_of_sends(book):
    """Who asked, and for what, without a query of one's own; a tag with signs of any kind is one name."""
    book.request(("m", Outcome.SUCCEEDED, 5))
    book.user, book.tags = "lan", ("trial", "nhóm: a, b")
    book.request(("m", Outcome.SUCCEEDED, 7))
    with LedgerReader(book.path) as reader:
        both = [frames.operations(reader, month="2026-11"), frames.attempts(reader, month="2026-11")]
    for frame in both:
        assert list(frame["user"].isna()) == [True, False]
        assert frame["user"].iloc[1] == "lan"
        assert [set(tags) for tags in frame["tags"]] == [set(), {"trial", "nhóm: a, b"}]
        exploded = frame.explode("tags")
        assert int(exploded.loc[exploded["tags"] == "trial", "cost_nusd"].sum()) == 7
