"""Books to write in."""

import pytest

from tests.support.books import books, kill_a_holder
from tests.support.filled_book import at, book, budgets, new_book

__all__ = ["at", "book", "books", "budgets", "kill_a_holder", "new_book"]

# Their asserts say what they compared, as those of a test file do.
pytest.register_assert_rewrite("tests.ledger.store_contract", "tests.ledger.crash_contract")
