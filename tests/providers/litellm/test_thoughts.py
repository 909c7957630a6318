"""What a model thought comes out of LiteLLM's objects as its provider wrote it, signatures included."""

from types import SimpleNamespace

import pytest

from orchestrator.core.reasoning import ANTHROPIC_FORMAT, signed_thinking_block
from orchestrator.providers.litellm.thoughts import Thoughts


def piece(text=None, *blocks) -> SimpleNamespace:
    return SimpleNamespace(reasoning_content=text, thinking_blocks=list(blocks) or None)


def thinking(text: str, signature: str | None = None) -> dict:
    return {"type": "thinking", "thinking": text, "signature": signature}


def test_pieces_of_a_thought_become_one_block_until_it_is_signed() -> None:
    thoughts = Thoughts()
    hidden = {"type": "redacted_thinking", "data": "c2VjcmV0"}
    seen = [
        thoughts.add(each)
        for each in (
            piece("One ", thinking("One ")),
            piece("two.", thinking("two.")),
            piece("", thinking("", "signed-1")),
            piece("Three.", thinking("Three.")),
            piece("", thinking("", "signed-2")),
            piece(None, hidden),
        )
    ]
    assert seen == ["One ", "two.", "", "Three.", "", ""]
    assert [signed_thinking_block(block) for block in thoughts.blocks] == [
        {"type": "thinking", "thinking": "One two.", "signature": "signed-1"},
        {"type": "thinking", "thinking": "Three.", "signature": "signed-2"},
        hidden,
    ]
    assert {block["format"] for block in thoughts.blocks} == {ANTHROPIC_FORMAT}


def test_a_thought_without_its_signature_is_no_block_to_send_back() -> None:
    thoughts = Thoughts()
    assert thoughts.add(piece("Cut off", thinking("Cut off"))) == "Cut off"
    assert [signed_thinking_block(block) for block in thoughts.blocks] == [None]


@pytest.mark.parametrize(
    "odd",
    [SimpleNamespace(), None, piece(7), piece(["a"]), SimpleNamespace(thinking_blocks="x"), piece(None, 7)],
)
def test_what_is_no_thought_is_none(odd) -> None:
    thoughts = Thoughts()
    assert thoughts.add(odd) == ""
    assert thoughts.blocks == []
