"""Books to write in."""

from tests.support.books import books, kill_a_holder

__all__ = ["books", "kill_a_holder"]
