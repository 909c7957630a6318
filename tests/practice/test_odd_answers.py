"""Each odd answer is odd in the way that it says, in each provider's own format."""

import json

import orjson
import pytest

from orchestrator.practice.fault_kinds import Fault
from orchestrator.practice.odd_answers import GOOD_TEXT, odd_stream
from orchestrator.practice.odd_shapes import OddShape

STREAMED = [
    shape for shape in OddShape if shape not in {OddShape.GZIP_BOMB, OddShape.STRAY_LINES, OddShape.TORN_END}
]


def objects(stream: bytes) -> list:
    """Read a stream as the standard says: line by line, several `data:` lines are one text."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"\n")
    events = [
        b"\n".join(line.removeprefix(b"data:") for line in event.split(b"\n") if line.startswith(b"data:"))
        for event in text.split(b"\n\n")
    ]
    return [json.loads(event) for event in events if event.strip() not in {b"", b"[DONE]"}]


@pytest.mark.parametrize("provider", ["openrouter", "google", "openai"])
@pytest.mark.parametrize("shape", STREAMED)
def test_every_event_is_an_object_of_the_providers_format(provider: str, shape: OddShape) -> None:
    stream = odd_stream(provider, shape)
    chunks = objects(stream)
    key = "candidates" if provider == "google" else "choices"
    assert any(key in chunk for chunk in chunks)
    assert stream.rstrip().endswith(b"[DONE]") is (provider != "google")


@pytest.mark.parametrize("provider", ["google", "openai"])
def test_a_split_character_is_half_in_one_event_and_half_in_the_next(provider: str) -> None:
    events = odd_stream(provider, OddShape.SPLIT_CHARACTER).split(b"\n\n")
    first = next(place for place, event in enumerate(events) if b"\\ud83d" in event)
    assert b"\\udc4d" not in events[first]
    assert b"\\udc4d" in events[first + 1]


@pytest.mark.parametrize(("provider", "finish"), [("google", b'"STOP"'), ("openai", b'"stop"')])
def test_each_piece_of_a_stream_may_say_that_it_is_the_last(provider: str, finish: bytes) -> None:
    assert odd_stream(provider, OddShape.FINISH_IN_EACH).count(finish) >= len(GOOD_TEXT.split(" "))


def test_odd_lines_use_what_the_standard_allows() -> None:
    stream = odd_stream("openai", OddShape.ODD_LINES)
    assert stream.startswith(b"\xef\xbb\xbf")
    assert b"\n" not in stream
    assert b"retry: 10\r" in stream
    assert max(event.count(b"data:") for event in stream.split(b"\r\r")) > 1


@pytest.mark.parametrize(("provider", "finish"), [("google", b'"STOP"'), ("openai", b'"stop"')])
def test_a_torn_end_is_half_an_event_behind_a_whole_answer(provider: str, finish: bytes) -> None:
    *events, torn = odd_stream(provider, OddShape.TORN_END).split(b"\n\n")
    assert finish in events[-1]
    with pytest.raises(ValueError, match="unexpected end"):
        orjson.loads(torn.removeprefix(b"data: "))


@pytest.mark.parametrize("provider", ["google", "openai"])
def test_stray_lines_are_none_that_the_standard_knows(provider: str) -> None:
    stream = odd_stream(provider, OddShape.STRAY_LINES)
    assert all(
        line in stream for line in (b"\n\n{", b"\n\nData: {", b"\n\n\xef\xbb\xbfdata: {", b"data: null")
    )
    assert (b"[done]" in stream) is (provider != "google")


@pytest.mark.parametrize("provider", ["google", "openai"])
@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (OddShape.HOST_FAILED, b"MALFORMED_FUNCTION_CALL"),
        (OddShape.ERROR_IN_MESSAGE, b'"error":{"code":502'),
        (OddShape.BARE_CODE, b'\n\ndata: {"code":502'),
        (OddShape.WORDS_ELSEWHERE, b"the rest"),
        (OddShape.NAN_ARGUMENTS, b"NaN"),
    ],
)
def test_what_is_wrong_stands_beside_an_ordinary_end(provider: str, shape: OddShape, words: bytes) -> None:
    stream = odd_stream(provider, shape)
    assert words in stream
    ordinary = (b'"STOP"', b'"stop"', b'"tool_calls"')
    assert any(finish in stream for finish in ordinary) is ((provider, shape) != ("google", "host_failed"))


@pytest.mark.parametrize("provider", ["openrouter", "google", "openai"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_fault_of_that_name_sends_it(caller, provider: str, stream: bool) -> None:
    caller.server.faults.add(f"{provider}:odd_answer=no_usage")
    response = caller.post(provider, stream=stream)
    assert response.status_code == 200
    assert GOOD_TEXT.rpartition(" ")[2].encode() in response.content
    assert b"sage" not in response.content.replace(b'"message"', b"")


def test_a_packed_answer_unfolds_to_thirty_megabytes(caller) -> None:
    caller.server.faults.add("openai:odd_answer=gzip_bomb")
    response = caller.post("openai")
    assert int(response.headers["content-length"]) < 100_000
    assert len(response.content) > 30_000_000


def test_an_unknown_shape_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown shape 'odd'; known: aborted"):
        Fault.parse("openai:odd_answer=odd")
