"""Takes over a changed config.yaml while the program runs; a broken one is refused.

The file is looked at, and not subscribed to: a look follows links that are swapped and folders that are
replaced, needs no place in the system's table of watches, works on network disks, and meets no other file of
the folder.

A secret's file that was full and is empty is refused too, though a default may stand behind it: whoever
writes a new key into it with `>` empties it first, and a provider would be off until the key is there.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from orchestrator.config.loader import Config, load_config
from orchestrator.config.secret_files import SECRET_BYTES_MAX
from orchestrator.core.bounded_file import read_bounded
from orchestrator.core.clock import Clock
from orchestrator.core.error_place import place_of_error
from orchestrator.core.errors import ConfigError

logger = logging.getLogger("orchestrator.config")

_LOOK_S = 0.25
_QUIET_S = 0.05
"""A file that was written in this time is still being written."""
_LOOKS_BETWEEN_TRIES = 20
"""After so many looks a refused file is tried again: what it names elsewhere may be there by now."""

_State = tuple[tuple[int, ...] | None, ...]
"""Device, inode, size and times of each file, None of one that is not there."""


@dataclass(frozen=True, slots=True)
class ConfigRefusal:
    """A change of the configuration that was not taken over."""

    at: datetime
    """When it was refused first."""
    reason: str
    """What a ConfigError says; of another error its type alone."""
    stands: bool = True
    """Whether the file still is as it was refused."""


class ConfigWatch:
    """Looks at a configuration file, and at the files of secrets that it names, in a daemon thread."""

    def __init__(self, config: Config, *, take_over: Callable[[Config], None], clock: Clock) -> None:
        """Start watching; `take_over` is called from the watching thread with each good new one."""
        self._path = config.path.absolute()
        self._files = (self._path, *config.secret_files)
        self._full = _full(config.secret_files)
        self._fingerprint = config.fingerprint
        self._take_over = take_over
        self._clock = clock
        self._refusal: ConfigRefusal | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="orchestrator-config", daemon=True)
        self._thread.start()

    @property
    def refusal(self) -> ConfigRefusal | None:
        """Return the latest refusal, None where every change was taken over."""
        return self._refusal

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()

    def check(self) -> None:
        """Take the file over now if it changed and is good; the same refusal is told once."""
        try:
            config = load_config(self._path, today=self._clock.now().date())
            # Afterwards, for a file may be emptied while config.yaml is read.
            self._refuse_emptied()
            self._files = (self._path, *config.secret_files)
            self._full = _full(config.secret_files)
            if config.fingerprint != self._fingerprint:
                self._take_over(config)
                self._fingerprint = config.fingerprint
                logger.info("took over the changed configuration %s", self._path)
            if self._refusal is not None:
                self._refusal = replace(self._refusal, stands=False)
        except ConfigError as exc:
            self._refuse(
                "the changed configuration is refused, the last good one stays: %s", str(exc), str(exc)
            )
        except Exception as exc:  # noqa: BLE001 -- the watch outlives whatever a file or a listener does
            words = "the changed configuration cannot be taken over, the last good one stays: %s"
            self._refuse(words, place_of_error(exc, frames_max=1), type(exc).__name__)

    def _refuse_emptied(self) -> None:
        for file in sorted(file for file in self._full if _holds_text(file) is False):
            raise ConfigError(
                f"the file {file} is empty; write the new secret into it, or remove it where its default is meant"
            )

    def _refuse(self, words: str, logged: str, reason: str) -> None:
        latest = self._refusal
        if latest is not None and latest.stands and latest.reason == reason:
            return
        logger.error(words, logged)
        self._refusal = ConfigRefusal(self._clock.now(), reason)

    def _watch(self) -> None:
        # The first look finds what changed before the watch had begun.
        seen: _State | None = None
        looks = 0
        while not self._stop.wait(_LOOK_S if seen is not None else 0):
            looks += 1
            if (now := self._state()) == seen and not self._tries_again(looks):
                continue
            while not self._stop.wait(_QUIET_S) and (later := self._state()) != now:
                now = later
            if not self._stop.is_set():
                self.check()
            seen = now

    def _tries_again(self, looks: int) -> bool:
        return self._refusal is not None and self._refusal.stands and looks % _LOOKS_BETWEEN_TRIES == 0

    def _state(self) -> _State:
        return tuple(map(_state_of, self._files))


def _full(files: Iterable[Path]) -> frozenset[Path]:
    return frozenset(file for file in files if _holds_text(file))


def _holds_text(file: Path) -> bool | None:
    """Return whether a file holds more than blanks, None where it cannot be read or is no plain file."""
    try:
        return bool(read_bounded(file, bytes_max=SECRET_BYTES_MAX).strip())
    except OSError:
        return None


def _state_of(path: Path) -> tuple[int, ...] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 -- four times a second, for each file
    except OSError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
