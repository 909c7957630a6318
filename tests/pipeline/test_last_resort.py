"""When nobody answers: an older answer that says so, the emergency model, an apology; in this order."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator import CacheState, CacheUse, Orchestrator
from orchestrator.core.errors import (
    AllProvidersFailedError,
    BudgetExceededError,
    DeadlineExceededError,
    RejectedByProviderError,
    StreamInterruptedError,
    UnavailableError,
)
from orchestrator.core.plan import ReasonKind
from orchestrator.core.reply import DegradationKind
from orchestrator.practice import Fault, PracticeServer

QUESTION = "Cửa hàng mở cửa lúc mấy giờ?"
IN_ENGLISH = "When does the shop open?"
"""The emergency model is asked in English alone."""
NO_LOCAL = {"local_model": {"enabled": False}}
HOUR_S = 3_600.0
LATE_S = 3.0
LOCAL = "local/smollm2-135m-instruct"


def booked(orchestrator: Orchestrator, request_id: str | None) -> tuple[str, str, str | None]:
    """Outcome, cached and error of a request."""
    path = Path(orchestrator.config.settings.ledger.path)
    query = "SELECT outcome, cached, error FROM operations WHERE id = ?"
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, (request_id,)).fetchone()


@pytest.fixture
def make(make_orchestrator, clock):
    """Make orchestrators without the local model, on our clock."""

    def made(changes=None) -> Orchestrator:
        return make_orchestrator({**NO_LOCAL, **(changes or {})}, clock=clock)

    return made


def all_down(practice: PracticeServer) -> None:
    practice.faults.add(Fault.parse("*:status=503"))


def test_an_older_answer_is_given_marked_when_nobody_answers(make, clock, practice: PracticeServer) -> None:
    orchestrator = make()
    first = orchestrator.complete(QUESTION, tenant="acme")
    clock.advance(3 * HOUR_S)
    all_down(practice)
    reply = orchestrator.complete(QUESTION, tenant="acme")
    assert (reply.text, reply.deployment) == (first.text, first.deployment)
    assert reply.cached is CacheState.STALE
    assert reply.degraded is not None
    assert reply.degraded.kinds == (DegradationKind.OLDER_ANSWER,)
    assert "3 hours ago" in str(reply.degraded)
    assert "openai/gpt-6.1-sol: unavailable" in str(reply.degraded)
    assert not reply.apology
    assert reply.request_id != first.request_id
    # The six of the plan, and two that were ready to be asked again without a wait.
    assert len(reply.attempts) == 8
    assert reply.cost_nusd == sum(one.cost_nusd for one in reply.attempts)
    assert booked(orchestrator, reply.request_id) == ("succeeded", "stale", None)


def test_an_older_answer_is_never_given_while_anybody_answers(make, clock, practice: PracticeServer) -> None:
    """Nor is it kept anew: the next outage tells its true age."""
    orchestrator = make()
    orchestrator.complete(QUESTION)
    clock.advance(HOUR_S)
    practice.faults.add(Fault.parse("openrouter:status=503"))
    assert orchestrator.complete(QUESTION).cached is CacheState.MISS
    clock.advance(HOUR_S)
    all_down(practice)
    for _ in range(2):
        assert "2 hours ago" in str(orchestrator.complete(QUESTION).degraded)


def test_a_fresh_answer_is_a_hit_up_to_its_last_second(make, clock, practice: PracticeServer) -> None:
    orchestrator = make()
    orchestrator.complete(QUESTION)
    clock.advance(HOUR_S - 1)
    assert orchestrator.complete(QUESTION).cached is CacheState.HIT
    clock.advance(1)
    assert orchestrator.complete(QUESTION).cached is CacheState.MISS


@pytest.mark.parametrize(
    ("changes", "wanted", "later_s"),
    [
        ({}, {"tenant": "globex"}, 2 * HOUR_S),
        ({}, {"cache": CacheUse.OFF}, 2 * HOUR_S),
        ({}, {"cache": CacheUse.REFRESH}, 2 * HOUR_S),
        ({}, {}, 8 * 24 * HOUR_S),
        ({"cache": {"stale_s": 0}}, {}, 2 * HOUR_S),
        ({"use_cases": {"customer_service": {"never_degrade": True}}}, {}, 2 * HOUR_S),
    ],
    ids=["another tenant", "cache off", "refresh", "too old", "switched off", "never degrades"],
)
def test_who_may_not_have_an_older_answer_gets_the_error(
    make, clock, practice: PracticeServer, changes, wanted, later_s
) -> None:
    orchestrator = make(changes)
    orchestrator.complete(QUESTION, tenant="acme")
    clock.advance(later_s)
    all_down(practice)
    with pytest.raises(UnavailableError) as caught:
        orchestrator.complete(QUESTION, **{"tenant": "acme", **wanted})
    assert caught.value.request_id
    assert booked(orchestrator, caught.value.request_id)[0] == "failed"


def test_a_stream_gets_the_older_answer_too(make, clock, practice: PracticeServer) -> None:
    orchestrator = make()
    first = orchestrator.complete(QUESTION)
    clock.advance(2 * HOUR_S)
    all_down(practice)
    stream = orchestrator.stream(QUESTION)
    assert "".join(delta.text for delta in stream) == first.text
    assert stream.reply.cached is CacheState.STALE


def test_the_older_answer_comes_before_the_emergency_model(
    make_orchestrator, clock, practice: PracticeServer
) -> None:
    """Its place in the plan is passed over, with the reason; asked for by name, it is asked."""
    orchestrator = make_orchestrator(
        {
            "local_model": {"base_url": "http://127.0.0.1:9/v1"},
            "retry_profiles": {"interactive": {"retry_on": []}},
        },
        clock=clock,
    )
    orchestrator.complete(IN_ENGLISH)
    clock.advance(2 * HOUR_S)
    all_down(practice)
    reply = orchestrator.complete(IN_ENGLISH)
    assert reply.cached is CacheState.STALE
    assert LOCAL not in {one.deployment for one in reply.attempts}
    assert f"{LOCAL}: an older answer in the cache comes before" in str(reply.degraded)
    with pytest.raises(AllProvidersFailedError, match=LOCAL):
        orchestrator.complete("Another question, please")


def test_the_emergency_model_finishes_a_stream_that_no_older_answer_can_replace(
    make_orchestrator, clock, practice: PracticeServer
) -> None:
    """Words that were read cannot be taken back for an older answer; the emergency model may go on with them."""
    orchestrator = make_orchestrator(
        {
            "local_model": {"base_url": practice.base_url("openai")},
            "retry_profiles": {"interactive": {"retry_on": []}},
        },
        clock=clock,
    )
    orchestrator.complete(IN_ENGLISH)
    clock.advance(2 * HOUR_S)
    practice.faults.add(Fault.parse("openrouter:cut_stream=12,times=1"))
    for others in ("openrouter:status=503", "google:status=503", "openai:status=503,model=gpt-6.1-sol"):
        practice.faults.add(Fault.parse(others))
    stream = orchestrator.stream(IN_ENGLISH)
    assert "".join(delta.text for delta in stream) == stream.reply.text
    assert stream.reply.deployment == LOCAL


def test_in_vietnamese_the_apology_comes_and_the_emergency_model_is_not_asked(
    make_orchestrator, practice: PracticeServer
) -> None:
    nobody = {"local_model": {"base_url": "http://127.0.0.1:9/v1"}}
    orchestrator = make_orchestrator({**nobody, "retry_profiles": {"interactive": {"retry_on": []}}})
    all_down(practice)
    reply = orchestrator.complete(QUESTION, graceful=True)
    assert reply.apology
    assert "Xin lỗi" in reply.text
    assert LOCAL not in {one.deployment for one in reply.attempts}
    with pytest.raises(AllProvidersFailedError, match=LOCAL):
        orchestrator.complete(IN_ENGLISH)


@pytest.mark.live
def test_without_an_older_answer_the_emergency_model_answers_except_where_it_may_not(
    make_orchestrator, practice: PracticeServer
) -> None:
    orchestrator = make_orchestrator({"use_cases": {"data_analysis": {"never_degrade": True}}})
    all_down(practice)
    # Its own deadline is for people; a busy machine may take longer.
    assert orchestrator.complete("Hello", max_tokens=8, graceful=True, deadline_s=240).deployment == LOCAL
    with pytest.raises(UnavailableError):
        orchestrator.complete("Hello", use_case="data_analysis", max_tokens=8, graceful=True, deadline_s=5)
    plan = orchestrator.explain("Hello", use_case="data_analysis")
    reason = next(one.reason for one in plan.excluded if one.deployment == LOCAL)
    assert reason.kind is ReasonKind.NEVER_DEGRADES
    assert reason.text.startswith("this use case never degrades")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("keys", "is_whole"), [(1, True), (60, False)])
def test_half_a_json_of_the_emergency_model_is_no_answer(
    make_orchestrator, practice: PracticeServer, keys: int, is_whole: bool, stream: bool
) -> None:
    """It writes 120 tokens at most; a program that reads JSON got the first half of it as its answer."""
    orchestrator = make_orchestrator(
        {
            "local_model": {"base_url": practice.base_url("openai")},
            "retry_profiles": {"interactive": {"retry_on": [], "max_recovery_wait_s": 0}},
        }
    )
    for others in ("openrouter:status=503", "google:status=503", "openai:status=503,model=gpt-6.1-sol"):
        practice.faults.add(Fault.parse(others))
    prompt = "Please fill in the keys: " + " ".join(f'"key_{number}"' for number in range(keys))

    def ask() -> str:
        wanted = {"response_format": {"type": "json_object"}, "language": "en", "max_tokens": 800}
        if not stream:
            return orchestrator.complete(prompt, **wanted).text
        return "".join(delta.text for delta in orchestrator.stream(prompt, **wanted))

    if is_whole:
        assert list(json.loads(ask())) == ["key_0"]
        return
    with pytest.raises(AllProvidersFailedError) as caught:
        ask()
    assert {step.failure for step in caught.value.steps if step.deployment == LOCAL} == {"unsupported"}


def test_the_emergency_model_is_asked_for_a_short_answer(practised: Orchestrator) -> None:
    (step,) = practised.explain(IN_ENGLISH, model=LOCAL, max_tokens=800).candidates
    assert (step.deployment, step.max_tokens) == (LOCAL, 120)


def test_who_asks_for_it_gets_an_apology_in_his_language(make, practice: PracticeServer) -> None:
    """G08: a message with the request's id; the ledger calls the request what it was: failed."""
    orchestrator = make()
    all_down(practice)
    reply = orchestrator.complete(QUESTION, graceful=True)
    assert reply.text.startswith("Xin lỗi")
    assert reply.request_id in reply.text
    assert (reply.apology, reply.finish_reason) == (True, "unavailable")
    assert reply.degraded is not None
    assert reply.degraded.kinds == (DegradationKind.NO_ANSWER,)
    assert "nobody answered" in str(reply.degraded)
    stream = orchestrator.stream("Where is my order?", graceful=True)
    assert "".join(delta.text for delta in stream) == stream.reply.text
    assert stream.reply.text.startswith("Sorry")
    for one in (reply, stream.reply):
        assert booked(orchestrator, one.request_id) == ("failed", "miss", "AllProvidersFailedError")


def test_an_apology_is_never_kept(make, practice: PracticeServer) -> None:
    orchestrator = make()
    all_down(practice)
    assert orchestrator.complete(QUESTION, graceful=True).apology
    practice.faults.clear()
    reply = orchestrator.complete(QUESTION, graceful=True, model="openai/gpt-6-luna")
    assert not reply.apology
    assert reply.cached is CacheState.MISS


def test_a_use_case_may_apologise_by_default(make, practice: PracticeServer) -> None:
    orchestrator = make({"use_cases": {"customer_service": {"graceful": True}}})
    all_down(practice)
    assert orchestrator.complete(QUESTION).apology
    with pytest.raises(AllProvidersFailedError):
        orchestrator.complete(QUESTION, graceful=False)
    with pytest.raises(AllProvidersFailedError):
        orchestrator.complete(QUESTION, response_format={"type": "json_object"})


def test_a_late_answer_is_an_apology_too(make_orchestrator, practice: PracticeServer) -> None:
    """What a failed attempt may have cost stands in the reply, as it stands in the books."""
    orchestrator = make_orchestrator(NO_LOCAL)
    orchestrator.warm_up()
    practice.faults.add(Fault.parse("*:silence"))
    reply = orchestrator.complete(QUESTION, graceful=True, deadline_s=LATE_S)
    assert reply.apology
    assert f"no answer within {LATE_S:g} s" in str(reply.degraded)
    spent = spent_by_all(orchestrator)
    assert reply.cost_nusd == spent > 0
    with pytest.raises(DeadlineExceededError) as caught:
        orchestrator.complete(QUESTION, deadline_s=LATE_S)
    assert caught.value.cost_nusd == spent_by_all(orchestrator) - spent > 0


def spent_by_all(orchestrator: Orchestrator) -> int:
    return next(one.spent for one in orchestrator.standings() if one.scope == "all")


async def test_an_apology_to_who_joined_a_key_names_a_request(
    make_orchestrator, practice: PracticeServer
) -> None:
    """Its own end is told by nobody else, so it has the id of its own request."""
    orchestrator = make_orchestrator(NO_LOCAL)
    orchestrator.warm_up()
    practice.faults.add(Fault.parse("*:silence"))
    wanted = {"idempotency_key": "order-17", "graceful": True}
    first = asyncio.create_task(orchestrator.acomplete(QUESTION, deadline_s=30, **wanted))
    while orchestrator.load().in_flight == 0:  # noqa: ASYNC110 -- it changes on another loop
        await asyncio.sleep(0.001)
    joined = await orchestrator.acomplete(QUESTION, deadline_s=0.3, **wanted)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert joined.apology
    assert joined.request_id
    assert joined.request_id in joined.text


def test_what_is_the_callers_own_is_no_outage(make, practice: PracticeServer) -> None:
    """A bad request and a spent budget are errors, and no apology hides them."""
    orchestrator = make({"budgets": {"limits": [{"scope": "tenant:broke", "day": 0.000000001}]}})
    with pytest.raises(BudgetExceededError):
        orchestrator.complete(QUESTION, tenant="broke", graceful=True)
    practice.faults.add(Fault.parse("*:status=400"))
    with pytest.raises(RejectedByProviderError):
        orchestrator.complete(QUESTION, graceful=True)


def test_nothing_is_added_to_words_that_were_delivered(make, clock, practice: PracticeServer) -> None:
    """Neither an apology nor an older answer: one reader never sees two texts mixed."""
    orchestrator = make()
    orchestrator.complete(QUESTION)
    clock.advance(2 * HOUR_S)
    practice.faults.add(Fault.parse("*:cut_stream=12"))
    seen = ""
    with (
        pytest.raises(StreamInterruptedError) as caught,
        orchestrator.stream(QUESTION, graceful=True) as stream,
    ):
        for delta in stream:
            seen += delta.text
    assert seen == caught.value.partial_text != ""
