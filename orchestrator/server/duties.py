"""What a server does beside answering: it watches, looks after providers, sends telemetry, and keeps house.

Prompts that were kept are deleted when their time is over, and days that are over are summed. Nothing here is
in the way of a request, and none of it can hold up the end.
"""

import threading
from collections.abc import Callable
from importlib import import_module

from orchestrator.client import Orchestrator
from orchestrator.config.telemetry import TelemetrySettings
from orchestrator.core.errors import ConfigError
from orchestrator.monitoring.alert_watch import AlertWatch
from orchestrator.monitoring.experiment_watch import ExperimentWatch
from orchestrator.monitoring.health_checks import HealthChecks
from orchestrator.monitoring.housekeeping import Housekeeping

_TELEMETRY = "orchestrator.telemetry.otlp"
_LAST_SPANS_S = 3.0
"""For the last spans and measurements; a collector that takes longer does not get them."""


class Duties:
    """The duties of one process; begun once it is warm, ended as the orchestrator is closed."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        """Keep the orchestrator; nothing runs yet.

        Raises:
            ConfigError: config.yaml names a collector, and nothing that could send to it is installed.
        """
        check_telemetry(orchestrator.config.settings.telemetry)
        self._orchestrator = orchestrator
        self._alerts = AlertWatch(orchestrator)
        self._checks = HealthChecks(orchestrator)
        self._housekeeping = Housekeeping(orchestrator)
        self._experiments = ExperimentWatch(orchestrator)
        self._end_telemetry: Callable[[], None] | None = None

    def begin(self) -> None:
        """Begin all of them."""
        if self._orchestrator.config.settings.telemetry.otlp_endpoint:
            # Of an extra that a server without a collector does without.
            self._end_telemetry = import_module(_TELEMETRY).export_telemetry(self._orchestrator)
        self._alerts.start()
        self._checks.start()
        self._housekeeping.start()
        self._experiments.start()

    def end(self) -> None:
        """Close the orchestrator, and end all of them within `alerts.close_wait_s` and 3 seconds more.

        The watch and the telemetry end last: what is settled at the end is alerted of and sent, too.
        """
        try:
            self._checks.stop()
            self._housekeeping.stop()
            self._experiments.stop()
            self._orchestrator.close()
        finally:
            self._alerts.stop()
            if self._end_telemetry is not None:
                _within(_LAST_SPANS_S, self._end_telemetry)


def check_telemetry(settings: TelemetrySettings) -> None:
    """Check that what config.yaml asks for can be sent.

    Raises:
        ConfigError: it cannot; says what to install.
    """
    if not settings.otlp_endpoint:
        return
    try:
        import_module(_TELEMETRY)
    except ModuleNotFoundError as exc:
        raise ConfigError(
            f"telemetry.otlp_endpoint names a collector, and {exc.name} is not installed: "
            "pip install 'nextflow-orchestrator[otel]', or leave it empty"
        ) from exc


def _within(seconds: float, end: Callable[[], None]) -> None:
    """Run what may wait for a collector on a thread that the process does not wait for when it exits."""
    ending = threading.Thread(target=end, name="orchestrator-last-spans", daemon=True)
    ending.start()
    ending.join(seconds)
