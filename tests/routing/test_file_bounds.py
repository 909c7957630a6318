"""A file is bounded by what it tells of itself, and what does not tell is told from it."""

import base64
import io
import struct
import wave

import pytest

from orchestrator.catalog.rates import BOUND_TOKENS_PER_PICTURE
from orchestrator.routing.file_bounds import bound_of_file, picture_tokens


def _png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 2, 0, 0, 0)


def _gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0)


def _jpeg(width: int, height: int, *, before: int = 0) -> bytes:
    """Return the head of a JPEG with so many bytes of other things before its frame."""
    others = b"\xff\xe1" + struct.pack(">H", before + 2) + bytes(before) + b"\xff\xff\xdb\x00\x04ab"
    return b"\xff\xd8" + others + b"\xff\xc2" + struct.pack(">HBHHB", 17, 8, height, width, 3)


def _webp(chunk: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def _webp_lossy(width: int, height: int) -> bytes:
    return _webp(b"VP8 " + struct.pack("<I", 99) + b"abc\x9d\x01\x2a" + struct.pack("<HH", width, height))


def _webp_lossless(width: int, height: int) -> bytes:
    bits = (width - 1) | (height - 1) << 14
    return _webp(b"VP8L" + struct.pack("<IBI", 99, 0x2F, bits) + bytes(9))


def _webp_extended(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return _webp(b"VP8X" + struct.pack("<II", 10, 0) + sides)


HEADS = {
    "png": _png,
    "gif": _gif,
    "jpeg": _jpeg,
    "webp, lossy": _webp_lossy,
    "webp, lossless": _webp_lossless,
    "webp, extended": _webp_extended,
}


def picture(data: bytes) -> dict:
    return addressed("image_url", "url", "image/png", data)


def addressed(kind: str, key: str, mime_type: str, data: bytes) -> dict:
    address = f"data:{mime_type};base64,{base64.b64encode(data).decode()}"
    return {"type": kind, kind: {key: address}}


def sound(seconds: int, *, data: bytes | None = None) -> dict:
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(16_000 * seconds))
    encoded = base64.b64encode(data or written.getvalue()).decode()
    return {"type": "input_audio", "input_audio": {"data": encoded, "format": "wav"}}


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("size", [(1, 1), (640, 480), (4_000, 3_000), (5_000, 3)])
def test_a_picture_tells_its_pixels(kind: str, size: tuple[int, int]) -> None:
    head = HEADS[kind](*size)
    assert bound_of_file(picture(head)) == picture_tokens(*size)
    cut = [bound_of_file(picture(head[:length])) for length in range(len(head))]
    assert set(cut) <= {None, picture_tokens(*size)}


def test_a_jpeg_with_a_long_head_tells_its_pixels() -> None:
    assert bound_of_file(picture(_jpeg(700, 500, before=60_000))) == picture_tokens(700, 500)


@pytest.mark.parametrize(
    ("size", "taken"),
    [
        ((512, 512), 2_833 + 5_667),
        ((2_048, 4_096), 2_833 + 6 * 5_667),
        ((1_000, 1_000), 258 * 4),
        ((10_000, 10_000), 10_000 * 10_000 // 784),
    ],
)
def test_no_vendor_takes_more_for_a_picture(size: tuple[int, int], taken: int) -> None:
    """What OpenAI's dearest tiles, Gemini's tiles and patches of 28 come to, by their own pages."""
    assert picture_tokens(*size) >= max(taken, BOUND_TOKENS_PER_PICTURE)


def test_sound_tells_its_seconds_and_a_head_that_lies_does_not_shorten_it() -> None:
    hour = bound_of_file(sound(3_600))
    assert hour is not None
    assert 3_600 * 32 <= hour <= 3_600 * 64
    encoded = base64.b64decode(sound(60)["input_audio"]["data"])
    lying = encoded[:40] + struct.pack("<I", 16) + encoded[44:]
    assert bound_of_file(sound(0, data=lying)) == bound_of_file(sound(60))


def test_a_text_is_bounded_by_its_bytes() -> None:
    text = "Xin chào".encode() * 100
    bound = bound_of_file(addressed("file", "file_data", "text/plain", text))
    assert bound is not None
    assert bound >= len(text)


@pytest.mark.parametrize(
    "part",
    [
        addressed("file", "file_data", "application/pdf", b"%PDF-1.7"),
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "file", "file": {}},
        {"type": "file", "file": "x"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image_url", "image_url": "gs://bucket/a.png"},
        {"type": "image_url"},
        addressed("image_url", "url", "image/png", b"\x89PNG\r\n\x1a\n"),
        addressed("image_url", "url", "image/jpeg", b"\xff\xd8\xff\xe0\x00\x02"),
        addressed("image_url", "url", "image/webp", b"RIFF0000WEBPVP8L"),
        addressed("image_url", "url", "image/heic", b"ftypheic" * 9),
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,===="}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        {"type": "input_audio", "input_audio": {"data": 7}},
        {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
        {"type": "not_yet_invented"},
        {"type": 7},
    ],
)
def test_what_does_not_tell_is_unbounded_here(part) -> None:
    assert bound_of_file(part) is None
