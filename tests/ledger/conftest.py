"""Books to write in."""

from tests.support.books import books, kill_a_holder
from tests.support.filled_book import at, book, budgets, new_book

__all__ = ["at", "book", "books", "budgets", "kill_a_holder", "new_book"]
