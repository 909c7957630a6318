"""What a model thought before it answered, read from LiteLLM's objects, whole or in pieces.

LiteLLM hands on text as `reasoning_content`. Of Anthropic's models it keeps the signed blocks too, as
`thinking_blocks`; in a stream each piece is a block of its own, and the signature comes last.
"""

from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.reasoning import thinking_block


@dataclass(slots=True)
class Thoughts:
    """The thoughts of one answer so far."""

    texts: list[str] = field(default_factory=list)
    blocks: list[dict[str, Any]] = field(default_factory=list)
    """In the shape of OpenRouter's `reasoning_details`."""

    def add(self, holder: Any) -> str:
        """Take in a message, or a piece of one; return the text of its thoughts."""
        blocks = [
            block
            for raw in _listed(getattr(holder, "thinking_blocks", None))
            if (block := thinking_block(raw))
        ]
        for block in blocks:
            self._grow(block)
        text = getattr(holder, "reasoning_content", None)
        if not isinstance(text, str) or not text:
            text = "".join(str(block.get("text") or "") for block in blocks)
        self.texts.append(text)
        return text

    def _grow(self, block: dict[str, Any]) -> None:
        last = self.blocks[-1] if self.blocks else {}
        is_open = last.get("type") == block["type"] == "reasoning.text" and not last.get("signature")
        if is_open:
            self.blocks[-1] = {**last, **block, "text": last["text"] + block["text"]}
        else:
            self.blocks.append(block)


def _listed(value: Any) -> list[Any] | tuple[Any, ...]:
    return value if isinstance(value, list | tuple) else ()
