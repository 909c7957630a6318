"""The last hour by name: what is older is gone, and what is in memory has a bound."""

from collections import Counter

from orchestrator.core.last_minutes import NAMES_MAX, LastMinutes


def test_a_window_holds_what_happened_in_it_and_nothing_older(clock):
    minutes = LastMinutes(Counter, clock=clock)
    minutes.now("all")["requests"] += 1
    clock.advance(240)
    minutes.now("all")["requests"] += 1
    assert [bucket["requests"] for bucket in minutes.last("all", window_s=300)] == [1, 1]
    assert [bucket["requests"] for bucket in minutes.last("all", window_s=60)] == [1]
    clock.advance(3600)
    assert minutes.last("all") == ()
    assert minutes.last("nobody") == ()


def test_many_names_take_bounded_memory_and_the_latest_stay(clock):
    minutes = LastMinutes(Counter, clock=clock)
    for number in range(3 * NAMES_MAX):
        minutes.now("all")
        minutes.now(f"tenant:{number}")
    assert len(minutes.names()) == NAMES_MAX
    assert {"all", f"tenant:{3 * NAMES_MAX - 1}"} <= set(minutes.names())
    for _ in range(200):
        clock.advance(60)
        minutes.now("all")
    assert len(minutes.last("all")) <= 60
