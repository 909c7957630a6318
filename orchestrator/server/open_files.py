"""How many connections a process has open files for.

Each is an open file, as are the ledger and the sockets to providers. Were clients able to use them all up,
the system would cut off whoever comes next, and no provider could be asked.
"""

import logging
import sys

logger = logging.getLogger("orchestrator.server")

OWN_FILES = 200
"""Kept for the ledger, the cache, logs, and connections to providers that wait for their next request."""
_LEAST_SHARE = 4
"""However few files there are, a quarter of them is for connections."""


def room_for_connections(connections: int, *, in_flight: int) -> int:
    """Return how many connections there may be at once: those that are asked for, or what files are left.

    Each of `in_flight` requests may have a connection to a provider besides. Where the system lets it, the
    process raises its own limit of open files as far as it needs; else fewer connections are logged.
    """
    needed = connections + in_flight + OWN_FILES
    files = _allowed(needed)
    if files >= needed:
        return connections
    room = min(connections, max(files // _LEAST_SHARE, files - in_flight - OWN_FILES))
    if room == connections:
        return connections
    logger.warning(
        "at most %d connections at once instead of server.connections = %d: this process may open %d files; allow it "
        "%d (ulimit -n, LimitNOFILE of systemd)", room, connections, files, needed,
    )  # fmt: skip
    return room


def _allowed(needed: int) -> int:
    """Return how many files this process may open, once it has asked for as many as it needs."""
    if sys.platform == "win32":
        return needed
    import resource  # noqa: PLC0415 -- Windows has none

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft == unlimited or soft >= needed:
        return needed
    soft = needed if hard == unlimited else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    except (OSError, ValueError):
        # Some systems have a lower limit than the one that they name.
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft
