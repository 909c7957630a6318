"""Time that passes as soon as nobody has anything to do."""

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orchestrator.core.virtual_time import SeededChance, run_virtually

BEGAN = datetime(2026, 11, 23, 9, tzinfo=UTC)


def test_a_month_passes_at_once_and_timers_keep_their_order():
    order = []

    async def wait(clock, days):
        await clock.sleep(days * 86_400)
        order.append((days, clock.now()))

    async def main(clock):
        assert clock.now() == BEGAN
        began_s = clock.monotonic_s()
        await asyncio.gather(wait(clock, 30), wait(clock, 1))
        return clock.monotonic_s() - began_s

    assert run_virtually(main, began=BEGAN) == pytest.approx(30 * 86_400)
    assert [days for days, _ in order] == [1, 30]
    assert abs(order[0][1] - (BEGAN + timedelta(days=1))) < timedelta(seconds=1)


def test_its_calendar_is_that_of_utc_also_where_a_zone_changes_its_clock():
    berlin = datetime(2026, 10, 25, 1, tzinfo=ZoneInfo("Europe/Berlin"))

    async def main(clock):
        await clock.sleep(3 * 3600)
        return clock.now()

    # At three the clocks of Berlin are set back to two.
    assert run_virtually(main, began=berlin) == datetime(2026, 10, 25, 2, tzinfo=UTC)


@pytest.mark.parametrize("other_threads_s", [0.0, 1.0])
def test_work_for_other_threads_is_done_before_time_passes(other_threads_s):
    async def main(clock):
        began_s = clock.monotonic_s()
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)
        return await asyncio.to_thread(lambda: 5), clock.monotonic_s() - began_s

    result = run_virtually(main, began=BEGAN, other_threads_s=other_threads_s)
    assert result == (5, 0.0)


def test_it_runs_beside_a_loop_that_runs_already():
    async def main(clock):
        await clock.sleep(3600)
        return clock.now()

    async def notebook():
        return run_virtually(main, began=BEGAN)

    assert asyncio.run(notebook()) >= BEGAN + timedelta(hours=1)


def test_chance_is_the_same_for_the_same_seed():
    first, second, other = SeededChance(1), SeededChance(1), SeededChance(2)
    row = [first.up_to(1) for _ in range(3)]
    assert row == [second.up_to(1) for _ in range(3)] != [other.up_to(1) for _ in range(3)]
