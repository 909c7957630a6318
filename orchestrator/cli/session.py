"""What the global options of the command line make: the configuration, the orchestrator, the log."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from orchestrator.core.clock import SystemClock

if TYPE_CHECKING:
    from orchestrator.client import Orchestrator
    from orchestrator.config.loader import Config

ALWAYS_SAID = "orchestrator.cache"
"""The log of which warnings are shown unasked: what it says, the user can mend."""


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
    def orchestrator(self) -> Iterator["Orchestrator"]:
        """Open an orchestrator; what runs is settled and everything closed on the way out."""
        from orchestrator.client import Orchestrator

        with Orchestrator(self.config()) as opened:
            yield opened


def session_of(context: typer.Context) -> CliSession:
    """Return the session of a command."""
    found = context.find_root().obj
    return found if isinstance(found, CliSession) else CliSession()


def configure_log(*, verbose: bool) -> None:
    """Show warnings on standard error, each in one line: all of ours with `verbose`, else the mendable ones."""
    shown = _OnStderr()
    shown.setFormatter(_OneLine("%(levelname)s %(name)s: %(message)s" if verbose else "warning: %(message)s"))
    # Without any handler the standard library would print the warnings of every library.
    for name in ("", "orchestrator", ALWAYS_SAID):
        logging.getLogger(name).handlers = [logging.NullHandler()]
    logging.getLogger("orchestrator" if verbose else ALWAYS_SAID).handlers = [shown]


class _OnStderr(logging.Handler):
    """Writes to whatever standard error is now."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr)  # noqa: T201 -- this is a command line


class _OneLine(logging.Formatter):
    """A line a record; tracebacks are for ORCHESTRATOR_DEBUG and for bugs."""

    def format(self, record: logging.LogRecord) -> str:
        record = logging.makeLogRecord(
            {**record.__dict__, "exc_info": None, "exc_text": None, "stack_info": None}
        )
        return " ".join(super().format(record).split())
