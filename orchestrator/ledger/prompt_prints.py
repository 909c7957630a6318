"""Fingerprints of a prompt: enough to see that prompts or their beginnings are equal, without the text.

A print is made where the prompt is, and keyed where it is kept: `keyed` mixes in a secret of the ledger, so
that nobody who sees a row can try out what a prompt may have been. Rows of prints are never exported.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

BEGINNINGS_BYTES = (4_096, 16_384, 65_536)
"""So long are the beginnings that are compared. No provider gives a discount for less than 1,024 tokens."""
_KEPT_BYTES = 8
"""Of a keyed print: two of ten million are equal by chance in three of a million ledgers."""


@dataclass(frozen=True, slots=True)
class PromptPrint:
    """What tells a prompt from others, before it is keyed."""

    whole: bytes
    """Of all that shapes the answer; empty where the prompt was too long to look at."""
    beginnings: tuple[bytes, ...]
    """Of its first `BEGINNINGS_BYTES`, as many as it has."""
    length_bytes: int
    """Of all that a provider reads in its order: tools, then messages."""
    waited: bool
    """Nobody waited for the answer: its retry profile is one of the background."""


@dataclass(frozen=True, slots=True)
class KeyedPrint:
    """A print as the ledger keeps it."""

    whole: bytes
    beginnings: bytes
    """One after the other, `BEGINNING_PRINT_BYTES` each."""


BEGINNING_PRINT_BYTES = _KEPT_BYTES


def keyed(prompt: PromptPrint, secret: str) -> KeyedPrint:
    """Return what is kept of a print; without the secret it says nothing of a prompt."""
    beginnings = b"".join([_keyed(beginning, secret) for beginning in prompt.beginnings])
    return KeyedPrint(_keyed(prompt.whole, secret) if prompt.whole else b"", beginnings)


def _keyed(digest: bytes, secret: str) -> bytes:
    running = _keyed_with(secret).copy()
    running.update(digest)
    return running.digest()


@lru_cache(maxsize=16)
def _keyed_with(secret: str) -> blake2b:
    return blake2b(key=bytes.fromhex(secret), digest_size=_KEPT_BYTES)
