"""Keys on disk: a private folder with one file for each, written as a whole.

A file for each, because two commands at once then never undo each other's, and a damaged file closes one key
and no other. A server looks at the folder again after half a second at the latest, each worker for itself.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator.access.api_keys import Role, ServerKey, Token, hash_of
from orchestrator.core.bounded_file import read_bounded
from orchestrator.core.clock import Clock
from orchestrator.core.errors import ConfigError, InvalidRequestError, UnknownNameError
from orchestrator.core.home_paths import expanded
from orchestrator.core.private_folder import (
    anybody_may_write,
    make_private_folder,
    planted,
    words_on_planted,
)
from orchestrator.core.whole_file import write_whole

LOOK_S = 0.5
"""For how long what was seen of a key counts."""
_VERSION = 1
_BYTES_MAX = 64 * 1024
_NO_KEY = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, InvalidRequestError)
"""What reading a file ends in that holds no key, whatever else it holds."""
_Seen = frozenset[tuple[str, int, int, int]]


class KeyFolder:
    """The keys of a folder, which need not be there yet."""

    def __init__(self, path: Path | str) -> None:
        """Remember where it is; nothing is read."""
        self.path = expanded(path)

    def put(self, key: ServerKey) -> None:
        """Write a key, in the place of the one with its id; a reader sees the old file or the new one.

        Raises:
            ConfigError: it cannot be written, or no key of this folder would open anything; says why.
        """
        try:
            make_private_folder(self.path)
            self.look()
            content = json.dumps(_as_plain(key), ensure_ascii=False)
            write_whole(self._file_of(key.id), content.encode(), mode=0o600)
        except OSError as exc:
            raise ConfigError(
                f"cannot write a key into {self.path}: {exc.strerror}; "
                "make the folder writable, or set server.keys_path in config.yaml"
            ) from exc

    def revoke(self, key_id: str, *, at: datetime) -> ServerKey:
        """Revoke a key for good, and return it; one that was revoked before stays so.

        Raises:
            UnknownNameError: there is no key of this id.
            ConfigError: its file cannot be read or written.
        """
        keys, _ = self.read()
        if key_id not in keys:
            raise UnknownNameError(f"no key has the id '{key_id}'; 'orchestrator keys list' shows them all")
        key = keys[key_id]
        if key.revoked_at is None:
            key = replace(key, revoked_at=at)
            self.put(key)
        return key

    def read(self) -> tuple[dict[str, ServerKey], tuple[str, ...]]:
        """Return every key by its id, and the names of files that hold none.

        Raises:
            ConfigError: the folder is there and cannot be read.
        """
        keys, damaged = {}, []
        for name, *_ in sorted(self.look()):
            try:
                key = _as_key(json.loads(read_bounded(self.path / name, bytes_max=_BYTES_MAX)))
            except FileNotFoundError:
                continue
            except _NO_KEY:
                damaged.append(name)
                continue
            if name == self._file_of(key.id).name:
                keys[key.id] = key
            else:
                damaged.append(name)
        return keys, tuple(damaged)

    def look(self) -> _Seen:
        """Return by what a changed folder is recognised: the files of keys, with time, node and size.

        Raises:
            ConfigError: the folder is there and cannot be read, or anybody may put keys into it.
        """
        try:
            if anybody_may_write(self.path):
                raise ConfigError(
                    f"every user of this machine may write into {self.path}, so a key in it may be anybody's: take "
                    f"that right away ('chmod o-w {self.path}'), and revoke the keys that you do not know"
                )
            strange = planted(self.path)
            if strange is not None:
                raise ConfigError(f"cannot trust the keys in {self.path}: {words_on_planted(strange)}")
            with os.scandir(self.path) as entries:
                return frozenset(
                    (entry.name, status.st_mtime_ns, status.st_ino, status.st_size)
                    for entry in entries
                    if entry.name.endswith(".json") and (status := _status(entry)) is not None
                )
        except FileNotFoundError:
            return frozenset()
        except OSError as exc:
            raise ConfigError(f"cannot read the keys in {self.path}: {exc.strerror}") from exc

    def may_hold(self, key_id: str) -> bool:
        """Return whether a file of this key is there; nothing else is looked at."""
        try:
            return self._file_of(key_id).exists()
        except OSError:
            # Whoever looks at the folder says why it cannot be read.
            return True

    def _file_of(self, key_id: str) -> Path:
        return self.path / f"{key_id}.json"


class KeyRing:
    """The keys of a folder as a running server knows them: a revoked one for half a second more."""

    def __init__(self, folder: KeyFolder, *, clock: Clock) -> None:
        """Remember the folder; it is read with the first look."""
        self._folder = folder
        self._clock = clock
        self._keys: Mapping[str, ServerKey] = {}
        self._seen: _Seen | None = None
        self._looked_s = float("-inf")

    @property
    def is_empty(self) -> bool:
        """Return whether no key was ever made; a revoked or a damaged one is one."""
        self._look(again=not self._seen)
        return not self._seen

    def find(self, token: Token) -> ServerKey | None:
        """Return the key that a token is, whatever its state; None where it is no key."""
        # A wrong key costs one look at one file, however many keys there are.
        self._look(again=token.id not in self._keys and self._folder.may_hold(token.id))
        key = self._keys.get(token.id)
        if key is None:
            # As much work as for a key that is there.
            hash_of(token.secret)
            return None
        return key if key.fits(token.secret) else None

    def _look(self, *, again: bool) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s < LOOK_S and not again:
            return
        seen = self._folder.look()
        if seen != self._seen:
            self._keys, _ = self._folder.read()
            self._seen = seen
        self._looked_s = now_s


def _status(entry: "os.DirEntry[str]") -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


def _as_plain(key: ServerKey) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "id": key.id,
        "secret_sha256": key.secret_hash,
        "tenant": key.tenant,
        "name": key.name,
        "roles": list(key.roles),
        "use_cases": list(key.use_cases),
        "requests_per_min": key.requests_per_min,
        "created_at": key.created_at.isoformat(),
        "expires_at": _text_of(key.expires_at),
        "revoked_at": _text_of(key.revoked_at),
    }


def _as_key(plain: Any) -> ServerKey:
    if plain["version"] != _VERSION:
        raise ValueError("written by another version")
    return ServerKey(
        id=str(plain["id"]),
        secret_hash=str(plain["secret_sha256"]),
        tenant=str(plain["tenant"]),
        name=str(plain["name"]),
        roles=tuple(Role(role) for role in plain["roles"]),
        created_at=datetime.fromisoformat(plain["created_at"]),
        use_cases=tuple(str(name) for name in plain["use_cases"]),
        requests_per_min=None if plain["requests_per_min"] is None else int(plain["requests_per_min"]),
        expires_at=_moment_of(plain["expires_at"]),
        revoked_at=_moment_of(plain["revoked_at"]),
    )


def _text_of(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment_of(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
