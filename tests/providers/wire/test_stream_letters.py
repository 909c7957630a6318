"""A character that a stream cuts in two is read as UTF-8 also where the header names other letters."""

import pytest

from orchestrator.providers.wire.body_reading import BodyUnreadableError
from orchestrator.providers.wire.openai_format import OpenAiReader
from orchestrator.providers.wire.sse import SentEvent
from orchestrator.providers.wire.stream_letters import StreamLetters
from tests.providers.wire import openai_exchanges as openai
from tests.providers.wire.exchange import json_bytes


def read(pieces: list[bytes], charset: str | None) -> str:
    """Return the text of an answer whose pieces are these bytes, each in an event of its own."""
    events = [json_bytes(openai.piece("@")).replace(b"@", piece) for piece in pieces]
    letters, reader = StreamLetters(charset), OpenAiReader(reports_cost=False)
    told = []
    for data in [*events, json_bytes(openai.STOP), json_bytes(openai.COUNTED)]:
        told += letters.read([SentEvent(data)], ends=False)
    for event in told + letters.read([], ends=True):
        reader.take(event)
    return reader.whole().text


def cut(text: str, size: int) -> list[bytes]:
    whole = text.encode()
    return [whole[at : at + size] for at in range(0, len(whole), size)]


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1258", "latin-1", "utf-8", None])
@pytest.mark.parametrize("text", ["ệ", "Đà Lạt", "Cửa hàng mở cửa lúc 8 giờ ạ 😀", "é", "caf é au lait"])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_utf_8_cut_anywhere_is_read_as_utf_8(text, charset, size) -> None:
    assert read(cut(text, size), charset) == text


@pytest.mark.parametrize(
    "pieces", [["café"], ["caf", "é", " à"], ["é", "é"], ["Ã", "a"], ["déjà vu", " é"], ["à"], ["ça", "á"]]
)
def test_what_is_written_as_the_header_says_is_read_so(pieces) -> None:
    assert read([piece.encode("latin-1") for piece in pieces], "latin-1") == "".join(pieces)


def test_events_wait_for_no_others_but_after_half_a_character() -> None:
    letters = StreamLetters("latin-1")
    plain, half, rest = (SentEvent(data) for data in (b'"a"', b'"\xe1"', b'"\xbb\x87"'))
    assert letters.read([plain], ends=False) == [plain]
    assert letters.read([half], ends=False) == []
    assert letters.read([rest, half], ends=False) == [half, rest, half]


def test_half_a_character_at_the_very_end_is_a_letter_of_the_header() -> None:
    letters = StreamLetters("latin-1")
    assert letters.read([SentEvent(b'"\xe1"')], ends=True) == [SentEvent('"á"'.encode())]


def test_letters_of_neither_are_an_error() -> None:
    with pytest.raises(BodyUnreadableError):
        StreamLetters("ascii").read([SentEvent(b'"\xff"')], ends=False)
