"""A conversation in OpenAI's shape as Gemini's `contents`: roles, tool calls and their results."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from orchestrator.core.plain_data import ARGUMENTS_DEPTH_MAX, is_deeper
from orchestrator.core.request import Message
from orchestrator.providers.wire.conversation_checks import (
    call_arguments,
    check_sendable,
    parts_of,
    tool_calls_of,
)
from orchestrator.providers.wire.gemini_media import media_part
from orchestrator.providers.wire.outbound import UnsendableError
from orchestrator.providers.wire.thought_signatures import (
    PLACEHOLDER_SIGNATURE,
    signature_of_call,
    signature_of_text,
    without_signature,
)

_Part = dict[str, Any]
_LONG_NUMBER = re.compile(r"\d{16}")
_SYSTEM_ROLES = frozenset({"system", "developer"})
_FIRST_WITH_SIGNATURES = 3
"""From this generation on calls need their signature, take an id, and results may hold pictures."""


def contents_of(messages: Sequence[Message], *, major: int) -> tuple[list[_Part], list[dict[str, Any]]]:
    """Return the parts of the system instruction, and the contents; neighbours of one role are one content.

    Raises:
        UnsendableError: the format cannot carry a part of a message; the message of the error names it.
    """
    check_sendable(messages)
    system: list[_Part] = []
    contents: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for place, message in enumerate(messages):
        role = message.get("role")
        if role in _SYSTEM_ROLES:
            system += _plain_parts(message, place)
        elif role == "assistant":
            names |= {str(call.get("id") or ""): call["function"]["name"] for call in tool_calls_of(message)}
            _append(contents, "model", _model_parts(message, place, major=major))
        elif role == "tool":
            _append(contents, "user", _result_parts(message, place, names, major=major))
        else:
            _append(contents, "user", _plain_parts(message, place))
    if not contents:
        # Google takes no request without contents.
        return [], [{"role": "user", "parts": system}]
    return system, contents


def _append(contents: list[dict[str, Any]], role: str, parts: list[_Part]) -> None:
    if not parts:
        return
    if contents and contents[-1]["role"] == role:
        contents[-1]["parts"] += parts
    else:
        contents.append({"role": role, "parts": parts})


def _plain_parts(message: Message, place: int) -> list[_Part]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"text": content}] if content else []
    parts = [
        _part(part, f"part {number} of message {place}") for number, part in enumerate(parts_of(message))
    ]
    return [part for part in parts if part != {"text": ""}]


def _part(part: Any, where: str) -> _Part:
    if isinstance(part, str):
        return {"text": part}
    if part["type"] in {"text", "refusal"}:
        return {"text": str(part.get(part["type"]) or "")}
    return media_part(part, where)


def _model_parts(message: Message, place: int, *, major: int) -> list[_Part]:
    parts = _plain_parts(message, place)
    if isinstance(refusal := message.get("refusal"), str) and refusal:
        parts.append({"text": refusal})
    signature = signature_of_text(message)
    if signature and parts:
        parts[-1] = {**parts[-1], "thoughtSignature": signature}
    blocks = message.get("reasoning_details") or ()
    for number, call in enumerate(tool_calls_of(message)):
        parts.append(_call_part(call, signature_of_call(call, blocks), is_first=number == 0, major=major))
    return parts


def _call_part(call: Mapping[str, Any], signature: str | None, *, is_first: bool, major: int) -> _Part:
    function_call: dict[str, Any] = {"name": call["function"]["name"], "args": call_arguments(call)}
    is_signed = major >= _FIRST_WITH_SIGNATURES
    call_id = without_signature(str(call.get("id") or ""))
    if is_signed and call_id:
        function_call["id"] = call_id
    if is_signed and is_first and signature is None:
        # Another model made this call. Of parallel calls only the first one is signed.
        signature = PLACEHOLDER_SIGNATURE
    part: _Part = {"functionCall": function_call}
    return {**part, "thoughtSignature": signature} if signature else part


def _result_parts(message: Message, place: int, names: Mapping[str, str], *, major: int) -> list[_Part]:
    call_id = str(message.get("tool_call_id") or "")
    parts = _plain_parts(message, place)
    texts = [part["text"] for part in parts if "text" in part]
    media = [part for part in parts if "text" not in part]
    response: dict[str, Any] = {"name": names[call_id], "response": _response("".join(texts))}
    if major < _FIRST_WITH_SIGNATURES:
        return [{"functionResponse": response}, *media]
    if without_signature(call_id):
        response["id"] = without_signature(call_id)
    if any("inlineData" not in part for part in media):
        raise UnsendableError(f"the tool result in message {place} names a file; give it as a data: address")
    if media:
        response["parts"] = media
    return [{"functionResponse": response}]


def _response(text: str) -> dict[str, Any]:
    """Return a tool's result as the object that Google wants; a plain text is its output.

    So is one whose numbers Google would change: it keeps each in 64 bits, with 15 digits that are sure.
    """
    if not text.lstrip().startswith("{") or _LONG_NUMBER.search(text):
        return {"output": text}
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {"output": text}
    return {"output": text} if is_deeper(value, ARGUMENTS_DEPTH_MAX) else value
