"""Stop sequences and token limits on a stream."""

from collections.abc import AsyncIterator

import pytest

from orchestrator.practice.answers import Finish, Piece, PracticeRequest, PracticeToolCall, Thought
from orchestrator.practice.trim import trimmed


async def _stream(*pieces: Piece) -> AsyncIterator[Piece]:
    for piece in pieces:
        yield piece


async def _trimmed(*pieces: Piece, **settings: object) -> tuple[str, list[Piece]]:
    request = PracticeRequest("openai", "m", (), **settings)  # type: ignore[arg-type]
    kept = [piece async for piece in trimmed(_stream(*pieces), request=request)]
    return "".join(piece for piece in kept if isinstance(piece, str)), kept


async def test_an_answer_always_ends_with_a_reason():
    """`stop` for text, `tool_calls` after a call, the answerer's own where it gives one."""
    assert (await _trimmed("a", "b"))[1] == ["a", "b", Finish("stop")]
    assert (await _trimmed(PracticeToolCall("f")))[1][-1] == Finish("tool_calls")
    assert (await _trimmed("a", Finish("content_filter")))[1][-1] == Finish("content_filter")


@pytest.mark.parametrize("pieces", [["Hello wor", "ld, bye"], ["Hello world, bye"], list("Hello world, bye")])
async def test_a_stop_sequence_is_found_across_pieces(pieces):
    """Neither the sequence nor anything after it comes out, however the text was cut."""
    text, kept = await _trimmed(*pieces, stop=("world",))
    assert text == "Hello "
    assert kept[-1] == Finish("stop")


async def test_text_that_only_began_like_a_stop_sequence_is_not_lost():
    """What was held back comes out at the end."""
    assert (await _trimmed("Hello wo", stop=("world",)))[0] == "Hello wo"
    assert (await _trimmed("Hello wo", PracticeToolCall("f"), stop=("world",)))[0] == "Hello wo"


async def test_the_limit_cuts_at_whole_characters_and_says_length():
    """Two tokens are 8 bytes; a three-byte letter that does not fit is left out whole."""
    text, kept = await _trimmed("你好", "吗吗", max_tokens=2)
    assert text == "你好"
    assert kept[-1] == Finish("length")


async def test_an_answer_that_just_fits_is_not_cut():
    """8 bytes in 2 tokens end with `stop`."""
    assert (await _trimmed("12345678", max_tokens=2))[1] == ["12345678", Finish("stop")]


async def test_a_tool_call_beyond_the_limit_loses_the_end_of_its_arguments():
    """As with the real providers, the JSON is then broken."""
    _, kept = await _trimmed(PracticeToolCall("abcd", '{"a": 1234}'), max_tokens=2)
    assert kept == [PracticeToolCall("abcd", '{"a"'), Finish("length")]


async def test_thoughts_use_the_limit_up_before_any_word():
    """What is left of the limit is for words; a thought that passes it is cut like everything else."""
    _, kept = await _trimmed(Thought(3), "abcdefgh", max_tokens=4)
    assert kept == [Thought(3), "abcd", Finish("length")]
    _, kept = await _trimmed(Thought(9), "abcd", max_tokens=4)
    assert kept == [Thought(4), Finish("length")]
