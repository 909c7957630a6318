"""Waiting for a busy file: with pauses in a thread, aside on an event loop, and never for longer than allowed."""

import asyncio

import pytest

from orchestrator.core.errors import LedgerError
from orchestrator.ledger.sqlite.busy_retry import BusyRetry
from orchestrator.ledger.sqlite.errors import LedgerBusyError


class Busy:
    """Work that finds the file busy a number of times."""

    def __init__(self, times: int, clock=None, *, takes_s: float = 0.0) -> None:
        self.tries = 0
        self._times, self._clock, self._takes_s = times, clock, takes_s

    def __call__(self) -> str:
        self.tries += 1
        if self._clock is not None:
            self._clock.advance(self._takes_s)
        if self.tries <= self._times:
            raise LedgerBusyError("locked")
        return "done"


def test_work_is_tried_until_the_file_is_free(clock) -> None:
    work = Busy(7)
    assert BusyRetry(limit_s=5, clock=clock).wait(work) == "done"
    assert work.tries == 8


def test_a_thread_gives_up_after_the_limit(clock) -> None:
    work = Busy(1_000, clock, takes_s=1)
    with pytest.raises(LedgerBusyError):
        BusyRetry(limit_s=5, clock=clock).wait(work)
    assert work.tries == 20
    hurried = Busy(1_000, clock, takes_s=1)
    with pytest.raises(LedgerBusyError):
        BusyRetry(limit_s=5, clock=clock).wait(hurried, limit_s=0)
    assert hurried.tries == 1


def test_a_process_that_stood_still_itself_has_not_waited_yet(clock) -> None:
    """A library that loads takes seconds of everybody's: the file may be free at the next look."""
    work = Busy(3, clock, takes_s=10)
    assert BusyRetry(limit_s=5, clock=clock).wait(work) == "done"
    assert work.tries == 4


def test_any_other_error_is_no_reason_to_wait(clock) -> None:
    def broken() -> None:
        raise LedgerError("the disk is full")

    with pytest.raises(LedgerError, match="full"):
        BusyRetry(limit_s=5, clock=clock).wait(broken)


async def test_on_a_loop_others_go_on_between_the_tries(clock) -> None:
    patience = BusyRetry(limit_s=5, clock=clock)
    first, second = Busy(3), Busy(3)
    order: list[str] = []

    async def do(name: str, work: Busy) -> None:
        await patience.wait_aside(work)
        order.append(name)

    await asyncio.gather(do("first", first), do("second", second), do("third", Busy(0)))
    assert order == ["third", "first", "second"]


async def test_a_loop_gives_up_after_the_limit(clock) -> None:
    with pytest.raises(LedgerBusyError):
        await BusyRetry(limit_s=5, clock=clock).wait_aside(Busy(1_000, clock, takes_s=1))
