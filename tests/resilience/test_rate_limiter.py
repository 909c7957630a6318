"""No provider gets more than it takes in any minute, nobody waits longer than needed, first come first served."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.resilience.rate_limiter import WINDOW_S, RateLimiter


class Seconds:
    """A clock of whole and broken seconds for properties."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def monotonic_s(self) -> float:
        return self.at_s


@pytest.fixture
def limits(clock):
    return RateLimiter(clock=clock)


def book(limits, tokens=1, *, requests=3, per_min=1000, provider="openrouter"):
    return limits.book(provider, tokens=tokens, requests_per_min=requests, tokens_per_min=per_min)


def take(limits, tokens=1, **more):
    """Book a moment and keep it only when it is now; return how long it is until then."""
    slot = book(limits, tokens, **more)
    wait_s = limits.wait_s(slot)
    if wait_s:
        limits.cancel(slot)
    return wait_s


def test_requests_are_taken_up_to_the_limit_and_then_told_how_long_to_wait(limits, clock):
    assert [take(limits) for _ in range(3)] == [0, 0, 0]
    clock.advance(10)
    assert take(limits) == 50
    clock.advance(49)
    assert take(limits) == 1
    clock.advance(1)
    assert take(limits) == 0


def test_the_minute_slides(limits, clock):
    """No fresh allowance at the full minute: three just before it and three just after are six in a second."""
    for _ in range(3):
        assert take(limits) == 0
        clock.advance(20)
    assert take(limits) == 0
    assert take(limits) == 20


def test_tokens_are_counted_too(limits, clock):
    assert take(limits, 600, requests=100) == 0
    clock.advance(10)
    assert take(limits, 400, requests=100) == 0
    assert take(limits, 1, requests=100) == 50
    assert take(limits, 601, requests=100) == 60
    clock.advance(50)
    assert take(limits, 600, requests=100) == 0


def test_what_is_refused_takes_nothing(limits, clock):
    assert take(limits, 900, requests=100) == 0
    assert take(limits, 200, requests=100) == 60
    assert take(limits, 100, requests=100) == 0


def test_a_request_larger_than_a_whole_minute_is_taken_when_nothing_else_is(limits, clock):
    """Else it would never be served at all."""
    assert take(limits, 5000) == 0
    assert take(limits, 1) == 60
    clock.advance(60)
    assert take(limits, 1) == 0
    assert take(limits, 5000) == 60


def test_providers_do_not_share_a_minute(limits):
    for _ in range(3):
        take(limits)
    assert take(limits) == 60
    assert take(limits, provider="google") == 0


def test_a_provider_that_sent_a_retry_after_rests_until_it_is_over(limits, clock):
    limits.rest("openrouter", duration_s=7)
    assert take(limits) == 7
    clock.advance(6)
    assert take(limits) == pytest.approx(1)
    assert take(limits, provider="google") == 0
    clock.advance(1)
    assert take(limits) == 0


def test_a_shorter_rest_does_not_end_a_longer_one(limits, clock):
    limits.rest("openrouter", duration_s=7)
    limits.rest("openrouter", duration_s=1)
    assert take(limits) == 7


def test_a_raised_limit_counts_at_once(limits):
    for _ in range(3):
        take(limits)
    assert take(limits, requests=4) == 0


steps = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 1500)), max_size=60)


@given(steps, st.integers(1, 5))
def test_no_sixty_seconds_ever_see_more_than_the_limits(waits_and_tokens, requests):
    clock = Seconds()
    limits = RateLimiter(clock=clock)  # type: ignore[arg-type]
    taken: list[tuple[float, int]] = []
    for wait_s, tokens in waits_and_tokens:
        clock.at_s += wait_s
        if take(limits, tokens, requests=requests) == 0:
            taken.append((clock.at_s, tokens))
    for end_s, _ in taken:
        inside = [tokens for at_s, tokens in taken if end_s - WINDOW_S < at_s <= end_s]
        assert len(inside) <= requests
        assert sum(inside) <= 1000 or len(inside) == 1


@given(steps, st.integers(1, 5))
def test_after_the_wait_it_said_a_request_is_taken_and_not_a_moment_before(waits_and_tokens, requests):
    clock = Seconds()
    limits = RateLimiter(clock=clock)  # type: ignore[arg-type]
    for wait_s, tokens in waits_and_tokens:
        clock.at_s += wait_s
        needed_s = take(limits, tokens, requests=requests)
        assert 0 <= needed_s <= WINDOW_S
        if needed_s >= 1:
            clock.at_s += needed_s - 1
            assert take(limits, tokens, requests=requests) == 1
            clock.at_s += 1
            assert take(limits, tokens, requests=requests) == 0


def test_two_hundred_at_once_go_out_at_sixty_a_minute_in_their_order(limits):
    """Half of the first minute at once; from then on one a second, and nobody stands before a shut minute."""
    slots = [book(limits, 100, requests=60, per_min=100_000) for _ in range(200)]
    waits_s = [limits.wait_s(slot) for slot in slots]
    assert waits_s == sorted(waits_s)
    assert waits_s.count(0) == 30
    gaps_s = [later - sooner for sooner, later in pairwise(waits_s[29:])]
    assert gaps_s.count(1) == len(gaps_s) - 1
    assert max(gaps_s) == 30, "the first thirty went at once, and their minute has to pass"


def test_a_small_limit_is_not_spread(limits):
    """Each would wait for many seconds, with room left."""
    assert [take(limits, requests=20) for _ in range(20)] == [0] * 20


def test_a_request_knows_which_of_the_two_limits_it_waits_for(limits):
    book(limits, 900, requests=2)
    assert book(limits, 200, requests=2).waits_for_tokens
    assert not book(limits, 1, requests=2).waits_for_tokens


def test_who_comes_later_does_not_overtake_who_waits(limits, clock):
    """A small request behind a large one waits too, though there is room for it now."""
    book(limits, 900, requests=100)
    large = book(limits, 500, requests=100)
    small = book(limits, 1, requests=100)
    assert limits.wait_s(large) == limits.wait_s(small) == 60


def test_who_will_not_wait_leaves_no_gap(limits):
    for _ in range(3):
        book(limits)
    impatient = book(limits)
    limits.cancel(impatient)
    limits.cancel(impatient)
    assert limits.wait_s(book(limits)) == 60


def test_tokens_that_were_not_used_are_given_back(limits):
    slot = book(limits, 900, requests=100)
    assert take(limits, 200, requests=100) == 60
    limits.settle(slot, tokens=300)
    assert take(limits, 200, requests=100) == 0
    assert take(limits, 501, requests=100) == 60


def test_what_ends_after_its_minute_changes_nothing(limits, clock):
    slot = book(limits, 900, requests=100)
    clock.advance(61)
    book(limits, 1000, requests=100)
    limits.settle(slot, tokens=1)
    limits.cancel(slot)
    assert take(limits, 1, requests=100) == 60


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 900), st.booleans()), max_size=60),
    st.integers(1, 5) | st.integers(28, 40),
)
def test_with_waiting_and_cancelling_no_sixty_seconds_see_more_than_the_limits(asked, requests):
    clock = Seconds()
    limits = RateLimiter(clock=clock)  # type: ignore[arg-type]
    kept = []
    for wait_s, tokens, stays in asked:
        clock.at_s += wait_s
        slot = book(limits, tokens, requests=requests)
        if stays or limits.wait_s(slot) == 0:
            kept.append(slot)
        else:
            limits.cancel(slot)
    assert [one.at_s for one in kept] == sorted(one.at_s for one in kept)
    for end in kept:
        inside = [one.tokens for one in kept if end.at_s - WINDOW_S < one.at_s <= end.at_s]
        assert len(inside) <= requests
        assert sum(inside) <= 1000


def test_room_is_what_a_minute_still_takes_and_comes_back_with_it(limits, clock):
    for _ in range(3):
        book(limits, 100)
    room = limits.room("openrouter", requests_per_min=3, tokens_per_min=1000)
    assert (room.requests, room.tokens, room.waiting) == (0, 700, 0)
    book(limits, 100)
    assert limits.room("openrouter", requests_per_min=3, tokens_per_min=1000).waiting == 1
    clock.advance(WINDOW_S + 1)
    room = limits.room("openrouter", requests_per_min=3, tokens_per_min=1000)
    assert (room.requests, room.tokens, room.waiting) == (2, 900, 0)
    assert limits.room("nobody asked", requests_per_min=3, tokens_per_min=1000).requests == 3
