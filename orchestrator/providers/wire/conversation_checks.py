"""What every format asks of a conversation: parts that it knows, and tool results that answer a call."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.core import message_checks
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.request import Message
from orchestrator.providers.wire.outbound import UnsendableError
from orchestrator.providers.wire.wire_json import read_object_or_none


def check_sendable(messages: Sequence[Message]) -> None:
    """Check what would come back as an error of every provider; a call of ours was checked when it began.

    Raises:
        UnsendableError: what `core.message_checks.check_conversation` refuses.
    """
    try:
        message_checks.check_conversation(messages)
    except InvalidRequestError as exc:
        raise UnsendableError(str(exc)) from None


def check_unopened(messages: Sequence[Message]) -> None:
    """Check that no part holds an address, for a server on this machine would open it from here.

    Raises:
        UnsendableError: one does; the message names its place and not the address.
    """
    for place, message in enumerate(messages):
        for number, part in enumerate(parts_of(message)):
            if any(not value.startswith("data:") for value in _addresses_in(part)):
                raise UnsendableError(
                    f"part {number} of message {place} is an address that the server on this machine would open; "
                    "put the picture or file itself there, as data:image/png;base64,..."
                )


def _addresses_in(part: Any) -> Iterator[str]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    holder = part.get(kind) if isinstance(kind, str) and kind not in {"text", "refusal"} else None
    if isinstance(holder, str):
        yield holder
    elif isinstance(holder, Mapping):
        for name, value in holder.items():
            if isinstance(value, str) and (name == "url" or "://" in value):
                yield value


def parts_of(message: Message) -> Iterator[Any]:
    """Yield the parts of a message's content; a text is none."""
    content = message.get("content")
    if isinstance(content, list | tuple):
        yield from content


def tool_calls_of(message: Message) -> Iterator[Mapping[str, Any]]:
    """Yield the tool calls of an assistant message."""
    calls = message.get("tool_calls")
    if isinstance(calls, list | tuple):
        yield from (call for call in calls if isinstance(call, Mapping))


def call_arguments(call: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the arguments of a tool call as an object, None when they are none."""
    function = call.get("function")
    raw = function.get("arguments") if isinstance(function, Mapping) else None
    if isinstance(raw, Mapping):
        return dict(raw)
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return {}
    return read_object_or_none(raw.encode()) if isinstance(raw, str) else None
