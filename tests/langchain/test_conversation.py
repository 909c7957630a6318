"""Every message of LangChain's has its place in the conversation that is sent."""

import copy

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    ToolMessage,
)

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.message_checks import check_conversation, messages_of
from orchestrator.core.money import ZERO_NUSD
from orchestrator.core.reply import ChatReply, ToolCall, Usage
from orchestrator.langchain.conversation import to_wire
from orchestrator.langchain.messages import to_message

CALL = {"id": "c1", "name": "find", "args": {"a": "ơ"}, "type": "tool_call"}
BROKEN = {"id": "c2", "name": "find", "args": '{"a": ', "error": "not JSON", "type": "invalid_tool_call"}
THINKING = {"type": "thinking", "thinking": "hm", "signature": "s"}
CLAUDE = {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1"}


def checked(*messages):
    """Return the conversation as it is sent, after all checks of a request."""
    before = copy.deepcopy(messages)
    wire = to_wire(messages)
    assert messages == before
    messages_of(wire)
    check_conversation(wire)
    return wire


def test_roles_names_and_marks_stay():
    mark = {"type": "ephemeral"}
    wire = checked(
        SystemMessage("Luật", additional_kwargs={"cache_control": mark}),
        SystemMessage("Luật", additional_kwargs={"__openai_role__": "developer"}),
        HumanMessage("Chào", name="Lan"),
        ChatMessage("Chào", role="user"),
        AIMessage("Chào chị", additional_kwargs={"refusal": None}),
    )
    assert [message["role"] for message in wire] == ["system", "developer", "user", "user", "assistant"]
    assert (wire[0]["cache_control"], wire[2]["name"]) == (mark, "Lan")


def test_the_sum_of_a_stream_s_chunks_is_a_message_too():
    chunks = [AIMessageChunk("Chào "), AIMessageChunk("chị")]
    wire = checked(HumanMessageChunk("?"), chunks[0] + chunks[1])
    assert wire == [{"role": "user", "content": "?"}, {"role": "assistant", "content": "Chào chị"}]


def test_a_call_that_could_not_be_read_keeps_its_place_and_its_result():
    asked = AIMessage("", tool_calls=[CALL], invalid_tool_calls=[BROKEN])
    results = [ToolMessage("ra", tool_call_id="c1"), ToolMessage("again, please", tool_call_id="c2")]
    wire = checked(HumanMessage("?"), asked, *results, HumanMessage("!"))
    names = [call["function"]["arguments"] for call in wire[1]["tool_calls"]]
    assert names == ['{"a": "ơ"}', '{"invalid_arguments": "{\\"a\\": "}']
    assert [message["content"] for message in wire[2:]] == ["ra", "again, please", "!"]


@pytest.mark.parametrize("answered", [True, False])
def test_a_call_that_could_not_be_read_and_nobody_answered_has_its_error_as_result(answered):
    asked = AIMessage("", tool_calls=[CALL] if answered else [], invalid_tool_calls=[BROKEN])
    results = [ToolMessage("ra", tool_call_id="c1")] if answered else []
    wire = checked(HumanMessage("?"), asked, *results)
    assert wire[-1] == {"role": "tool", "tool_call_id": "c2", "content": "not JSON"}
    nameless = AIMessage("", invalid_tool_calls=[{**BROKEN, "id": None, "name": None, "error": None}])
    assert checked(HumanMessage("?"), nameless, HumanMessage("!"))[2]["tool_call_id"] == "invalid_1_0"


@pytest.mark.parametrize(
    "block",
    [
        {"type": "tool_use", "id": "c1", "name": "find", "input": {"a": "ơ"}},
        {"type": "function_call", "call_id": "c1", "name": "find", "arguments": '{"a": "ơ"}'},
        CALL,
    ],
)
def test_a_call_in_a_content_is_a_call_once(block):
    for calls in ([], [CALL]):
        (asked, _) = checked(AIMessage(["Xem", block], tool_calls=calls), ToolMessage("r", tool_call_id="c1"))
        assert asked["content"] == "Xem"
        assert [call["function"] for call in asked["tool_calls"]] == [
            {"name": "find", "arguments": '{"a": "ơ"}'}
        ]


def test_results_as_anthropic_has_them_come_before_the_words_beside_them():
    result = {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "ra"}]}
    wire = checked(AIMessage("", tool_calls=[CALL]), HumanMessage([result, {"type": "text", "text": "tiếp"}]))
    assert wire[1:] == [
        {"role": "tool", "tool_call_id": "c1", "content": "ra"},
        {"role": "user", "content": "tiếp"},
    ]


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (AIMessage([THINKING, "Chào"]), ("hm", "unknown", [CLAUDE])),
        (
            AIMessage(["Chào"], additional_kwargs={"reasoning_content": "hm"}, response_metadata={"model_provider": "deepseek"}),
            ("hm", "deepseek", None),
        ),
        (
            AIMessage(
                [{"type": "reasoning", "reasoning": "hm", "extras": {"signature": "s"}}, "Chào"],
                response_metadata={"model_provider": "anthropic"},
            ),
            ("hm", "anthropic", [CLAUDE]),
        ),
        (
            AIMessage(
                [{"type": "reasoning", "id": "r", "summary": [{"text": "hm"}], "encrypted_content": "Z"}, "Chào"],
                response_metadata={"model_provider": "openai"},
            ),
            (None, "openai", [{"type": "reasoning.encrypted", "data": "Z", "id": "r", "format": "openai-responses-v1"}]),
        ),
        (
            AIMessage(
                "Chào",
                additional_kwargs={"reasoning_content": "hm", "reasoning_details": [CLAUDE], "reasoning_vendor": "anthropic"},
            ),
            ("hm", "anthropic", [CLAUDE]),
        ),
        (AIMessage([{"type": "reasoning", "reasoning": "hm"}, "Chào"]), ("hm", "unknown", None)),
        (
            AIMessage([{"type": "reasoning_content", "reasoning_content": {"text": "hm", "signature": "s"}}, "Chào"]),
            ("hm", "unknown", [CLAUDE]),
        ),
    ],
)  # fmt: skip
def test_thoughts_of_any_vendor_s_message_are_kept_with_whose_they_are(message, fields):
    (wire,) = checked(message)
    assert wire["content"] == "Chào"
    assert (wire.get("reasoning"), wire["reasoning_vendor"], wire.get("reasoning_details")) == fields


def test_a_block_that_cannot_be_sent_is_named_and_not_left_out():
    search = {"type": "web_search_call", "id": "1"}
    with pytest.raises(InvalidRequestError, match="block 1 of message 1 .*web_search_call"):
        to_wire([HumanMessage("?"), AIMessage(["Xem", search])])


def test_arguments_that_no_json_holds_are_named():
    with pytest.raises(InvalidRequestError, match="tool call 'find' in message 0"):
        to_wire([AIMessage("", tool_calls=[{**CALL, "args": {"a": {1, 2}}}])])


def test_arguments_deeper_than_all_read_are_refused():
    deep = {}
    for _ in range(2_000):
        deep = {"a": deep}
    with pytest.raises(InvalidRequestError, match="more than 120 deep"):
        to_wire([AIMessage("", tool_calls=[{**CALL, "args": deep}])])


@pytest.mark.parametrize(
    "arguments",
    ['{"a":' * 100_000 + "1" + "}" * 100_000, '{"a": ' + "9" * 5000 + "}"],
    ids=["nested", "digits"],
)
def test_arguments_that_python_cannot_read_are_an_invalid_call_and_no_crash(arguments: str) -> None:
    calls = (ToolCall("c1", "find", arguments),)
    message = to_message(ChatReply("id", "", "m", "p/m", "p", Usage(1, 4), ZERO_NUSD, "tool_calls", calls))
    assert message.tool_calls == []
    assert [call["name"] for call in message.invalid_tool_calls] == ["find"]
