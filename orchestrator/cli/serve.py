"""`orchestrator serve`: the orchestrator over HTTP, in one process or several."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.output import CommandError, err
from orchestrator.cli.session import CliSession, log_is_json, session_of, show_warnings_of_a_server

if TYPE_CHECKING:
    import socket

    from orchestrator.access.settings import ServerSettings
    from orchestrator.config.loader import Config

PACKAGES = ("starlette", "uvicorn", "prometheus_client")
"""What the extra `serve` installs, by the names that are imported; other packages bring some of it too."""


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="The address; by default server.host.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port; 0 takes any free one.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes on one port and one ledger.")] = 1,
    demo: Annotated[
        bool, typer.Option("--demo", help="Practice providers with traffic: no key, nothing to pay.")
    ] = False,
    socket_number: Annotated[int | None, typer.Option("--socket", hidden=True)] = None,
) -> None:
    """Serve /v1, as OpenAI's clients speak it, until SIGTERM or Ctrl-C."""
    show_warnings_of_a_server()
    _check_installed()
    if demo and workers > 1:
        raise CommandError("--demo runs in one process: leave --workers out")
    session = session_of(context)
    if demo:
        from orchestrator.cli.serve_demo import serve_demo

        serve_demo(session, host=host, port=port)
        return
    from orchestrator.server.duties import check_telemetry

    config = session.config()
    changes = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    check_telemetry(config.settings.telemetry)
    settings = config.settings.server.model_copy(update=changes)
    if socket_number is not None:
        _serve_inherited(session, settings, socket_number)
        return
    _check_ledger(config)
    if workers > 1:
        _serve_with_workers(session, settings, workers)
    else:
        from orchestrator.server.serving import serve_until_stopped, url_of

        with _listener(settings) as listener, session.orchestrator(watch=True) as orchestrator:
            _announce(url_of(listener))
            serve_until_stopped(orchestrator, settings, listener)


def _check_ledger(config: "Config") -> None:
    """Refuse to begin where nothing could be booked; workers would begin again and again."""
    from orchestrator.core.clock import SystemClock
    from orchestrator.ledger.budgets import Limits
    from orchestrator.ledger.opening import open_ledger

    settings = config.settings
    with closing(
        open_ledger(settings.ledger, limits=Limits(settings.budgets), clock=SystemClock())
    ) as ledger:
        ledger.check_writable()


@contextmanager
def _listener(settings: "ServerSettings") -> "Iterator[socket.socket]":
    from orchestrator.access.key_folder import KeyFolder, KeyRing
    from orchestrator.core.clock import SystemClock
    from orchestrator.server.serving import check_address, listening

    check_address(settings, KeyRing(KeyFolder(settings.keys_path), clock=SystemClock()))
    with listening(settings) as listener:
        yield listener


def _serve_inherited(session: CliSession, settings: "ServerSettings", socket_number: int) -> None:
    import socket

    from orchestrator.server.serving import serve_until_stopped

    with socket.socket(fileno=socket_number) as listener, session.orchestrator(watch=True) as orchestrator:
        listener.setblocking(False)
        serve_until_stopped(orchestrator, settings, listener, beside_others=True)


def _serve_with_workers(session: CliSession, settings: "ServerSettings", count: int) -> None:
    import os

    from orchestrator.server.serving import url_of
    from orchestrator.server.workers import Workers

    if os.name == "nt":
        raise CommandError(
            "--workers needs a system that hands a socket on to other processes; Windows does not"
        )
    options = [] if session.config_path is None else ["--config", str(session.config_path)]
    options += ["--verbose"] if session.verbose else []
    options += ["--log-json"] if log_is_json() else []
    with _listener(settings) as listener:
        workers = Workers([*options, "serve"], count=count, socket_number=listener.fileno())
        workers.stop_on_signals()
        _announce(url_of(listener))
        workers.run()


def _check_installed() -> None:
    from importlib.util import find_spec

    missing = [package for package in PACKAGES if find_spec(package) is None]
    if missing:
        raise CommandError(
            f"the server is not installed ({', '.join(missing)}): pip install 'nextflow-orchestrator[serve]'"
        )


def _announce(address: str) -> None:
    err().print(
        f"Serving at {address}/v1, the dashboard at {address}/dashboard · Ctrl-C stops",
        markup=False,
        soft_wrap=True,
    )
