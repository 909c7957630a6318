"""An SQLite connection whose process kills itself (-9) right before or right after a certain statement."""

import os
import signal
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any


class Mortal(sqlite3.Connection):
    """Made by `sqlite3.connect` from `install` on; it lives until `arm` says at which statement it dies."""

    statements = 0
    dies_at = 0
    dies_after = False
    last_words: Callable[[str], object]

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return self._dangerously(sql, partial(super().execute, sql, *values))

    def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return self._dangerously(sql, partial(super().executemany, sql, *values))

    def _dangerously(self, sql: str, work: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        Mortal.statements += 1
        if Mortal.statements != Mortal.dies_at or Mortal.dies_after:
            try:
                cursor = work()
            except sqlite3.OperationalError:
                Mortal.statements -= 1  # another process had the file; this one comes again
                raise
            if Mortal.statements != Mortal.dies_at:
                return cursor
        Mortal.last_words(sql.split(maxsplit=1)[0])
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("dead")


def install() -> None:
    """Make every connection of this process mortal; for a process that was forked to die."""
    sqlite3.connect = partial(sqlite3.connect, factory=Mortal)  # type: ignore[assignment]


def arm(*, at: int, after: bool, last_words: Callable[[str], object] = lambda _: None) -> None:
    """Let the process die beside the statement `at` from now, counted from 1."""
    Mortal.statements, Mortal.dies_at, Mortal.dies_after, Mortal.last_words = 0, at, after, last_words
