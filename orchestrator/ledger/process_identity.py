"""Which process holds money, and whether it is still alive.

A process is written as `host:pid:start`. `start` names the boot, the process namespace and the
moment of the start (`3f1c2a9b.4026531836.8812345`), so that another process that got the same
number later, or has it in another container, is not taken for it. Where the system does not
tell (no /proc), `start` is empty.
"""

import os
import socket
from enum import StrEnum
from pathlib import Path

_START_FIELD = 19
"""Of /proc/<pid>/stat behind the command's closing bracket: ticks from the boot to the start."""
_BOOT_CHARACTERS = 8


class Life(StrEnum):
    """What is known of a process."""

    ALIVE = "alive"
    DEAD = "dead"
    ELSEWHERE = "elsewhere"
    """Another machine, boot or container: it cannot be known here."""


def own_process() -> str:
    """Return the text that names this process."""
    place = _place()
    start = _start_of(os.getpid())
    return f"{socket.gethostname()}:{os.getpid()}:{f'{place}.{start}' if place and start else ''}"


def life_of(process: str) -> Life:
    """Return whether that process is alive; a text without a start (schema 1) is judged by its number."""
    host, pid, start = _parts(process)
    if host != socket.gethostname() or pid is None or os.name != "posix":
        return Life.ELSEWHERE
    place, _, ticks = start.rpartition(".")
    if start and place != _place():
        return Life.ELSEWHERE
    if not _runs(pid):
        return Life.DEAD
    return Life.DEAD if start and ticks != _start_of(pid) else Life.ALIVE


def _parts(process: str) -> tuple[str, int | None, str]:
    # Behind the last colons: a host's name may hold some of its own.
    pieces = process.split(":")
    if len(pieces) > 2 and pieces[-2].isdigit():  # noqa: PLR2004 -- host, pid, start
        return ":".join(pieces[:-2]), int(pieces[-2]), pieces[-1]
    if len(pieces) > 1 and pieces[-1].isdigit():
        return ":".join(pieces[:-1]), int(pieces[-1]), ""
    return process, None, ""


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Return whether a process has ended and only its parent has not looked yet."""
    return _stat(pid)[:1] == ["Z"]


def _start_of(pid: int) -> str:
    fields = _stat(pid)
    return fields[_START_FIELD] if len(fields) > _START_FIELD else ""


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _place() -> str:
    """Return the boot and the process namespace, or nothing where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        return ""
    return f"{boot[:_BOOT_CHARACTERS]}.{namespace.removeprefix('pid:[').removesuffix(']')}"
