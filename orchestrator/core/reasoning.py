"""What a model thought before it answered, and whose it is: its vendor alone can read a signature."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REASONING_VENDOR = "reasoning_vendor"
"""In a message of an assistant: whose reasoning it has. It is a note of ours and is sent nowhere."""

ANTHROPIC_FORMAT = "anthropic-claude-v1"
"""What OpenRouter calls the shape of Anthropic's thoughts."""


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The reasoning of one reply. As text it is what the model thought aloud."""

    text: str = ""
    """Empty where the vendor shows none, though the model reasoned."""
    vendor: str = ""
    """Who can read it again: `anthropic`, `openai`, `google`, or the provider's name in config.yaml."""
    blocks: tuple[Mapping[str, Any], ...] = ()
    """OpenRouter's `reasoning_details`, with signatures; the next turn sends them back as they are."""

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self.text or self.blocks)

    def __str__(self) -> str:
        """Return the text."""
        return self.text

    def as_fields(self) -> dict[str, Any]:
        """Return the fields of an assistant's message that hand it back in the next turn."""
        fields: dict[str, Any] = {}
        if self.text:
            fields["reasoning"] = self.text
        if self.blocks:
            fields["reasoning_details"] = [dict(block) for block in self.blocks]
        return {**fields, REASONING_VENDOR: self.vendor} if fields else {}


NO_REASONING = Reasoning()


def thinking_block(raw: Any) -> dict[str, Any] | None:
    """Return a block of thought in Anthropic's shape as one of `reasoning_details`; None where it is none."""
    kind = raw.get("type") if isinstance(raw, Mapping) else None
    if kind == "thinking":
        block = {"type": "reasoning.text", "text": raw.get("thinking") or "", "format": ANTHROPIC_FORMAT}
        return {**block, "signature": raw["signature"]} if raw.get("signature") else block
    if kind == "redacted_thinking":
        return {"type": "reasoning.encrypted", "data": raw.get("data") or "", "format": ANTHROPIC_FORMAT}
    return None


def signed_thinking_block(block: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return one of `reasoning_details` in Anthropic's shape; None where Anthropic would not take it back."""
    if block.get("type") == "reasoning.text" and block.get("signature"):
        return {"type": "thinking", "thinking": block.get("text") or "", "signature": block["signature"]}
    if block.get("type") == "reasoning.encrypted" and block.get("data"):
        return {"type": "redacted_thinking", "data": block["data"]}
    return None
