"""A way along a plan admits, waits, books and gives up as its plan and profile say; no provider is needed for that."""

import asyncio
import logging

import pytest

from orchestrator.core.errors import (
    BudgetExceededError,
    DeadlineExceededError,
    OrchestratorError,
    RejectedByProviderError,
)
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.money import NanoUsd
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import CostSource, Delta, Outcome, ToolCallDelta, Usage
from orchestrator.dispatch.attempt import InFlightAttempt, NotAdmittedError
from orchestrator.dispatch.cursor import Cursor
from orchestrator.dispatch.dispatch_request import DispatchRequest
from orchestrator.dispatch.history import DispatchHistory
from orchestrator.dispatch.outcome import failure_error
from orchestrator.dispatch.services import Services

FIRST, SECOND = "openrouter/gpt-6.1-sol", "openrouter/claude-sonnet-5.5"


class Way(Cursor):
    """A cursor with its books at hand; what it admits is sent and ended by the test."""

    def __init__(self, dispatch: DispatchRequest, services: Services) -> None:
        self.dispatch = dispatch
        super().__init__(dispatch, services=services, history=DispatchHistory())

    def error(self) -> OrchestratorError:
        if self.refusal is not None and not self.history.attempts:
            return self.refusal
        return failure_error(self.history, failure=self.failure, advice=self.exclusions.advice(()))


def send(attempt: InFlightAttempt | None) -> InFlightAttempt:
    """Send an attempt as a transport does."""
    assert attempt is not None
    attempt.start()
    attempt.mark_sent()
    return attempt


@pytest.fixture
def way_of(dispatch_of):
    """Make ways along plans of the shipped configuration."""

    def make(changes=None, **wanted) -> Way:
        return Way(*dispatch_of(changes, **wanted))

    return make


async def held(way: Way) -> int:
    """Return what is held when this turn of the loop is over: its bookings are written together."""
    await asyncio.sleep(0)
    day = [row for row in way.services.ledger.budget_status() if row.scope == "all" and row.window == "day"]
    return day[0].held


def answer(cost: int | None = 1_000) -> ProviderAnswer:
    usage = Usage(input_tokens=10, output_tokens=5)
    return ProviderAnswer("Chào", (), "stop", usage, None if cost is None else NanoUsd(cost), "gen-1")


async def test_money_is_held_from_the_admission_to_the_settlement(way_of) -> None:
    way = way_of()
    attempt = await way.next()
    assert attempt is not None
    assert await held(way) == attempt.target.candidate.bound_nusd
    send(attempt)
    way.current.succeed(answer())
    assert await held(way) == 0
    assert way.history.spent_nusd == 1_000


async def test_an_attempt_is_sent_once(way_of) -> None:
    """Its money is held for one send."""
    attempt = send(await way_of().next())
    with pytest.raises(NotAdmittedError):
        attempt.start()


async def test_an_attempt_that_has_ended_is_not_booked_again(way_of) -> None:
    way = way_of()
    attempt = send(await way.next())
    attempt.fail(Failure(FailureKind.UNAVAILABLE, 503))
    attempt.fail(Failure(FailureKind.TIMEOUT))
    assert [booked.failure for booked in way.history.attempts] == ["unavailable"]


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        (FailureKind.BAD_REQUEST, logging.INFO),
        (FailureKind.CONTENT_FILTERED, logging.INFO),
        (FailureKind.CANCELLED, logging.INFO),
        (FailureKind.RATE_LIMITED, logging.WARNING),
        (FailureKind.UNAVAILABLE, logging.WARNING),
        (FailureKind.UNAUTHORIZED, logging.WARNING),
    ],
)
async def test_what_a_request_brings_with_it_warns_nobody(way_of, caplog, kind, level) -> None:
    """A caller's mistake in a loop would fill the log of warnings for hours."""
    attempt = send(await way_of().next())
    with caplog.at_level(logging.INFO, logger="orchestrator.dispatch"):
        attempt.fail(Failure(kind))
    assert [r.levelno for r in caplog.records if "attempt failed" in r.getMessage()] == [level]


async def test_a_fallback_is_immediate_and_the_following_ones_wait(way_of, clock) -> None:
    """G07, then G04: at once, then 100, 200, 400 ms, each stretched by at most the jitter."""
    way = way_of()
    waits = []
    while True:
        before_s = clock.monotonic_s()
        attempt = await way.next()
        if attempt is None:
            break
        waits.append(clock.monotonic_s() - before_s)
        send(attempt)
        way.current.fail(Failure(FailureKind.UNAVAILABLE, 503))
    assert waits[:2] == [0, 0]
    for waited_s, planned_s in zip(waits[2:], (0.1, 0.2, 0.4, 0.8), strict=False):
        assert planned_s <= waited_s <= planned_s * 1.2 + 1e-9


async def test_the_background_profile_tries_three_times_at_one_and_two_seconds(way_of, clock) -> None:
    """G06, for what nobody waits for."""
    way = way_of(profile="background")
    for planned_s in (0, 1, 2):
        before_s = clock.monotonic_s()
        attempt = await way.next()
        assert attempt is not None
        assert attempt.name == FIRST
        assert planned_s <= clock.monotonic_s() - before_s <= planned_s * 1.2 + 1e-9
        send(attempt)
        way.current.fail(Failure(FailureKind.UNAVAILABLE, 503))
    following = await way.next()
    assert following is not None
    assert following.name == SECOND


async def test_a_retry_comes_before_the_next_deployment(way_of) -> None:
    """A transport must not skip the retry by going on."""
    way = way_of()
    send(await way.next()).fail(Failure(FailureKind.SERVER_ERROR, 500))
    assert not await way.admit(SECOND)
    retry = send(await way.next())
    assert retry.name == FIRST
    retry.fail(Failure(FailureKind.SERVER_ERROR, 500))
    assert await way.admit(SECOND)


async def test_no_other_is_admitted_beside_an_attempt_that_has_not_ended(way_of) -> None:
    """Else its money would stay held, and nobody could end it."""
    way = way_of()
    attempt = send(await way.next())
    assert not await way.admit(SECOND)
    attempt.fail(Failure(FailureKind.UNAVAILABLE, 503))
    assert await way.admit(SECOND)


async def test_a_booking_that_breaks_is_not_made_a_second_time(way_of, monkeypatch) -> None:
    """Something that no ledger error is, such as the log handler of the program around us."""
    way = way_of()
    attempt = send(await way.next())
    booked = []

    def settle(hold, row):
        booked.append(row)
        raise OverflowError

    monkeypatch.setattr(way.services.ledger, "settle_deferred", settle)
    with pytest.raises(OverflowError):
        attempt.succeed(answer())
    attempt.fail(Failure(FailureKind.CANCELLED))
    assert [row.outcome for row in booked] == [Outcome.SUCCEEDED]
    assert way.current is None


async def test_what_comes_of_an_ended_attempt_reaches_no_reader(way_of) -> None:
    way = way_of(stream=True)
    attempt = send(await way.next())
    attempt.fail(Failure(FailureKind.TIMEOUT))
    attempt.begin_stream()
    attempt.receive(Delta("too late"))
    assert way.stream_began is False


async def test_after_a_stream_that_began_no_other_deployment_is_admitted(way_of) -> None:
    """Only the dispatcher, which reads the stream, knows what has arrived."""
    way = way_of(stream=True)
    attempt = send(await way.next())
    attempt.begin_stream()
    attempt.fail(Failure(FailureKind.INTERRUPTED))
    assert not await way.admit(SECOND)
    assert (await way.next()).name == SECOND


@pytest.mark.parametrize(
    ("kind", "cost_is_bound"),
    [(FailureKind.UNAVAILABLE, False), (FailureKind.RATE_LIMITED, False), (FailureKind.TIMEOUT, True)],
)
async def test_a_failed_attempt_costs_nothing_or_its_whole_bound(way_of, kind, cost_is_bound) -> None:
    """What nobody can say is booked on the safe side, and marked."""
    way = way_of()
    attempt = await way.next()
    send(attempt)
    way.current.fail(Failure(kind))
    booked = way.history.attempts[0]
    assert booked.cost_nusd == (attempt.target.candidate.bound_nusd if cost_is_bound else 0)
    assert booked.cost_source is (CostSource.BOUND if cost_is_bound else CostSource.NONE)
    assert await held(way) == 0


@pytest.mark.parametrize("kind", [FailureKind.INTERRUPTED, FailureKind.UNAVAILABLE, FailureKind.MALFORMED])
@pytest.mark.parametrize(
    "piece", [Delta("Chào chị, đơn hàng "), Delta(tool_calls=(ToolCallDelta(0, "a", "find", '{"id"'),))]
)
async def test_a_broken_stream_is_booked_at_its_bound(way_of, kind, piece) -> None:
    """What arrived is no measure: thoughts are billed unseen, and so is what comes after a broken wire."""
    way = way_of(stream=True)
    attempt = await way.next()
    send(attempt)
    way.current.receive(piece)
    way.current.fail(Failure(kind))
    booked = way.history.attempts[0]
    assert booked.cost_source is CostSource.BOUND
    assert booked.cost_nusd == attempt.target.candidate.bound_nusd > 0
    assert booked.first_token_s is not None


async def test_an_attempt_that_was_never_sent_costs_nothing(way_of) -> None:
    """Cancelled between the admission and the send."""
    way = way_of()
    await way.next()
    way.current.fail(Failure(FailureKind.CANCELLED))
    assert (way.history.attempts[0].cost_nusd, way.history.attempts[0].outcome) == (0, Outcome.CANCELLED)
    assert await held(way) == 0


async def test_what_is_charged_beyond_the_reservation_is_booked_and_said(way_of, caplog) -> None:
    way = way_of()
    attempt = await way.next()
    send(attempt)
    way.current.succeed(answer(cost=attempt.target.candidate.bound_nusd + 1))
    assert way.history.spent_nusd == attempt.target.candidate.bound_nusd + 1
    assert any("excess is booked" in notice for notice in way.history.notices)
    assert "excess: request=a-request: openrouter/gpt-6.1-sol charged more than was held" in caplog.text


async def test_a_spent_budget_is_refused_and_the_emergency_model_is_not_asked(way_of) -> None:
    way = way_of({"budgets": {"limits": [{"scope": "all", "day": 0.000001}]}})
    assert await way.next() is None
    error = way.error()
    assert isinstance(error, BudgetExceededError)
    assert error.resets_at is not None
    assert await held(way) == 0


async def test_a_refusal_of_the_request_itself_ends_the_walk(way_of) -> None:
    way = way_of()
    send(await way.next())
    way.current.fail(Failure(FailureKind.BAD_REQUEST, 400))
    assert await way.next() is None
    assert isinstance(way.error(), RejectedByProviderError)


async def test_a_provider_at_its_rate_limit_is_passed_over(way_of) -> None:
    way = way_of({"providers": {"openrouter": {"requests_per_min": 1}}})
    send(await way.next())
    way.current.fail(Failure(FailureKind.UNAVAILABLE, 503))
    attempt = await way.next()
    assert attempt.target.deployment.provider_name == "google"
    (skipped,) = way.history.skipped[:1]
    assert skipped.reason == "1 requests a minute of openrouter used up, free in 60 s"


async def test_what_a_minute_holds_of_tokens_is_told_as_such(way_of) -> None:
    way = way_of({"providers": {"openrouter": {"tokens_per_min": 1_000}}})
    send(await way.next())
    way.current.fail(Failure(FailureKind.DISCONNECTED))
    while (attempt := await way.next()) is not None and attempt.name == FIRST:
        send(attempt).fail(Failure(FailureKind.DISCONNECTED))
    assert "1,000 tokens a minute of openrouter used up, free in" in way.history.skipped[0].reason


async def test_the_emergency_model_is_kept_for_outages_and_not_for_limits_of_our_own(way_of) -> None:
    """The request waits for its place in line, and where that is too late it is told when to come back."""
    way = way_of(
        {"providers": {name: {"requests_per_min": 1} for name in ("openrouter", "google", "openai")}},
        language="en",
    )
    for name in ("openrouter", "google", "openai"):
        for _ in range(2):
            way.services.rate_limiter.book(name, tokens=1, requests_per_min=1, tokens_per_min=1_000)
    assert await way.next() is None
    reasons = {one.deployment: one.reason for one in way.history.skipped}
    assert reasons["local/smollm2-135m-instruct"] == "kept for outages, and this is a limit of our own"
    assert way.room_in_s() == pytest.approx(120, abs=3)


async def test_with_every_circuit_closed_a_good_model_comes_back_before_the_emergency_model(way_of) -> None:
    """What failed once is most likely well again, and any of its answers is better."""
    way = way_of(language="en")
    names = []
    while (attempt := await way.next()) is not None and attempt.target.deployment.provider_name != "local":
        names.append(attempt.name)
        send(attempt).fail(Failure(FailureKind.UNAVAILABLE, 503))
    assert names.count(FIRST) > 1
    assert attempt is not None, "in an outage, which circuits tell by now, it is asked after all"
    assert not way.services.health.is_closed(FIRST, provider="openrouter")


async def test_when_only_a_rate_limit_stands_in_the_way_it_is_waited_for(way_of, clock) -> None:
    """Within the deadline the request waits rather than fails."""
    way = way_of(model=FIRST)
    way.services.rate_limiter.rest("openrouter", duration_s=20)
    before_s = clock.monotonic_s()
    attempt = await way.next()
    assert attempt.name == FIRST
    assert clock.monotonic_s() - before_s == pytest.approx(20, abs=0.1)


async def test_a_deployment_that_asked_for_a_rest_gets_it_and_is_waited_for(way_of, clock) -> None:
    """Longer than anybody waits for a circuit: a Retry-After says when it will answer."""
    way = way_of(model=FIRST)
    way.services.rate_limiter.rest(FIRST, duration_s=25)
    before_s = clock.monotonic_s()
    assert (await way.next()).name == FIRST
    assert clock.monotonic_s() - before_s == pytest.approx(25, abs=0.1)


@pytest.mark.parametrize(("usual_s", "passed_s"), [({}, 40), ({FIRST: 2.0, SECOND: 45.0}, 20)])
async def test_time_that_others_took_is_none_that_an_answer_needs(way_of, clock, usual_s, passed_s) -> None:
    """Twenty seconds are left for a rest of one, and neither slow models nor unknown ones are in the way."""
    before = way_of({"local_model": {"enabled": False}})
    health = before.services.health
    for name, latency_s in usual_s.items():
        health.succeed(health.admit(name, provider="openrouter"), latency_s=latency_s)
    way = Way(before.dispatch, before.services)
    for provider in ("openrouter", "google", "openai"):
        way.services.rate_limiter.rest(provider, duration_s=passed_s + 1)
    clock.advance(passed_s)
    assert (await way.next()).name == FIRST
    assert sum(clock.slept_s) == pytest.approx(1, abs=0.1)


async def test_a_full_minute_is_waited_for_where_it_was_when_that_is_short(way_of, clock) -> None:
    """`interactive` waits up to two seconds for its first choice before it asks the second."""
    way = way_of()
    way.services.rate_limiter.rest("openrouter", duration_s=1.5)
    attempt = await way.next()
    assert attempt.name == FIRST
    assert clock.slept_s == [pytest.approx(1.5)]


async def test_nothing_is_sent_when_the_deadline_is_over(way_of, clock) -> None:
    way = way_of()
    clock.advance(60)
    assert await way.next() is None
    assert isinstance(way.error(), DeadlineExceededError)
    assert "no time left" in str(way.error())


async def fail_all(way: Way, clock, failure: Failure) -> list[tuple[str, float]]:
    """Fail every attempt of a way; return which step was sent, and when."""
    began_s, sent = clock.monotonic_s(), []
    while (attempt := await way.next()) is not None:
        sent.append((attempt.name, clock.monotonic_s() - began_s))
        send(attempt)
        way.current.fail(failure)
    return sent


async def test_in_an_outage_a_provider_is_asked_after_one_two_and_four_seconds(way_of, clock) -> None:
    """And as its patience of ten ends. One attempt each time, whatever the profile says of retries."""
    way = way_of(model=FIRST)
    shut(way, "openrouter")
    sent = await fail_all(way, clock, Failure(FailureKind.SERVER_ERROR, 500))
    assert sent == [(FIRST, pytest.approx(at_s)) for at_s in (1, 1 + 2, 1 + 2 + 4, 10)]


async def test_in_an_outage_of_everybody_a_request_sends_a_bounded_number(way_of, clock) -> None:
    """Four come-backs for each of three providers, beside the one pass through the plan."""
    way = way_of({"local_model": {"enabled": False}})
    sent = await fail_all(way, clock, Failure(FailureKind.SERVER_ERROR, 500))
    places = {name: [one for one, _ in sent].count(name) for name, _ in sent}
    assert len(sent) <= 2 * len(way.dispatch.plan.asked) + 4 * 3
    assert max(places.values()) <= 2 + 4
    assert sent[-1][1] < 12


async def test_a_failure_of_everybody_with_every_circuit_closed_is_told_at_once(way_of, clock) -> None:
    way = way_of({"local_model": {"enabled": False}})
    sent = await fail_all(way, clock, Failure(FailureKind.RATE_LIMITED, 429, retry_after_s=25))
    assert len({name for name, _ in sent}) == len(sent) == len(way.dispatch.plan.asked)
    assert sent[-1][1] < 5


@pytest.mark.parametrize(("usual_s", "is_asked_again"), [(0.5, True), (4.0, False)])
async def test_a_rest_that_was_asked_for_is_waited_for_where_the_usual_time_is_left_behind_it(
    way_of, clock, usual_s, is_asked_again
) -> None:
    """Six seconds are left, and four to wait: an answer in half a second comes in time."""
    way = way_of(model=FIRST)
    health = way.services.health
    health.succeed(health.admit(FIRST, provider="openrouter"), latency_s=usual_s)
    clock.advance(54)
    send(await way.next()).fail(Failure(FailureKind.RATE_LIMITED, 429, retry_after_s=4))
    again = await way.next()
    assert (again is not None) is is_asked_again
    assert sum(clock.slept_s) == pytest.approx(4 if is_asked_again else 0, abs=0.1)


@pytest.mark.parametrize(("usual_s", "is_closed"), [(0.5, False), (3.0, True), (None, True)])
async def test_three_silences_open_a_circuit_where_they_are_unusually_long(
    dispatch_of, clock, usual_s, is_closed
) -> None:
    """Callers with short deadlines meet the same silent provider, and each of them would wait for it anew."""
    dispatch, services = dispatch_of(model=FIRST)
    if usual_s is not None:
        services.health.succeed(services.health.admit(FIRST, provider="openrouter"), latency_s=usual_s)
    for _ in range(3):
        attempt = send(await Way(dispatch, services).next())
        clock.advance(6)
        attempt.fail(Failure(FailureKind.TIMEOUT))
    assert services.health.is_closed(FIRST, provider="openrouter") is is_closed


@pytest.mark.parametrize("answers", [False, True])
async def test_who_has_never_answered_is_silent_when_all_who_asked_have_waited_for_its_limit(
    dispatch_of, clock, answers
) -> None:
    """No caller of six seconds opened its circuit, and each waited for it; the limit is fifteen."""
    dispatch, services = dispatch_of(model=FIRST)
    for number in range(5):
        attempt = send(await Way(dispatch, services).next())
        clock.advance(6)
        attempt.fail(Failure(FailureKind.TIMEOUT))
        if answers and number == 1:
            services.health.succeed(services.health.admit(FIRST, provider="openrouter"), latency_s=6.0)
    assert services.health.is_closed(FIRST, provider="openrouter") is answers


async def test_a_circuit_that_may_be_probed_now_is_an_outage_too(way_of, clock) -> None:
    """It opened two seconds ago, so an early probe may pass at once; it is no reason to give up."""
    way = way_of(model=FIRST)
    send(await way.next())
    shut(way, "openrouter")
    clock.advance(2)
    way.current.fail(Failure(FailureKind.TIMEOUT))
    assert (await way.next()).name == FIRST


async def test_who_has_an_older_answer_at_hand_sits_out_no_outage(way_of, clock) -> None:
    way = way_of(older_answer=True, model=FIRST)
    shut(way, "openrouter")
    assert await way.next() is None
    assert clock.slept_s == []


async def test_a_begun_answer_is_waited_for_though_there_is_an_older_one(way_of, clock) -> None:
    """The reader has words that no older answer can take back."""
    way = way_of(older_answer=True, model=FIRST, stream=True)
    send(await way.next())
    way.current.receive(Delta("Đơn hàng của "))
    shut(way, "openrouter")
    way.current.fail(Failure(FailureKind.INTERRUPTED))
    way.continue_with(way.dispatch.request)
    assert (await way.next()).name == FIRST


async def test_the_waiting_attempts_of_a_request_cost_no_more_than_it_may(way_of, clock) -> None:
    """A reset connection may be billed, so each is booked at its bound."""
    way = way_of(model=FIRST, max_cost_nusd=20_000_000)
    shut(way, "openrouter")
    sent = await fail_all(way, clock, Failure(FailureKind.DISCONNECTED))
    assert len(sent) == 2 == 20_000_000 // way.dispatch.plan.asked[0].bound_nusd
    assert way.history.spent_nusd <= 20_000_000


async def test_what_was_never_worth_a_wait_is_not_waited_for(way_of, clock) -> None:
    way = way_of(model=FIRST)
    shut(way, "openrouter")
    sent = await fail_all(way, clock, Failure(FailureKind.UNAUTHORIZED, 401))
    assert [name for name, _ in sent] == [FIRST]


async def test_a_profile_without_retries_asks_nobody_twice(way_of, clock) -> None:
    changes = {"retry_profiles": {"interactive": {"attempts_per_deployment": 1}}}
    way = way_of(changes, model=FIRST)
    shut(way, "openrouter")
    assert len(await fail_all(way, clock, Failure(FailureKind.SERVER_ERROR, 500))) == 1


def shut(way: Way, provider: str) -> None:
    """Open the circuit of a provider."""
    for _ in range(3):
        way.services.health.observe(provider, healthy=False)
