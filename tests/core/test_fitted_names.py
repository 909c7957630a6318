"""Names that a vendor would refuse are made fit on the way out, and are the caller's own on the way back."""

import re

import pytest

from orchestrator.core.fitted_names import FittedNames
from orchestrator.core.reply import ChatReply, Delta, ToolCall, ToolCallDelta, Usage
from orchestrator.core.request import ChatRequest

FIT = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
ODD = ["Đơn hàng", "Don hang", "crm.find", "crm find", "a" * 80, "a" * 81, "7", "-x", "商品", "📦", "a/b"]


def tool(name: str) -> dict:
    return {"type": "function", "function": {"name": name}}


def asked(*names: str, **fields) -> ChatRequest:
    return ChatRequest.of("Xin chào", use_case="x", tools=[tool(name) for name in names], **fields)


def sent_names(request: ChatRequest) -> list[str]:
    fitted = FittedNames.of(request).in_request(request)
    return [each["function"]["name"] for each in fitted.sampling.tools or ()]


def test_every_name_is_one_that_all_vendors_take_and_no_two_are_the_same():
    names = sent_names(asked(*ODD, "find_order"))
    assert all(FIT.fullmatch(name) for name in names)
    assert len(set(names)) == len(ODD) + 1
    assert names[-1] == "find_order"
    assert names[0].startswith("Don_hang_")


def test_a_name_is_fitted_alike_in_every_turn_and_never_to_another_tool_s():
    (alone,) = sent_names(asked("Đơn hàng"))
    assert sent_names(asked("x", "Đơn hàng"))[1] == alone
    assert sent_names(asked(alone, "Đơn hàng"))[0] == alone
    assert sent_names(asked(alone, "Đơn hàng"))[1] != alone


def test_tools_choices_formats_calls_and_results_all_have_the_fitted_name():
    call = {"id": "1", "type": "function", "function": {"name": "Đơn hàng", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "x", "name": "Nguyễn Thị Lan"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "y", "tool_call_id": "1", "name": "Đơn hàng"},
    ]
    form = {"type": "json_schema", "json_schema": {"name": "Trả lời", "schema": {}}}
    request = ChatRequest.of(
        messages, use_case="x", tools=[tool("Đơn hàng")], tool_choice=tool("Đơn hàng"), response_format=form
    )
    sent = FittedNames.of(request).in_request(request)
    (name,) = sent_names(request)
    assert sent.sampling.tool_choice["function"]["name"] == name
    assert sent.messages[1]["tool_calls"][0]["function"]["name"] == sent.messages[2]["name"] == name
    assert FIT.fullmatch(sent.sampling.response_format["json_schema"]["name"])
    assert sent.messages[0]["name"] == "Nguyễn_Thị_Lan"
    assert request.messages[1]["tool_calls"][0]["function"]["name"] == "Đơn hàng"


def test_what_comes_back_has_the_caller_s_names():
    request = asked("Đơn hàng")
    names, (sent,) = FittedNames.of(request), sent_names(request)
    reply = ChatReply("i", "", "m", "d", "p", Usage(), 0, "tool_calls", (ToolCall("1", sent, "{}"),))  # type: ignore[arg-type]
    assert names.in_reply(reply).tool_calls[0].name == "Đơn hàng"
    pieces = Delta("", (ToolCallDelta(0, "1", sent), ToolCallDelta(0, arguments="{}")))
    assert [call.name for call in names.in_piece(pieces).tool_calls] == ["Đơn hàng", None]


@pytest.mark.parametrize("names", [(), ("find_order", "_x-1")])
def test_a_request_with_good_names_is_sent_as_it_is(names):
    request = asked(*names) if names else ChatRequest.of("Xin chào", use_case="x")
    assert FittedNames.of(request).in_request(request) is request
