"""What the global options lead to: the configuration, the orchestrator, the log."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from orchestrator.cli.output import busy
from orchestrator.core.clock import SystemClock
from orchestrator.core.visible_text import visible

if TYPE_CHECKING:
    from orchestrator.client import Orchestrator
    from orchestrator.config.loader import Config

ALWAYS_SHOWN = "orchestrator.cache"
"""The logger whose warnings are always shown: the user can repair what it warns of."""
SHOWN_BY_SERVERS = (
    "orchestrator.alerts",
    "orchestrator.config",
    "orchestrator.monitoring",
    "orchestrator.server",
)
"""The loggers whose warnings a server always shows: it has no other way to tell them."""


@dataclass(frozen=True, slots=True)
class CliSession:
    """The global options of one run."""

    config_path: Path | None = None
    verbose: bool = False

    def config(self) -> "Config":
        """Return the configuration that the options and the environment name.

        Raises:
            ConfigError: it cannot be used.
        """
        from orchestrator.config.loader import load_config

        return load_config(self.config_path, today=SystemClock().now().date())

    @contextmanager
    def orchestrator(self, *, practice: bool = False, watch: bool = False) -> Iterator["Orchestrator"]:
        """Open an orchestrator; at the end what still runs is settled and everything is closed.

        With `practice` its providers are practice ones, and its ledger and its cache are new. `watch` takes a
        changed file over while it is open.
        """
        if practice:
            from orchestrator.drill.rehearsal import rehearsal

            with rehearsal(self.config().path) as rehearsed:
                yield rehearsed
            return
        from orchestrator.client import Orchestrator

        with Orchestrator(self.config(), watch=watch) as opened:
            yield opened


def load_what_is_needed(orchestrator: "Orchestrator") -> None:
    """Load LiteLLM before a question's time begins, where a provider needs it."""
    from orchestrator.catalog.catalog import ProviderKind

    kinds = {deployment.provider.kind for deployment in orchestrator.config.catalog.deployments.values()}
    if ProviderKind.LITELLM in kinds:
        with busy("loading LiteLLM, which takes a few seconds once a process"):
            orchestrator.warm_up()


def session_of(context: typer.Context) -> CliSession:
    """Return the session of a command."""
    session = context.find_root().obj
    return session if isinstance(session, CliSession) else CliSession()


_WITH_NAME = "%(levelname)s %(name)s: %(message)s"


def configure_log(*, verbose: bool, as_json: bool = False) -> None:
    """Show warnings on standard error, one line each: with `verbose` all of ours, else those to repair.

    With `as_json` all of ours are JSON, and so is a line for each request that has ended and for each changed
    configuration that was taken over.
    """
    shown = _OnStderr()
    shown.setFormatter(_OneLine(_WITH_NAME if verbose else "warning: %(message)s"))
    # Without any handler the standard library would print the warnings of every library.
    for name in ("", "orchestrator", ALWAYS_SHOWN, *SHOWN_BY_SERVERS):
        logging.getLogger(name).handlers = [logging.NullHandler()]
    for name in ("orchestrator.requests", "orchestrator.config"):
        logging.getLogger(name).setLevel(logging.INFO if as_json else logging.NOTSET)
    if as_json:
        from orchestrator.core.json_log import JsonLogFormatter

        shown.setFormatter(JsonLogFormatter())
        shown.is_json = True
    logging.getLogger("orchestrator" if verbose or as_json else ALWAYS_SHOWN).handlers = [shown]


def show_warnings_of_a_server() -> None:
    """Show what operations must hear of, also without `--verbose`: a server's callers are told little."""
    if not any(isinstance(shown, _OnStderr) for shown in logging.getLogger("orchestrator").handlers):
        shown = _OnStderr(logging.WARNING)
        shown.setFormatter(_OneLine(_WITH_NAME))
        for name in SHOWN_BY_SERVERS:
            logging.getLogger(name).handlers = [shown]


def log_is_json() -> bool:
    """Return whether the log was configured to be JSON."""
    handlers = logging.getLogger("orchestrator").handlers
    return any(shown.is_json for shown in handlers if isinstance(shown, _OnStderr))


class _OnStderr(logging.Handler):
    """Writes to what standard error is at that moment."""

    is_json = False

    def emit(self, record: logging.LogRecord) -> None:
        print(visible(self.format(record)), file=sys.stderr)  # noqa: T201 -- this is a command line


class _OneLine(logging.Formatter):
    """One line for each record, without a traceback: ORCHESTRATOR_DEBUG shows those."""

    def format(self, record: logging.LogRecord) -> str:
        record = logging.makeLogRecord(
            {**record.__dict__, "exc_info": None, "exc_text": None, "stack_info": None}
        )
        return " ".join(super().format(record).split())
