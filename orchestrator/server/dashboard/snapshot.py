"""How things stand: read twice a second at most, however many look."""

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

from orchestrator.client import Orchestrator
from orchestrator.core.clock import Clock
from orchestrator.core.errors import UnavailableError
from orchestrator.ledger.records import BudgetStatus
from orchestrator.reports.budget_status import budget_status
from orchestrator.resilience.circuit_breaker import CircuitState
from orchestrator.resilience.concurrency_limiter import Load
from orchestrator.resilience.health import HealthSnapshot
from orchestrator.resilience.rate_limiter import RateRoom
from orchestrator.server.dashboard.live_counts import LiveCounts, LiveFailure

_KEPT_S = 0.45
"""With the half second after which pages ask again, what they show is not older than a second."""
_LOOP_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """A deployment that config.yaml has, and what is known of it."""

    name: str
    provider: str
    circuit: CircuitState
    seen: HealthSnapshot
    rests_s: float
    """For so long its provider asked for no more; 0 where it did not."""


@dataclass(frozen=True, slots=True)
class ProviderState:
    """A provider that config.yaml has, and what is known of it."""

    circuit: CircuitState
    room: RateRoom


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How things stand at a moment."""

    at: datetime
    load: Load
    budgets: tuple[BudgetStatus, ...]
    providers: Mapping[str, ProviderState]
    deployments: tuple[DeploymentState, ...]
    failures: tuple[LiveFailure, ...]


_HealthRead = tuple[Mapping[str, ProviderState], tuple[DeploymentState, ...]]


class Snapshots:
    """Reads how an orchestrator stands; who asks at the same time gets the same."""

    def __init__(self, orchestrator: Orchestrator, counts: LiveCounts, *, clock: Clock) -> None:
        """Read nothing yet."""
        self._orchestrator = orchestrator
        self._counts = counts
        self._clock = clock
        self._lock = threading.Lock()
        self._latest: tuple[float, Snapshot] | None = None

    def latest(self) -> Snapshot:
        """Return how things stand, not older than half a second; call it off the event loop.

        Raises:
            LedgerError: the ledger cannot be read.
            UnavailableError: the requests under way leave no time to look.
        """
        with self._lock:
            now_s = self._clock.monotonic_s()
            if self._latest is None or now_s - self._latest[0] >= _KEPT_S:
                self._latest = (now_s, self._read())
            return self._latest[1]

    def _read(self) -> Snapshot:
        orchestrator, now = self._orchestrator, self._clock.now()
        health: list[_HealthRead] = []

        async def look() -> None:
            health.append(_health_of(orchestrator))

        # Health is kept by the orchestrator's own loop, and read there.
        self._wait(orchestrator.begin(look()).future)
        providers, deployments = health[0]
        return Snapshot(
            now,
            orchestrator.load(),
            budget_status(orchestrator.ledger_view, orchestrator.config.limits, moment=now),
            providers,
            deployments,
            self._counts.failures(),
        )

    def _wait(self, looking: "Future[None]") -> None:
        try:
            looking.result(_LOOP_WAIT_S)
        except TimeoutError as exc:
            looking.cancel()
            msg = f"the requests under way left no time for a look within {_LOOP_WAIT_S:g} s; look again in a moment"
            raise UnavailableError(msg) from exc


def _health_of(orchestrator: Orchestrator) -> _HealthRead:
    config, health, rates = orchestrator.config, orchestrator.health, orchestrator.rates
    circuits, window_s = health.circuits(), config.settings.routing.availability_window_s
    deployments = tuple(
        DeploymentState(
            name,
            deployment.provider_name,
            circuits.get(name, CircuitState.CLOSED),
            health.snapshot(name, window_s=window_s),
            rates.rests_s(name),
        )
        for name, deployment in config.catalog.deployments.items()
    )
    of_providers = health.provider_circuits()
    providers = {
        name: ProviderState(
            of_providers.get(name, CircuitState.CLOSED),
            rates.room(
                name, requests_per_min=provider.requests_per_min, tokens_per_min=provider.tokens_per_min
            ),
        )
        for name, provider in config.settings.providers.items()
    }
    return providers, deployments
