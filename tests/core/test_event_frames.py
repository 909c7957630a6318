"""Frames of Amazon's event streams, as Amazon's own library reads and writes them."""

import struct
import zlib

import pytest
from botocore.eventstream import EventStreamBuffer

from orchestrator.core.event_frames import FRAME_BYTES_MAX, BrokenFrameError, Frame, FrameReader

FRAMES = [
    Frame({":message-type": "event", ":event-type": "contentBlockDelta"}, '{"text":"Chào"}'.encode()),
    Frame({}, b""),
    Frame({":exception-type": "throttlingException"}, b'{"message":"no"}' * 500),
]
RAW = b"".join(frame.encoded() for frame in FRAMES)


def test_amazons_own_library_reads_what_is_written() -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(RAW)
    assert [(event.headers, event.payload) for event in buffer] == [
        (frame.headers, frame.payload) for frame in FRAMES
    ]


@pytest.mark.parametrize("size", [1, 7, 100, len(RAW)])
def test_frames_are_read_however_they_arrive(size: int) -> None:
    reader = FrameReader()
    pieces = [RAW[at : at + size] for at in range(0, len(RAW), size)]
    assert [frame for piece in pieces for frame in reader.read(piece)] == FRAMES


def test_a_header_of_another_kind_is_stepped_over() -> None:
    """A yes, a number and some bytes, between two texts."""
    others = b"\x01y\x00" + b"\x01n\x04\x00\x00\x00\x07" + b"\x01b\x06\x00\x02ab"
    texts = b"\x01a\x07\x00\x01x", b"\x01z\x07\x00\x01y"
    assert _read(texts[0] + others + texts[1]) == {"a": "x", "z": "y"}


@pytest.mark.parametrize("at", [0, 5, 9, 20, len(RAW) - 1])
def test_what_was_changed_on_its_way_is_no_frame(at: int) -> None:
    with pytest.raises(BrokenFrameError):
        list(FrameReader().read(RAW[:at] + bytes([RAW[at] ^ 1]) + RAW[at + 1 :]))


def test_a_frame_that_is_too_long_is_not_waited_for() -> None:
    with pytest.raises(BrokenFrameError):
        list(FrameReader().read(Frame({}, b"a" * FRAME_BYTES_MAX).encoded()[:100]))


def _read(headers: bytes) -> dict[str, str]:
    # The length of nothing but headers, and both sums: written by hand.

    lengths = struct.pack(">II", 16 + len(headers), len(headers))
    whole = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers
    (frame,) = FrameReader().read(whole + struct.pack(">I", zlib.crc32(whole)))
    return dict(frame.headers)
