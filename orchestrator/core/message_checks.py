"""The OpenAI wire shape of messages, tools and response formats: what of it a request insists on.

Whatever is checked here is read later by the policies, the cache and every provider; what is not, they
take as it comes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchestrator.core.errors import InvalidRequestError

PART_KINDS = frozenset({"text", "image_url", "input_audio", "file", "refusal", "video_url", "audio_url"})
"""Parts of a message that OpenAI's format has; `video_url` and `audio_url` are OpenRouter's and vLLM's."""
ROLES = ("system", "developer", "user", "assistant", "tool")


def messages_of(prompt: Any) -> tuple[Mapping[str, Any], ...]:
    """Return a text or a list of messages as messages.

    Raises:
        InvalidRequestError: no messages, one without a role, or content that is not text.
    """
    if isinstance(prompt, bytes):
        raise InvalidRequestError("the prompt is bytes; decode it first, for example prompt.decode('utf-8')")
    if not isinstance(prompt, str) and (isinstance(prompt, Mapping) or not isinstance(prompt, Iterable)):
        raise InvalidRequestError(f"a prompt is a text or a list of messages, not {type(prompt).__name__}")
    messages: tuple[Mapping[str, Any], ...]
    messages = ({"role": "user", "content": prompt},) if isinstance(prompt, str) else tuple(prompt)
    if not messages:
        raise InvalidRequestError("no messages: give at least one with a role and content")
    for place, message in enumerate(messages):
        role = message.get("role") if isinstance(message, Mapping) else None  # type: ignore[redundant-expr]
        if role not in ROLES:
            raise InvalidRequestError(f"message {place} needs a 'role', one of: {', '.join(ROLES)}")
        _check_content(message.get("content"), place)
    if not any(_has_content(message) for message in messages):
        raise InvalidRequestError("every message is empty: write something to answer")
    return messages


def _has_content(message: Mapping[str, Any]) -> bool:
    content = message.get("content") or ()
    parts = [content] if isinstance(content, str) else content
    texts = [part.get("text", "file") if isinstance(part, Mapping) else part for part in parts]
    return any(text and text.strip() for text in texts) or bool(message.get("tool_calls"))


def _check_content(content: Any, place: int) -> None:
    if content is None:
        return
    for part in content if isinstance(content, list | tuple) else [content]:
        text = part.get("text", "") if isinstance(part, Mapping) and part is not content else part
        if isinstance(text, bytes):
            msg = f"message {place} holds bytes; decode them first, for example content.decode('utf-8')"
            raise InvalidRequestError(msg)
        if not isinstance(text, str):
            msg = f"the content of message {place} must be text or a list of parts, not {type(text).__name__}"
            raise InvalidRequestError(msg)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as exc:
            msg = f"message {place} holds a character that is not valid Unicode at position {exc.start}"
            raise InvalidRequestError(msg) from None


def check_tools(tools: Iterable[Any]) -> None:
    """Check that each tool is a function with a name.

    Raises:
        InvalidRequestError: one is not.
    """
    for tool in tools:
        name = _read(_read(tool, "function"), "name")
        if _read(tool, "type") != "function" or not isinstance(name, str):
            msg = (
                f"a tool must be {{'type': 'function', 'function': {{'name': ...}}}}, got {str(tool)[:40]!r}"
            )
            raise InvalidRequestError(msg)


def check_format(response_format: Any) -> None:
    """Check that a response format says its kind; None is no format.

    Raises:
        InvalidRequestError: it does not.
    """
    if response_format is not None and not isinstance(_read(response_format, "type"), str):
        msg = "'response_format' must be a mapping with a 'type': text, json_object or json_schema"
        raise InvalidRequestError(msg)


def check_parts(messages: Sequence[Mapping[str, Any]]) -> None:
    """Check that each part of a message says its kind, and an image its address.

    Raises:
        InvalidRequestError: one does not.
    """
    for place, message in enumerate(messages):
        content = message.get("content")
        for part in content if isinstance(content, list | tuple) else ():
            kind = part.get("type") if isinstance(part, Mapping) else "text"
            address = part.get("image_url", "") if isinstance(part, Mapping) else ""
            if not isinstance(kind, str) or (kind == "image_url" and not address):
                msg = f"a part of message {place} needs a 'type', and an image its 'image_url'"
                raise InvalidRequestError(msg)


def check_conversation(messages: Sequence[Mapping[str, Any]]) -> None:
    """Check what would come back as an error of every provider, in whichever format it was sent.

    Raises:
        InvalidRequestError: a part of a kind that no format has, a tool call without a name or with arguments
            that are no JSON object, or a tool result without its call.
    """
    called: set[str] = set()
    for place, message in enumerate(messages):
        content = message.get("content")
        for number, part in enumerate(content if isinstance(content, list | tuple) else ()):
            _check_part(part, place, number)
        for call in _tool_calls(message):
            called.add(str(_read(call, "id") or ""))
            _check_call(call, place)
        if message.get("role") == "tool" and str(message.get("tool_call_id") or "") not in called:
            raise InvalidRequestError(
                f"message {place} is the result of a tool call that no message before it makes"
            )


def _tool_calls(message: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the tool calls of an assistant message, whatever they are.

    Raises:
        InvalidRequestError: they are no list.
    """
    calls = message.get("tool_calls") or ()
    if not isinstance(calls, list | tuple):
        raise InvalidRequestError(f"'tool_calls' must be a list, got {type(calls).__name__}")
    yield from calls


def _check_part(part: Any, place: int, number: int) -> None:
    if isinstance(part, str):
        return
    kind = _read(part, "type")
    if not isinstance(kind, str) or kind not in PART_KINDS:
        raise InvalidRequestError(
            f"part {number} of message {place} is of type '{str(kind)[:40]}', which no provider's format has; "
            f"known are: {', '.join(sorted(PART_KINDS))}"
        )


def _check_call(call: Any, place: int) -> None:
    name = _read(_read(call, "function"), "name")
    if not isinstance(name, str) or not name:
        raise InvalidRequestError(f"a tool call in message {place} has no function name")
    if not _is_object(_read(_read(call, "function"), "arguments")):
        raise InvalidRequestError(
            f"the arguments of tool call '{name[:64]}' in message {place} are no JSON object"
        )


def _is_object(arguments: Any) -> bool:
    if arguments is None or isinstance(arguments, Mapping):
        return True
    if not isinstance(arguments, str):
        return False
    try:
        return not arguments.strip() or isinstance(json.loads(arguments, strict=False), dict)
    except (ValueError, RecursionError):
        return False


def _read(holder: Any, key: str) -> Any:
    return holder.get(key) if isinstance(holder, Mapping) else None
