"""An invalid answer is repaired once, then the next model is asked, then the caller is told."""

import logging

import pytest

from chains import CHAINS, Stage, cost_sensitive, customer_service
from orchestrator import BudgetExceededError, CacheState, CacheUse, InvalidOutputError, UnavailableError
from orchestrator.chains.structured import ModelAnswer, PlanQuery, conversation
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.language import Language
from orchestrator.practice import PracticeAnswer
from tests.chains.samples import ANSWER, GOOD, ITEM, LABEL, QUESTION, written

SECRET = "Nguyễn Thị Bí Mật"


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_valid_answer_is_returned_after_one_request(orchestrator, server, script, name, language):
    question, answer = GOOD[name]
    script.add(written(answer, language=language) if "language" in answer else written(answer))
    result = CHAINS[name](orchestrator, language=language).with_details().invoke(question)
    assert result.stage is Stage.FIRST
    assert type(result.value) is CHAINS[name].output_model
    assert result.value.model_dump(mode="json") | {"language": None} == answer | {"language": None}
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("wrong", "mistake"),
    [
        ("Dạ vâng ạ", "Invalid JSON"),
        (
            written(ANSWER, confidence_percent=101),
            "confidence_percent: Input should be less than or equal to 100",
        ),
        (written(ANSWER, confidence_percent=0.5), "confidence_percent: Input should be a valid integer"),
        (written(ANSWER, intent="sales"), "intent: Input should be 'order_status'"),
        (written(ANSWER, answer="  "), "answer: must not be empty"),
        (written(ANSWER, answer="Đơn DH1002 đã giao."), "answer: mentions a code that stands neither in"),
        (written(ANSWER, extra=1), "an unknown field: Extra inputs are not permitted"),
        ("[]", "Input should be an object"),
    ],
)
def test_an_invalid_answer_is_repaired_by_the_deployment_that_gave_it(
    orchestrator, server, script, wrong, mistake
):
    script.add(wrong, written(ANSWER))
    result = customer_service(orchestrator).with_details().invoke(QUESTION)
    assert result.stage is Stage.REPAIR
    assert [attempt.deployment for attempt in result.tries] == ["openrouter/gpt-6.1-sol"] * 2
    assert result.tries[0].mistakes[0].startswith(mistake)
    first, repair = (request.body["messages"] for request in server.requests)
    assert repair[:2] == first
    assert repair[2] == {"role": "assistant", "content": wrong.strip()[:2000]}
    assert repair[3]["content"].startswith("Câu trả lời vừa rồi không dùng được")
    assert f"- {result.tries[0].mistakes[0]}" in repair[3]["content"]


def test_the_repair_is_asked_for_in_the_language_of_the_chain(orchestrator, server, script):
    script.add("no", written(ANSWER))
    customer_service(orchestrator, language="en").invoke(QUESTION)
    assert server.requests[-1].body["messages"][-1]["content"].startswith("That answer cannot be used")


def test_an_answer_that_stays_invalid_is_asked_of_the_next_model(orchestrator, server, script):
    script.add("no", "no again", written(ANSWER))
    result = customer_service(orchestrator).with_details().invoke(QUESTION)
    assert result.stage is Stage.NEXT_MODEL
    assert [attempt.deployment for attempt in result.tries] == [
        "openrouter/gpt-6.1-sol",
        "openrouter/gpt-6.1-sol",
        "openrouter/claude-sonnet-5.5",
    ]
    assert result.degraded == "openrouter/gpt-6.1-sol gave no valid answer"
    # The next model starts afresh: the wrong answers of another would only mislead it.
    assert server.requests[2].body["messages"] == server.requests[0].body["messages"]


def test_the_next_model_is_another_model_and_not_the_same_one_elsewhere(orchestrator, server, script):
    server.faults.add("openrouter:status=503")
    script.add("no", "no", "no")
    with pytest.raises(InvalidOutputError):
        customer_service(orchestrator).invoke(QUESTION)
    answered = [request for request in server.requests if request.provider != "openrouter"]
    assert [request.provider for request in answered] == ["google", "google", "openai"]


def test_a_next_model_that_is_down_is_passed_over(unhurried, server, script):
    server.faults.add("openrouter:status=503,model=anthropic/claude-sonnet-5.5")
    script.add("no", "no", written(ANSWER))
    result = customer_service(unhurried).with_details().invoke(QUESTION)
    assert result.tries[-1].deployment == "openrouter/gpt-6-luna"


def test_an_answer_that_is_invalid_everywhere_is_an_error_that_says_who_and_what(orchestrator, script):
    script.add("no", written(ANSWER, urgency="now"), written(ANSWER, needs_human="perhaps"))
    with pytest.raises(InvalidOutputError) as caught:
        customer_service(orchestrator).invoke(QUESTION)
    message = str(caught.value)
    assert "chain customer_service" in message
    assert "openrouter/gpt-6.1-sol (first): Invalid JSON" in message
    assert "openrouter/gpt-6.1-sol (repair): urgency:" in message
    assert "openrouter/claude-sonnet-5.5 (next_model): needs_human:" in message
    assert caught.value.request_id


def test_no_error_and_no_log_line_carries_what_was_asked_or_answered(orchestrator, script, caplog):
    caplog.set_level(logging.DEBUG)
    question = QUESTION.model_copy(update={"question": f"{SECRET} hỏi DH1001"})
    script.add(SECRET, written(ANSWER, **{SECRET: SECRET}), written(ANSWER, intent=SECRET))
    with pytest.raises(InvalidOutputError) as caught:
        customer_service(orchestrator).invoke(question)
    script.add(SECRET, written(ANSWER))
    customer_service(orchestrator).invoke(
        question.model_copy(update={"question": f"{SECRET} hỏi lại DH1001"})
    )
    assert SECRET not in str(caught.value)
    assert "answered invalidly" in caplog.text
    assert SECRET not in caplog.text


def test_a_label_outside_the_callers_labels_is_invalid(orchestrator, script):
    script.add(written(LABEL, label="spam"), written(LABEL))
    result = cost_sensitive(orchestrator).with_details().invoke(ITEM)
    assert result.tries[0].mistakes == ("label: must be one of the allowed values",)
    assert result.value.label == "khiếu nại"


def test_an_answer_in_a_code_fence_needs_no_repair(orchestrator, server, script):
    script.add(f"```json\n{written(LABEL)}\n```")
    assert cost_sensitive(orchestrator).invoke(ITEM).label == "khiếu nại"
    assert len(server.requests) == 1


def test_an_answer_that_was_cut_off_is_told_so(orchestrator, server, script):
    script.add(PracticeAnswer(text='{"answer": "Dạ', finish_reason="length"), written(ANSWER))
    result = customer_service(orchestrator).with_details().invoke(QUESTION)
    assert result.tries[0].mistakes == ("it was cut off at the limit of output tokens: write less",)


def test_every_try_is_paid_for_and_counted(orchestrator, server, script):
    script.add("no", "no", written(ANSWER))
    result = customer_service(orchestrator).with_details().invoke(QUESTION)
    server.wait_idle()
    assert (
        result.cost_nusd == server.bill.total_nusd() == sum(attempt.cost_nusd for attempt in result.tries) > 0
    )
    spent = {
        standing.spent
        for standing in orchestrator.standings()
        if standing.scope == "use_case:customer_service"
    }
    assert spent == {result.cost_nusd}


def test_a_repaired_answer_costs_nothing_the_second_time(orchestrator, server, script):
    """What it repaired is JSON too, and kept; prose is not."""
    script.add("{}", written(ANSWER))
    chain = customer_service(orchestrator).with_details()
    chain.invoke(QUESTION)
    again = chain.invoke(QUESTION)
    assert again.cost_nusd == 0
    assert [attempt.cached for attempt in again.tries] == [CacheState.HIT, CacheState.HIT]
    assert len(server.requests) == 2


def test_a_failure_is_not_repeated_from_the_cache(orchestrator, server, script):
    script.add("no", "no", "no")
    chain = customer_service(orchestrator)
    with pytest.raises(InvalidOutputError):
        chain.invoke(QUESTION)
    script.add(written(ANSWER))
    assert chain.invoke(QUESTION).answer == ANSWER["answer"]
    assert len(server.requests) == 4


def test_a_pinned_model_has_no_next_model(orchestrator, server, script):
    script.add("no", "no", written(ANSWER))
    with pytest.raises(InvalidOutputError):
        customer_service(orchestrator, model="claude-sonnet-5.5").invoke(QUESTION)
    assert {request.model for request in server.requests} == {"anthropic/claude-sonnet-5.5"}


def test_a_first_choice_that_is_down_makes_the_result_degraded(orchestrator, server, script):
    server.faults.add("openrouter:status=503,model=openai/gpt-6.1-sol")
    script.add("no", written(ANSWER))
    result = customer_service(orchestrator).with_details().invoke(QUESTION)
    assert result.tries[1].deployment == "openrouter/claude-sonnet-5.5"
    assert "openrouter/gpt-6.1-sol" in result.degraded


def test_nobody_there_is_not_called_an_invalid_answer(unhurried, server):
    server.faults.add("*:status=503")
    with pytest.raises(UnavailableError):
        customer_service(unhurried, model="gpt-6.1-sol").invoke(QUESTION)


def test_a_budget_that_is_used_up_is_said_as_such(orchestrator, server, script):
    with pytest.raises(BudgetExceededError):
        customer_service(orchestrator, model="gpt-6.1-sol", max_cost_nusd=1).invoke(QUESTION)
    assert not server.requests


def test_all_tries_of_a_call_share_one_deadline(quick, faults, script, asked):
    script.add("no", written(ANSWER))
    faults.add("*:slow_first_token=0.8")
    with pytest.raises(InvalidOutputError):
        # The answer took all of it: the repair, which would be right, and the next models find it used up.
        customer_service(quick, deadline_s=0.7, cache=CacheUse.OFF).invoke(QUESTION)
    assert len(asked) == 1


def test_a_wrong_input_names_the_field_and_sends_nothing(orchestrator, server):
    chain = customer_service(orchestrator)
    with pytest.raises(InvalidRequestError, match="question: Field required; an unknown field"):
        chain.invoke({"questoin": "hi"})
    with pytest.raises(InvalidRequestError, match="takes CustomerQuestion or a mapping, not str"):
        chain.invoke("hi")
    assert not server.requests


def test_said_is_frozen():
    with pytest.raises(AttributeError):
        ModelAnswer("", "d", "m", 0, CacheState.MISS, cut_off=False, degraded=None, request_id="").text = "x"


def test_a_plan_that_has_become_empty_ends_in_the_mistakes_that_were_made():
    steps = conversation(customer_service.task, QUESTION, Language.VI)
    next(steps)
    steps.send(ModelAnswer("no", "d", "m", 0, CacheState.MISS, cut_off=False, degraded=None, request_id="r1"))
    assert isinstance(steps.throw(UnavailableError("gone")), PlanQuery)
    with pytest.raises(InvalidOutputError, match=r"d \(first\): Invalid JSON") as caught:
        steps.throw(UnavailableError("all circuits are open"))
    assert caught.value.request_id == "r1"
