"""Signatures of practice thoughts: each vendor signs its own, and refuses another's that come back to it."""

import base64
import binascii
import hashlib

from orchestrator.practice.json_types import JsonObject, JsonValue
from orchestrator.practice.wire_errors import Refusal

_MARK = "practice-thought"
_CLOUDS = {"bedrock": "bedrock", "vertex_ai": "google"}
"""Whose models a cloud has beside Anthropic's."""
_FORMATS = {
    "anthropic": "anthropic-claude-v1",
    "openai": "openai-responses-v1",
    "google": "google-gemini-v1",
    "x-ai": "xai-responses-v1",
}


def vendor_of(provider: str, model: str) -> str:
    """Return whose model thinks: OpenRouter's models name it in front, clouds carry Claude and their own."""
    if provider in _CLOUDS and "claude" in model:
        return "anthropic"
    if provider == "openrouter":
        return model.partition("/")[0]
    return _CLOUDS.get(provider, provider)


def format_of(vendor: str) -> str:
    """Return what OpenRouter calls the shape of a vendor's thoughts."""
    return _FORMATS.get(vendor, "unknown")


def signature_of(vendor: str, text: str) -> str:
    """Return the signature of a thought; the vendor alone can check it."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return base64.b64encode(f"{_MARK}:{vendor}:{digest}".encode()).decode()


def check_signature(signature: JsonValue, vendor: str, text: str | None = None) -> None:
    """Check a signature that comes back; one that no practice provider made is not looked at.

    Raises:
        Refusal: 400, when another vendor made it, or it belongs to another thought.
    """
    try:
        words = base64.b64decode(str(signature), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return
    if not words.startswith(f"{_MARK}:"):
        return
    is_ours = words.startswith(f"{_MARK}:{vendor}:")
    if not is_ours or (text is not None and signature != signature_of(vendor, text)):
        raise Refusal(400, message="Invalid `signature` in `thinking` block")


def check_details(messages: list[JsonObject], vendor: str) -> None:
    """Check the signed blocks of `reasoning_details` in a conversation.

    Raises:
        Refusal: 400, as for `check_signature`.
    """
    for message in messages:
        for block in message.get("reasoning_details") or ():
            text = block.get("text")
            for key in ("signature", "data"):
                if block.get(key) is not None:
                    check_signature(block[key], vendor, text if isinstance(text, str) else None)
