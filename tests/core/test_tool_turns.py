"""Every tool call has an id of its own and one result, right after it; what has not is told here."""

import json

import pytest

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.tool_turns import check_tool_turns

ASK = {"role": "user", "content": "Huế?"}


def call(call_id="c1", **changes):
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": "weather", "arguments": "{}"},
        **changes,
    }


def calling(*calls):
    return {"role": "assistant", "content": None, "tool_calls": list(calls)}


def result(call_id="c1"):
    return {"role": "tool", "tool_call_id": call_id, "content": "25"}


@pytest.mark.parametrize(
    "messages",
    [
        (ASK,),
        (ASK, calling(call()), result()),
        (ASK, calling(call(), call("c2")), result("c2"), result("c1"), ASK),
        (ASK, calling(call()), result(), calling(call("c2")), result("c2")),
        (ASK, calling(call()), result(), calling(call()), result(), ASK),
        (ASK, {"role": "assistant", "content": "a", "tool_calls": None}, ASK),
        (ASK, calling({"id": "c1", "function": {"name": "weather"}, "index": 0}), result()),
    ],
)
def test_calls_with_their_results_pass(messages):
    check_tool_turns(messages)


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ((ASK, calling(call())), r"'weather' \(c1\) has no result, and the conversation ends: answer each"),
        ((calling(call()), ASK, result()), r"\(c1\) has no result, and message 1 follows: .*interrupted"),
        ((calling(call(), call("c2")), result(), ASK), r"\(c2\) has no result, and message 2 follows"),
        ((calling(call()), calling(call("c2"))), r"\(c1\) has no result, and message 1 follows"),
        ((calling(call(), call()), result()), "two tool calls of message 0 have the id 'c1'"),
        ((calling(call()), result(), result()), "message 2 is a second result of the tool call 'c1'"),
        ((calling(call()), result(), ASK, result()), "message 3 is a second result"),
        ((result(),), "message 0 is the result of a tool call that no message before it makes"),
        ((calling(call()), result("other")), "message 1 is the result of a tool call that no"),
        ((calling(call()), {"role": "tool", "tool_call_id": ["c1"]}), "message 1 is the result"),
        ((calling(call(None)),), "tool call 'weather' in message 0 needs an 'id'"),
        ((calling(call("")),), "needs an 'id'"),
        ((calling(call(type="custom")),), "is not of the shape"),
        ((calling(call(args={})),), "is not of the shape .*: it has 'args'"),
        ((calling("weather"),), "has no function name"),
        (({"role": "assistant", "tool_calls": call()},), "'tool_calls' must be a list, got dict"),
    ],
)
def test_a_call_or_result_that_stands_alone_says_where_and_what_to_do(messages, says):
    with pytest.raises(InvalidRequestError, match=says):
        check_tool_turns(messages)


def test_neither_arguments_nor_results_are_quoted():
    secret = {"name": "weather", "arguments": '{"phone": "0901"'}
    with pytest.raises(InvalidRequestError) as caught:
        check_tool_turns((calling(call(function=secret)),))
    assert "0901" not in str(caught.value)


def nested(levels):
    value = 1
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize("write", [json.dumps, dict], ids=["text", "data"])
def test_arguments_are_bounded_in_depth_however_they_are_kept(write):
    check_tool_turns((calling(call(function={"name": "f", "arguments": write(nested(100))})), result()))
    with pytest.raises(InvalidRequestError, match="tool call 'f' in message 0 lie more than 100 deep"):
        check_tool_turns((calling(call(function={"name": "f", "arguments": write(nested(101))})), result()))


@pytest.mark.parametrize(
    "arguments",
    [
        '{"n": NaN}',
        '{"n": -Infinity}',
        '{"n": 1e400}',
        {"n": float("nan")},
        {"n": [float("inf")]},
        {(1, 2): 3},
    ],
)
def test_arguments_that_one_format_would_change_are_none(arguments):
    """Google's would say `null`, and OpenAI's what no JSON is."""
    with pytest.raises(InvalidRequestError, match="no JSON object"):
        check_tool_turns((calling(call(function={"name": "f", "arguments": arguments})), result()))
