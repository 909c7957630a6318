"""A request becomes HTTP without a change to what the caller handed in."""

import copy

import orjson
import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.providers.wire.building import wire_request_of
from orchestrator.providers.wire.outbound import UnsendableError
from orchestrator.providers.wire.parameter_rules import ModelRules
from tests.providers.wire.outbound_requests import (
    CALLED,
    HELLO,
    RESULT,
    UPSTREAMS,
    WEATHER_TOOL,
    body_of,
    outbound,
)

KINDS = tuple(UPSTREAMS)
CACHED = {"type": "ephemeral"}
SCHEMA = {"$schema": "x", "type": "object", "properties": {"a": {"$ref": "#/$defs/A", "description": "b"}}, "$defs": {"A": {"const": "x"}}}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_neither_messages_nor_tools_of_the_caller_are_changed(kind) -> None:
    messages = (
        {"role": "developer", "content": [{"type": "text", "text": "Luật", "cache_control": CACHED}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
        {**CALLED, "provider_specific_fields": {"x": 1}, "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        RESULT,
        {**HELLO, "cache_control": CACHED},
    )  # fmt: skip
    tool = {
        **WEATHER_TOOL,
        "function": {**WEATHER_TOOL["function"], "parameters": SCHEMA},
        "cache_control": CACHED,
    }
    response_format = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}}
    request = outbound(kind, *messages, tools=(tool,), response_format=response_format, tool_choice="auto")
    before = copy.deepcopy((request.messages, request.sampling))
    first = wire_request_of(request).body
    assert (request.messages, request.sampling) == before
    assert wire_request_of(request).body == first


@pytest.mark.parametrize(
    ("kind", "stream", "url"),
    [
        (ProviderKind.OPENAI, False, "http://127.0.0.1:9/v1/chat/completions"),
        (ProviderKind.OPENROUTER, True, "http://127.0.0.1:9/v1/chat/completions"),
        (ProviderKind.GOOGLE, False, "http://127.0.0.1:9/v1/models/gemini-3.8-flash:generateContent"),
        (
            ProviderKind.GOOGLE,
            True,
            "http://127.0.0.1:9/v1/models/gemini-3.8-flash:streamGenerateContent?alt=sse",
        ),
    ],
)
def test_a_request_is_posted_to_the_method_of_its_format(kind, stream, url) -> None:
    request = wire_request_of(outbound(kind, stream=stream))
    assert (request.method, request.url) == ("POST", url)


def test_a_name_cannot_lead_to_another_method_of_google() -> None:
    request = wire_request_of(outbound(ProviderKind.GOOGLE, upstream="tuned/x?key=1#y z"))
    assert request.url == "http://127.0.0.1:9/v1/tuned/x%3Fkey%3D1%23y%20z:generateContent"


def rules(kind, upstream, parameters):
    assert (kind, upstream) == (ProviderKind.OPENAI, "gpt-4o-mini")
    assert parameters["max_tokens"] == 100
    return ModelRules(frozenset({"tool_choice", "stop"}), {"max_tokens": "max_new_tokens"})


def test_rules_of_the_callers_own_drop_and_rename_parameters_and_what_is_dropped_is_said() -> None:
    sending = outbound(ProviderKind.OPENAI, tools=(WEATHER_TOOL,), tool_choice="auto", stop=("a",), seed=7)
    request = wire_request_of(sending, rules)
    body = orjson.loads(request.body)
    assert (body["max_new_tokens"], body["seed"]) == (100, 7)
    assert {"max_tokens", "tool_choice", "stop"} & body.keys() == set()
    assert request.renamed == {"max_tokens": "max_new_tokens"}
    assert [notice.split("'")[1] for notice in request.notices] == ["stop", "tool_choice"]


def test_what_json_cannot_hold_is_refused_before_it_is_sent() -> None:
    with pytest.raises(UnsendableError, match="plain data"):
        body_of(ProviderKind.OPENAI, {"role": "user", "content": "a", "extra": object()})


def test_a_key_of_a_dictionary_may_be_a_number_as_the_core_allows() -> None:
    body = body_of(ProviderKind.OPENAI, {"role": "user", "content": "a", "metadata": {1: 2}})
    assert body["messages"][0]["metadata"] == {"1": 2}
