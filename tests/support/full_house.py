"""A port to which connections are begun and never come about."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

NEEDS_CONNECTING = pytest.mark.skipif(
    not Path("/proc/net/tcp").exists(), reason="only Linux tells who is connecting"
)
_SYN_SENT = "02"


def connecting_to(port: int) -> int:
    """Return how many connections to a port are begun and not there yet."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    rows = [line.split() for line in lines]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == _SYN_SENT for row in rows)


@pytest.fixture
def full_house() -> Iterator[int]:
    """A port where every seat is taken: connections to it are begun and never come about."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        guests = [socket.socket() for _ in range(4)]
        for guest in guests:
            guest.setblocking(False)
            guest.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for guest in guests:
            guest.close()
