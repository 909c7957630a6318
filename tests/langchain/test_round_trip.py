"""What a caller hands over, and what a vendor's model thought, through the chat model to the wires and back."""

import copy
import pickle
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from pydantic import BaseModel, ConfigDict

from orchestrator import CacheUse, Orchestrator
from orchestrator.core.errors import RejectedByProviderError
from orchestrator.practice import Fault, PracticeAnswer, PracticeServer, PracticeToolCall, Scripted

DEPLOYMENTS = {
    "openrouter": "openrouter/claude-sonnet-5.5",
    "google": "google/gemini-3.8-flash",
    "openai": "openai/gpt-6-luna",
}
EVERY_WIRE = pytest.mark.parametrize("wire", DEPLOYMENTS)
WHOLE_AND_STREAMED = pytest.mark.parametrize("streamed", [False, True])
THOUGHT = "Khách hỏi về đơn DH1; em cần tra cứu."
FIND = {
    "type": "function",
    "function": {"name": "find", "parameters": {"type": "object", "properties": {"id": {"type": "string"}}}},
}


@pytest.fixture
def answerer() -> Scripted:
    return Scripted()


@pytest.fixture
def practice(answerer, listed_prices):
    with PracticeServer(prices=listed_prices, answerer=answerer) as server:
        yield server


def ask(chat: Any, messages: Sequence[BaseMessage], *, streamed: bool) -> AIMessage:
    if not streamed:
        return chat.invoke(list(messages), cache_use=CacheUse.OFF)
    first, *more = chat.stream(list(messages), cache_use=CacheUse.OFF)
    for chunk in more:
        first += chunk
    assert isinstance(first, AIMessageChunk)
    return first


@EVERY_WIRE
@WHOLE_AND_STREAMED
def test_thoughts_come_out_as_a_block_and_go_back_to_their_vendor(
    practised, practice, answerer, wire, streamed
):
    """The practice providers refuse a signature that is not theirs, or that belongs to another thought."""
    chat = practised.chat_model("customer_service", model=DEPLOYMENTS[wire], reasoning_effort="low")
    question = HumanMessage("Đơn DH1 đâu?")
    answerer.add(PracticeAnswer("Để em xem.", reasoning=THOUGHT), "Dạ, đang giao ạ.")
    first = ask(chat, [question], streamed=streamed)
    assert first.content_blocks[0] == {"type": "reasoning", "reasoning": THOUGHT}
    assert first.text == "Để em xem."
    assert first.usage_metadata["output_token_details"]["reasoning"] > 0
    second = ask(chat, [question, first, HumanMessage("Vâng")], streamed=streamed)
    assert second.text == "Dạ, đang giao ạ."
    body = orjson.dumps(practice.requests[-1].body).decode()
    notices = [notice for notice in second.response_metadata["notices"] if "reasoning" in notice]
    if wire == "openai":
        # Its own address is another here, so this is a server of the format, which takes them by its own name.
        assert '"reasoning_content"' in body
    else:
        assert ("signature" in body, "thoughtSignature" in body) == (wire != "google", wire == "google")
    assert notices == []


@pytest.mark.parametrize("wire", ["openrouter", "google"])
@WHOLE_AND_STREAMED
def test_a_call_s_thoughts_go_back_with_it(practised, practice, answerer, wire, streamed):
    chat = practised.chat_model("customer_service", model=DEPLOYMENTS[wire]).bind_tools([FIND])
    answerer.add(
        PracticeAnswer(tool_calls=(PracticeToolCall("find", '{"id": "DH1"}'),), reasoning=THOUGHT), "Xong"
    )
    first = ask(chat, [HumanMessage("Đơn DH1 đâu?")], streamed=streamed)
    assert first.content_blocks[0]["reasoning"] == THOUGHT
    result = ToolMessage("đang giao", tool_call_id=first.tool_calls[0]["id"])
    assert ask(chat, [HumanMessage("Đơn DH1 đâu?"), first, result], streamed=streamed).text == "Xong"
    assert "ignature" in orjson.dumps(practice.requests[-1].body).decode()


@WHOLE_AND_STREAMED
def test_thoughts_of_one_vendor_stay_away_from_the_next_after_a_failover(
    practised, practice, answerer, streamed
):
    chat = practised.chat_model("customer_service", model="openrouter/claude-sonnet-5.5")
    answerer.add(PracticeAnswer("Để em xem.", reasoning=THOUGHT), "Dạ.")
    question = HumanMessage("Đơn DH1 đâu?")
    first = ask(chat, [question], streamed=streamed)
    practice.faults.add(Fault.parse("openrouter:status=503"))
    other = practised.chat_model("customer_service")
    history = [question, first, HumanMessage("Vâng")]
    before = copy.deepcopy(history)
    second = ask(other, history, streamed=streamed)
    assert second.response_metadata["provider"] == "google"
    assert THOUGHT not in orjson.dumps(practice.requests[-1].body).decode()
    assert sum("came from another vendor" in notice for notice in second.response_metadata["notices"]) == 1
    assert history == before


def test_a_reply_has_its_reasoning_in_every_entry_and_gives_it_back(practised, answerer):
    answerer.add(PracticeAnswer("Chào", reasoning=THOUGHT), PracticeAnswer("Dạ", reasoning=THOUGHT), "Vâng")
    asked = {"model": "openrouter/claude-sonnet-5.5", "tenant": "acme"}
    reply = practised.complete("Xin chào", **asked)
    assert (reply.reasoning.text, reply.reasoning.vendor) == (THOUGHT, "anthropic")
    assert reply.reasoning.blocks[0]["signature"]
    cached = practised.complete("Xin chào", **asked)
    assert (cached.cached.value, cached.reasoning) == ("hit", reply.reasoning)
    with practised.stream("Câu khác", **asked) as stream:
        pieces = list(stream)
    assert "".join(piece.reasoning for piece in pieces) == stream.reply.reasoning.text == THOUGHT
    assert pieces[0].reasoning
    again = practised.complete(
        [{"role": "user", "content": "Xin chào"}, reply.as_message(), {"role": "user", "content": "Vâng"}],
        **asked,
    )
    assert (again.text, again.served_model) == ("Vâng", "anthropic/claude-sonnet-5.5")
    assert pickle.loads(pickle.dumps(reply)) == reply == copy.deepcopy(reply)  # noqa: S301 -- our own


class Order(BaseModel):
    """Đơn hàng của khách."""

    model_config = ConfigDict(title="Đơn hàng")
    quantity: int


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
@pytest.mark.parametrize("wire", DEPLOYMENTS)
def test_a_schema_with_a_vietnamese_title_is_sent_under_a_fit_name(practised, practice, wire, method):
    chat = practised.chat_model("customer_service", model=DEPLOYMENTS[wire])
    if wire == "openai":
        chat = practised.chat_model("customer_service", model=DEPLOYMENTS[wire], reasoning_effort="none")
    answer = chat.with_structured_output(Order, method=method).invoke("Ba cái ạ")
    assert isinstance(answer, Order)
    body = orjson.dumps(practice.requests[-1].body).decode()
    assert ('"name":"Don_hang_' in body) == (wire != "google" or method == "function_calling")
    assert '"name":"Đơn' not in body


@WHOLE_AND_STREAMED
def test_a_tool_of_any_name_is_called_by_the_caller_s_name(practised, practice, answerer, streamed):
    tool = {"type": "function", "function": {"name": "crm.tìm đơn", "parameters": {"type": "object"}}}
    chat = practised.chat_model("customer_service").bind_tools([tool], tool_choice="crm.tìm đơn")
    first = ask(chat, [HumanMessage("Đơn DH1?")], streamed=streamed)
    assert [call["name"] for call in first.tool_calls] == ["crm.tìm đơn"]
    result = ToolMessage("ra", tool_call_id=first.tool_calls[0]["id"])
    assert ask(chat, [HumanMessage("Đơn DH1?"), first, result], streamed=streamed) is not None
    assert "crm.t" not in orjson.dumps(practice.requests[-1].body).decode()


@WHOLE_AND_STREAMED
def test_prose_in_the_place_of_a_function_that_has_to_be_called_is_no_answer(practised, answerer, streamed):
    """The next model is asked; a reader of the stream sees nothing of the prose."""
    order = {"type": "function", "function": {"name": "find_order", "parameters": {"type": "object"}}}
    chat = practised.chat_model("customer_service").bind_tools([order], tool_choice="find_order")
    answerer.add("Dạ, ba cái ạ.")
    answer = ask(chat, [HumanMessage("Đơn DH1?")], streamed=streamed)
    assert ([call["name"] for call in answer.tool_calls], answer.text) == (["find_order"], "")


def test_prose_of_every_model_in_the_place_of_a_function_is_told(practised, answerer):
    chat = practised.chat_model("customer_service").with_structured_output(Order, method="function_calling")
    answerer.add(*["Dạ, ba cái ạ."] * 9)
    with pytest.raises(RejectedByProviderError, match="no tool is called, though one has to be"):
        chat.invoke("Mấy cái?")


def test_prose_that_the_limit_cut_before_a_function_is_told_with_what_was_said(practised, answerer):
    shown = practised.chat_model("customer_service", max_tokens=2).with_structured_output(
        Order, method="function_calling", include_raw=True
    )
    answerer.add("Dạ, bốn cái ạ, để em xem lại.")
    answer = shown.invoke("Bao nhiêu cái?")
    assert (answer["parsed"], answer["raw"].text[:2]) == (None, "Dạ")
    assert isinstance(answer["parsing_error"], OutputParserException)


def test_what_a_model_does_not_take_is_told(practised):
    parameters = {
        "temperature": 0.2,
        "stop": ["XYZ"],
        "prompt_cache_key": "acme",
        "parallel_tool_calls": False,
    }
    for wire, named in {
        "openai": {"temperature", "stop", "parallel_tool_calls"},
        "google": {"prompt_cache_key", "parallel_tool_calls"},
        "openrouter": {"prompt_cache_key", "parallel_tool_calls"},
    }.items():
        chat = practised.chat_model("customer_service", model=DEPLOYMENTS[wire], **parameters)
        notices = chat.invoke("Xin chào").response_metadata["notices"]
        assert {name for name in parameters if any(f"'{name}'" in notice for notice in notices)} == named
    # OpenRouter leaves out itself what the vendor behind it does not take.
    notices = practised.complete("Chào", model="openrouter/gpt-6-luna", temperature=0.3).notices
    assert notices == ("'temperature' is not taken by openai/gpt-6-luna, and OpenRouter leaves it out",)


def test_marks_of_caching_reach_those_who_read_them_within_the_bound(practised, practice):
    mark = {"type": "ephemeral"}
    question = HumanMessage([{"type": "text", "text": "Luật. " * 800, "cache_control": mark}])
    claude = practised.chat_model("customer_service", model="openrouter/claude-sonnet-5.5")
    message = claude.invoke([question])
    assert practice.requests[-1].body["messages"][0]["content"][0]["cache_control"] == mark
    assert message.response_metadata["notices"] == []
    price = practised.config.catalog.models["claude-sonnet-5.5"]
    (candidate,) = practised.explain(
        [{"role": "user", "content": question.content}], model="openrouter/claude-sonnet-5.5"
    ).asked
    deployment = practised.config.catalog.deployments[candidate.deployment]
    rates = deployment.price.on(practised.config_since.date())
    assert price is not None
    assert candidate.bound_nusd >= candidate.input_bound_tokens * rates.dearest_input // 1_000_000
    gemini = practised.chat_model("customer_service", model="google/gemini-3.8-flash").invoke([question])
    assert any("'cache_control'" in notice for notice in gemini.response_metadata["notices"])


def test_the_model_of_a_reply_is_the_one_that_a_router_chose(
    make_orchestrator, answerer, shipped_data, listed_prices
):
    """The deployment is the one that was asked; its thoughts are of the vendor that served."""
    luna = {
        **shipped_data["deployments"]["openrouter/gpt-6-luna"],
        "price": {"input": 20, "output": 100, "source": "x", "date": "2026-11-01"},
    }
    orchestrator = make_orchestrator(
        {
            "models": {"auto": shipped_data["models"]["gpt-6-luna"]},
            "deployments": {"openrouter/auto": {**luna, "model": "auto", "upstream": "openrouter/auto"}},
        }
    )
    answerer.add(PracticeAnswer("Chào", reasoning=THOUGHT))
    reply = orchestrator.complete("Xin chào", model="openrouter/auto")
    assert reply.deployment == "openrouter/auto"
    assert reply.model == reply.served_model
    assert ("openrouter", reply.model) in listed_prices
    assert reply.reasoning.vendor == reply.model.partition("/")[0] != "openrouter"
    metadata = orchestrator.chat_model(model="openrouter/auto").invoke("Chào").response_metadata
    assert metadata["model"] == metadata["served_model"] == reply.model
    named = orchestrator.complete("Xin chào", model="openrouter/gpt-6-luna")
    assert (named.model, named.served_model) == ("gpt-6-luna", "openai/gpt-6-luna")


@WHOLE_AND_STREAMED
def test_nothing_that_the_caller_handed_over_is_changed_after_a_failover(practised, practice, streamed):
    practice.faults.add(Fault.parse("openrouter:status=503"))
    mark = {"type": "ephemeral"}
    tool = {
        "type": "function",
        "function": {"name": "tìm", "parameters": {"$schema": "x", "type": "object", "properties": {}}},
        "cache_control": mark,
    }
    call = {"id": "c1__thought__c2ln", "type": "function", "function": {"name": "tìm", "arguments": "{}"}}
    messages = [
        {"role": "developer", "content": [{"type": "text", "text": "Luật", "cache_control": mark}]},
        {"role": "user", "content": "Đơn DH1?", "name": "Chị Lan"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [call],
            "reasoning": "hm",
            "provider_specific_fields": {},
        },
        {"role": "tool", "content": "ra", "tool_call_id": call["id"]},
    ]
    asked = {"tools": [tool], "tool_choice": "auto", "prompt_cache_key": "acme", "stop": ["X"]}
    before = copy.deepcopy((messages, asked))
    if streamed:
        with practised.stream(messages, **asked) as stream:
            list(stream)
        reply = stream.reply
    else:
        reply = practised.complete(messages, **asked)
    assert reply.provider == "google"
    assert (messages, asked) == before


def test_copies_of_a_chat_model_share_its_orchestrator_and_pickles_say_why_not(practised: Orchestrator):
    chat = practised.chat_model("customer_service", tags=("a",))
    for same in (copy.deepcopy(chat), chat.model_copy(deep=True), copy.copy(chat)):
        assert same.orchestrator is practised
    assert copy.deepcopy(practised) is copy.copy(practised) is practised
    for whole in (chat, practised):
        with pytest.raises(TypeError, match="make one"):
            pickle.dumps(whole)
