"""An outage costs a few requests a moment, one probe finds its end, and the primary is back within seconds."""

import asyncio
import threading
import time

import pytest

from orchestrator import CacheUse, Orchestrator
from orchestrator.core.deadline import STOOD_STILL_S
from orchestrator.core.errors import (
    AllProvidersFailedError,
    DeadlineExceededError,
    RejectedByProviderError,
    UnavailableError,
)
from orchestrator.core.failures import HealthScope
from orchestrator.practice import PracticeServer
from orchestrator.resilience.circuit_breaker import CircuitState

PRIMARY = "openrouter/gpt-6.1-sol"
LONG_S = 300
"""A hundred requests at once take a busy machine longer than a provider has by config.yaml."""
UNHURRIED = {
    "providers": {
        name: {"timeout_s": LONG_S, "first_token_timeout_s": LONG_S, "stall_timeout_s": LONG_S}
        for name in ("openrouter", "google", "openai")
    }
}
QUICK = {"circuit_breaker": {"open_s": 1.5, "max_open_s": 1.5}}


def ask(orchestrator: Orchestrator, prompt: str = "Xin chào", **wanted):
    return orchestrator.complete(prompt, cache=CacheUse.OFF, max_tokens=20, **wanted)


def sent_to(practice: PracticeServer, provider: str) -> int:
    return sum(one.provider == provider for one in practice.requests)


def many(orchestrator: Orchestrator, count: int, **wanted) -> list:
    async def at_once() -> list:
        calls = [
            orchestrator.acomplete(f"Câu {number}", cache=CacheUse.OFF, max_tokens=20, **wanted)
            for number in range(count)
        ]
        return await asyncio.gather(*calls, return_exceptions=True)

    return asyncio.run(at_once())


def break_openrouter(orchestrator: Orchestrator, practice: PracticeServer) -> None:
    practice.faults.add("openrouter:status=401")
    ask(orchestrator)
    assert orchestrator.health.provider_circuit("openrouter") is CircuitState.OPEN


def test_of_a_hundred_requests_at_the_moment_it_half_opens_one_is_the_probe(
    make_orchestrator, practice, clock
) -> None:
    """The other ninety-nine are answered elsewhere, and not one waits for the probe."""
    orchestrator = make_orchestrator(UNHURRIED, clock=clock)
    orchestrator.warm_up()
    break_openrouter(orchestrator, practice)
    before = sent_to(practice, "openrouter")
    clock.advance(5)
    replies = many(orchestrator, 100, deadline_s=2 * LONG_S)
    assert sent_to(practice, "openrouter") == before + 1
    assert {one.provider for one in replies} == {"google"}


def test_when_the_provider_is_well_again_the_next_request_finds_out_and_all_others_follow(
    make_orchestrator, practice, clock
) -> None:
    orchestrator = make_orchestrator(clock=clock)
    break_openrouter(orchestrator, practice)
    assert ask(orchestrator).provider == "google"
    practice.faults.clear()
    clock.advance(5)
    assert ask(orchestrator).deployment == PRIMARY
    assert {one.deployment for one in many(orchestrator, 20)} == {PRIMARY}


def test_a_dead_provider_is_skipped_as_a_whole_after_two_requests(practised, practice) -> None:
    """Not one after the other of its deployments, by every plan, for as long as the outage lasts."""
    practice.faults.add("openrouter:status=503")
    for number in range(2):
        ask(practised, f"Câu {number}")
    before = sent_to(practice, "openrouter")
    reply = ask(practised, "Câu 3")
    assert sent_to(practice, "openrouter") == before
    assert [one.provider for one in reply.attempts] == ["google"]
    assert "circuit of its whole provider open" in str(reply.degraded)


def test_one_models_404_leaves_the_other_models_of_its_provider_alone(practised, practice) -> None:
    practice.faults.add("openrouter:status=404,model=openai/gpt-6.1-sol")
    replies = [ask(practised, f"Câu {number}") for number in range(6)]
    assert {one.deployment for one in replies} == {"openrouter/claude-sonnet-5.5"}
    assert practised.circuits()[PRIMARY] is CircuitState.OPEN
    assert practised.health.provider_circuit("openrouter") is CircuitState.CLOSED


def test_whom_nobody_else_can_serve_waits_for_the_circuit(make_orchestrator, practice) -> None:
    """A model asked for by name whose provider has just recovered: an answer, and no refusal."""
    orchestrator = make_orchestrator({"local_model": {"enabled": False}, **QUICK})
    break_openrouter(orchestrator, practice)
    practice.faults.clear()
    assert ask(orchestrator, model=PRIMARY).deployment == PRIMARY


def test_a_total_outage_ends_in_one_clear_error_and_a_bounded_load(
    make_orchestrator, practice, clock
) -> None:
    """Fifty requests that cannot wait for a circuit, while everybody is down: a few attempts, then none."""
    orchestrator = make_orchestrator(
        {
            "local_model": {"enabled": False},
            "circuit_breaker": {"open_s": 600, "max_open_s": 600, "alone_open_s": 600},
        },
        clock=clock,
    )
    practice.faults.add("*:status=500")
    for number in range(50):
        with pytest.raises(AllProvidersFailedError, match=r"circuit|server_error"):
            ask(orchestrator, f"Câu {number}")
    assert len(practice.requests) <= 20


def test_when_all_providers_ask_for_a_rest_the_caller_is_told_how_long(make_orchestrator, practice) -> None:
    orchestrator = make_orchestrator({"local_model": {"enabled": False}})
    practice.faults.add("*:status=429,retry_after_s=120")
    with pytest.raises(AllProvidersFailedError, match="ask again in 1[12][0-9] s") as caught:
        ask(orchestrator)
    assert 100 < caught.value.retry_after_s <= 120
    practice.faults.clear()
    with pytest.raises(AllProvidersFailedError, match="ask again in 1[12][0-9] s"):
        ask(orchestrator)


def test_an_outage_of_everybody_that_ends_in_time_is_not_seen_by_the_caller(
    make_orchestrator, practice
) -> None:
    """Though the request saw each of them fail, and no circuit is due for five seconds."""
    orchestrator = make_orchestrator({"local_model": {"enabled": False}})
    orchestrator.warm_up()
    practice.faults.add("*:status=500")
    outage_s = 4.0

    def end_the_outage() -> None:
        while len({one.provider for one in practice.requests}) < 3:
            time.sleep(0.01)
        time.sleep(outage_s)
        practice.faults.clear()

    outage = threading.Thread(target=end_the_outage)
    outage.start()
    reply = ask(orchestrator, deadline_s=60)
    outage.join()
    assert len({one.provider for one in reply.attempts if one.failure}) == 3
    assert reply.text
    assert reply.latency_s > outage_s, "its first way through the plan was over before"


def test_fifty_who_wait_for_the_end_of_an_outage_probe_one_at_a_time(make_orchestrator, practice) -> None:
    orchestrator = make_orchestrator({"local_model": {"enabled": False}})
    orchestrator.warm_up()
    practice.faults.add("*:status=401")
    while {*orchestrator.health.provider_circuits().values()} != {CircuitState.OPEN}:
        with pytest.raises(UnavailableError):
            ask(orchestrator, deadline_s=1)
    practice.faults.clear()
    practice.faults.add("*:status=503")
    before = len(practice.requests)
    replies = many(orchestrator, 50, deadline_s=8.5)
    assert all(isinstance(one, UnavailableError) for one in replies)
    # One a second, which is `alone_open_s`.
    providers, rounds = 3, 9
    assert providers <= len(practice.requests) - before <= providers * rounds


def test_a_key_that_never_worked_is_told_when_nobody_else_can_answer(make_orchestrator, practice) -> None:
    """D7: a configuration error, and no outage to wait for."""
    orchestrator = make_orchestrator({"local_model": {"enabled": False}})
    practice.faults.add("*:status=401")
    with pytest.raises(AllProvidersFailedError, match=r"never worked .*providers\.openrouter\.api_key"):
        ask(orchestrator)


def test_a_key_that_worked_before_is_an_outage(practised, practice) -> None:
    """D7: others answer, nobody asks again and again, and it is back as soon as it is taken again."""
    assert ask(practised).deployment == PRIMARY
    practice.faults.add("openrouter:status=401")
    assert [ask(practised, f"Câu {number}").provider for number in range(4)] == ["google"] * 4
    assert sent_to(practice, "openrouter") <= 1 + 3


def test_a_filtered_request_is_not_put_to_the_same_model_again(make_orchestrator, practice) -> None:
    """And when every model blocks it, the caller is told why."""
    others = {"use_cases": {"customer_service": {"on_filtered": "next_model"}}}
    orchestrator = make_orchestrator({"local_model": {"enabled": False}} | others)
    practice.faults.add("*:status=400,reason=content_filter")
    with pytest.raises(RejectedByProviderError, match="content filter"):
        ask(orchestrator)
    models = [one.model.rpartition("/")[2] for one in practice.requests]
    assert len(models) == len(set(models))
    assert models.count("gpt-6.1-sol") == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("status", [400, 403])
def test_a_filter_ends_the_search_unless_the_use_case_says_otherwise(
    make_orchestrator, practice, status: int, stream: bool
) -> None:
    """The caller is told whose filter it was and what to do, also after another failure."""
    orchestrator = make_orchestrator()
    practice.faults.add(
        "openrouter:status=503,model=openai/gpt-6.1-sol",
        f"openrouter:status={status},reason=content_filter,model=anthropic/claude-sonnet-5.5",
    )
    with pytest.raises(
        RejectedByProviderError, match="content filter of openrouter/claude-sonnet-5.5 blocked"
    ):
        if stream:
            list(orchestrator.stream("Xin chào", cache=CacheUse.OFF))
        else:
            ask(orchestrator)
    asked = [one.model for one in practice.requests]
    assert set(asked) == {"openai/gpt-6.1-sol", "anthropic/claude-sonnet-5.5"}
    assert orchestrator.health.provider_circuit("openrouter") is CircuitState.CLOSED


def test_where_another_model_may_answer_the_reply_says_why_it_did(make_orchestrator, practice) -> None:
    orchestrator = make_orchestrator({"use_cases": {"customer_service": {"on_filtered": "next_model"}}})
    practice.faults.add("openrouter:status=403,reason=content_filter,model=openai/gpt-6.1-sol")
    reply = ask(orchestrator)
    assert (reply.deployment, reply.attempts[0].failure) == (
        "openrouter/claude-sonnet-5.5",
        "content_filtered",
    )
    assert str(reply.degraded) == "openrouter/gpt-6.1-sol content_filtered"


def test_what_is_seldom_available_is_asked_when_all_others_failed(make_orchestrator, practice, clock) -> None:
    """Before the emergency model: an answer of a deployment at 80 % is better than one of a tiny model."""
    orchestrator = make_orchestrator({"routing": {"min_samples": 5}}, clock=clock)
    for number in range(30):
        clock.advance(5)
        leave = orchestrator.health.admit(PRIMARY, provider="openrouter")
        if number % 5 == 0:
            orchestrator.health.fail(leave, health_scope=HealthScope.DEPLOYMENT)
        else:
            orchestrator.health.succeed(leave, latency_s=0.1)
    plan = orchestrator.explain("Xin chào")
    assert PRIMARY in {one.deployment for one in plan.excluded}
    assert [one.deployment for one in plan.reserve] == [PRIMARY]
    assert ask(orchestrator).deployment == "openrouter/claude-sonnet-5.5"
    practice.faults.add("openrouter:status=404,model=anthropic/claude-sonnet-5.5")
    practice.faults.add("openrouter:status=404,model=openai/gpt-6-luna")
    practice.faults.add("openrouter:status=404,model=qwen/qwen3.5-397b-a17b")
    practice.faults.add("google:status=404")
    practice.faults.add("openai:status=404")
    assert ask(orchestrator).provider == "openrouter"
    clock.advance(601)
    assert orchestrator.explain("Xin chào").candidates[0].deployment == PRIMARY, "the window has run out"


def test_a_local_server_that_is_not_there_is_named_once_with_what_to_look_at(make_orchestrator) -> None:
    """It was asked four times; that is for the ledger."""
    nobody = {"local_model": {"base_url": "http://127.0.0.1:9/v1"}}
    keys = dict.fromkeys(("OPENROUTER_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"), "")
    orchestrator = make_orchestrator(nobody, **keys)
    with pytest.raises(
        AllProvidersFailedError, match="'orchestrator doctor' says whether its server runs"
    ) as caught:
        ask(orchestrator, "Where is my parcel?", deadline_s=3)
    assert str(caught.value).count("unreachable") == 1
    assert len([step for step in caught.value.steps if step.failure == "unreachable"]) > 1


def test_a_process_that_stood_still_takes_no_provider_for_ill(make_orchestrator, practice) -> None:
    """Three requests under way are over when it goes on, and nothing is known of the provider."""
    quick = {"timeout_s": 1, "first_token_timeout_s": 1, "stall_timeout_s": 1}
    orchestrator = make_orchestrator({"local_model": {"enabled": False}, "providers": {"openrouter": quick}})
    orchestrator.warm_up()
    practice.faults.add("*:silence")

    async def stand_still() -> None:
        while len(practice.requests) < 3:  # noqa: ASYNC110 -- they come to another thread
            await asyncio.sleep(0.001)
        time.sleep(0.8 + STOOD_STILL_S)  # noqa: ASYNC251 -- as above

    standing = orchestrator.begin(stand_still())
    ended = many(orchestrator, 3, model=PRIMARY, deadline_s=0.7)
    standing.future.result()
    assert {type(one) for one in ended} == {DeadlineExceededError}
    assert orchestrator.circuits().get(PRIMARY, CircuitState.CLOSED) is CircuitState.CLOSED
    practice.faults.clear()
    assert ask(orchestrator, model=PRIMARY).deployment == PRIMARY


ALONE = {"model": "openai/gpt-6.1-sol", "deadline_s": 5}


def test_who_is_alone_and_silent_for_a_while_is_asked_again(make_orchestrator, practice) -> None:
    """Its answers take milliseconds: half of the deadline without one is no slow answer."""
    orchestrator = make_orchestrator({"retry_profiles": {"interactive": {"min_turn_s": 0.2}}})
    ask(orchestrator, **ALONE)
    practice.faults.add("openai:silence,times=1")
    reply = ask(orchestrator, "Alo", **ALONE)
    assert [attempt.failure for attempt in reply.attempts] == ["timeout", None]
    assert reply.attempts[0].latency_s >= ALONE["deadline_s"] / 2 - 0.2


@pytest.mark.parametrize(
    ("profile", "is_known"),
    [({}, False), ({"attempts_per_deployment": 1}, True), ({"max_recovery_wait_s": 0}, True)],
    ids=str,
)
def test_it_has_the_whole_deadline_where_nobody_would_ask_it_again_or_nothing_is_known_of_it(
    make_orchestrator, practice, profile, is_known
) -> None:
    orchestrator = make_orchestrator({"retry_profiles": {"interactive": {"min_turn_s": 0.2, **profile}}})
    if is_known:
        ask(orchestrator, **ALONE)
    practice.faults.add("openai:slow_first_token=3,times=1")
    reply = ask(orchestrator, "Alo", **ALONE)
    assert [attempt.failure for attempt in reply.attempts] == [None]
