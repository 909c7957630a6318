"""A walk admits, waits, books and gives up as its plan and profile say; no provider is needed for that."""

from pathlib import Path

import pytest

from orchestrator import Orchestrator
from orchestrator.core.errors import BudgetExceededError, DeadlineExceededError, RejectedByProviderError
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.money import NanoUsd
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import CostSource, Outcome, Usage
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.admission import Services
from orchestrator.dispatch.dispatch_request import DispatchRequest
from orchestrator.dispatch.dispatcher import Walk
from orchestrator.ledger.budgets import Limits
from orchestrator.ledger.opening import open_ledger
from orchestrator.resilience.health import Health
from orchestrator.resilience.rate_limiter import RateLimiter
from orchestrator.routing.estimate import measure
from orchestrator.routing.token_ratios import TokenRatios

FIRST, SECOND = "openrouter/gpt-6.1-sol", "openrouter/claude-sonnet-5.5"


@pytest.fixture
def walk_of(make_orchestrator, clock, tmp_path: Path):
    """Make walks over the shipped configuration, on our clock and a real ledger."""

    def make(
        changes=None,
        *,
        profile: str = "interactive",
        stream: bool = False,
        older_answer: bool = False,
        **wanted,
    ) -> Walk:
        orchestrator: Orchestrator = make_orchestrator(changes, clock=clock)
        config = orchestrator.config
        request = ChatRequest.of("Xin chào", use_case="customer_service", **wanted)
        limits = Limits(config.settings.budgets)
        ledger = open_ledger(config.settings.ledger, limits=limits, clock=clock)
        settings = config.settings
        terms = DispatchRequest(
            request_id="a-request",
            request=request,
            plan=orchestrator.explain(request),
            size=measure(request),
            profile=settings.retry_profiles[profile],
            deadline_at_s=clock.monotonic_s() + 60,
            stream=stream,
            today=clock.now(),
            older_answer=older_answer,
        )
        state = Services(
            ledger=ledger,
            health=Health(settings.circuit_breaker, clock=clock),
            limits=RateLimiter(clock=clock),
            counts=TokenRatios(ledger.token_samples),
            clock=clock,
        )
        return Walk(terms, deployments=config.catalog.deployments, state=state)

    return make


def held(walk: Walk) -> int:
    standing = [
        one for one in walk._state.ledger.budget_status() if one.scope == "all" and one.window == "day"
    ]
    return standing[0].held


def answer(cost: int | None = 1_000) -> ProviderAnswer:
    usage = Usage(input_tokens=10, output_tokens=5)
    return ProviderAnswer("Chào", (), "stop", usage, None if cost is None else NanoUsd(cost), "gen-1")


async def test_money_is_held_from_the_admission_to_the_settlement(walk_of) -> None:
    walk = walk_of()
    step = await walk.next()
    assert step is not None
    assert held(walk) == step.candidate.bound_nusd
    walk.begin(step.name)
    walk.succeed(answer())
    assert held(walk) == 0
    assert walk.spent_nusd == 1_000


async def test_what_was_not_admitted_may_not_begin(walk_of) -> None:
    walk = walk_of()
    with pytest.raises(PermissionError):
        walk.begin(FIRST)
    await walk.next()
    with pytest.raises(PermissionError):
        walk.begin(SECOND)
    walk.begin(FIRST)
    with pytest.raises(PermissionError):
        walk.begin(FIRST)


async def test_a_fallback_is_immediate_and_the_following_ones_wait(walk_of, clock) -> None:
    """G07, then G04: at once, then 100, 200, 400 ms, each stretched by at most the jitter."""
    walk = walk_of()
    waits = []
    while True:
        before_s = clock.monotonic_s()
        step = await walk.next()
        if step is None:
            break
        waits.append(clock.monotonic_s() - before_s)
        walk.begin(step.name)
        walk.fail(Failure(FailureKind.UNAVAILABLE, 503))
    assert waits[:2] == [0, 0]
    for waited_s, planned_s in zip(waits[2:], (0.1, 0.2, 0.4, 0.8), strict=False):
        assert planned_s <= waited_s <= planned_s * 1.2 + 1e-9


async def test_the_background_profile_tries_three_times_at_one_and_two_seconds(walk_of, clock) -> None:
    """G06, for what nobody waits for."""
    walk = walk_of(profile="background")
    for planned_s in (0, 1, 2):
        before_s = clock.monotonic_s()
        step = await walk.next()
        assert step is not None
        assert step.name == FIRST
        assert planned_s <= clock.monotonic_s() - before_s <= planned_s * 1.2 + 1e-9
        walk.begin(step.name)
        walk.fail(Failure(FailureKind.UNAVAILABLE, 503))
    following = await walk.next()
    assert following is not None
    assert following.name == SECOND


async def test_a_retry_closes_the_gate_until_it_is_made(walk_of) -> None:
    """The Router must not skip the retry by going on to the next deployment."""
    walk = walk_of()
    walk.begin((await walk.next()).name)
    walk.fail(Failure(FailureKind.SERVER_ERROR, 500))
    assert not await walk.gate(SECOND)
    retry = await walk.next()
    assert retry.name == FIRST
    walk.begin(FIRST)
    walk.fail(Failure(FailureKind.SERVER_ERROR, 500))
    assert await walk.gate(SECOND)


async def test_a_stream_that_began_closes_the_gate(walk_of) -> None:
    walk = walk_of(stream=True)
    walk.begin((await walk.next()).name)
    walk.stream_began = True
    walk.fail(Failure(FailureKind.INTERRUPTED))
    assert not await walk.gate(SECOND)


@pytest.mark.parametrize(
    ("kind", "cost_is_bound"),
    [(FailureKind.UNAVAILABLE, False), (FailureKind.RATE_LIMITED, False), (FailureKind.TIMEOUT, True)],
)
async def test_a_failed_attempt_costs_nothing_or_its_whole_bound(walk_of, kind, cost_is_bound) -> None:
    """What nobody can say is booked on the safe side, and marked."""
    walk = walk_of()
    step = await walk.next()
    walk.begin(step.name)
    walk.fail(Failure(kind))
    booked = walk.attempts[0]
    assert booked.cost_nusd == (step.candidate.bound_nusd if cost_is_bound else 0)
    assert booked.cost_source is (CostSource.BOUND if cost_is_bound else CostSource.NONE)
    assert held(walk) == 0


async def test_a_broken_stream_is_booked_by_what_arrived(walk_of) -> None:
    walk = walk_of(stream=True)
    step = await walk.next()
    walk.begin(step.name)
    walk.hear("Chào chị, đơn hàng ")
    walk.fail(Failure(FailureKind.INTERRUPTED))
    booked = walk.attempts[0]
    assert booked.cost_source is CostSource.ESTIMATE
    assert 0 < booked.cost_nusd < step.candidate.bound_nusd
    assert booked.first_token_s is not None


async def test_an_attempt_that_was_never_sent_costs_nothing(walk_of) -> None:
    """Cancelled between the admission and the send."""
    walk = walk_of()
    await walk.next()
    walk.finish()
    assert (walk.attempts[0].cost_nusd, walk.attempts[0].outcome) == (0, Outcome.CANCELLED)
    assert held(walk) == 0


async def test_what_is_charged_beyond_the_reservation_is_booked_and_said(walk_of, caplog) -> None:
    walk = walk_of()
    step = await walk.next()
    walk.begin(step.name)
    walk.succeed(answer(cost=step.candidate.bound_nusd + 1))
    assert walk.spent_nusd == step.candidate.bound_nusd + 1
    assert any("excess is booked" in notice for notice in walk.notices)
    assert "excess: request=a-request: openrouter/gpt-6.1-sol charged more than was held" in caplog.text


async def test_a_spent_budget_is_refused_and_the_emergency_model_is_not_asked(walk_of) -> None:
    walk = walk_of({"budgets": {"limits": [{"scope": "all", "day": 0.000001}]}})
    assert await walk.next() is None
    verdict = walk.verdict()
    assert isinstance(verdict, BudgetExceededError)
    assert verdict.resets_at is not None
    assert held(walk) == 0


async def test_a_refusal_of_the_request_itself_ends_the_walk(walk_of) -> None:
    walk = walk_of()
    walk.begin((await walk.next()).name)
    walk.fail(Failure(FailureKind.BAD_REQUEST, 400))
    assert await walk.next() is None
    assert isinstance(walk.verdict(), RejectedByProviderError)


async def test_a_provider_at_its_rate_limit_is_passed_over(walk_of) -> None:
    walk = walk_of({"providers": {"openrouter": {"requests_per_min": 1}}})
    walk.begin((await walk.next()).name)
    walk.fail(Failure(FailureKind.UNAVAILABLE, 503))
    step = await walk.next()
    assert step.deployment.provider_name == "google"
    assert any("rate limit" in one.reason for one in walk.skipped)


async def test_when_only_a_rate_limit_stands_in_the_way_it_is_waited_for(walk_of, clock) -> None:
    """Within the deadline the request waits rather than fails."""
    walk = walk_of(model=FIRST)
    walk._state.limits.rest("openrouter", duration_s=20)
    before_s = clock.monotonic_s()
    step = await walk.next()
    assert step.name == FIRST
    assert clock.monotonic_s() - before_s == pytest.approx(20, abs=0.1)


async def test_a_deployment_that_asked_for_a_rest_gets_it_and_is_waited_for(walk_of, clock) -> None:
    """Longer than anybody waits for a circuit: a Retry-After says when it will answer."""
    walk = walk_of(model=FIRST)
    walk._state.limits.rest(FIRST, duration_s=25)
    before_s = clock.monotonic_s()
    assert (await walk.next()).name == FIRST
    assert clock.monotonic_s() - before_s == pytest.approx(25, abs=0.1)


async def test_a_full_minute_is_waited_for_where_it_was_when_that_is_short(walk_of, clock) -> None:
    """`interactive` waits up to two seconds for its first choice before it asks the second."""
    walk = walk_of()
    walk._state.limits.rest("openrouter", duration_s=1.5)
    step = await walk.next()
    assert step.name == FIRST
    assert clock.slept_s == [pytest.approx(1.5)]


async def test_nothing_is_sent_when_the_deadline_is_over(walk_of, clock) -> None:
    walk = walk_of()
    clock.advance(60)
    assert await walk.next() is None
    assert isinstance(walk.verdict(), DeadlineExceededError)
    assert "no time left" in str(walk.verdict())


async def fail_all(walk: Walk, clock, failure: Failure) -> list[tuple[str, float]]:
    """Fail every attempt of a walk; return which step was sent, and when."""
    began_s, sent = clock.monotonic_s(), []
    while (step := await walk.next()) is not None:
        sent.append((step.name, clock.monotonic_s() - began_s))
        walk.begin(step.name)
        walk.fail(failure)
    return sent


async def test_in_an_outage_a_provider_is_asked_after_one_two_and_four_seconds(walk_of, clock) -> None:
    """One attempt each time, whatever the profile says of retries, and then the walk gives up."""
    walk = walk_of(model=FIRST)
    shut(walk, "openrouter")
    sent = await fail_all(walk, clock, Failure(FailureKind.SERVER_ERROR, 500))
    assert sent == [(FIRST, pytest.approx(at_s)) for at_s in (1, 1 + 2, 1 + 2 + 4)]


async def test_in_an_outage_of_everybody_a_request_sends_a_bounded_number(walk_of, clock) -> None:
    """Three come-backs for each of three providers, beside the one pass through the plan."""
    walk = walk_of({"local_model": {"enabled": False}})
    sent = await fail_all(walk, clock, Failure(FailureKind.SERVER_ERROR, 500))
    places = {name: [one for one, _ in sent].count(name) for name, _ in sent}
    assert len(sent) <= 2 * len(walk.terms.plan.asked) + 3 * 3
    assert max(places.values()) <= 2 + 3
    assert sent[-1][1] < 12


async def test_a_failure_of_everybody_with_every_circuit_closed_is_told_at_once(walk_of, clock) -> None:
    walk = walk_of({"local_model": {"enabled": False}})
    sent = await fail_all(walk, clock, Failure(FailureKind.RATE_LIMITED, 429, retry_after_s=25))
    assert len({name for name, _ in sent}) == len(sent) == len(walk.terms.plan.asked)
    assert sent[-1][1] < 5


async def test_a_circuit_that_may_be_probed_now_is_an_outage_too(walk_of, clock) -> None:
    """It opened two seconds ago, so an early probe may pass at once; it is no reason to give up."""
    walk = walk_of(model=FIRST)
    walk.begin((await walk.next()).name)
    shut(walk, "openrouter")
    clock.advance(2)
    walk.fail(Failure(FailureKind.TIMEOUT))
    assert (await walk.next()).name == FIRST


async def test_who_has_an_older_answer_at_hand_sits_out_no_outage(walk_of, clock) -> None:
    walk = walk_of(older_answer=True, model=FIRST)
    shut(walk, "openrouter")
    assert await walk.next() is None
    assert clock.slept_s == []


async def test_a_begun_answer_is_waited_for_though_there_is_an_older_one(walk_of, clock) -> None:
    """The reader has words that no older answer can take back."""
    walk = walk_of(older_answer=True, model=FIRST, stream=True)
    walk.begin((await walk.next()).name)
    walk.hear("Đơn hàng của ")
    shut(walk, "openrouter")
    walk.fail(Failure(FailureKind.INTERRUPTED))
    walk.go_on(walk.terms.request)
    assert (await walk.next()).name == FIRST


async def test_the_waiting_attempts_of_a_request_cost_no_more_than_it_may(walk_of, clock) -> None:
    """A reset connection may be billed, so each is booked at its bound."""
    walk = walk_of(model=FIRST, max_cost_nusd=20_000_000)
    shut(walk, "openrouter")
    sent = await fail_all(walk, clock, Failure(FailureKind.DISCONNECTED))
    assert len(sent) == 2 == 20_000_000 // walk.terms.plan.asked[0].bound_nusd
    assert walk.spent_nusd <= 20_000_000


async def test_what_was_never_worth_a_wait_is_not_waited_for(walk_of, clock) -> None:
    walk = walk_of(model=FIRST)
    shut(walk, "openrouter")
    sent = await fail_all(walk, clock, Failure(FailureKind.UNAUTHORIZED, 401))
    assert [name for name, _ in sent] == [FIRST]


async def test_a_profile_without_retries_asks_nobody_twice(walk_of, clock) -> None:
    changes = {"retry_profiles": {"interactive": {"attempts_per_deployment": 1}}}
    walk = walk_of(changes, model=FIRST)
    shut(walk, "openrouter")
    assert len(await fail_all(walk, clock, Failure(FailureKind.SERVER_ERROR, 500))) == 1


def shut(walk: Walk, provider: str) -> None:
    """Open the circuit of a provider."""
    for _ in range(3):
        walk._state.health.observe(provider, healthy=False)
