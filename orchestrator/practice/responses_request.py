"""Reads a request to OpenAI's Responses API: its items become the messages of a chat, and are billed as such.

Practice providers keep nothing that they answered, so what names an earlier response is refused.
"""

from dataclasses import dataclass

from orchestrator.practice.answers import PracticeRequest
from orchestrator.practice.json_types import JsonObject, JsonValue
from orchestrator.practice.thoughts import check_signature
from orchestrator.practice.wire import WireCall
from orchestrator.practice.wire_errors import Refusal

OUTPUT_TOKENS_MIN = 16
"""Of `max_output_tokens`; the API takes no smaller limit."""

_PLAIN: JsonObject = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""What an answer repeats of its request, and what it says where nothing was asked."""
_TAKEN = _PLAIN.keys() | {"model", "input", "include", "stream", "stream_options", "service_tier"}
_NOT_PLAYED = frozenset(
    {"background", "context_management", "conversation", "moderation", "prompt", "prompt_cache_options"}
)
"""What the API has, and practice providers do not."""
_TOOL_CHOICES = frozenset({"auto", "none", "required"})
_FORMATS = frozenset({"json_object", "json_schema"})
_ROLES = frozenset({"user", "assistant", "system", "developer"})
_KINDS = {"instructions": str, "reasoning": dict, "text": dict, "tools": list}


@dataclass(frozen=True, slots=True)
class ResponsesCall:
    """A request for a response, and what its answer repeats of it."""

    call: WireCall
    echo: JsonObject


def read_responses_request(body: JsonObject) -> ResponsesCall:
    """Return the request in a decoded body.

    Raises:
        Refusal: 400, when it names what the API does not know or practice providers do not play, asks
            nothing, or has a tool, an item or a format that is none.
    """
    _check_names(body)
    model = body.get("model")
    if not isinstance(model, str):
        raise _missing("model")
    choice, forced = _tool_choice(body.get("tool_choice"))
    request = PracticeRequest(
        provider="openai",
        model=model,
        messages=_messages(body),
        tools=tuple(map(_tool, body.get("tools") or ())),
        tool_choice=choice,
        forced_tool=forced,
        response_format=_response_format(body.get("text")),
        max_tokens=_limit(body.get("max_output_tokens")),
        temperature=body.get("temperature"),
    )
    repeated = {name: body[name] for name in _PLAIN if body.get(name) is not None}
    return ResponsesCall(WireCall(request, stream=bool(body.get("stream"))), {**_PLAIN, **repeated})


def _check_names(body: JsonObject) -> None:
    for name, value in body.items():
        if name == "previous_response_id" and value is not None:
            raise Refusal(
                400, f"Previous response with id '{value}' not found.", "previous_response_not_found"
            )
        if name in _NOT_PLAYED and value:
            raise Refusal(400, f"practice providers do not play '{name}' of the Responses API")
        if name not in _TAKEN | _NOT_PLAYED | {"previous_response_id"}:
            raise Refusal(400, f"Unknown parameter: '{name}'.", "unknown_parameter")
        if value is not None and not isinstance(value, _KINDS.get(name, object)):
            raise _invalid(name)


def _messages(body: JsonObject) -> tuple[JsonObject, ...]:
    content = body.get("input")
    items = [{"role": "user", "content": content}] if isinstance(content, str) else content
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise _missing("input")
    instructions = body.get("instructions")
    messages: list[JsonObject] = [{"role": "system", "content": instructions}] if instructions else []
    for at, item in enumerate(items):
        _add(item, messages, where=f"input[{at}]")
    return tuple(messages)


def _add(item: JsonObject, messages: list[JsonObject], *, where: str) -> None:
    """Add an item to the messages; a call belongs to the assistant's message before it."""
    kind = item.get("type", "message")
    if kind == "message" and item.get("role") in _ROLES:
        messages.append({"role": item["role"], "content": _content(item.get("content"), where)})
    elif kind == "function_call":
        if not messages or messages[-1]["role"] != "assistant":
            messages.append({"role": "assistant", "content": None})
        messages[-1].setdefault("tool_calls", []).append(_call(item, where))
    elif kind == "function_call_output":
        call_id = item.get("call_id")
        if call_id not in [call["id"] for message in messages for call in message.get("tool_calls", ())]:
            raise Refusal(400, f"No tool call found for function call output with call_id {call_id}.")
        content = _content(item.get("output"), where)
        messages.append({"role": "tool", "tool_call_id": call_id, "content": content})
    elif kind == "reasoning":
        if item.get("encrypted_content") is not None:
            check_signature(item["encrypted_content"], "openai")
    else:
        raise _invalid(f"{where}.{'role' if kind == 'message' else 'type'}")


def _call(item: JsonObject, where: str) -> JsonObject:
    for name in ("call_id", "name", "arguments"):
        if not isinstance(item.get(name), str):
            raise _missing(f"{where}.{name}")
    function = {"name": item["name"], "arguments": item["arguments"]}
    return {"id": item["call_id"], "type": "function", "function": function}


def _content(content: JsonValue, where: str) -> JsonValue:
    """Return an item's content, its parts as a chat has them."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise _invalid(f"{where}.content")
    return [_part(part, where) for part in content]


def _part(part: JsonValue, where: str) -> JsonObject:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in {"input_text", "output_text"} and isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    if kind == "refusal":
        return {"type": "text", "text": part.get("refusal")}
    if kind == "input_image":
        return {"type": "image_url", "image_url": {"url": part.get("image_url")}}
    if kind == "input_file":
        return {"type": "file", "file": {"file_data": part.get("file_data")}}
    raise _invalid(f"{where}.content")


def _tool(tool: JsonValue) -> JsonObject:
    if not isinstance(tool, dict) or tool.get("type") != "function":
        raise Refusal(400, "practice providers take function tools alone")
    if not isinstance(tool.get("name"), str):
        raise _missing("tools[].name")
    return {name: value for name, value in tool.items() if name != "type"}


def _tool_choice(choice: JsonValue) -> tuple[str, str | None]:
    if choice is None or (isinstance(choice, str) and choice in _TOOL_CHOICES):
        return choice or "auto", None
    if isinstance(choice, dict) and choice.get("type") == "function" and isinstance(choice.get("name"), str):
        return "named", choice["name"]
    raise _invalid("tool_choice")


def _response_format(text: JsonValue) -> JsonObject | None:
    """Return the format of the text as a chat has it; that of a schema stands one level deeper there."""
    form = text.get("format") if isinstance(text, dict) else None
    if form is None or form == {"type": "text"}:
        return None
    if not isinstance(form, dict) or form.get("type") not in _FORMATS:
        raise _invalid("text.format")
    if form["type"] == "json_object":
        return form
    if not isinstance(form.get("name"), str) or not isinstance(form.get("schema"), dict):
        raise _missing("text.format.name" if "schema" in form else "text.format.schema")
    return {
        "type": "json_schema",
        "json_schema": {name: value for name, value in form.items() if name != "type"},
    }


def _limit(limit: JsonValue) -> int | None:
    if limit is None:
        return None
    if type(limit) is not int:
        raise _invalid("max_output_tokens")
    if limit < OUTPUT_TOKENS_MIN:
        message = (
            "Invalid 'max_output_tokens': integer below minimum value. "
            f"Expected a value >= {OUTPUT_TOKENS_MIN}, but got {limit} instead."
        )
        raise Refusal(400, message)
    return limit


def _missing(name: str) -> Refusal:
    return Refusal(400, f"Missing required parameter: '{name}'.")


def _invalid(name: str) -> Refusal:
    return Refusal(400, f"Invalid value for '{name}'.")
