"""Reasoning of earlier turns on its way back: to the vendor that it came from, and to no other.

A block of `reasoning_details` names its vendor by its `format`, a message by our own note `reasoning_vendor`.
What names nobody was written by the caller, who knows where it goes.
"""

from collections.abc import Mapping
from typing import Any

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.reasoning import ANTHROPIC_FORMAT, REASONING_VENDOR, thinking_block
from orchestrator.core.request import Message

REASONING_LEFT_OUT = (
    "the reasoning of an earlier turn came from another vendor, cannot be read by this one, and was left out"
)

_VENDORS_OF_FORMATS: Mapping[str, str] = {
    ANTHROPIC_FORMAT: "anthropic",
    "openai-responses-v1": "openai",
    "azure-openai-responses-v1": "openai",
    "google-gemini-v1": "google",
    "xai-responses-v1": "x-ai",
}
"""https://openrouter.ai/docs/use-cases/reasoning-tokens"""


def vendor_at(kind: ProviderKind, upstream: str, *, is_openai: bool, provider_name: str) -> str:
    """Return who reads what a model of a provider has thought; OpenRouter's models name it in front."""
    if kind is ProviderKind.OPENROUTER:
        return upstream.partition("/")[0].lower()
    if kind is ProviderKind.GOOGLE:
        return "google"
    return "openai" if is_openai else provider_name


def returned_reasoning(message: Message, vendor: str) -> tuple[str, list[dict[str, Any]], bool]:
    """Return text and blocks of a message's reasoning for a vendor, and whether some are not for it."""
    noted = message.get(REASONING_VENDOR) or None
    blocks = _blocks_in(message)
    kept = [block for block in blocks if _vendor_of(block, noted) in {None, vendor}]
    text = message.get("reasoning_content") or message.get("reasoning")
    text = text if isinstance(text, str) else ""
    is_readable = len(kept) == len(blocks) and noted in {None, vendor}
    return text if is_readable else "", kept, not is_readable and bool(text or len(kept) < len(blocks))


def _blocks_in(message: Message) -> list[dict[str, Any]]:
    listed = message.get("reasoning_details")
    blocks = [dict(block) for block in _listed(listed) if isinstance(block, Mapping)]
    if blocks:
        return blocks
    # As LiteLLM keeps the thoughts of Anthropic's models.
    return [block for raw in _listed(message.get("thinking_blocks")) if (block := thinking_block(raw))]


def _vendor_of(block: Mapping[str, Any], noted: str | None) -> str | None:
    return _VENDORS_OF_FORMATS.get(str(block.get("format"))) or noted


def _listed(value: Any) -> list[Any] | tuple[Any, ...]:
    return value if isinstance(value, list | tuple) else ()
