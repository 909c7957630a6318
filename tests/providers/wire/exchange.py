"""The shape of a recorded exchange: what a provider sent, and what must be read in it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from orchestrator.core.failures import FailureKind
from orchestrator.core.reply import Usage

Call = tuple[str, str]
"""A tool call's name and arguments."""


COUNTED_USAGE = Usage(10, 5)
NO_USAGE = Usage(estimated=True)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One answer of a provider, as bytes, and its meaning."""

    name: str
    body: bytes
    text: str = ""
    calls: tuple[Call, ...] = ()
    finish: str = "stop"
    usage: Usage = COUNTED_USAGE
    failure: FailureKind | None = None
    status: int | None = None
    reasoning: str = ""

    def __str__(self) -> str:
        return self.name


def json_bytes(value: Any) -> bytes:
    return orjson.dumps(value)


def sse(events: Iterable[Any], *, end: bytes = b"data: [DONE]\n\n", separator: bytes = b"\n\n") -> bytes:
    """Return events as a stream; bytes among them stand as they are."""
    written = (
        event if isinstance(event, bytes) else b"data: " + json_bytes(event) + separator for event in events
    )
    return b"".join(written) + end
