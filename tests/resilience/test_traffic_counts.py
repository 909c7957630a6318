"""Requests of the last hour are counted by scope and minute, in bounded memory."""

import pytest

from orchestrator.resilience.traffic_counts import TrafficCounts


def add(counts: TrafficCounts, *scopes: str, latency_s: float = 1.0, **kinds: bool) -> None:
    kinds = {"succeeded": True, "degraded": False, "emergency": False, **kinds}
    counts.add(scopes or ("all",), latency_s=latency_s, **kinds)


def test_a_window_holds_what_happened_in_it_and_nothing_older(clock):
    counts = TrafficCounts(clock=clock)
    add(counts, succeeded=False)
    clock.advance(240)
    add(counts, "all", "tenant:acme", degraded=True, emergency=True)
    sums = counts.sums("all", window_s=300)
    assert (sums.requests, sums.failed, sums.degraded, sums.emergency) == (2, 1, 1, 1)
    assert counts.sums("tenant:acme", window_s=300).requests == 1
    clock.advance(120)
    assert counts.sums("all", window_s=300).failed == 0
    assert counts.sums("nobody", window_s=300).requests == 0


@pytest.mark.parametrize("slow", [5.0, 21.0, 100.0])
def test_the_slowest_twentieth_is_known_to_a_quarter_and_never_too_high(clock, slow):
    counts = TrafficCounts(clock=clock)
    for _ in range(90):
        add(counts, latency_s=0.5)
    for _ in range(10):
        add(counts, latency_s=slow)
    assert slow / 1.26 <= counts.sums("all", window_s=60).p95_s <= slow


def test_what_is_slow_on_average_is_known_and_of_nothing_nothing(clock):
    counts = TrafficCounts(clock=clock)
    assert counts.sums("all").average_s is None
    add(counts, latency_s=1.0)
    add(counts, latency_s=2.0, succeeded=False)
    assert counts.sums("all").average_s == 1.5
