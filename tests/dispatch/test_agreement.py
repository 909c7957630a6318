"""Two cheap models that say the same are believed; else others are asked, and every call is paid once."""

import asyncio

import pytest

from orchestrator import Orchestrator
from orchestrator.core.decision import AcceptedFor, VoteOutcome
from orchestrator.core.errors import AllProvidersFailedError, BudgetExceededError, InvalidRequestError
from orchestrator.core.reply import DegradationKind
from orchestrator.practice.answers import PracticeToolCall
from orchestrator.providers.in_memory import InMemoryTransport
from orchestrator.requests.views import plain_detail
from tests.support.voices import Voices

LUNA, FLASH, SEEK = "openrouter/gpt-6-luna", "google/gemini-3.1-flash-lite", "openrouter/deepseek-v3.2"
JUDGE = "openrouter/claude-sonnet-5.5"
POLICY = {
    "version": "2026-11-28",
    "agreement": {
        "voters": [LUNA, FLASH],
        "tie_breakers": [SEEK],
        "judge": JUDGE,
        "compare": {"by": "label", "labels": ["refund", "delivery", "other"]},
    },
}
PROMPT = "Classify: where is my parcel?"


@pytest.fixture
def voting(make_config, clock, listed_prices):
    """Make an orchestrator whose models answer as the test says, and the transport they answer over."""
    opened: list[Orchestrator] = []

    def make(policy=POLICY, *, limits=(), **answers):
        spoken = {"gpt-6-luna": "delivery", "gemini-3.1-flash-lite": "Delivery.", "deepseek-v3.2": "other"}
        voices = Voices({**spoken, "claude-sonnet-5.5": "refund", "": "refund", **answers})
        changes = {"use_cases": {"cost_sensitive": {"policy": policy}}, "cache": {"enabled": False}}
        config = make_config({**changes, "budgets": {"limits": list(limits)}} if limits else changes)
        transport = InMemoryTransport(clock=clock, answerer=voices, prices=listed_prices)
        opened.append(Orchestrator(config, clock=clock, transport=transport))
        return opened[-1], transport, voices

    yield make
    for orchestrator in opened:
        orchestrator.close()


def ask(orchestrator, **overrides):
    return orchestrator.complete(PROMPT, use_case="cost_sensitive", **overrides)


def outcomes(reply):
    return {vote.deployment: vote.outcome for vote in reply.decision.votes}


def test_what_two_vendors_say_alike_is_the_answer_and_nobody_else_is_asked(voting):
    orchestrator, _transport, voices = voting()
    reply = ask(orchestrator)
    assert (reply.text, reply.deployment) == ("delivery", LUNA)
    assert reply.decision.accepted_for is AcceptedFor.AGREED
    assert reply.decision.version == "2026-11-28"
    assert len(voices.asked) == 2
    assert reply.degraded is None
    assert [vote.group for vote in reply.decision.votes] == [0, 0]


def test_every_vote_is_booked_under_one_request_at_what_it_was_billed(voting):
    orchestrator, transport, _ = voting(**{"gemini-3.1-flash-lite": "refund"})
    reply = ask(orchestrator)
    assert len(reply.attempts) == 4
    assert sorted(attempt.number for attempt in reply.attempts) == [1, 2, 3, 4]
    assert reply.cost_nusd == transport.bill.total_nusd() > 0
    assert sum(vote.cost_nusd for vote in reply.decision.votes) == reply.cost_nusd
    assert orchestrator.request(reply.request_id).request.cost_nusd == reply.cost_nusd


def test_votes_are_found_again_with_their_request_and_no_word_of_an_answer(voting):
    orchestrator, _, _ = voting(**{"gemini-3.1-flash-lite": "other"})
    reply = ask(orchestrator)
    kept = orchestrator.request(reply.request_id).plan.decision
    assert (kept.policy, kept.version, kept.accepted_for) == ("agreement", "2026-11-28", "agreed")
    assert [
        (vote.deployment, vote.role, vote.outcome, vote.group, vote.cost_nusd) for vote in kept.votes
    ] == [
        (vote.deployment, vote.role.value, vote.outcome.value, vote.group, vote.cost_nusd)
        for vote in reply.decision.votes
    ]
    assert (
        plain_detail(orchestrator.request(reply.request_id))["plan"]["decision"]["votes"][2]["role"]
        == "tie_breaker"
    )


def test_a_message_of_langchain_says_who_was_chosen_why_and_who_was_left_out(voting):
    orchestrator, _, _ = voting()
    explain = orchestrator.chat_model("cost_sensitive").invoke(PROMPT).response_metadata["explain"]
    plan = orchestrator.explain(PROMPT, use_case="cost_sensitive")
    assert explain["chosen"] == LUNA
    assert explain["why"] == ["policy 'agreement', version 2026-11-28"]
    assert round(sum(explain["shares"].values()), 2) == round(explain["score"], 2)
    assert len(explain["left_out"]) <= 8
    for left in explain["left_out"]:
        assert plan.why_left_out(left["deployment"]).text == left["reason"]


def test_a_tie_breaker_settles_it_before_the_judge_is_asked(voting):
    orchestrator, _, voices = voting(**{"gemini-3.1-flash-lite": "other"})
    reply = ask(orchestrator)
    assert reply.text == "other"
    assert len(voices.asked) == 3
    assert JUDGE not in outcomes(reply)


def test_where_no_two_agree_the_judge_decides(voting):
    orchestrator, _, _ = voting(**{"gemini-3.1-flash-lite": "refund", "claude-sonnet-5.5": "other"})
    reply = ask(orchestrator)
    # The judge and DeepSeek say the same; the judge's own answer counts.
    assert (reply.deployment, reply.decision.accepted_for) == (JUDGE, AcceptedFor.JUDGED)
    assert reply.degraded is None


def test_an_answer_without_a_value_is_no_vote(voting):
    orchestrator, _, _ = voting(**{"gemini-3.1-flash-lite": "I think it is about the delivery"})
    reply = ask(orchestrator)
    assert outcomes(reply)[FLASH] is VoteOutcome.NO_VALUE
    assert reply.decision.accepted_for is AcceptedFor.JUDGED


def test_a_voter_that_fails_is_replaced_by_the_next_vendor(voting):
    orchestrator, transport, _ = voting(**{"deepseek-v3.2": "delivery"})
    transport.faults.add("google:status=503")
    reply = ask(orchestrator)
    assert outcomes(reply)[FLASH] is VoteOutcome.FAILED
    assert next(vote.reason for vote in reply.decision.votes if vote.deployment == FLASH) == "unavailable"
    assert reply.decision.accepted_for is AcceptedFor.AGREED


def test_a_judge_without_a_value_leaves_the_first_vote_and_the_reply_is_degraded(voting):
    orchestrator, _, _ = voting(**{"gemini-3.1-flash-lite": "refund", "claude-sonnet-5.5": "hard to say"})
    reply = ask(orchestrator)
    assert (reply.text, reply.decision.accepted_for) == ("delivery", AcceptedFor.UNCONFIRMED)
    assert reply.degraded.kinds == (DegradationKind.UNCONFIRMED,)


def test_the_rest_of_the_plan_judges_where_the_judge_fails(voting):
    orchestrator, transport, _ = voting(**{"gemini-3.1-flash-lite": "refund", "": "other"})
    transport.faults.add("openrouter:status=503,model=anthropic/claude-sonnet-5.5")
    reply = ask(orchestrator)
    assert (reply.text, reply.decision.accepted_for) == ("other", AcceptedFor.JUDGED)
    assert reply.degraded.kinds == (DegradationKind.FALLBACK,)
    assert reply.decision.votes[-1].reason == f"answered by {reply.deployment}"


def test_without_any_answer_the_error_names_every_model(voting):
    orchestrator, transport, _ = voting()
    transport.faults.add("*:status=401")
    with pytest.raises(AllProvidersFailedError) as caught:
        ask(orchestrator)
    assert all(name in str(caught.value) for name in (LUNA, FLASH, SEEK, JUDGE))


def test_a_reader_of_a_stream_gets_the_accepted_answer_alone(voting):
    orchestrator, _, _ = voting(**{"gemini-3.1-flash-lite": "refund"})
    stream = orchestrator.stream(PROMPT, use_case="cost_sensitive")
    assert "".join(delta.text for delta in stream) == stream.reply.text == "refund"
    assert stream.reply.decision.accepted_for is AcceptedFor.JUDGED


def test_a_model_asked_for_by_name_answers_alone(voting):
    orchestrator, _, voices = voting()
    reply = ask(orchestrator, model=SEEK)
    assert (reply.text, reply.decision, len(voices.asked)) == ("other", None, 1)


def test_all_votes_together_stay_within_what_the_request_may_cost(voting):
    orchestrator, transport, _ = voting(**{"gemini-3.1-flash-lite": "refund"})
    most = max(step.bound_nusd for step in orchestrator.explain(PROMPT, use_case="cost_sensitive").asked) // 8
    reply = ask(orchestrator, max_cost_nusd=most)
    assert transport.bill.total_nusd() == reply.cost_nusd <= most


def test_in_sequence_the_second_voter_is_asked_when_the_first_has_answered(voting):
    policy = {"agreement": {**POLICY["agreement"], "timing": "sequence"}}
    orchestrator, _, voices = voting(policy)
    ask(orchestrator)
    assert [name.rpartition("/")[2] for name in voices.asked] == ["gpt-6-luna", "gemini-3.1-flash-lite"]


def test_in_parallel_who_is_still_at_work_is_cancelled_and_booked(voting, clock):
    policy = {"agreement": {**POLICY["agreement"], "timing": "parallel"}}
    orchestrator, _transport, voices = voting(policy)
    never = asyncio.Event()
    answer = voices.answer

    async def slow(request):
        if request.model.endswith("deepseek-v3.2"):
            await never.wait()
        async for piece in answer(request):
            yield piece

    voices.answer = slow
    reply = ask(orchestrator)
    assert outcomes(reply)[SEEK] is VoteOutcome.CANCELLED
    cancelled = next(attempt for attempt in reply.attempts if attempt.deployment == SEEK)
    assert (cancelled.outcome.value, cancelled.cost_source.value) == ("cancelled", "bound")
    assert sum(attempt.cost_nusd for attempt in reply.attempts) == reply.cost_nusd


TOOL = {"type": "function", "function": {"name": "order.find", "parameters": {"type": "object"}}}
CALLS = {"agreement": {**POLICY["agreement"], "compare": {"by": "tool_calls"}}}


def test_tool_calls_agree_whatever_the_order_and_spelling_of_their_arguments(voting):
    orchestrator, _, _ = voting(
        CALLS,
        **{
            "gpt-6-luna": PracticeToolCall("order.find", '{"id": 7, "due": "2026-11-28"}'),
            "gemini-3.1-flash-lite": PracticeToolCall("order_find", '{"due": "28/11/2026", "id": "7.0"}'),
        },
    )
    reply = ask(orchestrator, tools=[TOOL])
    assert reply.decision.accepted_for is AcceptedFor.AGREED
    assert reply.tool_calls[0].name == "order.find"


def test_free_text_is_never_voted_on(voting):
    orchestrator, _, voices = voting(CALLS)
    with pytest.raises(InvalidRequestError, match="free text is never voted on"):
        ask(orchestrator)
    assert voices.asked == []


def test_a_judge_that_is_left_out_for_money_says_so_and_not_what_kept_another(voting):
    """Behind the judge stands the rest of the plan, and last the emergency model with a reason of its own."""
    used_up = [{"scope": f"model:claude-{name}-5.5", "day": 0.000001} for name in ("sonnet", "haiku")]
    orchestrator, _, _ = voting(limits=used_up, **{"gemini-3.1-flash-lite": "refund"})
    reply = ask(orchestrator)
    judge = reply.decision.votes[-1]
    assert (judge.deployment, judge.outcome) == (JUDGE, VoteOutcome.NOT_ASKED)
    assert "day budget of model:claude-sonnet-5.5" in judge.reason


def test_a_run_that_is_used_up_names_the_cost_of_the_cheapest(voting):
    for policy in (
        POLICY,
        None,
        {"version": "1", "escalate": {"models": [JUDGE, LUNA, FLASH], "checks": [{"min_chars": 1}]}},
    ):
        orchestrator, transport, _ = voting(policy)
        plan = plan_of(orchestrator)
        with pytest.raises(BudgetExceededError) as caught:
            ask(orchestrator, run="used-up", max_cost_usd="0.000000001")
        assert caught.value.needed == min(each.bound_nusd for each in plan.candidates if each.bound_nusd)
        assert transport.bill.count() == 0


def plan_of(orchestrator):
    return orchestrator.explain(PROMPT, use_case="cost_sensitive")
