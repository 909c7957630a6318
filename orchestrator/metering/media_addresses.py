"""Pictures and files by address: some libraries open the address themselves, from this machine.

Whoever writes a prompt could then read what only this machine reaches: `http://127.0.0.1`, a private network,
a cloud's metadata. The libraries for Google's models do so, and servers of models on this machine. There an
address may only be `data:`, or `gs://`, which Google opens.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchestrator.core.errors import InvalidRequestError

_ADDRESS = re.compile(r"\s*[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_HARMLESS = ("data:", "gs://")
_WITHOUT_MEDIA = frozenset({"text", "refusal", "thinking", "reasoning", "redacted_thinking"})
"""Kinds of parts that are words alone, whatever addresses stand in them."""
_CALLS = frozenset({"tool_use", "tool_call", "function_call", "server_tool_use", "server_tool_call"})
_RESULTS = frozenset({"tool_result", "function_response", "server_tool_result"})
_PLAIN = _WITHOUT_MEDIA | _CALLS | _RESULTS


def check_addresses(contents: Iterable[Any], *, unopened: frozenset[str] = frozenset()) -> None:
    """Check that no part of any message's content holds an address that would be opened from here.

    `unopened` names the fields that the library hands on and never opens.

    Raises:
        InvalidRequestError: one does; the message names its place and not the address.
    """
    for place, content in enumerate(contents):
        for part in content if isinstance(content, list | tuple) else ():
            if isinstance(part, Mapping) and part.get("type") not in _PLAIN:
                for name in _addresses(part, unopened):
                    raise InvalidRequestError(
                        f"'{name}' in message {place} is an address that would be opened from this machine; "
                        "put the picture or file itself there, as data:image/png;base64,..."
                    )


def _addresses(holder: Any, unopened: frozenset[str], name: str = "") -> Iterator[str]:
    """Yield the names of the fields that hold an address which would be opened."""
    if isinstance(holder, Mapping):
        for key, value in holder.items():
            yield from _addresses(value, unopened, str(key))
    elif isinstance(holder, list | tuple):
        for item in holder:
            yield from _addresses(item, unopened, name)
    # A field for an address holds one, whatever it looks like.
    elif (
        isinstance(holder, str)
        and name not in unopened
        and (name.endswith("url") or _ADDRESS.match(holder))
        and not holder.startswith(_HARMLESS)
    ):
        yield name
