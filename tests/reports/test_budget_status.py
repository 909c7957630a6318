"""How budgets stand, without touching the ledger."""

from orchestrator.core.reply import Outcome
from orchestrator.ledger.budgets import Limits, Window
from orchestrator.ledger.reader import LedgerReader
from orchestrator.reports.budget_status import budget_status


def test_a_limit_that_nothing_was_spent_against_stands_there_too(tmp_path, budgets, at):
    """Before the first request every named limit is whole."""
    found = budget_status(
        LedgerReader(tmp_path / "none.sqlite3"), Limits(budgets), moment=at("2026-11-23 05:00")
    )
    assert [(one.scope, one.window, one.spent) for one in found] == [
        ("all", Window.DAY, 0),
        ("all", Window.MONTH, 0),
    ]
    assert list(tmp_path.iterdir()) == []


def test_spent_and_held_are_what_the_ledger_counts(book, budgets):
    """The reader's standing is the ledger's own, for each tenant under the limit of all tenants."""
    book.request(("m", Outcome.SUCCEEDED, 5), tenant="acme")
    book.hold(1_000, tenant="acme")
    found = budget_status(LedgerReader(book.path), Limits(budgets), moment=book.clock.now())
    own = [one for one in book.ledger.budget_status() if one.limit is not None]
    assert sorted(found, key=repr) == sorted(own, key=repr)
    acme = next(one for one in found if one.scope == "tenant:acme")
    assert (acme.spent, acme.held, acme.left) == (5, 1_000, 500_000_000 - 1_005)


def test_asked_for_some_scopes_it_tells_those(book, budgets):
    """A dry run sees the budgets that its request would count against, used or not."""
    found = budget_status(
        LedgerReader(book.path), Limits(budgets), moment=book.clock.now(), scopes=("all", "tenant:new")
    )
    assert {one.scope for one in found} == {"all", "tenant:new"}


def test_yesterday_does_not_count_today(book, budgets, at):
    """A new day begins at midnight of the budgets' time zone, with its whole limit."""
    book.request(("m", Outcome.SUCCEEDED, 5))
    tomorrow = budget_status(LedgerReader(book.path), Limits(budgets), moment=at("2026-11-23 17:00"))
    day, month = (
        next(one for one in tomorrow if one.scope == "all" and one.window is window)
        for window in (Window.DAY, Window.MONTH)
    )
    assert (day.spent, month.spent) == (0, 5)
