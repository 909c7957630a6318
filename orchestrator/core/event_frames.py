"""Amazon's event streams: frames of named headers and a payload, each with two checksums.

A frame is its length and that of its headers (4 bytes each), the CRC32 of both, the headers, the payload, and
the CRC32 of all before.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MEDIA_TYPE = "application/vnd.amazon.eventstream"
FRAME_BYTES_MAX = 512 * 1024
"""Of a frame of an answer; each holds a word or two."""

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_TEXT = 7
"""The kind of a header that is a text."""
_FIXED: Mapping[int, int] = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Of a header of another kind, the bytes of its value: yes, no, numbers, a time, an id."""


class BrokenFrameError(Exception):
    """What came is no frame: a checksum or a length is wrong. It carries nothing of what came."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of a stream."""

    headers: Mapping[str, str]
    payload: bytes

    def encoded(self) -> bytes:
        """Return it as it stands on the wire."""
        headers = b"".join(map(_header, self.headers, self.headers.values()))
        size = _PRELUDE.size + len(headers) + len(self.payload) + _CRC.size
        lengths = struct.pack(">II", size, len(headers))
        whole = lengths + _CRC.pack(zlib.crc32(lengths)) + headers + self.payload
        return whole + _CRC.pack(zlib.crc32(whole))


class FrameReader:
    """Cuts a stream of bytes into frames, however it arrives."""

    def __init__(self) -> None:
        """Begin before the first frame."""
        self._bytes = bytearray()

    def read(self, piece: bytes) -> Iterator[Frame]:
        """Yield the frames that are whole with this piece.

        Raises:
            BrokenFrameError: what came is no frame.
        """
        self._bytes += piece
        while len(self._bytes) >= _PRELUDE.size:
            size, headers_size, crc = _PRELUDE.unpack_from(self._bytes)
            fits = _PRELUDE.size + headers_size + _CRC.size <= size <= FRAME_BYTES_MAX
            if not fits or crc != zlib.crc32(self._bytes[:8]):
                raise BrokenFrameError
            if len(self._bytes) < size:
                return
            whole = bytes(self._bytes[:size])
            del self._bytes[:size]
            yield _frame(whole, headers_size)


def _frame(whole: bytes, headers_size: int) -> Frame:
    end = len(whole) - _CRC.size
    if _CRC.unpack_from(whole, end)[0] != zlib.crc32(whole[:end]):
        raise BrokenFrameError
    body = _PRELUDE.size + headers_size
    return Frame(dict(_headers(whole[_PRELUDE.size : body])), whole[body:end])


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return struct.pack(">B", len(key)) + key + struct.pack(">BH", _TEXT, len(text)) + text


def _headers(raw: bytes) -> Iterator[tuple[str, str]]:
    """Yield the headers that are texts; others are stepped over."""
    place = 0
    try:
        while place < len(raw):
            name = place + 1
            kind_at = name + raw[place]
            kind, start = raw[kind_at], kind_at + 1
            if kind in _FIXED:
                place = start + _FIXED[kind]
                continue
            (size,) = struct.unpack_from(">H", raw, start)
            place = start + 2 + size
            if kind == _TEXT:
                yield raw[name:kind_at].decode(), raw[start + 2 : place].decode()
    except (struct.error, IndexError, UnicodeDecodeError) as exc:
        raise BrokenFrameError from exc
