"""Replies kept for their idempotency keys: none is dropped to make room, and a damaged one is noticed.

The ledger says which request has a key and holds no text; the text is here, under the id of the
request. Not the cache: that one may be off, forgets the oldest first, and shrugs at an error. Here
a reply that cannot be read is an error, for asking a model again would be charged again.
"""

import os
import sqlite3
import threading
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Any, TypeVar

import diskcache
from pydantic import Field

from orchestrator.cache.response_cache import OVERWRITING, TextDisk, evict, make_private
from orchestrator.core.errors import StateError
from orchestrator.core.home_paths import expanded
from orchestrator.core.settings import Settings

T = TypeVar("T")

KEEP_MIN_S = 60
_HASH_BYTES = sha256().digest_size


class IdempotencySettings(Settings):
    """How long an idempotency key stands for its request, and where the replies are kept."""

    path: str = "~/.nextflow-orchestrator/replies"
    """A folder on a local disk; processes that share the ledger share it too."""
    keep_s: Annotated[float, Field(ge=KEEP_MIN_S, allow_inf_nan=False)] = 86_400.0
    """How long a key gets its first reply again, from that reply on; then it is free."""


class KeptReplies:
    """Stored replies by the id of their request, as bytes whose meaning is the caller's."""

    def __init__(self, settings: IdempotencySettings) -> None:
        """Remember where the folder is; it is opened with the first use."""
        self.path = expanded(settings.path)
        self._store: Any = None
        self._opened_in = 0
        self._lock = threading.Lock()

    def check(self) -> None:
        """Open the folder.

        Raises:
            StateError: it cannot be opened; says why and what to do.
        """
        self._do("open", lambda _: None)

    def get(self, operation_id: str) -> bytes | None:
        """Return what was stored, None when there is nothing or it is not what was stored.

        Raises:
            StateError: the folder cannot be read.
        """
        stored = self._do("read", lambda store: store.get(operation_id))
        if not isinstance(stored, bytes) or sha256(stored[_HASH_BYTES:]).digest() != stored[:_HASH_BYTES]:
            return None
        return stored[_HASH_BYTES:]

    def put(self, operation_id: str, packed: bytes, *, tenant: str | None = None) -> None:
        """Store a tenant's reply until it is dropped.

        Raises:
            StateError: it cannot be stored.
        """
        self._do("write", lambda store: store.set(operation_id, sha256(packed).digest() + packed, tag=tenant))

    def drop(self, operation_id: str) -> None:
        """Remove a reply; what is not there is gone already.

        Raises:
            StateError: the folder cannot be written.
        """
        self._do("write", lambda store: store.delete(operation_id))

    def forget(self, tenant: str) -> int:
        """Remove a tenant's replies, overwrite them on the disk, and return how many there were.

        Their keys give an error until they expire.

        Raises:
            StateError: the folder cannot be written.
        """
        return self._do("forget", lambda store: evict(store, tenant)) if self.path.exists() else 0

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            if self._store is not None and self._opened_in == os.getpid():
                self._store.close()
            self._store = None

    def _do(self, what: str, work: Callable[[Any], T]) -> T:
        try:
            return work(self._open())
        except (sqlite3.Error, OSError, ValueError, diskcache.Timeout) as exc:
            reason = (exc.strerror if isinstance(exc, OSError) else None) or str(exc) or "it is locked"
            msg = (
                f"cannot {what} the replies of idempotency keys in {self.path}: {reason}; "
                "make the folder writable, or set idempotency.path in config.yaml"
            )
            raise StateError(msg) from exc

    def _open(self) -> Any:
        with self._lock:
            if self._store is None or self._opened_in != os.getpid():
                make_private(self.path)
                self._store = diskcache.Cache(
                    str(self.path),
                    disk=TextDisk,
                    eviction_policy="none",
                    timeout=5.0,
                    statistics=0,
                    cull_limit=0,
                    **OVERWRITING,
                )
                self._opened_in = os.getpid()
            return self._store
