"""What one of LiteLLM's prefixes is asked: the caller's request, without what would not arrive as meant."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.catalog.litellm_prefixes import TAKES_NO_ADDRESS_OF_MEDIA
from orchestrator.dispatch.attempt import Outbound
from orchestrator.providers.wire.openai_request import CACHE_CONTROL_LEFT_OUT
from orchestrator.providers.wire.outbound import UnsendableError
from orchestrator.providers.wire.thought_signatures import without_signature

_OTHERS_FIELDS = frozenset({"reasoning", "reasoning_details", "extra_content", "annotations", "images"})
"""Of messages: notes of other providers."""
_NEVER_LEFT_OUT = ("tools", "response_format")
"""An answer without them is no answer to the request."""
_CACHE_MARK = "cache_control"
_MARKED = frozenset({"anthropic", "bedrock"})
_MARKED_FOR_CLAUDE = frozenset({"vertex_ai", "azure_ai"})


@dataclass(frozen=True, slots=True)
class PrefixRequest:
    """What an attempt sends under a prefix."""

    messages: list[dict[str, Any]]
    parameters: dict[str, Any]
    notices: tuple[str, ...]
    """What was left out, for people."""


def prefix_request(prefix: str, upstream: str, outbound: Outbound, *, taken: frozenset[str]) -> PrefixRequest:
    """Return an attempt's request as LiteLLM gets it; `taken` are the parameters that it sends for the model.

    Raises:
        UnsendableError: the model takes no tools, no form of answer or no address; the message says which.
    """
    if prefix in TAKES_NO_ADDRESS_OF_MEDIA and any(map(_is_address, _addresses(outbound.messages))):
        raise UnsendableError(
            f"LiteLLM would open the address of a picture itself for '{prefix}'; send its data"
        )
    left_out = [name for name in outbound.parameters if name not in taken]
    lost = next((name for name in _NEVER_LEFT_OUT if name in left_out), None)
    if lost is not None:
        raise UnsendableError(f"'{lost}' is not taken by {upstream}, by what LiteLLM knows of it")
    parameters = {name: value for name, value in outbound.parameters.items() if name in taken}
    notices = [f"'{name}' is not taken by {upstream} and was left out" for name in left_out]
    messages = [_message(message, prefix) for message in outbound.messages]
    takes_marks = prefix in _MARKED or (prefix in _MARKED_FOR_CLAUDE and "claude" in upstream)
    for part in _marked([messages, parameters]):
        if takes_marks:
            # A longer time costs more to store than the price book holds money for.
            part[_CACHE_MARK] = {"type": "ephemeral"}
        else:
            del part[_CACHE_MARK]
            notices.append(CACHE_CONTROL_LEFT_OUT)
    return PrefixRequest(messages, parameters, tuple(dict.fromkeys(notices)))


def _message(message: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    plain = {name: value for name, value in message.items() if name not in _OTHERS_FIELDS}
    if prefix == "vertex_ai":
        # LiteLLM keeps Gemini's signatures in the ids as we do.
        return plain
    if isinstance(plain.get("tool_call_id"), str):
        plain["tool_call_id"] = without_signature(plain["tool_call_id"])
    for call in plain.get("tool_calls") or ():
        if isinstance(call.get("id"), str):
            call["id"] = without_signature(call["id"])
    return plain


def _marked(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every part of messages and tools that is to be cached."""
    if isinstance(value, dict):
        inner = list(value.values())
        if isinstance(value.get(_CACHE_MARK), Mapping):
            yield value
    else:
        inner = value if isinstance(value, list) else []
    for item in inner:
        yield from _marked(item)


def _addresses(messages: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the addresses in the parts of messages."""
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            picture = part.get("image_url")
            held = picture.get("url") if isinstance(picture, Mapping) else picture
            document = part.get("file")
            held_too = document.get("file_id") if isinstance(document, Mapping) else None
            yield from (text for text in (held, held_too) if isinstance(text, str))


def _is_address(text: str) -> bool:
    return text.startswith(("http:", "https:"))
