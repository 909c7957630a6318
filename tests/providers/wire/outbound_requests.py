"""Requests for the tests of how they are written."""

from typing import Any

import orjson

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.sampling import Sampling
from orchestrator.core.secret_values import SecretText
from orchestrator.providers.wire.building import wire_request_of
from orchestrator.providers.wire.outbound import OutboundRequest

UPSTREAMS = {
    ProviderKind.OPENROUTER: "openai/gpt-6-luna",
    ProviderKind.OPENAI: "gpt-4o-mini",
    ProviderKind.GOOGLE: "gemini-3.8-flash",
    ProviderKind.LOCAL: "smollm2",
}
HELLO = {"role": "user", "content": "Xin chào"}
WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Huế"}'}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "25 độ"}


def outbound(kind: ProviderKind, *messages: Any, **changes: Any) -> OutboundRequest:
    sampling = {name: changes.pop(name) for name in tuple(changes) if name in Sampling.__dataclass_fields__}
    fields = {
        "upstream": UPSTREAMS[kind],
        "max_tokens": 100,
        "base_url": "http://127.0.0.1:9/v1",
        **changes,
        "api_key": SecretText(changes.get("api_key", "sk-secret")),
        "headers": {name: SecretText(value) for name, value in changes.get("headers", {}).items()},
    }
    return OutboundRequest(kind=kind, messages=messages or (HELLO,), sampling=Sampling(**sampling), **fields)


def body_of(kind: ProviderKind, *messages: Any, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(wire_request_of(outbound(kind, *messages, **changes)).body)
    return body


def notices_of(kind: ProviderKind, *messages: Any, **changes: Any) -> tuple[str, ...]:
    return wire_request_of(outbound(kind, *messages, **changes)).notices
