"""A server in a thread on a free port, in front of practice providers."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator import Orchestrator
from orchestrator.access.api_keys import Role, ServerKey, Token, hash_of
from orchestrator.access.key_folder import KeyFolder, KeyRing
from orchestrator.access.settings import ServerSettings
from orchestrator.core.clock import SystemClock
from orchestrator.server.app import build_app
from orchestrator.server.dashboard.routes import dashboard_routes
from orchestrator.server.serving import listening, server_of, url_of

LONG_S = 300


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs."""

    address: str
    orchestrator: Orchestrator
    keys: KeyFolder
    server: Any

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def make_key(self, **fields: Any) -> str:
        """Make a key; returns it as its owner has it."""
        token = Token.new()
        self.keys.put(key_of(token, **fields))
        return str(token)

    def client(self, key: str | None = None, **options: Any) -> httpx.Client:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        return httpx.Client(
            base_url=self.address, headers=headers, timeout=LONG_S, trust_env=False, **options
        )

    @staticmethod
    def wait_for(condition: Callable[[], Any]) -> None:
        """Wait until something has happened."""
        wait_for(condition)

    def wait_idle(self) -> None:
        """Wait until no request is under way."""
        wait_for(lambda: self.orchestrator.load().in_flight == 0)


def wait_for(condition: Callable[[], Any]) -> None:
    ends = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.005)


def key_of(token: Token, **fields: Any) -> ServerKey:
    standard = {"tenant": "acme", "name": "a test", "roles": (Role.CALL,), "created_at": datetime.now(UTC)}
    return ServerKey(id=token.id, secret_hash=hash_of(token.secret), **{**standard, **fields})


@contextmanager
def served(orchestrator: Orchestrator, settings: ServerSettings) -> Iterator[Running]:
    folder = KeyFolder(settings.keys_path)
    routes = dashboard_routes(orchestrator, clock=SystemClock())
    app = build_app(orchestrator, settings, KeyRing(folder, clock=SystemClock()), routes=routes)
    server = server_of(app, settings)
    listener = listening(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    address = url_of(listener)
    thread.start()
    try:
        wait_for(lambda: server.started)
        yield Running(address, orchestrator, folder, server)
    finally:
        server.should_exit = True
        thread.join(LONG_S)
        assert not thread.is_alive()


@pytest.fixture
def serve(make_orchestrator: Any, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start servers with some settings changed; they are stopped when the test is over."""
    with ExitStack() as stack:

        def start(changes: Mapping[str, Any] | None = None, **bounds: Any) -> Running:
            settings = ServerSettings(port=0, keys_path=str(tmp_path / "keys"), **{"stop_s": 5, **bounds})
            return stack.enter_context(served(make_orchestrator(changes), settings))

        yield start


@pytest.fixture
def running(serve: Callable[..., Running]) -> Running:
    """A server as it is shipped, without keys."""
    return serve()
