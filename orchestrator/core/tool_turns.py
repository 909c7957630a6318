"""Tool calls in a conversation: each has an id of its own, and its result follows at once.

OpenAI, Anthropic and Google each refuse a conversation in which a call has no result, two calls share an id,
or a result answers nothing; so none is sent. An id that comes again in a later turn is renamed (`call_ids`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.plain_data import ARGUMENTS_DEPTH_MAX, is_deeper

_CALL_KEYS = frozenset(
    {"id", "type", "function", "index", "cache_control", "extra_content", "provider_specific_fields"}
)
"""OpenAI's own, and what its answers and those libraries that pass them on put beside them."""
_SHOWN_MAX = 64
_NO_OBJECT = "are no JSON object"
_TO_DO = (
    "answer each call right after it with a message of role 'tool' and its 'tool_call_id' (of a call that was "
    "interrupted, say so in one), or leave the call out"
)


def check_tool_turns(messages: Sequence[Mapping[str, Any]]) -> None:
    """Check that every tool call is one, and has exactly one result before anything else is said.

    Raises:
        InvalidRequestError: says which message, and what to do; arguments and results are not quoted.
    """
    open_calls: dict[str, str] = {}
    """Names of the calls whose results are still to come, by their ids."""
    called: set[str] = set()
    for place, message in enumerate(messages):
        if message.get("role") == "tool":
            _take_result(message, place, open_calls, called)
            continue
        _refuse_open(open_calls, f"message {place} follows")
        for call in _tool_calls(message):
            call_id = _check_call(call, place)
            if call_id in open_calls:
                raise InvalidRequestError(
                    f"two tool calls of message {place} have the id '{call_id[:_SHOWN_MAX]}': "
                    "each needs an id of its own"
                )
            called.add(call_id)
            open_calls[call_id] = call["function"]["name"]
    _refuse_open(open_calls, "the conversation ends")


def _take_result(
    message: Mapping[str, Any], place: int, open_calls: dict[str, str], called: set[str]
) -> None:
    call_id = message.get("tool_call_id")
    if not isinstance(call_id, str) or call_id not in called:
        raise InvalidRequestError(
            f"message {place} is the result of a tool call that no message before it makes"
        )
    if open_calls.pop(call_id, None) is None:
        raise InvalidRequestError(
            f"message {place} is a second result of the tool call '{call_id[:_SHOWN_MAX]}': keep one of them"
        )


def _refuse_open(open_calls: Mapping[str, str], what: str) -> None:
    for call_id, name in open_calls.items():
        raise InvalidRequestError(
            f"the tool call '{name[:_SHOWN_MAX]}' ({call_id[:_SHOWN_MAX]}) has no result, and {what}: {_TO_DO}"
        )


def _tool_calls(message: Mapping[str, Any]) -> Iterator[Any]:
    calls = message.get("tool_calls") or ()
    if not isinstance(calls, list | tuple):
        raise InvalidRequestError(f"'tool_calls' must be a list, got {type(calls).__name__}")
    yield from calls


def _check_call(call: Any, place: int) -> str:
    function = call.get("function") if isinstance(call, Mapping) else None
    function = function if isinstance(function, Mapping) else {}
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidRequestError(f"a tool call in message {place} has no function name")
    problem = _problem_of(function.get("arguments"))
    if problem:
        raise InvalidRequestError(
            f"the arguments of tool call '{name[:_SHOWN_MAX]}' in message {place} {problem}"
        )
    unknown = sorted(str(key)[:40] for key in call if key not in _CALL_KEYS)
    if unknown or call.get("type", "function") != "function":
        raise InvalidRequestError(
            f"tool call '{name[:_SHOWN_MAX]}' in message {place} is not of the shape "
            "{'id': ..., 'type': 'function', 'function': {'name': ..., 'arguments': ...}}"
            + (f": it has '{unknown[0]}'" if unknown else "")
        )
    call_id = call.get("id")
    if not isinstance(call_id, str) or not call_id:
        raise InvalidRequestError(f"tool call '{name[:_SHOWN_MAX]}' in message {place} needs an 'id'")
    return call_id


def _problem_of(arguments: Any) -> str | None:
    """Return what is wrong with arguments, as text or as data; None where nothing is."""
    try:
        value = _read(arguments) if isinstance(arguments, str) else arguments
        if value is not None and not isinstance(value, Mapping):
            return _NO_OBJECT
        is_deep = _may_be_deep(arguments) and is_deeper(value, ARGUMENTS_DEPTH_MAX)
        if value is arguments and not is_deep:
            _check_numbers(value)
    except RecursionError:
        is_deep = True
    except (ValueError, TypeError):
        return _NO_OBJECT
    return f"lie more than {ARGUMENTS_DEPTH_MAX} deep in each other: nest them less" if is_deep else None


def _read(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        value = json.loads(text, strict=False)
        _check_numbers(value)
        return value


def _check_numbers(value: Any) -> None:
    # Of NaN and infinity one format makes `null`, and the tool was asked for something else.
    json.dumps(value, allow_nan=False, default=str)


def _may_be_deep(arguments: Any) -> bool:
    return not isinstance(arguments, str) or arguments.count("{") + arguments.count("[") > ARGUMENTS_DEPTH_MAX
