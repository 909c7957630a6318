"""Who sees what the ledger books: metrics, traces, live views; without a prompt, a reply or a key."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Protocol

from orchestrator.core.reply import Attempt
from orchestrator.ledger.records import Hold, RequestRecord

logger = logging.getLogger("orchestrator.ledger")


class LedgerObserver(Protocol):
    """Sees each booking once, on the thread and in the context of the request; it must return at once."""

    def attempt_settled(self, hold: Hold, attempt: Attempt) -> None:
        """See what a send cost and how it ended; also where its row has to wait for the file."""

    def request_recorded(self, record: RequestRecord) -> None:
        """See how a request ended, after all its attempts."""


class Observers:
    """Tells every observer; thread-safe."""

    def __init__(self) -> None:
        """Begin with none."""
        self._observers: tuple[LedgerObserver, ...] = ()

    def add(self, observer: LedgerObserver) -> None:
        """Tell `observer` of every booking from now on."""
        self._observers = (*self._observers, observer)

    def attempt_settled(self, hold: Hold, attempt: Attempt) -> None:
        """Tell of an attempt."""
        for observer in self._observers:
            _guarded(partial(observer.attempt_settled, hold, attempt))

    def request_recorded(self, record: RequestRecord) -> None:
        """Tell of a request."""
        for observer in self._observers:
            _guarded(partial(observer.request_recorded, record))


def _guarded(tell: Callable[[], None]) -> None:
    try:
        tell()
    except Exception:
        logger.exception("an observer of the ledger failed; the request goes on")
