"""Pictures, sounds, films and files that a message holds itself: whole base64, and bytes of their kind.

Without this the first who looks would be a provider, after money was held for it.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.core.errors import InvalidRequestError

_DATA_ADDRESS = re.compile(r"data:(?P<mime>[^;,]*)[^,]*,(?P<data>.*)", re.IGNORECASE | re.DOTALL)
_HEAD_BYTES = 1024
"""A PDF may begin so late; all others begin at once."""
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
"""The first box of MPEG-4, QuickTime, HEIC and AVIF, after four bytes of its length."""
_SIGNATURES: Mapping[str, re.Pattern[bytes]] = {
    family: re.compile(pattern, re.DOTALL)
    for family, pattern in {
        "image": rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|BM|II\*\x00|MM\x00\*|....ftyp"
        rb"|\x00\x00[\x01\x02]\x00|\xff\x0a|\x00\x00\x00\x0cJXL |(?:\xef\xbb\xbf)?\s*<(?:svg|\?xml|!)",
        "audio": rb"RIFF....WAVE|ID3|\xff[\xe0-\xff]|fLaC|OggS|ADIF|FORM....AIF[FC]|....ftyp|\x1aE\xdf\xa3"
        rb"|#!AMR|\.snd|caff",
        "video": rb"....(?:"
        + b"|".join(_BOXES)
        + rb")|\x1aE\xdf\xa3|RIFF....AVI |FLV|\x00\x00\x01[\xb0-\xbf]"
        rb"|0&\xb2u|OggS|G",
    }.items()
}
"""How the formats of each family begin."""
_PDF = re.compile(rb"%PDF-")
_FAMILIES: Mapping[str, str] = {
    "image_url": "image", "video_url": "video", "audio_url": "audio", "input_audio": "audio",
}  # fmt: skip
_RAW_SOUND = ("pcm", "l16", "basic", "mulaw", "alaw")
"""Sound without a head: any bytes are of it."""


def check_media(messages: Sequence[Mapping[str, Any]]) -> None:
    """Check what parts of messages hold themselves, after `check_conversation`.

    Raises:
        InvalidRequestError: it is empty, no base64, or begins as nothing of its kind; it quotes none of it.
    """
    for place, message in enumerate(messages):
        content = message.get("content")
        for number, part in enumerate(content if isinstance(content, list | tuple) else ()):
            for mime, text in _held_in(part):
                fault = _fault_of(mime, text)
                if fault:
                    raise InvalidRequestError(f"part {number} of message {place} {fault}")


def _held_in(part: Any) -> Iterator[tuple[str, str]]:
    """Yield the type and the base64 text of what a part holds; the type may be its family alone."""
    kind = part.get("type") if isinstance(part, Mapping) else None
    holder = part.get(kind) if kind in _FAMILIES or kind == "file" else None
    family = _FAMILIES.get(str(kind), "application")
    fields = holder if isinstance(holder, Mapping) else {"url": holder}
    for name in ("url", "data", "file_data"):
        value = fields.get(name)
        address = _DATA_ADDRESS.match(value) if isinstance(value, str) else None
        if address is not None:
            yield address["mime"].lower() or family, address["data"]
        elif isinstance(value, str) and name != "url" and ":" not in value:
            stated = str(fields.get("format") or "").lower()
            yield stated if "/" in stated else f"{family}/{stated}", value


def _fault_of(mime: str, text: str) -> str | None:
    try:
        data: bytes | None = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = None
    # Python takes a `=` too many.
    if data is None or len(text) % 4:
        return (
            f"holds a text that is no base64 ({len(text):,} characters): write the bytes of the file as base64 "
            "with its padding, without line breaks"
        )
    if not data:
        return "holds an empty file"
    family, _, kind = mime.partition("/")
    if "pdf" in kind:
        return None if _PDF.search(data[:_HEAD_BYTES]) else "says that it is a PDF, and its bytes are none"
    signature = _SIGNATURES.get(family)
    if signature is None or signature.match(data) or any(name in kind for name in _RAW_SOUND):
        return None
    article = "an" if family[0] in "aeiou" else "a"
    return (
        f"says that it is {article} {family}, and its bytes begin as none that is known: is the file damaged?"
    )
