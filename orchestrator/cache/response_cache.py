"""Answers to repeated prompts: exact, per tenant, and asked for once.

The key is a hash of everything that shapes an answer (tenant, use case, model, messages,
sampling), so that no tenant ever reads another's answers. Only text is stored: diskcache would
unpickle what it reads, and whoever can write a pickle into the folder could run code, so its
`Disk` is replaced by one that refuses pickles and other files than its own, in a folder that only its
owner may enter.

A cache that cannot be read or written never fails a request: it says so once in the log and
the request goes on to a model.
"""

import asyncio
import contextlib
import errno
import logging
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import diskcache
import orjson
from pydantic import PositiveInt

from orchestrator.core.embedding import EmbeddingRequest
from orchestrator.core.errors import StateError
from orchestrator.core.home_paths import expanded
from orchestrator.core.private_folder import (
    make_private_file,
    make_private_folder,
    refuse_planted,
)
from orchestrator.core.request import ChatRequest
from orchestrator.core.settings import Seconds, Settings

logger = logging.getLogger("orchestrator.cache")

T = TypeVar("T")

_FORMAT = 1
_SHAPES_NOTHING = frozenset({"prompt_cache_key"})
"""Of the sampling parameters: where a provider keeps the beginning of a prompt."""
_PUTS_BETWEEN_CULLS = 100
_IN_TABLE_BYTES = 32_768
"""What is smaller lies in the table of the folder, all else in a file of its own."""
_OTHERS, _OTHERS_WRITE = 0o077, 0o022
_DATABASE = "cache.db"
OVERWRITING = {"sqlite_secure_delete": 1}
"""diskcache's setting that lets SQLite overwrite what is deleted."""
_FILE_NAME = re.compile(r"[0-9a-f]{2}[/\\][0-9a-f]{2}[/\\][0-9a-f]{28}\.val")
"""What diskcache calls the files of large entries: no other name is opened or removed."""


class CacheSettings(Settings):
    """Where replies are kept and for how long."""

    enabled: bool = True
    """false asks a model every time."""
    path: str = "~/.nextflow-orchestrator/cache"
    """A folder on a local disk."""
    ttl_s: Seconds = 3600.0
    """How long a reply may be repeated; a use case may say otherwise."""
    stale_s: Seconds = 604_800.0
    """How much longer a reply is kept for the case that none answers; it is marked then. 0 is never."""
    max_bytes: PositiveInt = 512 * 1024 * 1024
    """What the folder may hold; the oldest replies go first."""


class TextDisk(diskcache.Disk):  # type: ignore[misc]
    """Stores bytes only, and refuses to read anything else."""

    def put(self, key: Any) -> Any:
        """Return a key as it is stored."""
        if not isinstance(key, str):
            msg = "cache keys are text"
            raise TypeError(msg)
        return super().put(key)

    def store(self, value: Any, read: bool, key: Any = diskcache.UNKNOWN) -> Any:  # noqa: FBT001 -- diskcache's signature
        """Return a value as it is stored."""
        if not isinstance(value, bytes):
            msg = "cache values are bytes"
            raise TypeError(msg)
        stored = super().store(value, read, key)
        if (filename := stored[2]) is not None:
            make_private_file(Path(self._directory) / filename)
        return stored

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:  # noqa: FBT001 -- as above
        """Return a value as it was given."""
        if mode not in {diskcache.core.MODE_RAW, diskcache.core.MODE_BINARY}:
            msg = f"refused a cache entry of mode {mode}: only raw bytes are read"
            raise ValueError(msg)
        if mode == diskcache.core.MODE_BINARY and not self._is_own_file(filename):
            msg = "refused a cache entry whose file is not one of the cache"
            raise ValueError(msg)
        return super().fetch(mode, filename, value, read)

    def remove(self, file_path: str) -> None:
        """Remove an entry's file; one that is not the cache's own stays, and only its entry goes."""
        if self._is_own_file(file_path):
            super().remove(file_path)

    def _is_own_file(self, name: str | None) -> bool:
        if not isinstance(name, str) or not _FILE_NAME.fullmatch(name):
            return False
        # No link leads out of the folder.
        folder = Path(self._directory).resolve()
        return (folder / name).resolve() == folder / name


def key_of(request: ChatRequest, *, hosts: str = "", candidate: str = "") -> str:
    """Return the cache key of a request: equal for equal questions of one tenant, else different.

    `hosts` says which hosts of a model may serve it, where config.yaml does: another host may run it in lower
    precision. `candidate` is the candidate of an experiment that answers in the place of what answers else.
    """
    shaped: dict[str, Any] = {
        "format": _FORMAT,
        "tenant": request.tenant,
        "use_case": request.use_case,
        "model": request.model,
        "max_tokens": request.max_tokens,
        # Less money is answered by a cheaper model.
        "max_cost_nusd": request.max_cost_nusd,
        "messages": request.messages,
        "sampling": {
            name: value for name, value in request.sampling.as_wire().items() if name not in _SHAPES_NOTHING
        },
    }
    if isinstance(request, EmbeddingRequest):
        shaped["dimensions"] = request.dimensions
    if hosts:
        shaped["hosts"] = hosts
    if candidate:
        shaped["candidate"] = candidate
    packed = orjson.dumps(shaped, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=_plain)
    return sha256(packed).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset | tuple):
        return sorted(value, key=repr) if isinstance(value, set | frozenset) else list(value)
    if hasattr(value, "items"):
        return dict(value.items())
    msg = f"a request may hold only plain data, not {type(value).__name__}"
    raise TypeError(msg)


@dataclass(frozen=True, slots=True)
class _Put:
    key: str
    packed: bytes
    ttl_s: float
    tenant: str | None


class ReplyCache:
    """Stored replies, as bytes whose meaning is the caller's."""

    def __init__(self, settings: CacheSettings) -> None:
        """Remember where the folder is; it is opened with the first use."""
        self.settings = settings
        self.path = expanded(settings.path)
        self._cache: Any = None
        self._opened_in = 0
        self._lock = threading.Lock()
        self._warned: set[tuple[str, str]] = set()
        self._puts = 0
        self._of_this_turn: list[_Put] = []
        """What the first `_end_turn` of several writes."""

    @property
    def is_open(self) -> bool:
        """Return whether this process has opened the folder."""
        return self._cache is not None and self._opened_in == os.getpid()

    def get(self, key: str) -> bytes | None:
        """Return what was stored under `key` and is not over yet, else None."""
        for put in tuple(self._of_this_turn):
            # Its request has ended, and whoever asks the same within this turn would ask it again.
            if put.key == key:
                return put.packed
        stored = self._try("read", lambda cache: cache.get(key))
        return stored if isinstance(stored, bytes) else None

    def put(self, key: str, packed: bytes, *, ttl_s: float, tenant: str | None = None) -> None:
        """Store `packed` for `ttl_s` seconds, as a tenant's, whom `forget` forgets."""
        self._write([_Put(key, packed, ttl_s, tenant)])

    def put_in_this_turn(self, key: str, packed: bytes, *, ttl_s: float, tenant: str) -> None:
        """Store as `put` does, in one transaction with what else this turn of the running event loop stores.

        It is done before whoever awaits the task that calls this goes on.
        """
        self._of_this_turn.append(_Put(key, packed, ttl_s, tenant))
        asyncio.get_running_loop().call_soon(self._end_turn)

    def _end_turn(self) -> None:
        puts, self._of_this_turn = self._of_this_turn, []
        small = [put for put in puts if len(put.packed) < _IN_TABLE_BYTES]
        if small:
            self._write(small)
        for put in puts:
            # A file of its own would stay where a transaction is taken back, and belong to no row.
            if len(put.packed) >= _IN_TABLE_BYTES:
                self._write([put])

    def _write(self, puts: Sequence["_Put"]) -> None:
        def write(cache: Any) -> None:
            with cache.transact() if len(puts) > 1 else contextlib.nullcontext():
                for put in puts:
                    cache.set(put.key, put.packed, expire=put.ttl_s, tag=put.tenant)
            # diskcache would look for something to remove with every write; now and then is enough.
            before, self._puts = self._puts, self._puts + len(puts)
            if self._puts // _PUTS_BETWEEN_CULLS > before // _PUTS_BETWEEN_CULLS:
                cache.expire()
                cache.cull()

        self._try("write", write)

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return what is stored under these keys and not over yet; callable from any thread."""
        entries = self._try("read", lambda cache: {key: cache.get(key) for key in keys}) or {}
        return {key: packed for key, packed in entries.items() if isinstance(packed, bytes)}

    def put_many(self, entries: Mapping[str, bytes], *, ttl_s: float) -> None:
        """Store entries for `ttl_s` seconds in one transaction; callable from any thread."""

        def write(cache: Any) -> None:
            with cache.transact():
                for key, packed in entries.items():
                    cache.set(key, packed, expire=ttl_s)
            cache.expire()
            cache.cull()

        self._try("write", write)

    def clear(self) -> int:
        """Remove everything and return how many entries there were."""
        return int(self._try("clear", lambda cache: cache.clear()) or 0)

    def forget(self, tenant: str) -> int:
        """Remove what is a tenant's, overwrite it on the disk, and return how many entries there were.

        Raises:
            StateError: the folder cannot be written; says why.
        """
        # Also where config.yaml has switched the cache off since.
        if not (self.path / _DATABASE).exists():
            return 0
        try:
            return evict(self._open(), tenant)
        except (sqlite3.Error, OSError, ValueError, diskcache.Timeout) as exc:
            raise StateError(f"cannot forget what the cache {self.path} holds of {tenant}: {exc}") from exc

    def close(self) -> None:
        """Write what a loop has left that turns no more, and close the files."""
        self._end_turn()
        with self._lock:
            if self._cache is not None and self._opened_in == os.getpid():
                self._cache.close()
            self._cache = None

    def _try(self, what: str, work: Callable[[Any], Any]) -> Any:
        if not self.settings.enabled:
            return None
        try:
            return work(self._open())
        except (sqlite3.Error, OSError, ValueError, diskcache.Timeout) as exc:
            # Not by its text, which may name a file of its own for every entry.
            kind = (
                type(exc).__name__,
                str(getattr(exc, "errno", None) or getattr(exc, "sqlite_errorcode", "")),
            )
            if kind not in self._warned:
                self._warned.add(kind)
                logger.warning(
                    "cannot %s the cache %s: %s; answering without it. "
                    "Make it writable or set cache.path in config.yaml.",
                    what,
                    self.path,
                    exc,
                )
            return None

    def _open(self) -> Any:
        with self._lock:
            if self._cache is None or self._opened_in != os.getpid():
                make_private(self.path)
                # The default policy "least-recently-stored" does not write on reads.
                self._cache = diskcache.Cache(
                    str(self.path),
                    disk=TextDisk,
                    disk_min_file_size=_IN_TABLE_BYTES,
                    size_limit=self.settings.max_bytes,
                    timeout=1.0,
                    statistics=0,
                    cull_limit=0,
                    **OVERWRITING,
                )
                self._opened_in = os.getpid()
            return self._cache


def evict(store: Any, tenant: str) -> int:
    """Remove a tenant's entries of a store, and empty its log, which holds the pages as they were."""
    count = int(store.evict(tenant))
    store.reset("sqlite_wal_checkpoint", "TRUNCATE", update=False)
    return count


def make_private(folder: Path) -> None:
    """Make a folder that only its owner may enter, and its database, which only its owner may read.

    Raises:
        OSError: it cannot be made, others may write it, or it is for other things, which stay as they are.
    """
    make_private_folder(folder)
    refuse_planted(folder)
    status = folder.stat()
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        msg = "it is another user's; name a folder of its own"
        raise PermissionError(errno.EACCES, msg)
    if status.st_mode & _OTHERS_WRITE:
        msg = "others may write it, so what it holds may be theirs; remove it, or name a folder of its own"
        raise PermissionError(errno.EACCES, msg)
    if status.st_mode & _OTHERS:
        names = {path.name for path in folder.iterdir()}
        if names and "cache.db" not in names:
            msg = "others may enter it and it holds other files; name a folder of its own"
            raise PermissionError(errno.EACCES, msg)
        folder.chmod(0o700)
    # SQLite gives its log and its shared memory the rights of the file.
    for name in ("cache.db", "cache.db-wal", "cache.db-shm"):
        if name == "cache.db" or (folder / name).exists():
            make_private_file(folder / name)
