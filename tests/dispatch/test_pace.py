"""The pace of a stream: who writes is told from who merely stays alive."""

import pytest

from orchestrator.core.reply import Delta, ToolCallDelta
from orchestrator.dispatch.pace import Pace, Written


@pytest.mark.parametrize("nothing", [None, Delta(), Delta(" \n\t"), Delta("\u200b\ufeff\0")])
def test_a_stream_begins_with_its_first_words(nothing) -> None:
    assert Pace.begun_by(nothing, now_s=0) is None
    assert Pace.begun_by(Delta(" Dạ"), now_s=0) is not None


@pytest.mark.parametrize(
    ("piece", "every_s", "is_slow"),
    [
        (Delta("từng chữ một "), 0.3, False),
        (Delta("Dạ "), 3.0, True),
        (Delta(" " * 100), 0.1, True),
        (Delta("", (ToolCallDelta(0, None, None, '{"order": "DH1001"}'),)), 1.0, False),
        (Delta("", (ToolCallDelta(0, "call_1", None, None),)), 1.0, True),
        (Delta("", (ToolCallDelta(0, None, None, " " * 100),)), 0.1, True),
    ],
)
def test_words_and_arguments_count_and_spaces_do_not(piece, every_s, is_slow) -> None:
    pace = Pace.begun_by(Delta("Dạ"), now_s=0)
    assert pace is not None
    for number in range(1, int(12 / every_s) + 1):
        pace.count(piece, now_s=number * every_s)
    assert pace.is_slow is is_slow


def test_who_gets_slow_is_found_slow_however_much_there_was_before() -> None:
    pace = Pace.begun_by(Delta("x" * 100_000), now_s=0)
    assert pace is not None
    for now_s in (3, 6, 9, 12):
        pace.count(Delta("Dạ"), now_s=now_s)
    assert pace.is_slow


@pytest.mark.parametrize(
    ("piece", "is_endless"),
    [
        (Delta("haha "), True),
        (Delta(" " * 5), True),
        (Delta("", reasoning="hmm, "), False),
        (Delta("", (ToolCallDelta(0, None, None, "[[[[["),)), True),
        (Delta("từ "), True),
        (Delta("từ"), False),
    ],
)
def test_who_writes_more_than_its_tokens_can_hold_is_endless(piece, is_endless) -> None:
    """No text has 16 bytes a token; spaces and arguments are written too, and a limit may leave out thoughts."""
    pace = Pace.begun_by(Delta("Dạ"), now_s=0)
    assert pace is not None
    for _ in range(4_000):
        pace.count(piece, now_s=1)
    assert pace.written.is_endless(max_tokens=900) is is_endless
    assert not pace.written.is_endless(max_tokens=2_000)


def test_thoughts_have_room_of_their_own_and_not_without_end() -> None:
    """Nobody has seen a model think more than 128,000 tokens, whose bytes are a megabyte at most."""
    written = Written()
    for _ in range(256):
        written.count(Delta(reasoning="nghĩ" * 820))
    assert not written.is_endless(max_tokens=64)
    written.count(Delta("Dạ", reasoning="nghĩ" * 820))
    assert written.is_endless(max_tokens=64)
    assert written.billed_bytes == len("Dạ".encode()) + 257 * len("nghĩ".encode()) * 820


@pytest.mark.parametrize(
    ("piece", "is_endless"), [("và ", True), ("haha", True), ("v", False), ("à ", False)]
)
def test_more_than_two_pieces_for_each_token_are_no_tokens_either(piece, is_endless) -> None:
    """It is known sooner than by the bytes; a server may cut its text into single characters, though."""
    pace = Pace.begun_by(Delta("Dạ"), now_s=0)
    assert pace is not None
    for _ in range(2 * 200 + 257):
        pace.count(Delta(piece), now_s=1)
    assert pace.written.is_endless(max_tokens=200) is is_endless
    assert not pace.written.is_endless(max_tokens=210)


def test_thoughts_that_come_together_with_the_first_words_are_no_text_without_an_end() -> None:
    """A burst, or a whole body in the place of a stream, has them in one piece."""
    pace = Pace.begun_by(Delta("Dạ", reasoning="Khách hỏi về đơn hàng. " * 1_000), now_s=0)
    assert pace is not None
    assert not pace.written.is_endless(max_tokens=50)
