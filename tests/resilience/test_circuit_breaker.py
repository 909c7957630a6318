"""A circuit opens when most of the latest outcomes failed, lets one probe through, and closes on one success."""

import pytest

from orchestrator.resilience.circuit_breaker import Circuit, CircuitSettings, CircuitState

SETTINGS = CircuitSettings(failures=3, failure_share=0.6, window_s=30, open_s=5, max_open_s=15)
ONE, OTHER = "openrouter/gpt-6.1-sol", "openrouter/claude-sonnet-5.5"


def fail(circuit: Circuit, at_s: float, times: int = 1, **more) -> None:
    for _ in range(times):
        circuit.fail(at_s, SETTINGS, **{"by": ONE, **more})


def opened(at_s: float = 0.0) -> Circuit:
    circuit = Circuit()
    fail(circuit, at_s, 3)
    assert circuit.state(at_s) is CircuitState.OPEN
    return circuit


def test_the_third_failure_within_the_window_opens():
    circuit = Circuit()
    fail(circuit, 0, 2)
    assert circuit.state(29) is CircuitState.CLOSED
    fail(circuit, 29)
    assert circuit.state(29) is CircuitState.OPEN


def test_failures_further_apart_than_the_window_do_not_open():
    circuit = Circuit()
    for at_s in range(0, 160, 16):
        fail(circuit, at_s)
        assert circuit.state(at_s) is CircuitState.CLOSED


@pytest.mark.parametrize(("healthy", "opens"), [(0, True), (2, True), (3, False)])
def test_the_share_of_failures_decides(healthy, opens):
    """Three failures of five are 60 %, of six they are 50 %."""
    circuit = Circuit()
    for _ in range(healthy):
        circuit.heal(0)
    fail(circuit, 0, 3)
    assert (circuit.state(0) is CircuitState.OPEN) is opens


def test_a_busy_provider_that_dies_is_noticed_after_six_failures():
    """A thousand answers a moment ago do not hide that it answers no more."""
    circuit = Circuit()
    for _ in range(1000):
        circuit.heal(0)
    fail(circuit, 1, 5)
    assert circuit.state(1) is CircuitState.CLOSED
    fail(circuit, 1)
    assert circuit.state(1) is CircuitState.OPEN


def test_an_open_circuit_is_half_open_after_its_time_and_lets_one_probe_through():
    circuit = opened()
    assert circuit.ready_in_s(2) == 3
    assert circuit.state(5) is CircuitState.HALF_OPEN
    assert circuit.ready_in_s(5) == 0
    assert circuit.enter(5)
    assert circuit.ready_in_s(5) > 0, "its probe is under way"


def test_one_healthy_answer_closes_and_the_old_failures_are_forgotten():
    circuit = opened()
    circuit.enter(5)
    assert circuit.heal(5)
    assert circuit.state(5) is CircuitState.CLOSED
    fail(circuit, 5, 2)
    assert circuit.state(5) is CircuitState.CLOSED


def test_a_probe_that_fails_opens_for_twice_as_long_up_to_the_longest():
    circuit, now_s = opened(), 0.0
    for open_s in (5, 10, 15, 15):
        assert circuit.ready_in_s(now_s) == open_s
        now_s += open_s
        fail(circuit, now_s, probe=circuit.enter(now_s))


def test_after_a_recovery_the_time_begins_at_its_first_length_again():
    circuit = opened()
    fail(circuit, 5, probe=circuit.enter(5))
    circuit.enter(15)
    circuit.heal(15)
    fail(circuit, 15, 3)
    assert circuit.ready_in_s(15) == 5


def test_a_failure_that_was_under_way_when_it_opened_neither_prolongs_it_nor_ends_a_probe():
    circuit = opened()
    fail(circuit, 4, 5)
    assert circuit.ready_in_s(5) == 0
    circuit.enter(5)
    fail(circuit, 5)
    assert circuit.ready_in_s(5) > 0, "the probe is still under way, so a second one may not pass"


def test_an_uncertain_failure_needs_a_second_witness():
    """One deployment's 500s are its own; two deployments' are their provider's."""
    circuit = Circuit(failing_min=2)
    fail(circuit, 0, 9, certain=False)
    assert circuit.state(0) is CircuitState.CLOSED
    fail(circuit, 0, by=OTHER, certain=False)
    assert circuit.state(0) is CircuitState.OPEN


def test_a_certain_failure_needs_none():
    circuit = Circuit(failing_min=2)
    fail(circuit, 0, 3, certain=True)
    assert circuit.state(0) is CircuitState.OPEN


def test_who_has_nobody_else_may_probe_early_and_still_alone():
    circuit = opened()
    assert circuit.ready_in_s(0.4, within_s=1) == pytest.approx(0.6)
    assert circuit.ready_in_s(1, within_s=1) == 0
    assert circuit.enter(1)
    assert circuit.ready_in_s(1, within_s=1) > 0, "its probe is under way"
    assert circuit.heal(1.5)


def test_an_early_probe_that_fails_puts_off_the_next_early_one_and_nobody_else():
    """Else one a second, of a model that stays broken, would keep all others of its provider out."""
    circuit = opened()
    fail(circuit, 1, probe=circuit.enter(1))
    assert circuit.ready_in_s(1, within_s=1) == 1
    assert circuit.ready_in_s(1) == 4
    assert circuit.ready_in_s(5) == 0


def test_a_probe_of_an_outage_that_is_over_says_nothing_of_the_next_one():
    circuit = opened()
    silent = circuit.enter(5)
    circuit.heal(6)
    fail(circuit, 9, 3)
    fail(circuit, 10, probe=silent)
    assert circuit.ready_in_s(10) == 4, "open for five seconds from the ninth on"


def test_a_silent_probe_lets_the_next_one_pass_and_prolongs_nothing():
    """What was sent into an outage may hang for long, while the provider is well again."""
    circuit = opened()
    silent = circuit.enter(5)
    assert circuit.ready_in_s(9) > 0
    assert circuit.ready_in_s(10) == 0
    second = circuit.enter(10)
    assert circuit.ready_in_s(12) > 0, "the second probe is under way"
    circuit.leave(silent)
    fail(circuit, 12, probe=silent)
    assert circuit.ready_in_s(12) > 0, "it is still under way"
    fail(circuit, 21, probe=second)
    assert circuit.ready_in_s(21) == 0, "both were sent more than ten seconds ago"
    circuit.enter(21)
    assert circuit.heal(22)
    assert circuit.state(22) is CircuitState.CLOSED
