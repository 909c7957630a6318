"""The OpenAI wire shape of messages, tools and response formats: what of it a request takes.

What is not of this shape would be left out by one provider and refused by the next, so it is told here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.message_parts import check_part
from orchestrator.core.plain_data import kind_in_words
from orchestrator.core.reasoning import REASONING_VENDOR
from orchestrator.core.tool_turns import check_tool_turns

PIECES_MAX = 10_000
"""Of a conversation; each is looked at several times, and nobody else has a turn meanwhile."""
_FORMAT_KINDS = ("text", "json_object", "json_schema")
_KEYS = ("role", "content", "name", "cache_control")
ROLES: Mapping[str, tuple[str, ...]] = {
    "system": _KEYS,
    "developer": _KEYS,
    "user": _KEYS,
    "assistant": (
        *(*_KEYS, "tool_calls", "refusal", "reasoning", "reasoning_content", "reasoning_details"),
        *("thinking_blocks", "annotations", "images", "extra_content", "provider_specific_fields"),
        REASONING_VENDOR,
    ),
    "tool": (*_KEYS, "tool_call_id"),
}
"""Each role with the keys of its messages. An assistant's are those of OpenAI's and OpenRouter's answers, and
the notes of LiteLLM, so that an answer can be handed back as it came."""
_EMPTY_KEYS = frozenset({"audio", "function_call", *ROLES["assistant"], *ROLES["tool"]})
"""Libraries write every key that they know; one with nothing in it says nothing."""


_TEXTS = frozenset({"name", "refusal"})
_LISTS = frozenset({"content", "tool_calls", "reasoning_details", "thinking_blocks"})
"""The keys of a message whose values may be lists."""


def messages_of(prompt: Any) -> tuple[Mapping[str, Any], ...]:
    """Return a text or a list of messages as messages.

    Raises:
        InvalidRequestError: no messages, one without a role, or content that is not text.
    """
    if isinstance(prompt, bytes):
        raise InvalidRequestError("the prompt is bytes; decode it first, for example prompt.decode('utf-8')")
    if not isinstance(prompt, str) and (isinstance(prompt, Mapping) or not isinstance(prompt, Iterable)):
        raise InvalidRequestError(f"a prompt is a text or a list of messages, not {kind_in_words(prompt)}")
    messages: tuple[Mapping[str, Any], ...]
    messages = ({"role": "user", "content": prompt},) if isinstance(prompt, str) else tuple(prompt)
    if not messages:
        raise InvalidRequestError("no messages: give at least one with a role and content")
    for place, message in enumerate(messages):
        if not isinstance(message, Mapping):
            # LangChain's messages have content, and are what a reader of its manual gives.
            instead = "; chat_model(...) takes LangChain's messages" if hasattr(message, "content") else ""  # type: ignore[unreachable]
            raise InvalidRequestError(
                f"message {place} is {kind_in_words(message)}: write an object with 'role' and 'content'{instead}"
            )
        role = message.get("role")
        if not isinstance(role, str) or role not in ROLES:
            raise InvalidRequestError(f"message {place} needs a 'role', one of: {', '.join(ROLES)}")
        _check_keys(message, place)
        _check_content(message.get("content"), place)
    if not any(_has_content(message) for message in messages):
        raise InvalidRequestError("every message is empty: write something to answer")
    return messages


def check_pieces(messages: Sequence[Mapping[str, Any]]) -> None:
    """Check that a conversation has no more pieces than can be read at once.

    Raises:
        InvalidRequestError: it has.
    """
    pieces = len(messages) + sum(_listed(message) for message in messages[:PIECES_MAX])
    if pieces > PIECES_MAX:
        raise InvalidRequestError(
            f"the conversation has {pieces:,} messages, parts and tool calls, and at most {PIECES_MAX:,} are "
            "taken: join short ones, or leave out the oldest"
        )


def _listed(message: Mapping[str, Any]) -> int:
    return sum(
        [len(value) for key, value in message.items() if key in _LISTS and isinstance(value, list | tuple)]
    )


def _check_keys(message: Mapping[str, Any], place: int) -> None:
    role = message["role"]
    for key, value in message.items():
        if key in _TEXTS and not isinstance(value, str | None):
            raise InvalidRequestError(
                f"the '{key}' of message {place} must be a text, not {kind_in_words(value)}"
            )
        if key in ROLES[role] or (key in _EMPTY_KEYS and not value):
            continue
        hint = "; the text of a message is its 'content'" if key in {"parts", "text"} else ""
        raise InvalidRequestError(
            f"message {place} has '{str(key)[:40]}', which a message of role '{role}' does not have{hint}; "
            f"it has: {', '.join(ROLES[role])}"
        )


def _has_content(message: Mapping[str, Any]) -> bool:
    content = message.get("content") or ()
    parts = [content] if isinstance(content, str) else content
    texts = [part.get("text", "file") if isinstance(part, Mapping) else part for part in parts]
    return any(text and text.strip() for text in texts) or bool(
        message.get("tool_calls") or message.get("refusal")
    )


def _check_content(content: Any, place: int) -> None:
    if content is None:
        return
    for part in content if isinstance(content, list | tuple) else [content]:
        text = part.get("text", "") if isinstance(part, Mapping) and part is not content else part
        if isinstance(text, bytes):
            msg = f"message {place} holds bytes; decode them first, for example content.decode('utf-8')"
            raise InvalidRequestError(msg)
        if not isinstance(text, str):
            msg = f"the content of message {place} must be text or a list of parts, not {kind_in_words(text)}"
            raise InvalidRequestError(msg)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as exc:
            msg = f"message {place} holds a character that is not valid Unicode at position {exc.start}"
            raise InvalidRequestError(msg) from None


_DETAILS = (None, "auto", "low", "medium", "high", "ultra_high", "original")
"""How closely a picture is looked at, in the words of any format; another is a mistake at every provider."""
_CHOICE_KINDS = ("function", "allowed_tools")
_TOOL_KEYS = frozenset({"type", "function", "cache_control"})


def check_tools(tools: Iterable[Any]) -> None:
    """Check that each tool is a function with a name, and nothing besides: others are billed by use.

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
        strange = next((key for key in tool if key not in _TOOL_KEYS), None)
        if strange is not None:
            raise InvalidRequestError(f"a tool of type function has no '{strange}': others are billed by use")


def check_format(response_format: Any) -> None:
    """Check that a response format is of a kind that there is, with its schema; None is no format.

    Raises:
        InvalidRequestError: it is not.
    """
    if response_format is None:
        return
    kind = _read(response_format, "type")
    if kind not in _FORMAT_KINDS:
        msg = "'response_format' must be a mapping with a 'type': text, json_object or json_schema"
        raise InvalidRequestError(msg)
    if kind == "json_schema" and not isinstance(_read(_read(response_format, kind), "schema"), Mapping):
        msg = "'response_format' of type json_schema needs {'json_schema': {'name': ..., 'schema': {...}}}"
        raise InvalidRequestError(msg)


def check_tool_choice(choice: Any, tools: Sequence[Any] | None) -> None:
    """Check that a choice of tools chooses among those that the request has; None is no choice.

    Raises:
        InvalidRequestError: there are none, or none of that name.
    """
    if choice in (None, "none", "auto"):
        return
    names = [_read(_read(tool, "function"), "name") for tool in tools or ()]
    if not names:
        raise InvalidRequestError("'tool_choice' needs 'tools' to choose from")
    is_named = _read(choice, "type") == "function"
    if is_named and _read(_read(choice, "function"), "name") not in names:
        raise InvalidRequestError("'tool_choice' names a function that is not among 'tools'")
    # Of another type are a vendor's own tools, which are billed by use.
    if _read(choice, "type") not in _CHOICE_KINDS and choice != "required":
        raise InvalidRequestError("'tool_choice' must be none, auto, required, or name one of 'tools'")


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
            if _read(address, "detail") not in _DETAILS:
                msg = f"'detail' of a picture of message {place} is none of: {', '.join(_DETAILS[1:])}"
                raise InvalidRequestError(msg)


def check_conversation(messages: Sequence[Mapping[str, Any]]) -> None:
    """Check what would come back as an error of every provider, in whichever format it was sent.

    Raises:
        InvalidRequestError: what `check_part` refuses of a part, and `check_tool_turns` of tool calls.
    """
    for place, message in enumerate(messages):
        content = message.get("content")
        for number, part in enumerate(content if isinstance(content, list | tuple) else ()):
            check_part(part, place, number)
    check_tool_turns(messages)


def _read(holder: Any, key: str) -> Any:
    return holder.get(key) if isinstance(holder, Mapping) else None
