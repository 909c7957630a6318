"""Rounds follow each other until the end, whoever ends it."""

import threading

import pytest

from orchestrator import Orchestrator
from orchestrator.core.errors import ClosedError
from orchestrator.monitoring.recurring_work import RecurringWork

PATIENCE_S = 60.0


class Rounds(RecurringWork):
    """Counts its rounds and lets a test wait for one."""

    def __init__(self, orchestrator, *, clock) -> None:
        super().__init__(orchestrator, clock=clock)
        self.done = 0
        self._changed = threading.Condition()

    async def _round(self) -> None:
        with self._changed:
            self.done += 1
            self._changed.notify_all()

    def _pause_s(self) -> float:
        return 3600.0

    def until(self, rounds: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.done >= rounds, PATIENCE_S)


def test_a_round_comes_at_once_and_after_every_pause_until_the_end(configured, clock):
    with Orchestrator(configured(), clock=clock) as orchestrator:
        with Rounds(orchestrator, clock=clock) as work:
            assert work.start() is work, "what runs is not begun again"
            assert work.until(3)
        ended = threading.Event()
        orchestrator.begin(tell(ended))
        assert ended.wait(PATIENCE_S), "what ended no longer keeps the loop"
        rounds = work.done
        work.stop()
        with work:
            assert work.until(rounds + 1), "it can be begun anew"


def test_it_ends_with_the_orchestrator(configured, clock):
    orchestrator = Orchestrator(configured(), clock=clock)
    work = Rounds(orchestrator, clock=clock).start()
    assert work.until(1)
    orchestrator.close()
    rounds = work.done
    clock.advance(7200)
    assert work.done == rounds
    work.stop()
    with pytest.raises(ClosedError):
        Rounds(orchestrator, clock=clock).start()


async def tell(event: threading.Event) -> None:
    event.set()
