"""Recent outcomes of each deployment and provider: circuits, availability and latency.

A deployment has a circuit, and so has its provider: when the provider itself is down, a plan goes
around all of its deployments instead of asking each. Which failure speaks against which is said by
`core.failures`. A request that may pass gets a `CircuitPermit` and reports back with it, once.
"""

import math
import statistics
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from orchestrator.core.clock import Clock
from orchestrator.core.failures import HealthScope
from orchestrator.core.fork_hooks import forget_in_child
from orchestrator.resilience.circuit_breaker import Circuit, CircuitSettings, CircuitState
from orchestrator.resilience.latest_sends import LatestSends, Send
from orchestrator.resilience.outcome_window import OutcomeWindow

_REMEMBERED_LATENCIES = 32
_SHUT_FIRST = (CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED)
_FAILING_DEPLOYMENTS = 2
"""A failure that may be the deployment's or the provider's is the provider's once so many have it."""
_OUTDONE_BY = 3
"""So many answers to what was sent later make a late failure old news: as many as failures open a circuit."""
WELL_AGAIN = 5
"""So many healthy answers in a row are newer than any share of healthy ones: the deployment is well."""


@dataclass(frozen=True, slots=True)
class CircuitPermit:
    """Leave to send one request, and which probe of a circuit it is."""

    deployment: str
    provider: str
    deployment_probe: int = 0
    """The number of the probe, 0 where it is none."""
    provider_probe: int = 0
    send: Send = field(default_factory=lambda: Send(math.inf))
    """When it was given, and what became of it."""

    @property
    def probes(self) -> bool:
        """Return whether it is the probe of a circuit."""
        return bool(self.deployment_probe or self.provider_probe)


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """What is known of one deployment now."""

    circuit: CircuitState
    samples: int
    """Outcomes within the window."""
    availability: float | None
    """The part that was healthy; None without any sample."""
    median_latency_s: float | None
    """Of the last healthy ones; None without any."""
    healthy_in_a_row: int = 0
    """Since the last failure."""
    asked_s_ago: float = math.inf
    """Since it was asked last."""


@dataclass(slots=True)
class _Record:
    provider: str
    circuit: Circuit = field(default_factory=Circuit)
    outcomes: OutcomeWindow = field(default_factory=OutcomeWindow)
    latencies_s: "deque[float]" = field(default_factory=lambda: deque(maxlen=_REMEMBERED_LATENCIES))
    """Of the last healthy outcomes."""
    median_latency_s: float | None = None
    """Of these."""
    healthy_in_a_row: int = 0
    asked_at_s: float = -math.inf
    recovered_at_s: float = -math.inf
    """When the request was sent that closed its circuit."""


@dataclass(slots=True)
class _ProviderRecord:
    circuit: Circuit = field(default_factory=lambda: Circuit(failing_min=_FAILING_DEPLOYMENTS))
    heard_at_s: float | None = None
    """When it last told anything of its health, good or bad."""
    has_worked: bool = False
    recovered_at_s: float = -math.inf
    """When the request was sent that closed its circuit."""


class Health:
    """The health of all deployments and providers of this process."""

    def __init__(self, settings: CircuitSettings, *, clock: Clock) -> None:
        """Start with every circuit closed."""
        self._settings = settings
        self._clock = clock
        self._records: dict[str, _Record] = {}
        self._providers: dict[str, _ProviderRecord] = {}
        self._sends: dict[str, LatestSends] = {}
        self._silences: dict[str, tuple[float, float]] = {}
        """Since when each deployment has answered nobody, and when it was given up last."""
        self._doubtful: set[str] = set()
        """The deployments that were asked and are not known to be well."""
        self._well_s: dict[str, float | None] = {}
        """Those that are, with their median latency."""
        self._well_copy_s: Mapping[str, float | None] | None = None
        """What `well_latencies_s` returned last, None when that is out of date."""
        forget_in_child(self)

    def begin_anew(self) -> None:
        """Take every probe back, in a forked child: it is its parent's, and never reports back here."""
        for record in self._records.values():
            record.circuit.forget_probe()
        for host in self._providers.values():
            host.circuit.forget_probe()
        self._sends = {}

    def adopt(self, settings: CircuitSettings) -> None:
        """Use changed settings from now on; what was seen stays."""
        self._settings = settings

    def ready_in_s(self, deployment: str, *, provider: str, alone: bool = False) -> float:
        """Return how long to wait until a request may pass both circuits, 0 when it may now.

        `alone` is a request that no other can serve: it may probe early.
        """
        now_s, circuits = self._clock.monotonic_s(), self._circuits(deployment, provider)
        within_s = self._settings.alone_open_s if alone else math.inf
        return max((circuit.ready_in_s(now_s, within_s=within_s) for circuit in circuits), default=0.0)

    def admit(self, deployment: str, *, provider: str, alone: bool = False) -> CircuitPermit | None:
        """Return leave to send now, None while a circuit is open or its single probe is under way.

        What has a permit must report back with `succeed`, `fail` or `withdraw`.
        """
        if self.ready_in_s(deployment, provider=provider, alone=alone) > 0:
            return None
        now_s = self._clock.monotonic_s()
        record, host = self._records.get(deployment), self._providers.get(provider)
        if record is not None:
            record.asked_at_s = now_s
        return CircuitPermit(
            deployment,
            provider,
            deployment_probe=0 if record is None else record.circuit.enter(now_s),
            provider_probe=0 if host is None else host.circuit.enter(now_s),
            send=self._sends.setdefault(deployment, LatestSends()).add(now_s),
        )

    def withdraw(self, leave: CircuitPermit) -> None:
        """Take back a pass whose request was not sent or says nothing about health."""
        leave.send.is_withdrawn = True
        self._leave_circuits(leave)

    def _leave_circuits(self, leave: CircuitPermit) -> None:
        if leave.deployment_probe:
            self._records[leave.deployment].circuit.leave(leave.deployment_probe)
        if leave.provider_probe:
            self._providers[leave.provider].circuit.leave(leave.provider_probe)

    def succeed(self, leave: CircuitPermit, *, latency_s: float) -> None:
        """Remember a healthy answer; it closes both circuits."""
        now_s = self._clock.monotonic_s()
        leave.send.is_answered = True
        self._silences.pop(leave.deployment, None)
        record = self._records.setdefault(leave.deployment, _Record(leave.provider))
        if record.circuit.heal(now_s):
            # The outage is over; held against its availability it would keep it out for minutes more.
            record.outcomes.clear()
            record.recovered_at_s = leave.send.at_s
        record.outcomes.add(now_s, healthy=True)
        record.healthy_in_a_row += 1
        record.latencies_s.append(latency_s)
        record.median_latency_s = statistics.median(record.latencies_s)
        self._sort(leave.deployment, record)
        host = self._providers.setdefault(leave.provider, _ProviderRecord())
        host.heard_at_s, host.has_worked = now_s, True
        if host.circuit.heal(now_s):
            host.recovered_at_s = leave.send.at_s

    def unanswered_s(self, leave: CircuitPermit) -> float:
        """Note a silence, and return for how long the deployment has been asked and has answered nobody."""
        now_s, name = self._clock.monotonic_s(), leave.deployment
        since_s, until_s = self._silences.get(name, (math.inf, -math.inf))
        if leave.send.at_s > until_s + self._settings.window_s:
            # Nobody asked meanwhile, so nobody knows.
            since_s = math.inf
        since_s = min(since_s, leave.send.at_s)
        self._silences[name] = (since_s, now_s)
        return now_s - since_s

    def fail(self, leave: CircuitPermit, *, health_scope: HealthScope) -> None:
        """Remember a failure, against what `health_scope` names."""
        if health_scope is HealthScope.NONE:
            self.withdraw(leave)
            return
        now_s, by = self._clock.monotonic_s(), leave.deployment
        record = self._records.setdefault(by, _Record(leave.provider))
        self._sort(by, record)
        host = self._providers.setdefault(leave.provider, _ProviderRecord())
        if leave.send.at_s < max(record.recovered_at_s, host.recovered_at_s):
            # Sent in an outage that is over: what was sent later has been answered.
            self.withdraw(leave)
            return
        leave.send.has_failed = True
        record.outcomes.add(now_s, healthy=False)
        sends = self._sends.get(by, LatestSends())
        answered = sends.answered_since(leave.send, now_s, usual_s=record.median_latency_s)
        if answered >= _OUTDONE_BY:
            # It lowers the availability, and is no reason to take the deployment for ill now.
            self._leave_circuits(leave)
            return
        record.healthy_in_a_row = answered
        self._sort(by, record)
        record.circuit.fail(now_s, self._settings, by=by, probe=leave.deployment_probe)
        host.heard_at_s = now_s
        if health_scope is not HealthScope.DEPLOYMENT:
            certain = health_scope is HealthScope.PROVIDER
            host.circuit.fail(now_s, self._settings, by=by, certain=certain, probe=leave.provider_probe)
        elif leave.provider_probe:
            # It answered, if only to refuse this model: the probe's place goes to the next.
            host.circuit.leave(leave.provider_probe)

    def observe(self, provider: str, *, healthy: bool) -> None:
        """Remember what a free look at a provider told; it opens a circuit, and never closes one."""
        now_s = self._clock.monotonic_s()
        host = self._providers.setdefault(provider, _ProviderRecord())
        if not healthy:
            # It stays quiet, so that it is soon looked at again.
            host.circuit.fail(now_s, self._settings, by=provider)
            return
        host.heard_at_s = now_s
        if host.circuit.state(now_s) is CircuitState.CLOSED:
            host.circuit.heal(now_s)

    def has_worked(self, provider: str) -> bool:
        """Return whether the provider ever gave this process a healthy answer."""
        host = self._providers.get(provider)
        return host is not None and host.has_worked

    def quiet_s(self, provider: str) -> float | None:
        """Return how long ago the provider last told of its health, None when it never did."""
        host = self._providers.get(provider)
        return (
            None if host is None or host.heard_at_s is None else self._clock.monotonic_s() - host.heard_at_s
        )

    def doubtful(self) -> Collection[str]:
        """Return the deployments of which anything is known, but not that they are well."""
        return self._doubtful

    def well_latencies_s(self) -> Mapping[str, float | None]:
        """Return the median latency of each deployment that is well; what becomes of it later is not in it.

        Its circuit is closed, its last `WELL_AGAIN` answers were healthy, and that stays so until it fails.
        """
        if self._well_copy_s is None:
            self._well_copy_s = self._well_s.copy()
        return self._well_copy_s

    def usual_s(self, deployment: str) -> float:
        """Return the median latency of a deployment, 0 where it has not answered yet."""
        record = self._records.get(deployment)
        return 0.0 if record is None else record.median_latency_s or 0.0

    def snapshot(self, deployment: str, *, window_s: float) -> HealthSnapshot:
        """Return what the last `window_s` seconds say of a deployment, its provider's circuit apart."""
        record = self._records.get(deployment)
        if record is None:
            return HealthSnapshot(CircuitState.CLOSED, 0, None, None)
        now_s = self._clock.monotonic_s()
        samples, healthy = record.outcomes.counts(now_s, window_s=window_s)
        return HealthSnapshot(
            circuit=record.circuit.state(now_s),
            samples=samples,
            availability=healthy / samples if samples else None,
            median_latency_s=record.median_latency_s,
            healthy_in_a_row=record.healthy_in_a_row,
            asked_s_ago=now_s - record.asked_at_s,
        )

    def is_closed(self, deployment: str, *, provider: str) -> bool:
        """Return whether both circuits of a deployment are closed."""
        now_s = self._clock.monotonic_s()
        circuits = self._circuits(deployment, provider)
        return all(circuit.state(now_s) is CircuitState.CLOSED for circuit in circuits)

    def provider_circuit(self, provider: str) -> CircuitState:
        """Return the state of a provider's circuit."""
        host = self._providers.get(provider)
        return CircuitState.CLOSED if host is None else host.circuit.state(self._clock.monotonic_s())

    def circuits(self) -> Mapping[str, CircuitState]:
        """Return whether requests pass to each deployment that was asked.

        Its own circuit or its provider's.
        """
        now_s = self._clock.monotonic_s()
        shown = {}
        for name, record in self._records.items():
            states = {record.circuit.state(now_s), self.provider_circuit(record.provider)}
            shown[name] = next(state for state in _SHUT_FIRST if state in states)
        return shown

    def provider_circuits(self) -> Mapping[str, CircuitState]:
        """Return the state of every provider's circuit that has seen a request or a check."""
        now_s = self._clock.monotonic_s()
        return {name: host.circuit.state(now_s) for name, host in self._providers.items()}

    def _sort(self, deployment: str, record: _Record) -> None:
        """Note whether a deployment is well, after what was heard of it."""
        self._well_copy_s = None
        if record.healthy_in_a_row < WELL_AGAIN:
            self._doubtful.add(deployment)
            self._well_s.pop(deployment, None)
        else:
            self._doubtful.discard(deployment)
            self._well_s[deployment] = record.median_latency_s

    def _circuits(self, deployment: str, provider: str) -> tuple[Circuit, ...]:
        holders = (self._records.get(deployment), self._providers.get(provider))
        return tuple(holder.circuit for holder in holders if holder is not None)
