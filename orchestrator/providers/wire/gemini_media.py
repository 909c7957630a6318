"""Pictures, sound, films and files as parts of a Gemini request.

What a message holds itself goes inline; an address goes as an address, which Google opens and we never do.
"""

import mimetypes
import re
from collections.abc import Mapping
from typing import Any

from orchestrator.providers.wire.outbound import UnsendableError

_DATA_ADDRESS = re.compile(r"data:(?P<mime>[\w.+-]+/[\w.+-]+)?(?:;[\w-]+=[^;,]*)*;base64,", re.IGNORECASE)
_MIME_ALIASES: Mapping[str, str] = {"image/jpg": "image/jpeg", "audio/mpeg": "audio/mp3"}
_MIME_KEYS = ("format", "mime_type", "content_type")


def media_part(part: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a part that is no text; `where` names it in errors.

    Raises:
        UnsendableError: it holds nothing that Google could take.
    """
    if part["type"] == "input_audio":
        return _audio(part.get("input_audio"), where)
    if part["type"] == "file":
        return _file(part.get("file"), where)
    holder = part.get(part["type"])
    address = holder.get("url") if isinstance(holder, Mapping) else holder
    mime_type = _mime_type(holder)
    return _addressed(address, mime_type, where)


def _audio(audio: Any, where: str) -> dict[str, Any]:
    data = audio.get("data") if isinstance(audio, Mapping) else None
    sound = audio.get("format") if isinstance(audio, Mapping) else None
    if not isinstance(data, str) or not isinstance(sound, str) or not data:
        raise UnsendableError(f"{where} needs 'input_audio' with its 'data' and 'format'")
    if data.startswith("data:"):
        return _addressed(data, None, where)
    return _inline(data, sound if sound.startswith("audio/") else f"audio/{sound}")


def _file(file: Any, where: str) -> dict[str, Any]:
    if not isinstance(file, Mapping):
        raise UnsendableError(f"{where} needs a 'file'")
    data, mime_type = file.get("file_data"), _mime_type(file)
    if isinstance(data, str) and data and not _is_address(data):
        mime_type = mime_type or mimetypes.guess_type(str(file.get("filename") or ""))[0]
        if mime_type is None:
            raise UnsendableError(f"{where} needs a 'format' such as application/pdf beside its 'file_data'")
        return _inline(data, mime_type)
    return _addressed(data or file.get("file_id"), mime_type, where)


def _addressed(address: Any, mime_type: str | None, where: str) -> dict[str, Any]:
    if not isinstance(address, str) or not address:
        raise UnsendableError(f"{where} has neither data nor an address")
    match = _DATA_ADDRESS.match(address)
    if match:
        kind = match["mime"] or mime_type
        if kind is None:
            raise UnsendableError(f"{where} does not say what its data is, such as data:image/png;base64,...")
        return _inline(address[match.end() :], kind)
    if not address.startswith(("https://", "gs://")):
        raise UnsendableError(
            f"{where} must be a data: address in base64, or an https address that Google can open itself"
        )
    guess = mime_type or mimetypes.guess_type(address.partition("?")[0])[0]
    file: dict[str, Any] = {"fileUri": address}
    return {"fileData": {**file, "mimeType": _MIME_ALIASES.get(guess, guess)} if guess else file}


def _inline(data: str, mime_type: str) -> dict[str, Any]:
    kind = mime_type.lower()
    return {"inlineData": {"mimeType": _MIME_ALIASES.get(kind, kind), "data": data}}


def _is_address(text: str) -> bool:
    return text.startswith(("data:", "https://", "http://", "gs://"))


def _mime_type(holder: Any) -> str | None:
    if not isinstance(holder, Mapping):
        return None
    values = (holder.get(key) for key in _MIME_KEYS)
    return next((value for value in values if isinstance(value, str) and "/" in value), None)
