"""A circuit opens after failures, lets one single probe through, and closes on its success."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.state.health import CircuitSettings, CircuitState, Health

SETTINGS = CircuitSettings(failures=3, window_s=30, open_s=15, max_open_s=100)
ONE = "openrouter/gpt-6.1-sol"


@pytest.fixture
def health(clock):
    return Health(SETTINGS, clock=clock)


def fail(health, times=1, name=ONE):
    for _ in range(times):
        health.record(name, healthy=False, latency_s=0.1)


def succeed(health, latency_s=0.1):
    health.record(ONE, healthy=True, latency_s=latency_s)


def state(health, name=ONE):
    return health.snapshot(name, window_s=600).circuit


def test_what_was_never_asked_is_closed_and_unknown(health):
    seen = health.snapshot(ONE, window_s=600)
    assert (seen.circuit, seen.samples, seen.availability, seen.median_latency_s) == ("closed", 0, None, None)
    assert health.admit(ONE)
    assert health.circuits() == {}


def test_the_third_failure_within_the_window_opens(health, clock):
    fail(health, 2)
    assert state(health) is CircuitState.CLOSED
    assert health.admit(ONE)
    clock.advance(29)
    fail(health)
    assert state(health) is CircuitState.OPEN
    assert not health.admit(ONE)
    assert health.circuits() == {ONE: CircuitState.OPEN}


def test_failures_further_apart_than_the_window_do_not_open(health, clock):
    for _ in range(6):
        fail(health)
        clock.advance(15.1)
    assert state(health) is CircuitState.CLOSED


def test_a_success_between_failures_begins_the_count_anew(health):
    for _ in range(5):
        fail(health, 2)
        succeed(health)
    assert state(health) is CircuitState.CLOSED


def test_each_deployment_has_a_circuit_of_its_own(health):
    fail(health, 3)
    assert health.admit("openai/gpt-6.1-sol")
    assert not health.admit(ONE)


def test_an_open_circuit_is_half_open_after_its_time(health, clock):
    fail(health, 3)
    clock.advance(14.9)
    assert not health.admit(ONE)
    clock.advance(0.1)
    assert state(health) is CircuitState.HALF_OPEN
    assert health.admit(ONE)


def test_of_a_hundred_at_once_one_single_probe_passes(health, clock):
    fail(health, 3)
    clock.advance(15)
    assert [health.admit(ONE) for _ in range(100)].count(True) == 1
    fail(health)
    clock.advance(30)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: health.admit(ONE), range(100))).count(True) == 1


def test_a_probe_that_succeeds_closes(health, clock):
    fail(health, 3)
    clock.advance(15)
    assert health.admit(ONE)
    succeed(health)
    assert state(health) is CircuitState.CLOSED
    assert all(health.admit(ONE) for _ in range(10))
    fail(health, 2)
    assert state(health) is CircuitState.CLOSED, "the old failures are forgotten"


def test_a_probe_that_fails_opens_for_twice_as_long_up_to_the_longest(health, clock):
    fail(health, 3)
    for open_s in (15, 30, 60, 100, 100):
        clock.advance(open_s - 0.1)
        assert not health.admit(ONE)
        clock.advance(0.1)
        assert health.admit(ONE)
        fail(health)


def test_after_a_recovery_the_time_begins_at_its_first_length_again(health, clock):
    fail(health, 3)
    clock.advance(15)
    health.admit(ONE)
    fail(health)
    clock.advance(30)
    health.admit(ONE)
    succeed(health)
    fail(health, 3)
    clock.advance(15)
    assert health.admit(ONE)


def test_a_probe_that_was_not_sent_leaves_its_place_to_the_next(health, clock):
    fail(health, 3)
    clock.advance(15)
    assert health.admit(ONE)
    assert not health.admit(ONE)
    health.withdraw(ONE)
    assert health.admit(ONE)
    assert state(health) is CircuitState.HALF_OPEN


def test_a_failure_that_was_under_way_when_it_opened_does_not_prolong_it(health, clock):
    fail(health, 3)
    clock.advance(10)
    fail(health, 5)
    clock.advance(5)
    assert health.admit(ONE)


def test_withdrawing_what_was_never_asked_does_nothing(health):
    health.withdraw("nobody")
    assert health.circuits() == {}


def test_availability_and_latency_are_those_of_the_window(health, clock):
    fail(health, 2)
    clock.advance(300)
    for latency_s in (1, 2, 9):
        succeed(health, latency_s)
    fail(health)
    clock.advance(1)
    whole, recent = health.snapshot(ONE, window_s=600), health.snapshot(ONE, window_s=100)
    assert (whole.samples, whole.availability) == (6, 0.5)
    assert (recent.samples, recent.availability, recent.median_latency_s) == (4, 0.75, 2)


def test_old_outcomes_are_forgotten(health, clock):
    succeed(health)
    clock.advance(601)
    seen = health.snapshot(ONE, window_s=600)
    assert (seen.samples, seen.availability) == (0, None)


def test_memory_stays_small_however_long_it_runs(health):
    for _ in range(5000):
        succeed(health)
        fail(health)
    assert health.snapshot(ONE, window_s=600).samples <= 1000


def test_changed_settings_count_from_now_on_and_nothing_seen_is_lost(health, clock):
    fail(health, 2)
    health.adopt(CircuitSettings(failures=3, window_s=30, open_s=5))
    fail(health)
    clock.advance(5)
    assert health.admit(ONE)
    assert health.snapshot(ONE, window_s=600).samples == 3


class Seconds:
    """A clock for a property, which takes no fixture."""

    at_s = 0.0

    def monotonic_s(self) -> float:
        return self.at_s


class Callers:
    """Requests that were admitted, and may be reported once each."""

    def __init__(self) -> None:
        self.clock = Seconds()
        self.health = Health(SETTINGS, clock=self.clock)  # type: ignore[arg-type]
        self.admitted = 0

    def admit(self) -> None:
        self.admitted += self.health.admit(ONE)

    def wait(self) -> None:
        self.clock.at_s += 20

    def withdraw(self) -> None:
        if self.admitted:
            self.admitted -= 1
            self.health.withdraw(ONE)

    def report(self, *, healthy: bool) -> None:
        if self.admitted:
            self.admitted -= 1
            self.health.record(ONE, healthy=healthy, latency_s=0.1)

    def succeed(self) -> None:
        self.report(healthy=True)

    def fail(self) -> None:
        self.report(healthy=False)


@given(st.lists(st.sampled_from(["admit", "wait", "withdraw", "succeed", "fail"]), max_size=40))
def test_whatever_happens_a_deployment_is_asked_again_in_the_end(steps):
    """No order of events leaves a circuit shut forever."""
    callers = Callers()
    for step in steps:
        getattr(callers, step)()
    while callers.admitted:
        callers.withdraw()
    callers.clock.at_s += SETTINGS.max_open_s
    assert callers.health.admit(ONE)
