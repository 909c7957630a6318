"""What requests cost the dashboard that counts them, and what a page costs that shows them.

An hour of requests of 40 tenants and 16 models is counted as the ledger's bookings come, a second of the clock
for each thousand. Printed are the CPU of counting a request, and that of the overview, which reads the ledger,
circuits and counts anew and makes its HTML, with nothing counted, and at two points of the hour.

    python -m benchmarks.dashboard [--requests 360000]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from benchmarks.stage import orchestrator_at
from orchestrator.core.language import Language
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Attempt, CacheState, Outcome, Usage
from orchestrator.ledger.periods import period_of
from orchestrator.ledger.records import Hold, HoldRequest, RequestRecord
from orchestrator.resilience.traffic_counts import TrafficCounts
from orchestrator.server.dashboard.live_counts import LiveCounts
from orchestrator.server.dashboard.live_pages import overview
from orchestrator.server.dashboard.snapshot import Snapshots
from orchestrator.server.dashboard.viewer import Viewer
from orchestrator.testing.clock import TestClock

TENANTS, MODELS, MINUTES = 40, 16, 60
PER_SECOND = 1_000
PAGES = 50
LOOKS_PER_SECOND = 2
"""A page asks so often, and all that ask meanwhile share one look."""


def booked(clock: TestClock, number: int) -> tuple[Hold, Attempt, RequestRecord]:
    """Return what the ledger books of one request."""
    tenant, model = f"t{number % TENANTS}", f"m{number % MODELS}"
    asked = HoldRequest(
        f"{number:032x}", 1, f"p/{model}", "p", model, ("all", f"tenant:{tenant}"), NanoUsd(9), "b"
    )
    hold = Hold(number, asked, period_of(clock.now(), "UTC"), clock.now())
    sent = Attempt(1, f"p/{model}", "p", model, Outcome.SUCCEEDED, latency_s=0.8, cost_nusd=NanoUsd(7))
    record = RequestRecord(
        asked.operation_id, clock.now(), tenant, "faq", None, (), Outcome.SUCCEEDED, None, CacheState.MISS, None,
        f"p/{model}", "p", model, 1, Usage(), NanoUsd(7), 0.8,
    )  # fmt: skip
    return hold, sent, record


def cpu_us(act: Callable[[], object], times: int) -> float:
    """Return the microseconds of a processor that one of so many calls takes."""
    began_s = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - began_s) / times * 1e6


def main() -> int:
    """Measure and print; return 0 whatever the numbers are, for they are read by people."""
    parser = argparse.ArgumentParser(description="the dashboard behind many requests")
    parser.add_argument("--requests", type=int, default=360_000, help="of an hour")
    requests = parser.parse_args().requests
    clock = TestClock()
    counts, traffic = LiveCounts(clock=clock), TrafficCounts(clock=clock)
    kinds = [booked(clock, number) for number in range(TENANTS * MODELS)]

    def count(number: int) -> None:
        hold, sent, record = kinds[number % len(kinds)]
        counts.attempt_settled(hold, sent)
        counts.request_recorded(record)
        traffic.add(hold.request.scopes, succeeded=True, degraded=False, emergency=False, latency_s=0.8)

    viewer = Viewer(None, frozenset(), Language.VI, ZoneInfo("Asia/Ho_Chi_Minh"))
    with tempfile.TemporaryDirectory() as folder, orchestrator_at(Path(folder), {}, lambda _: None) as ours:

        def page() -> str:
            # A new one each time: none is shared with whoever looked just before.
            snapshot = Snapshots(ours, counts, clock=clock).latest()
            return "".join(overview(viewer, snapshot, counts.sums(), traffic.sums("all"), since=counts.since))

        page()
        print(f"a page with nothing counted: {cpu_us(page, PAGES) / 1000:.1f} ms of CPU", flush=True)
        taken_s, numbers = 0.0, iter(range(requests))
        for minute in range(MINUTES):
            began_s = time.process_time()
            for number in zip(range(requests // MINUTES), numbers, strict=False):
                count(number[1])
            taken_s += time.process_time() - began_s
            clock.advance(60)
            if minute in {MINUTES // 2, MINUTES - 1}:
                print(
                    f"a page after {minute + 1} minutes: {cpu_us(page, PAGES) / 1000:.1f} ms of CPU",
                    flush=True,
                )
    each_us = taken_s / requests * 1e6
    print(
        f"counting a request: {each_us:.1f} us of CPU; of one core at {PER_SECOND:,} a second "
        f"{each_us * PER_SECOND / 1e4:.1f} %"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
