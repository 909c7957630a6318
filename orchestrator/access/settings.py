"""The settings of the server: where it listens, and what it takes before any work is done."""

from typing import Annotated

from pydantic import Field, PositiveInt

from orchestrator.core.settings import Settings

_PositiveSeconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class ServerSettings(Settings):
    """Where `orchestrator serve` listens, and its bounds."""

    host: str = "127.0.0.1"
    """The address to listen on; another than this machine's own needs a key: `orchestrator keys make`."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8400
    """The port to listen on; 0 takes any free one."""
    keys_path: str = "~/.nextflow-orchestrator/server-keys"
    """A folder with one file for each key; it holds no key, only what one is recognised by."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses of proxies whose `X-Forwarded-For` is believed."""
    body_bytes: PositiveInt = 20_000_000
    """The largest body of a request, pictures included."""
    header_bytes: PositiveInt = 32_768
    """All headers of a request and its address together."""
    header_count: PositiveInt = 100
    """Headers of a request."""
    message_count: PositiveInt = 5_000
    """Messages of a request and their parts together; each costs a look or two."""
    json_depth: Annotated[int, Field(ge=8, le=200)] = 64
    """How deep lists and objects of a body may lie in each other."""
    header_s: _PositiveSeconds = 10.0
    """How long the headers of a request may take to arrive."""
    body_s: _PositiveSeconds = 60.0
    """How long the body of a request may take to arrive."""
    write_s: _PositiveSeconds = 60.0
    """How long a client may leave an answer unread before its connection is cut."""
    idle_s: PositiveInt = 30
    """How long a connection without a request is kept, in whole seconds."""
    connections: PositiveInt = 2000
    """Connections at once in one process; a new one then takes the place of the longest idle one. Fewer where
    the process may not open so many files."""
    requests_per_min: PositiveInt = 6000
    """Requests a minute of one key that has no limit of its own, in one process."""
    bad_keys_per_min: PositiveInt = 30
    """Requests a minute with a wrong key or none from one address, in one process; more get 429 without a
    look."""
    stop_s: PositiveInt = 30
    """Whole seconds that running requests may take after SIGTERM; then they are cancelled and booked."""
