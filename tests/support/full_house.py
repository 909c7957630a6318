"""A port to which connections are begun and never come about."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

NEEDS_CONNECTING = pytest.mark.skipif(
    not Path("/proc/net/tcp").exists(), reason="only Linux tells who is connecting"
)
_SYN_SENT = "02"


@dataclass(frozen=True, slots=True)
class FullHouse:
    """A port where every seat is taken."""

    port: int
    guests: frozenset[int]
    """The local ports of those who took the seats, or wait for one."""

    @property
    def url(self) -> str:
        """Where to knock."""
        return f"http://127.0.0.1:{self.port}"

    def has_caller(self) -> bool:
        """Return whether somebody else connects to it right now."""
        # By port, not by count: the kernel lists a row twice, or not at all, while others come and go.
        lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
        rows = [line.split() for line in lines]
        connecting = {
            int(row[1].rpartition(":")[2], 16)
            for row in rows
            if row[2].endswith(f":{self.port:04X}") and row[3] == _SYN_SENT
        }
        return bool(connecting - self.guests)


@pytest.fixture
def full_house() -> Iterator[FullHouse]:
    """A port where every seat is taken: connections to it are begun and never come about."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        guests = [socket.socket() for _ in range(4)]
        for guest in guests:
            guest.setblocking(False)
            guest.connect_ex(listener.getsockname())
        taken = frozenset(guest.getsockname()[1] for guest in guests)
        yield FullHouse(listener.getsockname()[1], taken)
        for guest in guests:
            guest.close()
