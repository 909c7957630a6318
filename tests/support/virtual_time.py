"""A virtual loop of a test: it begins on a fixed day and waits a moment for what other threads do."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from orchestrator.core import virtual_time

T = TypeVar("T")

BEGAN = datetime(2026, 11, 23, 9, tzinfo=UTC)
_OTHER_THREADS_S = 0.001
"""Real seconds for which an answer of another thread is waited for before time passes."""


def run_virtually(main: Callable[[Any], Awaitable[T]]) -> T:
    """Run `main` on a virtual loop, with its clock."""
    return virtual_time.run_virtually(main, began=BEGAN, other_threads_s=_OTHER_THREADS_S)
