"""Blocks of a message's content as parts of the wire, whichever vendor's shape they have.

Known are OpenAI's parts (chat completions and Responses), Anthropic's, Bedrock's, Gemini's, and LangChain's
own of today (`{"type": "image", "url": ...}`) and before (`source_type`). A block that no provider's format
can carry is named in an error: what is left out in silence is missing in the answer.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.message_parts import PART_KINDS

Block = Mapping[str, Any]
WirePart = dict[str, Any]

_TEXTS = frozenset({"text", "input_text", "output_text", "text-plain", "plain_text"})
_MEDIA = frozenset({"image", "audio", "video", "file"})
_AUDIO_FORMATS: Mapping[str, str] = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "mp4": "m4a"}


def part_of(block: Any, where: str) -> WirePart:
    """Return a block as a part of the wire; `where` names it in errors.

    Raises:
        InvalidRequestError: no provider's format has it, or something is missing in it.
    """
    if isinstance(block, str):
        return {"type": "text", "text": block}
    kind = str(block.get("type") or "")
    if kind in PART_KINDS and isinstance(block.get(kind), str | Mapping):
        part: WirePart = {"type": kind, kind: block[kind]}
    elif kind == "non_standard" and isinstance(block.get("value"), Mapping):
        part = part_of(block["value"], where)
    else:
        part = _translated(block, kind, where)
    return _marked(part, block)


def _translated(block: Block, kind: str, where: str) -> WirePart:
    if kind in _TEXTS or (not kind and isinstance(block.get("text"), str)):
        return _text_part(block, where)
    reader = _READERS.get(kind) or next((_READERS[key] for key in _UNTYPED if key in block), None)
    if reader is None:
        named = kind or ", ".join(sorted(map(str, block))) or "no type"
        raise InvalidRequestError(
            f"{where} is a block of type '{named[:60]}', which no provider's format carries here; "
            "write what it says as a text, or leave it out"
        )
    return reader(block, where)


def _marked(part: WirePart, block: Block) -> WirePart:
    """Return a part with the mark of caching that its block has, where LangChain's blocks may have it too."""
    extras = block.get("extras")
    mark = block.get("cache_control") or (
        extras.get("cache_control") if isinstance(extras, Mapping) else None
    )
    return {**part, "cache_control": mark} if mark else part


def _text_part(block: Block, where: str) -> WirePart:
    text = block.get("text")
    if text is None and block.get("base64") is not None:
        try:
            text = base64.b64decode(str(block["base64"]), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise InvalidRequestError(f"{where} holds no text in UTF-8 as its 'base64'") from None
    if not isinstance(text, str):
        raise _lacking(where, "a 'text'")
    return {"type": "text", "text": text}


def _json_text(block: Block, _where: str) -> WirePart:
    return {"type": "text", "text": json.dumps(block.get("json"), ensure_ascii=False)}


def _guarded_text(block: Block, where: str) -> WirePart:
    guarded = block.get("guard_content")
    text = guarded.get("text") if isinstance(guarded, Mapping) else None
    return _text_part(text if isinstance(text, Mapping) else {"text": text}, where)


@dataclass(frozen=True, slots=True)
class _Held:
    """Where a picture, sound, film or file is: in the block itself, at an address, or with a vendor."""

    data: Any = None
    """Bytes, or base64."""
    url: Any = None
    file_id: Any = None
    filename: str | None = None


def _media(kind: str, mime_type: str | None, held: _Held, where: str) -> WirePart:
    """Return a picture, sound, film or file as a part."""
    data = base64.b64encode(held.data).decode() if isinstance(held.data, bytes) else held.data
    url, file_id = held.url, held.file_id
    if isinstance(data, str) and data:
        if not mime_type or "/" not in mime_type:
            raise _lacking(where, "a 'mime_type', such as image/png,")
        if kind == "audio":
            form = mime_type.partition("/")[2]
            return {
                "type": "input_audio",
                "input_audio": {"data": data, "format": _AUDIO_FORMATS.get(form, form)},
            }
        url = f"data:{mime_type};base64,{data}"
    if isinstance(url, str) and url:
        if kind != "file":
            return {"type": f"{kind}_url", f"{kind}_url": {"url": url}}
        return {"type": "file", "file": {"filename": held.filename or "file", "file_data": url}}
    if kind == "file" and isinstance(file_id, str) and file_id:
        return {"type": "file", "file": {"file_id": file_id}}
    if isinstance(file_id, str) and file_id:
        raise InvalidRequestError(
            f"{where} names a file that lies with one vendor; give the {kind} itself, or its address"
        )
    raise _lacking(where, "its data or an address")


def _standard(block: Block, where: str) -> WirePart:
    """Return LangChain's own block, or Anthropic's, whose `source` says where it is."""
    kind = str(block["type"])
    source = block.get("source")
    if isinstance(source, Mapping):
        return _from_source(kind, source, block, where)
    if isinstance(block.get(kind), Mapping):
        return _of_bedrock(block, where)
    mime_type = _first_text(block, "mime_type", "mimeType")
    # In LangChain's older shape `source_type` says under which name it stands: data, url, text or id.
    data = block.get("base64") or block.get("data")
    if block.get("source_type") == "text":
        return _text_part(block, where)
    extras = block.get("extras")
    names = {**(extras if isinstance(extras, Mapping) else {}), **block}
    named = _first_text(names, "filename", "title", "name")
    identifier = block.get("file_id") or (block.get("id") if block.get("source_type") == "id" else None)
    return _media(kind, mime_type, _Held(data, block.get("url"), identifier, named), where)


def _from_source(kind: str, source: Block, block: Block, where: str) -> WirePart:
    kind = "file" if kind == "document" else kind
    name = _first_text(block, "title", "filename")
    if source.get("type") == "text":
        return _text_part({"text": source.get("data")}, where)
    if source.get("type") == "content":
        return _joined_text(source.get("content"), where)
    mime_type = _first_text(source, "media_type", "mime_type")
    held = _Held(source.get("data"), source.get("url"), source.get("file_id"), name)
    return _media(kind, mime_type, held, where)


def _joined_text(content: Any, where: str) -> WirePart:
    blocks = content if isinstance(content, list | tuple) else [content]
    parts = [part_of(block, where) for block in blocks if block]
    if any(part["type"] != "text" for part in parts):
        raise InvalidRequestError(
            f"{where} is a document of several kinds; give its pictures as their own blocks"
        )
    return {"type": "text", "text": "\n".join(part["text"] for part in parts)}


def _of_bedrock(block: Block, where: str) -> WirePart:
    kind = next(key for key in ("image", "document", "video", "audio") if key in block)
    held = block[kind]
    source = held.get("source") if isinstance(held, Mapping) else None
    raw = source.get("bytes") if isinstance(source, Mapping) else None
    if raw is None:
        raise _lacking(where, "its bytes in 'source'")
    form = str(held.get("format") or "")
    family = {"image": "image", "video": "video", "audio": "audio"}.get(kind, "application")
    media_kind = "file" if kind == "document" else kind
    return _media(media_kind, f"{family}/{form}", _Held(raw, filename=_first_text(held, "name")), where)


def _of_gemini(block: Block, where: str) -> WirePart:
    """Return a Gemini part: `media` of LangChain's, or `inline_data` and `file_data` of Google's."""
    keys = ("inline_data", "inlineData", "file_data", "fileData")
    held = next((block[key] for key in keys if isinstance(block.get(key), Mapping)), block)
    mime_type = _first_text(held, "mime_type", "mimeType") or ""
    family = mime_type.partition("/")[0]
    kind = family if family in {"image", "audio", "video"} else "file"
    url = _first_text(held, "file_uri", "fileUri", "url")
    return _media(kind, mime_type, _Held(held.get("data"), url), where)


def _of_responses(block: Block, where: str) -> WirePart:
    """Return a part of OpenAI's Responses API."""
    if block["type"] == "input_image" and block.get("image_url"):
        address: WirePart = {"url": block["image_url"]}
        detail = block.get("detail")
        return {"type": "image_url", "image_url": {**address, "detail": detail} if detail else address}
    name = _first_text(block, "filename")
    if isinstance(block.get("file_data"), str):
        file = {"file_data": block["file_data"], "filename": name or "file"}
        return {"type": "file", "file": file}
    kind = "image" if block["type"] == "input_image" else "file"
    held = _Held(url=block.get("file_url"), file_id=block.get("file_id"), filename=name)
    return _media(kind, None, held, where)


def _first_text(holder: Block, *keys: str) -> str | None:
    return next((holder[key] for key in keys if isinstance(holder.get(key), str) and holder[key]), None)


def _lacking(where: str, what: str) -> InvalidRequestError:
    return InvalidRequestError(f"{where} needs {what}; see what a block of its type holds")


_Reader = Callable[[Block, str], WirePart]
_READERS: Mapping[str, _Reader] = {
    **dict.fromkeys((*_MEDIA, "document"), _standard),
    **dict.fromkeys(("input_image", "input_file"), _of_responses),
    **dict.fromkeys(("media", "inline_data", "inlineData", "file_data", "fileData"), _of_gemini),
    "json": _json_text,
    "guard_content": _guarded_text,
}
_UNTYPED = ("inline_data", "inlineData", "file_data", "fileData", "json", "guard_content")
"""Keys by which a block without a type is known."""


def is_bedrock(block: Block) -> bool:
    """Return whether a block is one of Bedrock's, which have no type and one key that says it."""
    return "type" not in block and any(key in block for key in ("image", "document", "video", "audio"))


def parts_of_blocks(blocks: Iterable[Any], place: int) -> list[WirePart]:
    """Return the blocks of message `place` as parts.

    Raises:
        InvalidRequestError: as for `part_of`.
    """
    parts = []
    for number, block in enumerate(blocks):
        where = f"block {number} of message {place}"
        if isinstance(block, Mapping) and is_bedrock(block):
            parts.append(_marked(_of_bedrock(block, where), block))
        else:
            parts.append(part_of(block, where))
    return parts
