"""A request is checked where it is made: what is wrong with it is said before anything is priced or sent."""

from dataclasses import FrozenInstanceError, fields
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage

from orchestrator.cache.response_cache import key_of
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.request import CacheUse, ChatRequest
from orchestrator.core.sampling import SAMPLING_NAMES
from orchestrator.routing.estimate import measure

USER = {"role": "user", "content": "Xin chào"}


TOOL = {"type": "function", "function": {"name": "find_order"}}


def of(prompt="Xin chào", **overrides):
    return ChatRequest.of(prompt, **{"use_case": "customer_service", **overrides})


def test_a_text_becomes_one_message_of_the_user():
    assert of("Đơn hàng của tôi ở đâu?").messages == ({"role": "user", "content": "Đơn hàng của tôi ở đâu?"},)


def test_messages_keep_their_wire_shape():
    messages = [
        {"role": "system", "content": "Trả lời ngắn."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Ảnh này?"},
                {"type": "image_url", "image_url": {"url": "https://openrouter.ai/a.png"}},
            ],
        },
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "tool_call_id": "1", "content": "ok"},
    ]
    assert of(messages).messages == tuple(messages)


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("", "every message is empty"),
        (" \n\t", "every message is empty"),
        ([], "no messages"),
        (None, "a text or a list of messages, not null"),
        (7, "a text or a list of messages, not a number"),
        (USER, "a text or a list of messages, not an object"),
        (b"Xin ch\xc3\xa0o", r"bytes; decode it first, for example prompt.decode\('utf-8'\)"),
        ([b"x"], "message 0 is bytes: write an object with 'role' and 'content'$"),
        (["x"], "message 0 is a text: write an object with 'role' and 'content'$"),
        (
            [HumanMessage("x")],
            r"message 0 is HumanMessage: .*; chat_model\(\.\.\.\) takes LangChain's messages",
        ),
        ([USER, {"content": "x"}], "message 1 needs a 'role'"),
        ([{"role": "robot", "content": "x"}], "message 0 needs a 'role'"),
        ([{"role": "user"}], "every message is empty"),
        ([{"role": "user", "content": [{"type": "text", "text": " "}]}], "every message is empty"),
        ([{"role": "user", "content": b"x"}], r"message 0 holds bytes; .*content.decode\('utf-8'\)"),
        ([{"role": "user", "content": [{"type": "text", "text": b"x"}]}], "message 0 holds bytes"),
        ([{"role": "user", "content": 7}], "message 0 must be text or a list of parts, not a number"),
        (
            [{"role": "user", "content": {"type": "text", "text": "x"}}],
            "text or a list of parts, not an object",
        ),
        ([{"role": "user", "content": [7]}], "message 0 must be text or a list of parts, not a number"),
        (
            [{"role": "user", "content": [{"type": "text", "text": 7}]}],
            "text or a list of parts, not a number",
        ),
        ("ab\ud83d", "message 0 holds a character that is not valid Unicode at position 2"),
        (
            [{"role": "user", "content": [{"type": "text", "text": "\udcff"}]}],
            "not valid Unicode at position 0",
        ),
        ([{**USER, "name": "\ud83d"}], "plain data that JSON can hold"),
        ([{**USER, "cache_control": object()}], "plain data that JSON can hold: .*object"),
        (
            [{"role": "assistant", "tool_calls": [{"arguments": b"{}"}]}],
            "plain data that JSON can hold: .*bytes",
        ),
    ],
)
def test_a_prompt_that_cannot_be_asked_is_refused_with_its_reason(prompt, says):
    with pytest.raises(InvalidRequestError, match=says):
        of(prompt)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"temprature": 0.2}, "unknown request field 'temprature'. Did you mean 'temperature'?"),
        ({"max_token": 5}, "Did you mean 'max_tokens'?"),
        ({"timeout": 5}, "unknown request field 'timeout'. Did you mean 'deadline_s'? It is in seconds"),
        ({"request_timeout": 5}, "Did you mean 'deadline_s'"),
        ({"zzzz": 5}, "unknown request field 'zzzz'; known: cache, deadline_s"),
        ({"sampling": {}}, "unknown request field 'sampling'"),
        ({"max_tokens": 0}, "'max_tokens' must be a whole number greater than 0, got 0"),
        ({"max_tokens": -1}, "'max_tokens' must be"),
        ({"max_tokens": 1.5}, "'max_tokens' must be a whole number"),
        ({"max_tokens": True}, "'max_tokens' must be"),
        ({"max_tokens": "100"}, "'max_tokens' must be"),
        ({"max_cost_nusd": 0.01}, "'max_cost_nusd' must be a whole number"),
        ({"max_cost_nusd": 0}, "'max_cost_nusd' must be"),
        ({"deadline_s": 0}, "'deadline_s' must be a number greater than 0"),
        ({"deadline_s": 10**400}, "'deadline_s' is larger than any number that is kept"),
        ({"max_cost_nusd": 2**63}, "'max_cost_nusd' is larger than any number that is kept"),
        ({"max_tokens": 10**5000}, "'max_tokens' is larger than any number that is kept"),
        ({"seed": -(2**70)}, "'seed' is larger than any number that is kept"),
        ({"deadline_s": float("nan")}, "'deadline_s' must be"),
        ({"deadline_s": float("inf")}, "'deadline_s' must be"),
        ({"deadline_s": "30s"}, "'deadline_s' must be a number greater than 0, got '30s'"),
        ({"temperature": "hot"}, "'temperature' must be a number from 0 to 2, got 'hot'"),
        ({"temperature": float("nan")}, "'temperature' must be a number"),
        ({"seed": 1.5}, "'seed' must be a whole number"),
        ({"top_p": True}, "'top_p' must be a number"),
        ({"stop": 7}, "'stop' must be a list, got a number"),
        ({"stop": b"x"}, "'stop' must be a list, got bytes"),
        ({"tools": 7}, "'tools' must be a list, got a number"),
        (
            {"tools": [{"type": "function", "function": {"name": "x", "parameters": object()}}]},
            "plain data that JSON can hold",
        ),
        ({"tags": 7}, "'tags' must be a list, got a number"),
        ({"tags": [""]}, r"'tags\[0\]' must be a name"),
        ({"tags": [7]}, r"'tags\[0\]' must be a name, got 7; write it as text: '7'"),
        ({"tenant": ""}, "'tenant' must be a name, got ''"),
        ({"tenant": None}, "'tenant' must be a name, got None"),
        ({"tenant": "a\ud83d"}, "'tenant' must be a name"),
        ({"tenant": "acme\n"}, "'tenant' must be a name"),
        ({"use_case": " "}, "'use_case' must be a name"),
        ({"use_case": None}, "'use_case' must be a name, got None"),
        ({"user": 42}, "'user' must be a name, got 42; write it as text: '42'"),
        ({"model": ["gpt-4"]}, "'model' must be a name"),
        ({"profile": ""}, "'profile' must be a name"),
        ({"cache": "sometimes"}, "'cache' must be one of use, refresh, off, got 'sometimes'"),
        ({"cache": None}, "'cache' must be one of use, refresh, off"),
    ],
)
def test_a_wrong_field_is_refused_with_what_would_be_right(overrides, says):
    with pytest.raises(InvalidRequestError, match=says.replace("?", r"\?")):
        of(**overrides)


def test_a_request_without_a_use_case_is_refused():
    with pytest.raises(InvalidRequestError, match="'use_case' must be a name"):
        ChatRequest.of("Xin chào")


@pytest.mark.parametrize("name", ["api_base", "base_url", "api_key", "headers", "extra_headers"])
def test_addresses_keys_and_headers_are_not_taken_per_call(name):
    with pytest.raises(
        InvalidRequestError, match=f"'{name}' is not taken per call: .* config.yaml alone"
    ) as caught:
        of(**{name: "sk-very-secret"})
    assert "secret" not in str(caught.value)


def test_one_text_stands_for_a_list_of_one():
    request = of(stop="END", tags="trial", tools=TOOL)
    assert request.sampling.stop == ("END",)
    assert request.tags == ("trial",)
    assert request.sampling.tools == (TOOL,)


@pytest.mark.parametrize("word", [CacheUse.REFRESH, "refresh"])
def test_the_use_of_the_cache_is_a_word(word):
    assert of(cache=word).cache is CacheUse.REFRESH


def test_a_request_uses_the_cache_unless_told_otherwise():
    assert of().cache is CacheUse.USE


def test_a_finished_request_passes_as_it_is():
    request = of(tenant="acme")
    assert ChatRequest.of(request) == request


def test_what_its_caller_changes_later_changes_no_request():
    """Its bound and its cache key were taken from what it held when it was asked."""
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
    message = {"role": "user", "content": [{"type": "text", "text": "Xin chào"}]}
    shape = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    asked = ChatRequest.of([message], use_case="x", tools=[tool], response_format=shape)
    finished = ChatRequest.of(ChatRequest((message,), "x", sampling=asked.sampling))
    message["content"][0]["text"] = "a" * 10_000
    tool["function"]["parameters"]["type"] = shape["json_schema"]["schema"]["type"] = "string"
    for request in (asked, finished):
        assert request.messages[0]["content"] == [{"type": "text", "text": "Xin chào"}]
        assert request.sampling.tools[0]["function"]["parameters"] == {"type": "object"}
        assert request.sampling.response_format["json_schema"]["schema"] == {"type": "object"}


def test_a_finished_request_takes_no_further_fields():
    with pytest.raises(InvalidRequestError, match=r"dataclasses.replace"):
        ChatRequest.of(of(), tenant="acme")


def test_a_request_is_frozen():
    with pytest.raises(FrozenInstanceError):
        of().tenant = "other"  # type: ignore[misc]


def test_frozen_mappings_are_messages_too():
    assert of([MappingProxyType(USER)]).messages[0]["content"] == "Xin chào"


@given(st.text(min_size=1).filter(lambda text: text.strip()))
def test_every_text_of_valid_unicode_is_taken_unchanged(text):
    assert of(text).messages[0]["content"] == text


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.text(st.characters(categories=["Cs"]), min_size=1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@given(
    prompt=JUNK | st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": JUNK}), max_size=2),
    name=st.sampled_from(
        [f.name for f in fields(ChatRequest) if f.name != "messages"] + list(SAMPLING_NAMES)
    ),
    value=JUNK,
)
def test_whatever_is_given_is_taken_or_refused_in_our_own_words(prompt, name, value):
    try:
        request = ChatRequest.of(prompt, **{"use_case": "customer_service", name: value})
    except InvalidRequestError:
        return
    # What was taken can be priced and hashed, so nothing fails later on.
    assert measure(request).input_bound_tokens > 0
    assert key_of(request)
