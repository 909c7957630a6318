"""A ledger that is filled through the real one, and a configuration in front of practice providers."""

from tests.support.configured import configured, practice
from tests.support.filled_book import at, book, budgets, new_book

__all__ = ["at", "book", "budgets", "configured", "new_book", "practice"]
