"""Runs the application with uvicorn: the address it may listen on, the socket, and the graceful stop."""

import errno
import gc
import ipaddress
import signal
import socket

import uvicorn
from starlette.types import ASGIApp

from orchestrator.access.key_folder import KeyFolder, KeyRing
from orchestrator.access.settings import ServerSettings
from orchestrator.client import Orchestrator
from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import ConfigError
from orchestrator.server.app import build_app
from orchestrator.server.connections import bounded_protocol
from orchestrator.server.dashboard.routes import dashboard_routes
from orchestrator.server.duties import Duties
from orchestrator.server.open_files import room_for_connections

_NO_MACHINE = "no machine has this name: write an address of this one, such as 127.0.0.1"
_BACKLOG = 2048


def check_address(settings: ServerSettings, keys: KeyRing) -> None:
    """Check that who can reach the server needs a key.

    Raises:
        ConfigError: it would listen beyond this machine, and there is no key.
    """
    if not _is_loopback(settings.host) and keys.is_empty:
        raise ConfigError(
            f"host '{settings.host}' can be reached from other machines, and there is no key yet: make one with "
            "'orchestrator keys make --tenant NAME', or listen on 127.0.0.1"
        )


def listening(settings: ServerSettings) -> socket.socket:
    """Return a socket that has the address; connections wait in it until a server takes them.

    Raises:
        ConfigError: the address cannot be had; says why.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
    except UnicodeError:
        # Python's own check: a name of no letters or too many, before anybody is asked.
        raise ConfigError(f"cannot listen on {settings.host}: {_NO_MACHINE}") from None
    except OSError as exc:
        raise ConfigError(
            f"cannot listen on {settings.host} port {settings.port}: {exc.strerror}; {_advice_of(exc)}"
        ) from exc
    listener.setblocking(False)  # noqa: FBT003 -- the name of the standard library
    return listener


def _advice_of(error: OSError) -> str:
    """Return what to do about an address that cannot be had."""
    if isinstance(error, socket.gaierror):
        return _NO_MACHINE
    if error.errno == errno.EADDRINUSE:
        return "something else is on it: choose another port with --port, or 0 for any free one"
    if error.errno == errno.EADDRNOTAVAIL:
        return (
            "this machine has no such address, whatever the port: listen on 127.0.0.1, on one of its own, or on "
            "0.0.0.0 for all of them"
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "ports below 1024 are the system's: choose a higher one with --port"
    return "choose another address with --host, or another port with --port"


def url_of(listener: socket.socket) -> str:
    """Return the address of a listening socket, as a client writes it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server_of(app: ASGIApp, settings: ServerSettings) -> uvicorn.Server:
    """Return uvicorn's server for an application; `run(sockets=[...])` serves until SIGTERM or Ctrl-C.

    After that signal it takes no new request; running ones have `settings.stop_s` seconds.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=bounded_protocol(settings),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_keep_alive=settings.idle_s,
            timeout_graceful_shutdown=settings.stop_s,
            backlog=_BACKLOG,
        )
    )


def serve_until_stopped(
    orchestrator: Orchestrator,
    settings: ServerSettings,
    listener: socket.socket,
    *,
    beside_others: bool = False,
) -> None:
    """Serve an orchestrator on a socket until SIGTERM or Ctrl-C, in a process that does nothing else.

    A clean stop is no error. While it loads, `/healthz` and `/readyz` answer and every other request waits.
    `beside_others`, that take what waits in the socket, it takes nothing until it has loaded.

    Raises:
        ConfigError: the telemetry that config.yaml asks for is not installed, or what it needs cannot be
            loaded; nothing was served.
    """
    # From here on it counts what is booked, also while it warms up.
    routes = dashboard_routes(orchestrator, clock=SystemClock())
    duties = Duties(orchestrator)

    def load() -> None:
        orchestrator.warm_up()
        # What is there by now stays until the end.
        gc.collect()
        gc.freeze()

    if beside_others:
        load()
    keys = KeyRing(KeyFolder(settings.keys_path), clock=SystemClock())
    in_flight = orchestrator.config.settings.overload.in_flight
    room = room_for_connections(settings.connections, in_flight=in_flight)
    settings = settings.model_copy(update={"connections": room})
    failures: list[BaseException] = []

    def end(failure: BaseException) -> None:
        failures.append(failure)
        server.should_exit = True

    app = build_app(
        orchestrator, settings, keys, routes=routes, duties=duties, load=load,
        on_failed_start=None if beside_others else end,
    )  # fmt: skip
    server = server_of(app, settings)
    # uvicorn raises the signal again once it has stopped.
    before = {number: signal.signal(number, _ignored) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.run(sockets=[listener])
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
    for failure in failures:
        raise failure


def _ignored(_number: int, _frame: object) -> None:
    """Do nothing: uvicorn has heard it already."""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
