"""The body of a request in the format of Gemini's `generateContent`.

Written from Google's own description: https://ai.google.dev/api/generate-content and
https://ai.google.dev/gemini-api/docs/openai for what OpenAI's parameters mean there.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from orchestrator.providers.wire.conversation_checks import tool_calls_of
from orchestrator.providers.wire.gemini_contents import contents_of
from orchestrator.providers.wire.gemini_schema import gemini_schema
from orchestrator.providers.wire.outbound import OutboundRequest, UnsendableError
from orchestrator.providers.wire.parameter_rules import gemini_major
from orchestrator.providers.wire.reasoning_turns import REASONING_LEFT_OUT, returned_reasoning

CACHE_CONTROL_NOT_FOR_GOOGLE = (
    "'cache_control' is not sent to Google, which caches by itself, and was left out"
)

_CONFIG_NAMES: Mapping[str, str] = {
    "max_tokens": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "stop": "stopSequences",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
_THINKING_TOKENS: Mapping[str, int] = {
    "none": 0,
    "minimal": 1_024,
    "low": 1_024,
    "medium": 8_192,
    "high": 24_576,
    "xhigh": 24_576,
}
"""Budgets of Gemini 2.5, as Google's own reading of OpenAI's format sets them."""
_FIRST_WITH_LEVELS = 3


def gemini_path(outbound: OutboundRequest) -> str:
    """Return the path of the method, below the address of the API."""
    name = outbound.upstream if "/" in outbound.upstream else f"models/{outbound.upstream}"
    method = "streamGenerateContent?alt=sse" if outbound.stream else "generateContent"
    return f"{quote(name, safe='/-._~@')}:{method}"


def gemini_body(
    outbound: OutboundRequest, parameters: Mapping[str, Any], notices: list[str]
) -> dict[str, Any]:
    """Return the body; `notices` gets what was left out.

    Raises:
        UnsendableError: the format cannot carry a part of the request; the message names it.
    """
    major = gemini_major(outbound.upstream)
    system, contents = contents_of(outbound.messages, major=major)
    if _has_cache_control(outbound.messages, parameters.get("tools")):
        notices.append(CACHE_CONTROL_NOT_FOR_GOOGLE)
    if any(returned_reasoning(message, outbound.vendor)[2] for message in outbound.messages):
        notices.append(REASONING_LEFT_OUT)
    body: dict[str, Any] = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    if parameters.get("tools"):
        body["tools"] = [{"functionDeclarations": [_declaration(tool) for tool in parameters["tools"]]}]
        choice = _tool_config(parameters.get("tool_choice"))
        if choice is not None:
            body["toolConfig"] = {"functionCallingConfig": choice}
    config = {_CONFIG_NAMES[name]: value for name, value in parameters.items() if name in _CONFIG_NAMES}
    config |= _response_config(parameters.get("response_format"))
    if (effort := parameters.get("reasoning_effort")) is not None:
        config["thinkingConfig"] = _thinking(str(effort), outbound.upstream, major)
    body["generationConfig"] = config
    return body


def _declaration(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = tool["function"]
    declaration: dict[str, Any] = {"name": function["name"]}
    if function.get("description"):
        declaration["description"] = function["description"]
    schema = function.get("parameters")
    # A function without parameters has none at all: Google refuses an object type without properties.
    if isinstance(schema, Mapping) and (schema.get("properties") or schema.get("type") != "object"):
        declaration["parametersJsonSchema"] = gemini_schema(schema)
    return declaration


def _tool_config(choice: Any) -> dict[str, Any] | None:
    if choice is None:
        return None
    if isinstance(choice, str) and choice in _MODES:
        return {"mode": _MODES[choice]}
    function = choice.get("function") if isinstance(choice, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str):
        raise UnsendableError(
            "'tool_choice' must be auto, none, required or the name of a function to go to Google"
        )
    return {"mode": "ANY", "allowedFunctionNames": [name]}


_MODES: Mapping[str, str] = {"auto": "AUTO", "none": "NONE", "required": "ANY", "any": "ANY"}


def _response_config(response_format: Any) -> dict[str, Any]:
    kind = response_format.get("type") if isinstance(response_format, Mapping) else None
    reader = _FORMATS.get(kind)
    if reader is None:
        raise UnsendableError(f"'response_format' of type '{kind}' has no counterpart at Google")
    return reader(response_format)


def _json_schema(response_format: Mapping[str, Any]) -> dict[str, Any]:
    described = response_format.get("json_schema")
    schema = described.get("schema") if isinstance(described, Mapping) else None
    config: dict[str, Any] = {"responseMimeType": "application/json"}
    if isinstance(schema, Mapping):
        config["responseJsonSchema"] = gemini_schema(schema)
    return config


_FORMATS: Mapping[Any, Callable[[Any], dict[str, Any]]] = {
    None: lambda _: {},
    "text": lambda _: {},
    "json_object": lambda _: {"responseMimeType": "application/json"},
    "json_schema": _json_schema,
}


def _thinking(effort: str, upstream: str, major: int) -> dict[str, Any]:
    """Return how much a model is to think, and that its thoughts are wanted where it does."""
    if effort not in _THINKING_TOKENS:
        known = ", ".join(_THINKING_TOKENS)
        raise UnsendableError(f"'reasoning_effort' must be one of {known} to go to Google")
    shown = {"includeThoughts": effort != "none"}
    if major < _FIRST_WITH_LEVELS:
        return {"thinkingBudget": _THINKING_TOKENS[effort], **shown}
    if effort in {"none", "minimal"}:
        # Only the small models can think so little.
        level = "minimal" if "flash" in upstream.lower() else "low"
    else:
        level = "high" if effort == "xhigh" else effort
    return {"thinkingLevel": level, **shown}


def _has_cache_control(messages: Sequence[Mapping[str, Any]], tools: Any) -> bool:
    for message in messages:
        content = message.get("content")
        parts = content if isinstance(content, list | tuple) else ()
        holders = (message, *parts, *tool_calls_of(message))
        if any(isinstance(holder, Mapping) and holder.get("cache_control") is not None for holder in holders):
            return True
    declared = (holder for tool in tools or () for holder in (tool, tool["function"]))
    return any(holder.get("cache_control") is not None for holder in declared)
