"""The size of a request to OpenAI's Responses API, by the words that it has in common with a chat's.

LiteLLM writes a chat's messages as items. An item's own names cost no more than a message's, so they are not
counted: what is held for a chat is enough for the same chat in items.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from orchestrator.core.request import Message
from orchestrator.metering.vendor_bodies import is_kept_thought, items_of
from orchestrator.providers.wire.wire_json import json_text

_UNTOLD = {"type": "file", "file": {}}
_CALL = "function_call"
_TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
_IMAGES = frozenset({"input_image"})


class BodySize(NamedTuple):
    """What a body asks for, as far as it costs."""

    messages: list[Message]
    declared: list[Any]
    """Tools and formats that are sent along."""
    limits: list[Any]
    """Each number by which it bounds an answer."""
    answers: list[Any]


def responses_size(body: Mapping[str, Any]) -> BodySize:
    """Return the size of a body for `/responses`."""
    instructions = [body["instructions"]] if body.get("instructions") else []
    text = body.get("text")
    formats = [text["format"]] if isinstance(text, Mapping) and text.get("format") else []
    limit = body.get("max_output_tokens")
    return BodySize(
        list(_messages([*instructions, *items_of(body)])),
        [*(body.get("tools") or ()), *formats],
        [] if limit is None else [limit],
        [],
    )


def _messages(items: list[Any]) -> Iterator[Message]:
    """Yield the messages that stand in the items; calls of tools are part of the message before them."""
    parts: list[dict[str, Any]] = []
    for item in items:
        if parts and not (isinstance(item, Mapping) and item.get("type") == _CALL):
            yield {"role": "user", "content": parts}
            parts = []
        parts.extend(_parts(item))
    yield {"role": "user", "content": parts}


def _parts(item: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(item, Mapping):
        yield {"type": "text", "text": str(item)}
    elif is_kept_thought(item):
        yield _UNTOLD
    elif item.get("type") == _CALL:
        yield {
            "type": "text",
            "text": json_text([item.get("call_id"), item.get("name"), item.get("arguments")]),
        }
    else:
        for name in ("content", "output", "summary", "encrypted_content"):
            yield from _content(item.get(name))


def _content(content: Any) -> Iterator[dict[str, Any]]:
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            yield {"type": "text", "text": part}
        elif _is(part, _TEXTS) and isinstance(part.get("text"), str):
            yield {"type": "text", "text": part["text"]}
        elif _is(part, _IMAGES) and isinstance(part.get("image_url"), str):
            yield {"type": "image_url", "image_url": {"url": part["image_url"]}}
        elif part is not None:
            yield _UNTOLD


def _is(part: Any, kinds: frozenset[str]) -> bool:
    """Return whether a part is what it says it is, and not, with a word of text in it, a file besides."""
    return isinstance(part, Mapping) and part.get("type") in kinds
