"""Cheap first; an answer that fails a check leads to the next model, and the reply says what failed."""

import pytest

from orchestrator import Orchestrator
from orchestrator.core.decision import AcceptedFor, VoteOutcome
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.reply import DegradationKind
from orchestrator.providers.in_memory import InMemoryTransport
from tests.support.voices import Voices

CHEAP, STRONG = "openrouter/gpt-6-luna", "openrouter/claude-sonnet-5.5"
SCHEMA = {"type": "object", "required": ["topic"], "properties": {"topic": {"type": "string"}}}
PROMPT = "Which topic?"


@pytest.fixture
def escalating(make_config, clock, listed_prices):
    """Make an orchestrator whose answers must pass the checks of the test."""
    opened: list[Orchestrator] = []

    def make(checks, *, functions=None, **answers):
        policy = {"version": "3", "escalate": {"models": [CHEAP, STRONG], "checks": checks}}
        config = make_config({"use_cases": {"cost_sensitive": {"policy": policy}}})
        voices = Voices({**answers, "": '{"topic": "other"}'})
        transport = InMemoryTransport(clock=clock, answerer=voices, prices=listed_prices)
        opened.append(Orchestrator(config, clock=clock, transport=transport, checks=functions))
        return opened[-1], transport, voices

    yield make
    for orchestrator in opened:
        orchestrator.close()


def ask(orchestrator):
    return orchestrator.complete(PROMPT, use_case="cost_sensitive")


def test_an_answer_that_passes_is_the_only_one_asked_for(escalating):
    orchestrator, _, voices = escalating([{"json_schema": SCHEMA}], **{"gpt-6-luna": '{"topic": "hi"}'})
    reply = ask(orchestrator)
    assert (reply.deployment, reply.decision.accepted_for) == (CHEAP, AcceptedFor.PASSED)
    assert len(voices.asked) == 1
    assert reply.degraded is None


def test_the_next_model_answers_where_a_check_fails_and_both_are_paid(escalating):
    orchestrator, transport, _ = escalating([{"json_schema": SCHEMA}], **{"gpt-6-luna": "no idea"})
    reply = ask(orchestrator)
    assert reply.deployment == STRONG
    first = reply.decision.votes[0]
    assert (first.outcome, first.reason) == (VoteOutcome.FAILED_CHECK, "no JSON that fits the schema")
    assert reply.cost_nusd == transport.bill.total_nusd() == sum(v.cost_nusd for v in reply.decision.votes)
    assert reply.degraded is None


def test_where_no_answer_passes_the_last_one_comes_marked(escalating):
    orchestrator, _, _ = escalating([{"labels": ["a", "b"]}], **{"gpt-6-luna": "c"})
    reply = ask(orchestrator)
    assert reply.degraded.kinds == (DegradationKind.UNCHECKED,)


def test_a_check_of_the_callers_own_counts_and_one_that_raises_is_a_no(escalating):
    asked = []

    def mine(answer):
        asked.append(answer.text)
        if len(asked) == 1:
            raise RuntimeError(answer.text)
        return True

    orchestrator, _, _ = escalating([{"function": "mine"}], functions={"mine": mine}, **{"gpt-6-luna": "x"})
    reply = ask(orchestrator)
    assert asked == ["x", '{"topic": "other"}']
    assert reply.decision.votes[0].reason == "the check 'mine' does not pass it"


def test_a_check_that_was_not_handed_over_is_told_before_anything_is_sent(escalating):
    orchestrator, _, voices = escalating([{"function": "mine"}])
    with pytest.raises(InvalidRequestError, match=r"'mine', which this orchestrator was not handed"):
        ask(orchestrator)
    assert voices.asked == []


def test_a_model_that_is_out_is_passed_over(escalating):
    orchestrator, transport, _ = escalating([{"json_schema": SCHEMA}])
    transport.faults.add("openrouter:status=503,model=openai/gpt-6-luna")
    reply = ask(orchestrator)
    assert reply.deployment == STRONG
    assert reply.decision.votes[0].outcome is VoteOutcome.FAILED
