"""Books to write in."""

from tests.support.books import books

__all__ = ["books"]
