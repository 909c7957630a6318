"""A deployment and its provider have a circuit each, one single probe passes, and a healthy answer closes both."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.core.failures import HealthScope
from orchestrator.resilience.circuit_breaker import CircuitSettings, CircuitState
from orchestrator.resilience.health import WELL_AGAIN, CircuitPermit, Health

SETTINGS = CircuitSettings(failures=3, window_s=30, open_s=15, max_open_s=100)
ONE, TWO, THREE = "openrouter/gpt-6.1-sol", "openrouter/claude-sonnet-5.5", "openrouter/gpt-6-luna"
HOST = "openrouter"


@pytest.fixture
def health(clock):
    return Health(SETTINGS, clock=clock)


def admit(health, name=ONE) -> CircuitPermit | None:
    return health.admit(name, provider=name.partition("/")[0])


def fail(health, times=1, name=ONE, health_scope=HealthScope.DEPLOYMENT):
    for _ in range(times):
        leave = admit(health, name) or CircuitPermit(name, HOST)
        health.fail(leave, health_scope=health_scope)


def succeed(health, latency_s=0.1, name=ONE):
    leave = admit(health, name) or CircuitPermit(name, HOST)
    health.succeed(leave, latency_s=latency_s)


def state(health, name=ONE):
    return health.snapshot(name, window_s=600).circuit


def test_what_was_never_asked_is_closed_and_unknown(health):
    seen = health.snapshot(ONE, window_s=600)
    assert (seen.circuit, seen.samples, seen.availability, seen.median_latency_s) == ("closed", 0, None, None)
    assert admit(health)
    assert (health.circuits(), health.provider_circuits()) == ({}, {})
    assert health.quiet_s(HOST) is None


def test_a_failing_deployment_is_left_alone_and_the_others_of_its_provider_are_not(health):
    fail(health, 3)
    assert state(health) is CircuitState.OPEN
    assert not admit(health)
    assert admit(health, TWO)
    assert health.circuits()[ONE] is CircuitState.OPEN
    assert health.provider_circuit(HOST) is CircuitState.CLOSED


def test_what_is_one_models_own_matter_never_opens_the_provider(health):
    for name in (ONE, TWO, THREE):
        fail(health, 5, name, HealthScope.DEPLOYMENT)
    assert health.provider_circuit(HOST) is CircuitState.CLOSED


@pytest.mark.parametrize(("names", "opens"), [((ONE,) * 9, False), ((ONE, TWO) * 3, True)])
def test_what_may_be_the_providers_is_so_once_two_deployments_have_it(health, names, opens):
    for name in names:
        fail(health, 1, name, HealthScope.EITHER)
    assert (health.provider_circuit(HOST) is CircuitState.OPEN) is opens
    assert bool(admit(health, THREE)) is not opens


def test_a_burst_of_refused_keys_opens_the_whole_provider(health):
    """D7: the key is the provider's, whichever deployment was asked with it."""
    fail(health, 3, ONE, HealthScope.PROVIDER)
    assert health.provider_circuit(HOST) is CircuitState.OPEN
    assert not admit(health, TWO)
    assert admit(health, "google/gemini-3.8-flash")


def test_silences_one_after_the_other_are_one_until_there_is_an_answer_or_nobody_asks(health, clock):
    def silent_for(wait_s):
        leave = admit(health)
        clock.advance(wait_s)
        return health.unanswered_s(leave)

    assert [silent_for(6) for _ in range(3)] == [6, 12, 18]
    clock.advance(SETTINGS.window_s)
    assert silent_for(6) == 54
    clock.advance(SETTINGS.window_s + 1)
    assert silent_for(6) == 6
    succeed(health)
    assert silent_for(5) == 5


def test_what_says_nothing_of_health_is_not_remembered(health):
    fail(health, 9, health_scope=HealthScope.NONE)
    assert health.snapshot(ONE, window_s=600).samples == 0
    assert health.circuits() == {}


def test_of_a_hundred_at_once_one_single_probe_passes(health, clock):
    fail(health, 3)
    clock.advance(15)
    assert [bool(admit(health)) for _ in range(100)].count(True) == 1
    clock.advance(4)
    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(lambda _: admit(health), range(100))), "the first one has not reported"
    clock.advance(30)
    passed = [bool(admit(health)) for _ in range(100)]
    assert passed.count(True) == 1, "the first one is silent for too long to wait for it"


def test_of_a_hundred_on_all_deployments_of_a_provider_one_single_probe_passes(health, clock):
    for name in (ONE, TWO):
        fail(health, 3, name, HealthScope.EITHER)
    clock.advance(15)
    passed = [admit(health, name) for name in (ONE, TWO, THREE) * 30]
    assert [bool(one) for one in passed].count(True) == 1


def test_a_healthy_answer_of_one_deployment_closes_its_providers_circuit(health, clock):
    for name in (ONE, TWO):
        fail(health, 3, name, HealthScope.EITHER)
    clock.advance(15)
    succeed(health, name=THREE)
    assert health.provider_circuit(HOST) is CircuitState.CLOSED
    assert admit(health, TWO)


def test_a_probe_of_the_parent_does_not_shut_out_its_forked_child(health, clock):
    """It reports back to the parent alone, so the child may have a probe of its own."""
    fail(health, 3)
    clock.advance(SETTINGS.open_s)
    assert admit(health) is not None
    child = os.fork()
    if child == 0:
        ended = 1
        try:
            ended = 0 if admit(health) is not None and admit(health) is None else 2
        finally:
            os._exit(ended)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert admit(health) is None, "the parent's probe is still under way"


def test_a_probe_that_was_not_sent_leaves_its_place_to_the_next(health, clock):
    fail(health, 3)
    clock.advance(15)
    probe = admit(health)
    assert not admit(health)
    health.withdraw(probe)
    assert admit(health)


def test_a_probe_that_the_provider_answered_with_its_own_no_leaves_the_providers_circuit_to_the_next(
    health, clock
):
    """A 404 says nothing of whether the provider is well again."""
    for name in (ONE, TWO):
        fail(health, 3, name, HealthScope.EITHER)
    clock.advance(15)
    fail(health, 1, THREE, HealthScope.DEPLOYMENT)
    assert health.provider_circuit(HOST) is CircuitState.HALF_OPEN
    assert admit(health, THREE)


def test_withdrawing_what_was_never_a_probe_lets_no_second_one_pass(health, clock):
    straggler = admit(health)
    fail(health, 3)
    clock.advance(15)
    assert admit(health)
    health.withdraw(straggler)
    assert not admit(health)


def test_it_is_told_whether_a_provider_ever_worked(health):
    fail(health, 1, health_scope=HealthScope.PROVIDER)
    assert not health.has_worked(HOST)
    succeed(health)
    assert health.has_worked(HOST)


def test_a_free_look_opens_a_circuit_and_never_closes_one(health, clock):
    for _ in range(3):
        health.observe(HOST, healthy=False)
    assert health.provider_circuit(HOST) is CircuitState.OPEN
    assert not admit(health)
    clock.advance(15)
    health.observe(HOST, healthy=True)
    assert health.provider_circuit(HOST) is CircuitState.HALF_OPEN
    assert admit(health)


def test_it_is_told_how_long_a_provider_has_been_quiet(health, clock):
    succeed(health)
    clock.advance(40)
    assert health.quiet_s(HOST) == 40
    health.observe(HOST, healthy=True)
    assert health.quiet_s(HOST) == 0


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


def test_an_outage_that_is_over_is_not_held_against_the_availability(health, clock):
    """Else a minute's outage would keep the primary out for the ten minutes of the window."""
    for _ in range(50):
        succeed(health)
    fail(health, 6)
    clock.advance(15)
    succeed(health)
    seen = health.snapshot(ONE, window_s=600)
    assert (seen.circuit, seen.samples, seen.availability) == (CircuitState.CLOSED, 1, 1.0)


def test_memory_stays_small_however_long_it_runs(health):
    for _ in range(2000):
        succeed(health)
        fail(health)
    assert health.snapshot(ONE, window_s=600).samples <= 1000


def test_changed_settings_count_from_now_on_and_nothing_seen_is_lost(health, clock):
    fail(health, 2)
    health.adopt(CircuitSettings(failures=3, window_s=30, open_s=5))
    fail(health)
    clock.advance(5)
    assert admit(health)
    assert health.snapshot(ONE, window_s=600).samples == 3


class Seconds:
    """A clock for a property, which takes no fixture."""

    at_s = 0.0

    def monotonic_s(self) -> float:
        return self.at_s


class Callers:
    """Requests that were admitted, and report once each, in any order."""

    def __init__(self) -> None:
        self.clock = Seconds()
        self.health = Health(SETTINGS, clock=self.clock)  # type: ignore[arg-type]
        self.passes: list[CircuitPermit] = []

    def admit(self, name: str) -> None:
        leave = admit(self.health, name)
        self.passes += [leave] if leave else []

    def wait(self, _: str) -> None:
        self.clock.at_s += 20

    def withdraw(self, _: str) -> None:
        if self.passes:
            self.health.withdraw(self.passes.pop(0))

    def succeed(self, _: str) -> None:
        if self.passes:
            self.health.succeed(self.passes.pop(0), latency_s=0.1)

    def fail(self, health_scope: HealthScope) -> None:
        if self.passes:
            self.health.fail(self.passes.pop(), health_scope=health_scope)


ILL, WAIT = ("fail", HealthScope.PROVIDER), ("wait", "")
OUTDATED_PROBE = [*[("admit", ONE)] * 3, ILL, ILL, ILL, WAIT, ("admit", ONE), WAIT, *[("admit", ONE)] * 2,
                  ("withdraw", ""), *[("admit", ONE)] * 2]  # fmt: skip
"""A probe that is silent, the next one, and then the first is taken back."""
steps = st.one_of(
    st.tuples(st.just("admit"), st.sampled_from([ONE, TWO])),
    st.tuples(st.just("fail"), st.sampled_from(HealthScope)),
    st.tuples(st.sampled_from(["wait", "withdraw", "succeed"]), st.just("")),
)


@example(OUTDATED_PROBE)
@given(st.lists(steps, max_size=60))
def test_whatever_happens_a_deployment_is_asked_again_in_the_end(told):
    """No order of events leaves a circuit shut forever, and never are two probes of one moment under way.

    One that was silent for as long as the circuit stays open lets the next pass.
    """
    callers = Callers()
    for step, argument in told:
        getattr(callers, step)(argument)
        lately = [one for one in callers.passes if one.send.at_s == callers.clock.at_s]
        assert sum(one.provider_probe > 0 for one in lately) <= 1
        assert sum(one.deployment_probe > 0 for one in lately if one.deployment == ONE) <= 1
    while callers.passes:
        callers.withdraw("")
    callers.clock.at_s += SETTINGS.max_open_s
    assert admit(callers.health)


@pytest.mark.parametrize("health_scope", [HealthScope.PROVIDER, HealthScope.DEPLOYMENT])
def test_what_was_sent_in_an_outage_that_is_over_is_no_news(health, clock, health_scope):
    """A hundred that hung when it was down fail one after the other, long after it answers again."""
    hung = [health.admit("a/one", provider="a") for _ in range(100)]
    for leave in hung[:3]:
        health.fail(leave, health_scope=health_scope)
    clock.advance(SETTINGS.open_s)
    probe = health.admit("a/one", provider="a")
    health.succeed(probe, latency_s=1)
    clock.advance(1)
    for leave in hung[3:]:
        health.fail(leave, health_scope=health_scope)
    assert health.is_closed("a/one", provider="a")
    seen = health.snapshot("a/one", window_s=600)
    assert (seen.samples, seen.availability, seen.healthy_in_a_row) == (1, 1.0, 1)
    late = health.admit("a/one", provider="a")
    health.fail(late, health_scope=health_scope)
    assert health.snapshot("a/one", window_s=600).availability == 0.5, "what was sent later is news"


def test_it_is_known_when_a_deployment_was_asked_last(health, clock):
    health.succeed(health.admit("a/one", provider="a"), latency_s=1)
    health.admit("a/one", provider="a")
    clock.advance(4)
    assert health.snapshot("a/one", window_s=600).asked_s_ago == 4


def test_who_is_well_is_told_as_it_was_when_it_was_asked(health):
    """A plan keeps what it was given, and what changes with time is left to a closer look."""
    succeed(health, 0.1, ONE)
    assert (set(health.doubtful()), dict(health.well_latencies_s())) == ({ONE}, {})
    for _ in range(WELL_AGAIN - 1):
        succeed(health, 0.3, ONE)
    before = health.well_latencies_s()
    assert (set(health.doubtful()), dict(before)) == (set(), {ONE: 0.3})
    fail(health, name=ONE)
    assert dict(before) == {ONE: 0.3}
    assert (set(health.doubtful()), dict(health.well_latencies_s())) == ({ONE}, {})
