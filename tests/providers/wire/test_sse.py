"""A stream means the same however its bytes were cut on their way."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.providers.wire.sse import EventReader, SentEvent, StreamTooLargeError


def events_of(*blocks: bytes) -> list[SentEvent]:
    reader = EventReader()
    events = [event for block in blocks for event in reader.feed(block)]
    return events + reader.close()


def data_of(*blocks: bytes) -> list[bytes]:
    return [event.data for event in events_of(*blocks)]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\r\n\ndata: b\n\r\n", [b"a", b"b"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data: a\ndata\ndata: b\n\n", [b"a\n\nb"]),
        (b": comment\n\ndata: a\n\n: comment\n\n", [b"a"]),
        (b"data: a\n: comment\ndata: b\n\n", [b"a\nb"]),
        (b"id: 7\nretry: 3000\ndata: a\n\n", [b"a"]),
        (b"retry: 3000\n\n", []),
        (b"data:\n\ndata: a\n\n", [b"a"]),
        (b"data\n\n", []),
        (b"database: x\n\n data: y\n\n", [b"y"]),
        (b'<p>busy</p>\n\n{"a": 1}\n\n', [b"<p>busy</p>", b'{"a": 1}']),
        (b" \t\n\xef\xbb\xbf\n\0\n\n", []),
        (b"x-more: a\n\nDATA: b\n\n", [b"b"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a", b"b"]),
        (
            "data: a\u2028b\u2029c\u0085d\x0be\x0cf\n\n".encode(),
            ["a\u2028b\u2029c\u0085d\x0be\x0cf".encode()],
        ),
        (b"data: [DONE]\n\n", [b"[DONE]"]),
        (b"data: a\n\ndata: b", [b"a", b"b"]),
        (b"data: a\n\ndata: b\n", [b"a", b"b"]),
        (b"", []),
        (b"\n\n\n", []),
    ],
)
def test_lines_end_at_cr_and_lf_alone_and_a_blank_one_ends_an_event(text, data) -> None:
    assert data_of(text) == data


def test_an_event_keeps_its_name_and_the_next_one_has_none() -> None:
    text = b"event: error\ndata: a\n\ndata: b\n\nevent: lost\n\ndata: c\n\n"
    assert events_of(text) == [SentEvent(b"a", b"error"), SentEvent(b"b"), SentEvent(b"c")]


_AT_EASE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""On a busy machine inputs are slow to come."""
_LINES = st.sampled_from(
    [
        b"data: a",
        b"data:b",
        b"data",
        b": x",
        b"event: e",
        b"id: 1",
        b"retry: 9",
        b" data: c",
        b'{"a": 1}',
        b"",
        "data: chào\u2028".encode(),
    ]
)
_ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])


@_AT_EASE
@given(
    lines=st.lists(st.tuples(_LINES, _ENDS), max_size=12),
    bom=st.booleans(),
    rest=st.sampled_from([b"", b"data: tail"]),
    cuts=st.lists(st.integers(min_value=0, max_value=200), max_size=12),
)
def test_any_cutting_of_the_bytes_gives_the_same_events(lines, bom, rest, cuts) -> None:
    text = (b"\xef\xbb\xbf" if bom else b"") + b"".join(line + end for line, end in lines) + rest
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    blocks = [text[start:stop] for start, stop in itertools.pairwise(places)]
    assert events_of(*blocks) == events_of(text)
    assert events_of(*(text[at : at + 1] for at in range(len(text)))) == events_of(text)


@_AT_EASE
@given(text=st.binary(max_size=200), cut=st.integers(min_value=0, max_value=200))
def test_no_bytes_at_all_break_the_reader_and_a_cut_changes_nothing(text, cut) -> None:
    assert events_of(text[:cut], text[cut:]) == events_of(text)


@pytest.mark.parametrize(
    "blocks",
    [
        [b"data: " + b"a" * 100],
        [b"data: ", *[b"a" * 10] * 10],
        [b"data: " + b"a" * 100 + b"\n\n"],
        [b": " + b"a" * 100 + b"\n\n"],
        [b"data: aaaaaaaaaa\n" * 10],
    ],
    ids=["in one block", "in pieces", "ended", "comment", "event of many lines"],
)
def test_a_line_or_an_event_beyond_its_bound_is_refused(blocks) -> None:
    reader = EventReader(line_bytes_max=64)
    with pytest.raises(StreamTooLargeError):
        for block in blocks:
            reader.feed(block)


def test_a_stream_beyond_its_bound_is_refused_whatever_its_lines_are() -> None:
    reader = EventReader(stream_bytes_max=100)
    with pytest.raises(StreamTooLargeError):
        for _ in range(20):
            reader.feed(b": ping\n")


def test_a_long_line_that_comes_byte_by_byte_is_not_copied_with_each_byte() -> None:
    """Joined anew with each byte this would be 30 GB of copying."""
    reader = EventReader()
    for _ in range(250_000):
        reader.feed(b"a")
    assert reader.feed(b"\ndata: b\n\n") == [SentEvent(b"b")]
