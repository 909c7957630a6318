"""Gemini's thought signatures on their way through a conversation in OpenAI's shape.

Gemini 3 and later refuse a tool call of theirs that comes back without its signature
(https://ai.google.dev/gemini-api/docs/thought-signatures). A caller keeps of a tool call its id, name and
arguments, so the signature stands in the id, behind a mark; of a text it is kept in `reasoning_details`.
"""

from collections.abc import Mapping
from typing import Any

from orchestrator.core.call_ids import SIGNATURE_MARK

PLACEHOLDER_SIGNATURE = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
"""Base64 of what Google documents for calls that another model made: skip_thought_signature_validator."""

_BLOCK_FORMAT = "google-gemini-v1"


def with_signature(call_id: str, signature: str | None) -> str:
    """Return the id of a tool call with its signature in it."""
    return f"{call_id}{SIGNATURE_MARK}{signature}" if signature else call_id


def without_signature(call_id: str) -> str:
    """Return the id as the provider knows it."""
    return call_id.partition(SIGNATURE_MARK)[0]


def signature_of_call(call: Mapping[str, Any], blocks: Any = ()) -> str | None:
    """Return the signature of a tool call: in its id, in the fields where others put it, or in `blocks`."""
    call_id, _, signature = str(call.get("id") or "").partition(SIGNATURE_MARK)
    if signature:
        return signature
    function = call.get("function")
    for holder in (call, function if isinstance(function, Mapping) else {}):
        fields = holder.get("provider_specific_fields")
        if isinstance(fields, Mapping) and isinstance(fields.get("thought_signature"), str):
            return str(fields["thought_signature"])
    extra = call.get("extra_content")
    google = extra.get("google") if isinstance(extra, Mapping) else None
    if isinstance(google, Mapping) and isinstance(google.get("thought_signature"), str):
        return str(google["thought_signature"])
    return _signature_in(blocks, call_id) if call_id else None


def signature_of_text(message: Mapping[str, Any]) -> str | None:
    """Return the signature of an assistant message's text, None when it has none."""
    return _signature_in(message.get("reasoning_details"), None)


def signature_block(signature: str) -> dict[str, Any]:
    """Return the signature of a text as a block of `reasoning_details`, in OpenRouter's shape."""
    return {"type": "reasoning.encrypted", "data": signature, "format": _BLOCK_FORMAT, "index": 0}


def _signature_in(blocks: Any, call_id: str | None) -> str | None:
    for block in blocks if isinstance(blocks, list | tuple) else ():
        if not isinstance(block, Mapping) or block.get("type") != "reasoning.encrypted":
            continue
        is_ours = block.get("format") == _BLOCK_FORMAT and isinstance(block.get("data"), str)
        if is_ours and block.get("id") == call_id:
            return str(block["data"])
    return None
