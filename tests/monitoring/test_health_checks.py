"""Health checks notice an outage and its end without a customer's request, and cost no more than they may."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from orchestrator import CacheUse, Orchestrator
from orchestrator.config.loader import Config
from orchestrator.monitoring.health_checks import HealthChecks
from orchestrator.practice import PracticeServer
from orchestrator.resilience.circuit_breaker import CircuitState
from orchestrator.resilience.health_check_policy import Due, HealthCheckSettings, Look

PRIMARY = "openrouter/gpt-6.1-sol"
PROVIDERS = ("openrouter", "google", "openai")


@pytest.fixture
def make(configured: Callable[..., Config], clock) -> Iterator[Callable[..., Orchestrator]]:
    opened: list[Orchestrator] = []

    def orchestrator(**health_checks: object) -> Orchestrator:
        config = configured()
        settings = config.settings.model_copy(
            update={"health_checks": HealthCheckSettings.model_validate(health_checks)}
        )
        opened.append(Orchestrator(replace(config, settings=settings), clock=clock))
        opened[-1].warm_up()
        return opened[-1]

    yield orchestrator
    for orchestrator in opened:
        orchestrator.close()


def look(orchestrator: Orchestrator) -> tuple[Due, ...]:
    return orchestrator._loop.run(HealthChecks(orchestrator).look())


def ask(orchestrator: Orchestrator, model: str = PRIMARY) -> None:
    orchestrator.complete("Xin chào", model=model, cache=CacheUse.OFF, max_tokens=20)


def completions(practice: PracticeServer) -> int:
    return sum(request.method == "POST" for request in practice.requests)


def spent(orchestrator: Orchestrator) -> int:
    return sum(
        budget.spent + budget.held
        for budget in orchestrator.standings()
        if budget.scope == "tenant:probe:health_check" and budget.window == "day"
    )


def shut(orchestrator: Orchestrator, practice: PracticeServer) -> None:
    """Let OpenRouter fail until its circuit is open, then let it work again."""
    practice.faults.add("openrouter:status=401")
    for _ in range(3):
        with pytest.raises(Exception, match="never worked"):
            ask(orchestrator)
    practice.faults.clear()
    assert orchestrator.health.provider_circuit("openrouter") is CircuitState.OPEN


def test_a_probe_that_fails_is_one_completion_and_waits_for_nothing(make, practice, clock) -> None:
    """Else a look at a dead provider would hold up the looks at all others, and hammer it."""
    orchestrator = make(every_s=60)
    shut(orchestrator, practice)
    practice.faults.add("openrouter:status=500,model=openai/gpt-6.1-sol")
    clock.advance(61)
    before, slept = completions(practice), len(clock.slept_s)
    assert Look.PAID in {due.look for due in look(orchestrator)}
    assert completions(practice) == before + 1
    assert len(clock.slept_s) == slept


def test_every_quiet_provider_gets_a_free_look_once_in_its_time(make, practice, clock) -> None:
    orchestrator = make(every_s=60)
    assert look(orchestrator) == tuple(Due(name, Look.FREE) for name in PROVIDERS)
    assert look(orchestrator) == ()
    clock.advance(60)
    assert len(look(orchestrator)) == 3
    assert practice.bill.charges == ()
    assert spent(orchestrator) == 0


def test_who_has_traffic_is_not_looked_at(make, clock) -> None:
    orchestrator = make(every_s=60)
    look(orchestrator)
    clock.advance(59)
    ask(orchestrator)
    clock.advance(1)
    assert [due.provider for due in look(orchestrator)] == ["google", "openai"]


def test_an_outage_is_noticed_before_a_customer_meets_it(make, practice, clock) -> None:
    """After the first look that fails it is looked at again with every tick."""
    orchestrator = make(every_s=60)
    look(orchestrator)
    practice.stop()
    clock.advance(60)
    for _ in range(3):
        assert len(look(orchestrator)) == 3
        clock.advance(1)
    assert orchestrator.health.provider_circuits() == dict.fromkeys(PROVIDERS, CircuitState.OPEN)


def test_a_recovery_is_noticed_without_a_customer(make, practice, clock) -> None:
    orchestrator = make()
    shut(orchestrator, practice)
    assert Due("openrouter", Look.PAID, PRIMARY) not in look(orchestrator)
    clock.advance(5)
    assert Due("openrouter", Look.PAID, PRIMARY) in look(orchestrator)
    assert orchestrator.circuits()[PRIMARY] is CircuitState.CLOSED
    assert spent(orchestrator) > 0


def test_a_free_look_that_fails_saves_the_paid_one(make, practice, clock) -> None:
    orchestrator = make()
    shut(orchestrator, practice)
    practice.stop()
    clock.advance(5)
    look(orchestrator)
    assert orchestrator.circuits()[PRIMARY] is not CircuitState.CLOSED
    assert spent(orchestrator) == 0


def test_the_sum_a_day_holds_and_the_next_day_has_its_own(make, practice, clock) -> None:
    """A connection that breaks is booked at its whole bound; the ledger refuses what is beyond the sum."""
    orchestrator = make(daily_usd=0.002)
    shut(orchestrator, practice)
    practice.faults.add("openrouter:reset")
    for _ in range(20):
        clock.advance(15)
        look(orchestrator)
    first_day = spent(orchestrator)
    assert 0 < first_day <= 2_000_000
    sent = completions(practice)
    clock.advance(15)
    look(orchestrator)
    assert completions(practice) == sent
    clock.advance(86_400)
    look(orchestrator)
    assert completions(practice) > sent


def test_they_run_beside_the_traffic_and_stop(make, practice) -> None:
    """On the system's clock, since they wait for it themselves."""
    orchestrator = make(every_s=0.05)
    with HealthChecks(orchestrator):
        until_s = time.monotonic() + 300
        while orchestrator.health.quiet_s("openai") is None and time.monotonic() < until_s:
            time.sleep(0.01)
        ask(orchestrator)
    assert orchestrator.health.quiet_s("openai") is not None
    assert orchestrator.health.has_worked("openrouter")
