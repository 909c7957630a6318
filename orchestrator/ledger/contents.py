"""Prompts and replies that config.yaml has kept: in a file of their own, for a time, never in the ledger.

What is kept is bounded, and holds none of the keys of this configuration, wherever a prompt had them from.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import orjson

from orchestrator.core.request import Message

TEXT_MAX = 65_536
"""Characters of one text; pictures and files that stand in a prompt as text are mostly longer."""
CONTENT_MAX_BYTES = 1_048_576
_MASK = "********"
SECRET_MIN = 12
"""Characters: a shorter text may stand in any prompt."""
_JSON_DEPTH = 3
"""A text, JSON that holds it, and JSON that holds that as a text: the arguments of a tool call."""


@dataclass(frozen=True, slots=True)
class KeptContent:
    """The prompt and the reply of one request."""

    operation_id: str
    tenant: str
    kept_at: datetime
    until: datetime
    """From then on it is not shown, and soon it is deleted."""
    messages: str
    """As JSON."""
    reply: str | None = None
    """None where no model answered."""
    corrected: str | None = None
    """The better answer that somebody wrote."""


class ContentStore(Protocol):
    """Keeps prompts and replies; shared by threads and processes."""

    @property
    def location(self) -> str:
        """Return where they are, as messages name it."""

    @property
    def exists(self) -> bool:
        """Return whether anything was kept ever: looking makes no file."""

    def keep(self, content: KeptContent) -> None:
        """Keep a prompt and its reply, on an event loop, which is not held up.

        Raises:
            LedgerError: it is not kept yet, or will not be; what for.
        """

    def keep_corrected(self, operation_id: str, text: str) -> bool:
        """Keep the better answer to a request beside its reply; False where no reply is kept.

        Raises:
            LedgerError: it cannot be written.
        """

    def find(self, operation_id: str, *, now: datetime) -> KeptContent | None:
        """Return the prompt and the reply of a request, None where none is kept (any more).

        Raises:
            LedgerError: they cannot be read.
        """

    def delete_expired(self, *, now: datetime) -> int:
        """Delete what was to be kept until now; return of how many requests.

        Raises:
            LedgerError: it cannot be written.
        """

    def delete_tenant(self, tenant: str) -> int:
        """Delete everything of a tenant, whatever its time; return of how many requests.

        Raises:
            LedgerError: it cannot be written.
        """

    def close(self) -> None:
        """Write what is deferred, and close."""


def kept_messages(messages: Sequence[Message], *, secrets: Iterable[str]) -> str:
    """Return the messages of a prompt as JSON that is bounded and holds no secret."""
    known = tuple(secrets)
    bounded = [_bounded(message, known) for message in messages]
    return kept_text(orjson.dumps(bounded).decode(), secrets=known)


def kept_text(text: str, *, secrets: Iterable[str]) -> str:
    """Return a text that is bounded and holds no secret."""
    text = without_secrets(text, secrets=secrets)
    whole = text.encode(errors="replace")
    if len(whole) <= CONTENT_MAX_BYTES:
        return text
    return f"{whole[:CONTENT_MAX_BYTES].decode(errors='ignore')} [cut: {len(whole):,} bytes]"


def without_secrets(text: str, *, secrets: Iterable[str], shortest: int = SECRET_MIN) -> str:
    """Return a text in which every secret is masked, also as JSON writes it, and JSON in JSON.

    One of fewer than `shortest` letters is not.
    """
    # Of two that begin alike the longer first, or its end would stand there.
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= shortest:
            written = secret
            for _ in range(_JSON_DEPTH):
                text = text.replace(written, _MASK)
                written = orjson.dumps(written).decode()[1:-1]
    return text


def _bounded(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, str):
        if len(value) <= TEXT_MAX:
            return value
        # Cut through, a secret would be none any more, and most of it would stand there.
        return f"{without_secrets(value, secrets=secrets)[:TEXT_MAX]} [cut: {len(value):,} characters]"
    if isinstance(value, Mapping):
        return {str(name): _bounded(part, secrets) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_bounded(part, secrets) for part in value]
    return value
