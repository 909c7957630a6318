"""A character that a stream has cut in two is whole again, wherever in an event its halves stand."""

import json

import orjson
import pytest

from orchestrator.providers.wire.half_characters import HalfCharacters, valid_text


def joined(*events) -> list:
    halves = HalfCharacters()
    return [halves.joined(event) for event in events]


def call(text: str, index: int) -> dict:
    return {"tool_calls": [{"index": index, "arguments": text}]}


def test_halves_find_each_other_at_their_own_place() -> None:
    events = joined(
        call("a\ud83d", 0), call("b\ud83d", 1), {"text": "\ud83d"}, call("\udc4d", 1), call("\ude00", 0)
    )
    arguments = [event["tool_calls"][0]["arguments"] for event in events if "tool_calls" in event]
    assert arguments == ["a", "b", "👍", "😀"]
    assert events[2] == {"text": ""}


@pytest.mark.parametrize("text", ["a😀b", "ế", "e\u0302\u0301", "👨‍👩‍👧", "🇻🇳", "\u2028", "𝄞𝄞"])
@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-8"])
def test_wherever_a_text_is_cut_the_pieces_make_it_up(text: str, encoding: str) -> None:
    raw = text.encode(encoding)
    step = 2 if encoding == "utf-16-be" else 1
    keep = "surrogatepass" if encoding == "utf-16-be" else "surrogateescape"
    pieces = [raw[at : at + step].decode(encoding, keep) for at in range(0, len(raw), step)]
    halves = HalfCharacters()
    whole = [halves.joined({"text": piece})["text"] for piece in pieces]
    assert "".join(whole) == text
    assert not halves.are_kept
    assert all(orjson.dumps(piece) for piece in whole)


def test_what_joins_a_half_is_its_own_place_alone() -> None:
    assert joined({"a": "x\ud83d", "b": "y"}, {"b": "\ude00", "a": "z"}) == [
        {"a": "x", "b": "y"},
        {"b": "\N{REPLACEMENT CHARACTER}", "a": "\N{REPLACEMENT CHARACTER}z"},
    ]


def test_anything_but_text_stays_as_it_is() -> None:
    event = {"n": None, "list": [1, 2.5, True, [], {"a": "ế"}]}
    assert joined(event) == [event]


def test_half_an_emoji_is_no_character_and_a_whole_one_stays() -> None:
    assert valid_text("a\ud83d") == "a\N{REPLACEMENT CHARACTER}"
    assert valid_text(json.loads('"\\ud83d\\ude00 ế"')) == "😀 ế"
