"""The parts of a message: of which kinds they are, what each holds, and which addresses it may name.

Every address is opened by somebody: by the provider, or by the server on this machine. So a part names a
public place, or holds the picture or file itself.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from orchestrator.core.errors import InvalidRequestError

_DATA_KINDS: Mapping[str, str] = {
    "image_url": "image/",
    "video_url": "video/",
    "audio_url": "audio/",
    "input_audio": "audio/",
    "file": "",
}
"""What the type of a `data:` address in each kind of part begins with."""
PART_KINDS = frozenset({"text", "refusal", *_DATA_KINDS})
"""Parts of a message that OpenAI's format has; `video_url` and `audio_url` are OpenRouter's and vLLM's."""
_BESIDE = frozenset({"type", "cache_control"})
_HELD_NAMES: Mapping[str, frozenset[str]] = {
    "image_url": frozenset({"url", "detail", "format"}),
    "video_url": frozenset({"url"}),
    "audio_url": frozenset({"url"}),
    "input_audio": frozenset({"data", "format"}),
    "file": frozenset({"file_data", "file_id", "filename", "format"}),
    "cache_control": frozenset({"type", "ttl"}),
}
"""What stands in what a part holds; `format` is LiteLLM's. A server may price what else it knows."""
_ADDRESS_KEYS: Mapping[str, tuple[str, ...]] = {"input_audio": ("data",), "file": ("file_data", "file_id")}
"""Where a part that is a mapping has its address; the others have it as `url`."""
_BARE_KINDS = frozenset({"input_audio", "file"})
"""Their base64 text, or the id of a file, may stand there without an address."""
_DATA_TYPE = re.compile(r"data:(?P<mime>[\w.+-]+/[\w.+-]+)?(?:;[\w-]+=[^;,]*)*;base64,", re.IGNORECASE)
_IS_ADDRESS = re.compile(r"\s*[a-z][a-z0-9+.-]*:|\s*[/\\]{2}", re.IGNORECASE)
_INNER_NAMES = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa")


def check_part(part: Any, place: int, number: int) -> None:
    """Check one part of a message: its kind, what it holds, and that an address in it is a public one.

    Raises:
        InvalidRequestError: says which part, and what is taken; it quotes no address.
    """
    if isinstance(part, str):
        return
    where = f"part {number} of message {place}"
    check_names(part, where)
    kind = part["type"]
    if kind in _DATA_KINDS:
        _check_addresses(part.get(kind), kind, where)
    elif not isinstance(part.get(kind), str):
        raise InvalidRequestError(f"{where} is of type '{kind}' and needs a text as '{kind}'")


def check_names(part: Any, where: str) -> None:
    """Check that a part is of a kind that there is, and that each of its names is one of that kind.

    Raises:
        InvalidRequestError: says which name, and what is taken.
    """
    kind = part.get("type") if isinstance(part, Mapping) else None
    if not isinstance(kind, str) or kind not in PART_KINDS:
        raise InvalidRequestError(
            f"{where} is of type '{str(kind)[:40]}', which no provider's format has; "
            f"known are: {', '.join(sorted(PART_KINDS))}"
        )
    unknown = sorted(str(key)[:40] for key in part if key not in _BESIDE and key != kind)
    if unknown:
        raise InvalidRequestError(
            f"{where} has '{unknown[0]}', which a part of type '{kind}' does not have; "
            f"it has: type, {kind}, cache_control"
        )
    for name in (kind, "cache_control"):
        holder = part.get(name)
        for key in holder if isinstance(holder, Mapping) else ():
            if key not in _HELD_NAMES.get(name, ()) and holder[key] is not None:
                raise InvalidRequestError(
                    f"{where} has '{str(key)[:40]}' in its '{name}', which no format has there; "
                    f"it has: {', '.join(sorted(_HELD_NAMES.get(name, ())))}"
                )


def _check_addresses(holder: Any, kind: str, where: str) -> None:
    addresses = [address for address in _addresses_in(holder, kind) if address]
    if not addresses:
        keys = " or ".join(f"'{key}'" for key in _ADDRESS_KEYS.get(kind, ("url",)))
        raise InvalidRequestError(f"{where} is of type '{kind}' and needs {keys} in its '{kind}'")
    for address in addresses:
        if kind in _BARE_KINDS and not _IS_ADDRESS.match(address):
            continue
        if not _is_taken(address, _DATA_KINDS[kind]):
            raise InvalidRequestError(
                f"{where} has an address that is not taken: write https://... of a public host, gs://..., or "
                f"put the file itself there as data:{_DATA_KINDS[kind] or 'application/'}...;base64,..."
            )


def _addresses_in(holder: Any, kind: str) -> Iterator[str]:
    if isinstance(holder, str) and kind not in _BARE_KINDS:
        yield holder
    elif isinstance(holder, Mapping):
        for key in _ADDRESS_KEYS.get(kind, ("url",)):
            if isinstance(value := holder.get(key), str):
                yield value


def _is_taken(address: str, data_kind: str) -> bool:
    if address[:5].lower() == "data:":
        match = _DATA_TYPE.match(address)
        return match is not None and (match["mime"] or data_kind).lower().startswith(data_kind)
    if not address.isprintable() or " " in address:
        return False
    try:
        parts = urlsplit(address)
        host, is_named = parts.hostname or "", "@" in parts.netloc
    except ValueError:
        return False
    if parts.scheme == "gs":
        return bool(host)
    return parts.scheme == "https" and not is_named and _is_public(host)


def _is_public(host: str) -> bool:
    """Return whether a host is one that a provider can reach, by its name alone: nothing is looked up."""
    name = unicodedata.normalize("NFKC", host).rstrip(".").lower()
    try:
        number = ipaddress.ip_address(name)
    except ValueError:
        # No top-level domain begins with a digit: what does is another spelling of a number.
        last = name.rpartition(".")[2]
        return "." in name and last[:1].isalpha() and not name.endswith(_INNER_NAMES)
    return number.is_global and not number.is_multicast
