"""Answers by rule."""

import json
from typing import Any

import pytest

from orchestrator.practice.answers import PracticeAnswer, PracticeRequest
from orchestrator.practice.rules import rule_based_answer


def _tool(name: str, description: str = "", **properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"name": name, "description": description, "parameters": schema}


WEATHER = _tool("get_weather", "The weather of a city.", location={"type": "string"})
ORDER = _tool("lookup_order", "Tra cứu đơn hàng của khách. Look up an order.", order_id={"type": "string"})
MAGIC = _tool("magic_function", "Apply a magic function to an input.", input={"type": "integer"})
STATUS = _tool("order_status", "Look up where an order is.", order_id={"type": "string"})
TRA_CUU = _tool("tra_cuu_don", ma_don={"type": "string"})
TOOLS = (WEATHER, ORDER, MAGIC)


def _answer(text: str, *more: dict[str, Any], **settings: Any) -> PracticeAnswer:
    messages = ({"role": "user", "content": text}, *more)
    return rule_based_answer(PracticeRequest("openai", "m", messages, **settings))


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("What is the weather in San Francisco, CA?", "get_weather", {"location": "San Francisco, CA"}),
        ("Tra cứu đơn hàng DH1001 giúp tôi", "lookup_order", {"order_id": "DH1001"}),
        ("What is the value of magic_function(3)? Use the tool.", "magic_function", {"input": 3}),
    ],
)
def test_a_message_that_calls_for_a_tool_gets_it(text, name, arguments):
    """The fitting tool, with arguments from the message."""
    (call,) = _answer(text, tools=TOOLS).tool_calls
    assert (call.name, json.loads(call.arguments)) == (name, arguments)


@pytest.mark.parametrize(
    ("tool", "text", "arguments"),
    [
        (STATUS, "Where is order DH1001?", {"order_id": "DH1001"}),
        (STATUS, "Đơn DH1001 ở đâu?", {"order_id": "DH1001"}),
        (STATUS, "Where is order 1001?", {"order_id": "1001"}),
        (TRA_CUU, "Tra cứu đơn DH1001", {"ma_don": "DH1001"}),
        (TRA_CUU, "tra cuu don DH1001", {"ma_don": "DH1001"}),
        (_tool("tra_cứu", đơn={"type": "string", "description": "Mã đơn"}), "Đơn DH1001?", {"đơn": "DH1001"}),
        (
            _tool("goi_lai", so_dien_thoai={"type": "string"}),
            "Gọi lại cho đơn DH1001: 0912345678",
            {"so_dien_thoai": "0912345678"},
        ),
        (_tool("thoi_tiet", thanh_pho={"type": "string"}), "Thời tiết ở Huế?", {"thanh_pho": "Huế"}),
    ],
)
def test_tools_and_messages_may_be_of_either_language(tool, text, arguments):
    """Tone marks do not count, and an id goes where an id is needed."""
    (call,) = _answer(text, tools=(WEATHER, tool)).tool_calls
    assert (call.name, json.loads(call.arguments)) == (tool["name"], arguments)


@pytest.mark.parametrize(
    "text", ["Hello!", "Thank you, that is all.", "Cảm ơn bạn nhiều", "Chào bạn, tôi là Lan"]
)
def test_small_talk_calls_no_tool(text):
    """Under `auto` the answer is text."""
    answer = _answer(text, tools=TOOLS)
    assert not answer.tool_calls
    assert answer.text


def test_a_forced_tool_is_called_and_a_forbidden_one_is_not():
    """`named`, `required` and `none` are obeyed whatever the message says."""
    assert _answer("Hello!", tools=TOOLS, tool_choice="named", forced_tool="magic_function").tool_calls[
        0
    ].name == ("magic_function")
    assert _answer("Hello!", tools=TOOLS, tool_choice="required").tool_calls
    assert not _answer("The weather in Huế?", tools=TOOLS, tool_choice="none").tool_calls


def test_after_a_tools_result_the_answer_repeats_it():
    """And names the tool, found by the call's id."""
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    answer = _answer(
        "The weather in Huế?",
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "It's sunny."},
        tools=TOOLS,
    )
    assert answer.text == "The get_weather tool says: It's sunny."


def test_a_json_schema_gets_an_instance():
    """Of the schema in the response format."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert json.loads(_answer("Give me 7", response_format=form).text) == {"n": 7}


def test_json_mode_takes_its_shape_from_the_prompt():
    """A schema that stands in the prompt, else its quoted keys, else an answer."""
    form = {"type": "json_object"}
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    prompt = f"Give me 7. Answer with JSON of this schema: {json.dumps(schema)}"
    assert json.loads(_answer(prompt, response_format=form).text) == {"n": 7}
    keys = "A joke as JSON with 'setup' and 'punchline' keys"
    assert json.loads(_answer(keys, response_format=form).text).keys() == {"setup", "punchline"}
    assert json.loads(_answer("JSON please", response_format=form).text).keys() == {"answer"}


def test_a_long_question_is_quoted_in_part():
    """The answer stays short."""
    assert len(_answer("word " * 1000).text) < 400
