"""Which alerts are told already, in a folder that the processes of one ledger share.

A claim is a file, made under a lock that ends with its process: one process tells, the others know. Whoever
removes it first tells that it is over. Processes on several machines need the folder on a disk they share,
with locks; without one each machine tells for itself.
"""

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock

from orchestrator.core.bounded_file import read_bounded
from orchestrator.core.home_paths import expanded
from orchestrator.core.private_folder import check_folder_of, make_private_folder, replace_private_file
from orchestrator.ledger.process_identity import Life, life_of, own_process

PERIOD = "period "
"""Begins the subject of what is told once in its hour, day, week or month."""
KEPT_FOR = timedelta(days=40)
"""A claim for a month stands longer than a month."""
_CLAIM, _LAST, _WATCH = ".claim", ".last", ".watch"
_LOCK, _LOCK_S, _LOOK_S = ".lock", 10, 0.005
_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Claim:
    """An alert that was told."""

    rule: str
    subject: str
    at: datetime
    holder: str
    """The process that told it."""


class Claims:
    """The claims in one folder."""

    def __init__(self, path: str) -> None:
        """Remember the folder; it is made with the first claim."""
        self._folder = expanded(path)
        self._process = own_process()
        self._lock = FileLock(self._folder / _LOCK, timeout=_LOCK_S, mode=0o600, poll_interval=_LOOK_S)

    def take(self, rule: str, subject: str, *, now: datetime, valid_for: timedelta) -> bool:
        """Return whether this process may tell: nobody has, or so long ago that it may be told again.

        What a process has told that died since, without a word that it is over, may be told again too.

        Raises:
            OSError: the folder cannot be written, or anybody may write into it.
        """
        make_private_folder(self._folder)
        file = self._file(rule, subject)
        # Whoever can put a claim there can have no alert told.
        check_folder_of(file)
        words = {"rule": rule, "subject": subject, "at": now.isoformat(), "holder": self._process}
        with self._lock:
            before = _read(file)
            if before is not None and now - before.at < valid_for and self._may_stand(before):
                return False
            replace_private_file(file, orjson.dumps(words))
        self._note_last(rule, words)
        return True

    def release(self, rule: str, subject: str) -> bool:
        """Return whether this process may tell that it is over: a claim stood, and nobody else removed it."""
        try:
            self._file(rule, subject).unlink()
        except OSError:
            return False
        return True

    def standing(self, *, periods: Collection[str]) -> tuple[Claim, ...]:
        """Return every claim that still counts, oldest first; of hours to months those of `periods`."""
        claims = (
            claim
            for claim in self._read_all(_CLAIM)
            if self._may_stand(claim)
            and (not claim.subject.startswith(PERIOD) or claim.subject.split()[1] in periods)
        )
        return tuple(sorted(claims, key=lambda claim: claim.at))

    def last(self, rule: str) -> Claim | None:
        """Return what a rule told last, also when it is over."""
        return _read(self._folder / f"{_digest(rule)}{_LAST}")

    def note_watch(self, *, now: datetime) -> None:
        """Leave word that this process looks at the rules.

        Raises:
            OSError: the folder cannot be written.
        """
        make_private_folder(self._folder)
        words = {"rule": "", "subject": "", "at": now.isoformat(), "holder": self._process}
        replace_private_file(self._watch_file, orjson.dumps(words))

    def end_watch(self) -> None:
        """Take that word back."""
        with contextlib.suppress(OSError):
            self._watch_file.unlink()

    def is_watched(self, *, now: datetime, within: timedelta) -> bool:
        """Return whether a process that lives has looked at the rules so lately."""
        return any(
            now - seen.at <= within and life_of(seen.holder) is not Life.DEAD
            for seen in self._read_all(_WATCH)
        )

    def tidy(self, *, now: datetime) -> None:
        """Remove claims that are older than any period."""
        with contextlib.suppress(OSError):
            for file in filter(partial(_is_over, now=now), self._folder.glob(f"*{_WATCH}")):
                file.unlink(missing_ok=True)
            for file in filter(partial(_is_over, now=now), self._folder.glob(f"*{_CLAIM}*")):
                with self._lock:
                    # It may have been taken again since.
                    if _is_over(file, now=now):
                        file.unlink(missing_ok=True)

    def _may_stand(self, claim: Claim) -> bool:
        return claim.subject.startswith(PERIOD) or life_of(claim.holder) is not Life.DEAD

    def _file(self, rule: str, subject: str) -> Path:
        return self._folder / f"{_digest(rule)}-{_digest(subject)}{_CLAIM}"

    def _note_last(self, rule: str, words: dict[str, Any]) -> None:
        replace_private_file(self._folder / f"{_digest(rule)}{_LAST}", orjson.dumps(words))

    @property
    def _watch_file(self) -> Path:
        return self._folder / f"{_digest(self._process)}{_WATCH}"

    def _read_all(self, ending: str) -> Iterator[Claim]:
        with contextlib.suppress(OSError):
            for file in self._folder.glob(f"*{ending}"):
                claim = _read(file)
                if claim is not None:
                    yield claim


def _digest(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:20]


def _is_over(file: Path, *, now: datetime) -> bool:
    claim = _read(file)
    return claim is None or now - claim.at > KEPT_FOR


def _read(file: Path) -> Claim | None:
    """Return what stands in a file, None where there is none or it is damaged."""
    try:
        raw = orjson.loads(read_bounded(file, bytes_max=_BYTES_MAX))
        at = datetime.fromisoformat(raw["at"])
        return Claim(str(raw["rule"]), str(raw["subject"]), at, str(raw["holder"])) if at.tzinfo else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
