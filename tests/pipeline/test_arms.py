"""A request of an experiment is answered by its side, everywhere says so, and meets no answer of the other."""

import asyncio

import pytest

from orchestrator import CacheState
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.payer import ProbeRequest
from orchestrator.providers.in_memory import InMemoryTransport
from tests.experiments.conftest import (
    AB,
    CANDIDATE_WORDS,
    LIVE_WORDS,
    LUNA,
    SOL,
    experimenting,
    user_on,
    voices,
)

__all__ = ["experimenting", "voices"]


@pytest.fixture
def faq(experimenting):
    return experimenting(AB)


def tags_of(orchestrator, reply):
    return [
        tag.split(":", 2)[2] for tag in orchestrator.request(reply.request_id).request.tags if "arm:" in tag
    ]


@pytest.mark.parametrize(
    ("kind", "model", "words"), [("live", SOL, LIVE_WORDS), ("candidate", LUNA, CANDIDATE_WORDS)]
)
def test_each_side_is_answered_by_its_own_and_plan_reply_and_row_say_so(faq, kind, model, words):
    user = user_on(faq, kind)
    plan = faq.explain("Hi", tenant="acme", user=user)
    assert plan.candidates[0].deployment == model
    reply = faq.complete("Hi", tenant="acme", user=user)
    assert (reply.deployment, reply.text, reply.degraded) == (model, words, None)
    notice = f"experiment 'faq': {kind} (always this side for this user)"
    assert notice in reply.notices
    assert notice in plan.notices
    assert tags_of(faq, reply) == [kind]


def test_a_stream_is_answered_by_the_side_too(faq):
    user = user_on(faq, "candidate")
    stream = faq.stream("Hi", tenant="acme", user=user)
    assert "".join(delta.text for delta in stream) == CANDIDATE_WORDS
    assert tags_of(faq, stream.reply) == ["candidate"]


def test_the_cache_never_gives_the_answer_of_the_other_side(faq):
    first, second = user_on(faq, "live"), user_on(faq, "candidate")
    for _ in range(2):
        texts = [faq.complete("Hi", tenant="acme", user=user).text for user in (first, second)]
        assert texts == [LIVE_WORDS, CANDIDATE_WORDS]
    again = faq.complete("Hi", tenant="acme", user=user_on(faq, "candidate", skip=1))
    assert (again.text, again.cached) == (CANDIDATE_WORDS, CacheState.HIT)


async def test_equal_questions_under_way_are_joined_on_one_side_alone(faq):
    users = [user_on(faq, kind, skip=skip) for kind in ("live", "candidate") for skip in range(4)]
    replies = await asyncio.gather(*(faq.acomplete("At once", tenant="acme", user=user) for user in users))
    assert [reply.text for reply in replies] == [LIVE_WORDS] * 4 + [CANDIDATE_WORDS] * 4


PROBE = ProbeRequest.of("Hi", use_case="customer_service", tenant="probe:doctor")


@pytest.mark.parametrize(
    ("prompt", "fields"),
    [("Hi", {"model": LUNA}), ("Hi", {"use_case": "cost_sensitive"}), (PROBE, {})],
)
def test_who_names_a_model_asks_for_something_else_or_is_a_probe_is_on_no_side(faq, prompt, fields):
    reply = faq.complete(prompt, **fields)
    assert not any("experiment" in notice for notice in reply.notices)
    assert tags_of(faq, reply) == []


def test_a_customer_is_on_a_side_whatever_it_is_called(faq):
    assert tags_of(faq, faq.complete("Hi", tenant="doctor", user="u1"))


def test_without_a_user_the_request_is_drawn_and_says_so(faq):
    notices = {faq.complete("Hi", cache="off").notices[-1] for _ in range(20)}
    assert notices == {
        f"experiment 'faq': {kind} (drawn for this request: it names no user)"
        for kind in ("live", "candidate")
    }


def test_a_candidate_that_fails_is_rescued_by_the_route(experimenting, clock, voices, listed_prices):
    transport = InMemoryTransport(clock=clock, answerer=voices, prices=listed_prices)
    orchestrator = experimenting(
        {**AB, "metric": "checks", "checks": [{"max_chars": 12}]}, transport=transport
    )
    user = user_on(orchestrator, "candidate")
    transport.faults.add("openrouter:status=503,model=openai/gpt-6-luna")
    reply = orchestrator.complete("Hi", tenant="acme", user=user)
    assert (reply.text, reply.deployment) == (LIVE_WORDS, SOL)
    assert reply.degraded is not None
    assert tags_of(orchestrator, reply) == ["candidate", "passed"]


def test_no_caller_writes_into_a_measurement(faq):
    label = faq.config.experiments[0].label
    for tags in ([f"arm:{label}:candidate"], "arm:x", ["mine", " arm:y"]):
        with pytest.raises(InvalidRequestError, match="callers have none of them"):
            faq.complete("Hi", tags=tags)
