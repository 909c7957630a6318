"""Metrics for Prometheus; every dollar counted here is one that the ledger booked.

    metrics = PrometheusMetrics(orchestrator)
    body, content_type = metrics.render()

Counters and histograms begin with this process; budgets, circuits and load are read at each scrape. Labels
hold names of config.yaml alone: tenants and users are no labels, for there may be any number of them. What
shadows of experiments send and cost has the use case `shadow:NAME`; as requests they are not counted.

With several processes, set PROMETHEUS_MULTIPROC_DIR to an empty folder before prometheus_client is imported:
each scrape then sums over all of them; load and circuits are those of the process that answers.
"""

import os
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from orchestrator.client import Orchestrator
from orchestrator.core.arms import sides
from orchestrator.core.payer import name_in, shadowed_experiment, shown_scope
from orchestrator.core.reply import Attempt
from orchestrator.ledger.records import Hold, RequestRecord

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
_SEND = ("provider", "model", "use_case")
_NUSD_PER_USD = 1_000_000_000
_ANY_NUMBER = ("tenant:", "user:", "tag:")
"""Scopes of which there may be any number: shown are those that config.yaml names."""


class PrometheusMetrics:
    """Counts what an orchestrator books, and reads how it stands."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        """Begin to count; requests that ended before are not counted."""
        self._registry = CollectorRegistry()
        # In several processes the values are in files that all share, and one collector sums them.
        values = CollectorRegistry() if _in_processes() else self._registry
        if _in_processes():
            MultiProcessCollector(self._registry)  # type: ignore[no-untyped-call]
        self._registry.register(_Standing(orchestrator))
        self._bookings = _Bookings(values)
        orchestrator.observe(self._bookings)

    def render(self) -> tuple[bytes, str]:
        """Return the metrics in Prometheus' text format, and its content type.

        Raises:
            LedgerError: the budgets cannot be read.
        """
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4


class _Bookings:
    """Counters and histograms, fed by the ledger."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, labels: tuple[str, ...]) -> Counter:
            return Counter(f"nextflow_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, labels: tuple[str, ...]) -> Histogram:
            return Histogram(f"nextflow_{name}", text, labels, registry=registry, buckets=_SECONDS)

        self._requests = counter(
            "requests", "Requests that ended, by outcome and cache.", ("use_case", "outcome", "cache")
        )
        self._degraded = counter(
            "degraded", "Requests answered by another than the first choice.", ("use_case",)
        )
        self._fallbacks = counter(
            "fallbacks", "Answered requests that took more than one attempt.", ("use_case",)
        )
        self._errors = counter("errors", "Requests that ended without an answer.", ("use_case", "error"))
        self._arms = counter(
            "experiment_requests", "Requests on a side of an experiment.", ("experiment", "arm", "outcome")
        )
        self._latency = histogram("request_seconds", "Duration of requests.", ("use_case",))
        self._attempts = counter("attempts", "Sends to a provider, by outcome.", (*_SEND, "outcome"))
        self._failures = counter("attempt_failures", "Sends that failed, by kind.", (*_SEND[:2], "failure"))
        self._attempt_latency = histogram("attempt_seconds", "Duration of answered sends.", _SEND[:2])
        self._first_token = histogram("first_token_seconds", "Until the first piece of a stream.", _SEND[:2])
        self._tokens = counter("tokens", "Tokens of attempts, as billed.", (*_SEND, "direction"))
        # A float of 53 bits holds nano-dollars up to nine million dollars without a rounding.
        self._cost = counter(
            "cost_nanodollars", "Cost of attempts as booked; 1e9 are one US dollar.", (*_SEND, "source")
        )

    def attempt_settled(self, hold: Hold, attempt: Attempt) -> None:
        """Count a send."""
        send = (attempt.provider, attempt.model)
        use_case = name_in(hold.request.scopes, "use_case") or ""
        self._attempts.labels(*send, use_case, attempt.outcome.value).inc()
        if attempt.failure is not None:
            self._failures.labels(*send, attempt.failure).inc()
        else:
            self._attempt_latency.labels(*send).observe(attempt.latency_s)
        if attempt.first_token_s is not None:
            self._first_token.labels(*send).observe(attempt.first_token_s)
        self._tokens.labels(*send, use_case, "input").inc(attempt.usage.input_tokens)
        self._tokens.labels(*send, use_case, "output").inc(attempt.usage.output_tokens)
        self._cost.labels(*send, use_case, attempt.cost_source.value).inc(attempt.cost_nusd)

    def request_recorded(self, record: RequestRecord) -> None:
        """Count a request; a shadow of an experiment by its side alone, for nobody has asked it."""
        for experiment, arm in sides(record.tags):
            self._arms.labels(experiment, arm.value, record.outcome.value).inc()
        if shadowed_experiment(record.tenant) is not None:
            return
        self._requests.labels(record.use_case, record.outcome.value, record.cached.value).inc()
        self._latency.labels(record.use_case).observe(record.latency_s)
        if record.degraded is not None:
            self._degraded.labels(record.use_case).inc()
        if record.error is not None:
            self._errors.labels(record.use_case, record.error).inc()
        elif record.attempts > 1:
            self._fallbacks.labels(record.use_case).inc()


class _Standing(Collector):
    """Gauges, read when Prometheus asks: budgets from the ledger, circuits and load of this process."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator

    def collect(self) -> Iterator[Metric]:
        """Read how things stand now."""
        yield from self._budgets()
        yield from self._circuits()
        load = self._orchestrator.load()
        yield GaugeMetricFamily("nextflow_in_flight", "Requests under way.", value=load.in_flight)
        yield GaugeMetricFamily("nextflow_waiting", "Requests that wait for a place.", value=load.waiting)

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand: registering must not open the ledger."""
        return iter(())

    def _budgets(self) -> Iterator[Metric]:
        amounts = {
            name: GaugeMetricFamily(f"nextflow_budget_{name}_usd", text, labels=("scope", "window"))
            for name, text in (
                ("limit", "The limit of a scope in its window, US dollars."),
                ("spent", "Booked in the current window, US dollars."),
                ("held", "Held for sends under way, US dollars."),
            )
        }
        named = {scope for scope, _ in self._orchestrator.config.limits.named()}
        for status in self._orchestrator.standings():
            labels = (shown_scope(status.scope), status.window.value)
            is_shadow = labels[0] != status.scope
            if is_shadow and not status.scope.startswith("tenant:"):
                # The same money: shadows have a tenant and a use case of one name.
                continue
            if is_shadow or status.scope in named or not status.scope.startswith(_ANY_NUMBER):
                amounts["spent"].add_metric(labels, status.spent / _NUSD_PER_USD)
                amounts["held"].add_metric(labels, status.held / _NUSD_PER_USD)
                if status.limit is not None:
                    amounts["limit"].add_metric(labels, status.limit / _NUSD_PER_USD)
        yield from amounts.values()

    def _circuits(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "nextflow_circuit_open", "1 where a circuit lets no request pass.", labels=("deployment", "state")
        )
        for deployment, state in self._orchestrator.circuits().items():
            family.add_metric((deployment, state.value), float(state.value == "open"))
        yield family


def _in_processes() -> bool:
    return bool(os.environ.get("PROMETHEUS_MULTIPROC_DIR"))
