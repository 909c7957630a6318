"""Waits take no time, and end in their order."""

import asyncio
from datetime import UTC, datetime, timedelta

from orchestrator.testing.clock import TestClock

BEGAN = datetime(2026, 11, 23, 9, tzinfo=UTC)


async def test_sleeps_side_by_side_end_in_their_order_and_are_not_added_up():
    clock, ended = TestClock(BEGAN), []
    began_s = clock.monotonic_s()

    async def nap(duration_s: float) -> None:
        await clock.sleep(duration_s)
        ended.append((duration_s, clock.monotonic_s() - began_s))

    await asyncio.gather(*map(nap, (3600.0, 5.0, 60.0)))
    assert ended == [(5.0, 5.0), (60.0, 60.0), (3600.0, 3600.0)]
    assert clock.now() == BEGAN + timedelta(hours=1)
    assert clock.slept_s == [3600.0, 5.0, 60.0]


async def test_who_gives_up_a_sleep_holds_nobody_up():
    clock = TestClock(BEGAN)
    short = asyncio.create_task(clock.sleep(1))
    await asyncio.sleep(0)
    short.cancel()
    await clock.sleep(30)
    assert clock.now() == BEGAN + timedelta(seconds=30)


def test_a_test_sets_both_and_a_pause_moves_both():
    clock = TestClock(BEGAN)
    clock.pause(2)
    clock.advance(3)
    assert clock.now() == BEGAN + timedelta(seconds=5)
    clock.set(BEGAN)
    assert clock.now() == BEGAN
    assert clock.monotonic_s() == 1_005.0
