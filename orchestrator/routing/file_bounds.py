"""The most tokens that a file in a prompt can take: told by the file itself, or not at all.

A picture is bounded by its size in pixels, sound by its seconds, a text by its bytes. What must be opened to
be known, such as a PDF, and what only has an address, may take all that a model's context holds.
"""

import base64
import binascii
import contextlib
import math
import struct
from collections.abc import Mapping
from typing import Any

from orchestrator.catalog.rates import BOUND_TOKENS_PER_PICTURE

_TOKENS_PER_SECOND = 50
"""Of sound: Gemini takes 32, OpenAI 10. https://ai.google.dev/gemini-api/docs/audio"""
_HEADER_BYTES = 512 * 1024
"""Of a picture, in which its size must stand; a JPEG may have a small picture of itself before it."""
_PCM = 1
_FORMAT_BYTES = 24


def bound_of_file(part: Mapping[str, Any]) -> int | None:
    """Return the most tokens that a part of a message can take, None where its file does not tell."""
    kind = part.get("type")
    holder = part.get(kind) if isinstance(kind, str) else None
    if kind in {"image_url", "image"}:
        mime_type, data = _inline(holder.get("url") if isinstance(holder, Mapping) else holder)
        size = _pixels(_decoded(data[: _HEADER_BYTES // 3 * 4])) if mime_type else None
        return None if size is None else picture_tokens(*size)
    if not isinstance(holder, Mapping):
        return None
    if kind == "input_audio":
        sound = holder.get("data")
        seconds = _seconds(_decoded(sound)) if isinstance(sound, str) else None
        return None if seconds is None else math.ceil(seconds * _TOKENS_PER_SECOND) + _TOKENS_PER_SECOND
    if kind == "file":
        mime_type, data = _inline(holder.get("file_data"))
        return len(data) if mime_type.startswith("text/") else None
    return None


def picture_tokens(width: int, height: int) -> int:
    """Return the most tokens that any vendor is known to take for a picture of so many pixels.

    OpenAI: tiles of 512, the dearest at 5,667 tokens, after scaling
    (https://platform.openai.com/docs/guides/images-vision). Gemini: 258 for each tile of at least 256.
    Open models: one for each patch of at least 14.
    """
    scale = min(1.0, 2048 / max(width, height))
    scale = min(scale, 768 / min(width, height))
    tiles = math.ceil(width * scale / 512) * math.ceil(height * scale / 512)
    return max(
        BOUND_TOKENS_PER_PICTURE,
        2_833 + 5_667 * max(1, tiles),
        258 * math.ceil(width / 256) * math.ceil(height / 256),
        math.ceil(width / 14) * math.ceil(height / 14),
    )


def _inline(address: Any) -> tuple[str, str]:
    """Return the type and the base64 text of a data address; both empty of anything else."""
    if not isinstance(address, str) or address[:5].lower() != "data:":
        return "", ""
    head, _, data = address[5:].partition(",")
    mime_type, _, rest = head.partition(";")
    return (mime_type.lower(), data) if rest.lower().endswith("base64") else ("", "")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text[: len(text) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""


def _pixels(data: bytes) -> tuple[int, int] | None:
    """Return width and height as they stand in the head of a PNG, GIF, WebP or JPEG."""
    size: tuple[int, int] | None = None
    with contextlib.suppress(struct.error, IndexError):
        if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
            size = struct.unpack(">II", data[16:24])
        elif data[:6] in {b"GIF87a", b"GIF89a"}:
            size = struct.unpack("<HH", data[6:10])
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            size = _webp_pixels(data)
        elif data.startswith(b"\xff\xd8"):
            size = _jpeg_pixels(data)
    return size if size is not None and min(size) > 0 else None


def _webp_pixels(data: bytes) -> tuple[int, int] | None:
    if data[12:16] == b"VP8X":
        width, height = struct.unpack("<3s3s", data[24:30])
        return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
    if data[12:16] == b"VP8L" and data[20] == _LOSSLESS_MARK:
        (bits,) = struct.unpack("<I", data[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if data[12:16] == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


_MARK = 0xFF
_LOSSLESS_MARK = 0x2F
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG behind which its size stands."""


def _jpeg_pixels(data: bytes) -> tuple[int, int] | None:
    at = 2
    while data[at] == _MARK:
        marker = data[at + 1]
        if marker == _MARK:
            at += 1
            continue
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None


def _seconds(data: bytes) -> float | None:
    """Return how long the sound of an uncompressed WAV is; of others the bytes tell nothing."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    at = 12
    while at + _FORMAT_BYTES <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"fmt ":
            tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", data[at + 8 : at + 24])
            bytes_per_s = channels * rate * bits // 8
            # By all that came: what a head says of the length is only its word.
            return len(data) / bytes_per_s if tag == _PCM and bytes_per_s > 0 else None
        at += 8 + length + length % 2
    return None
