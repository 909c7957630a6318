"""Books to write in."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.support.books import books, kill_a_holder
from tests.support.filled_book import at, book, budgets, new_book

__all__ = ["at", "book", "books", "budgets", "kill_a_holder", "new_book"]

# Their asserts say what they compared, as those of a test file do.
pytest.register_assert_rewrite("tests.ledger.store_contract", "tests.ledger.crash_contract")


@pytest.fixture(scope="session")
def small_process() -> Iterator[ProcessPoolExecutor]:
    """A process with little in it, for work that forks often: each fork of this one copies its pages' table."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool
