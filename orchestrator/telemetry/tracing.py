"""Traces and metrics with OpenTelemetry's GenAI names, through the providers that the application has set.

    trace_requests(orchestrator)

A request is a span `chat {use case}`, each of its sends a client span `chat {model}` in it; of embeddings,
`embeddings {...}`. Both stand in the caller's own trace. No prompt and no reply is in them; what a request
cost is `nextflow.cost_usd`, since the conventions name no attribute for it.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from opentelemetry import metrics, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from orchestrator.catalog.models import Mode
from orchestrator.client import Orchestrator
from orchestrator.config.modes import mode_of
from orchestrator.core.payer import name_in
from orchestrator.core.reply import Attempt, Outcome
from orchestrator.ledger.records import Hold, RequestRecord

_SCOPE = "nextflow.orchestrator"
_NUSD_PER_USD = 1_000_000_000
_OPEN_MAX = 10_000
"""Requests whose sends are kept until they end; beyond, the oldest is given up: it never ended."""
_PROVIDER_NAMES = {"google": "gcp.gemini"}
"""Where the conventions' name of a provider is another than ours."""

_OPERATIONS = {Mode.CHAT: "chat", Mode.EMBEDDING: "embeddings"}

Value = str | int | float
"""What an attribute holds here."""


def trace_requests(
    orchestrator: Orchestrator,
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> None:
    """Make spans and measurements of all that an orchestrator books from now on.

    Without providers, those that the application has set for its process; with none set, nothing is made.
    """
    tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
    meter = metrics.get_meter(_SCOPE, meter_provider=meter_provider)
    orchestrator.observe(_Tracing(tracer, _Measures(meter), orchestrator))


@dataclass(frozen=True, slots=True)
class _Send:
    began_at: datetime
    attempt: Attempt
    operation: str


class _Measures:
    """The conventions' metrics of a client."""

    def __init__(self, meter: metrics.Meter) -> None:
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration", "s", "Duration of a send to a provider."
        )
        self._tokens = meter.create_histogram("gen_ai.client.token.usage", "{token}", "Tokens of a send.")
        self._first = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk", "s", "Until the first piece of a stream."
        )

    def measure(self, attempt: Attempt, operation: str) -> None:
        """Measure a send."""
        attributes = _attributes_of(attempt, operation)
        common = {name: value for name, value in attributes.items() if name in _DIMENSIONS}
        self._duration.record(attempt.latency_s, common)
        if attempt.first_token_s is not None:
            self._first.record(attempt.first_token_s, common)
        if not attempt.usage.estimated:
            self._tokens.record(attempt.usage.input_tokens, {**common, "gen_ai.token.type": "input"})
            self._tokens.record(attempt.usage.output_tokens, {**common, "gen_ai.token.type": "output"})


class _Tracing:
    """Makes the spans of a request when it ends: then all is known, and nothing was in its way."""

    def __init__(self, tracer: trace.Tracer, measures: _Measures, orchestrator: Orchestrator) -> None:
        self._tracer = tracer
        self._measures = measures
        self._orchestrator = orchestrator
        self._open: OrderedDict[str, list[_Send]] = OrderedDict()

    def attempt_settled(self, hold: Hold, attempt: Attempt) -> None:
        """Keep a send until its request has ended."""
        operation = self._operation_of(name_in(hold.request.scopes, "use_case"))
        self._measures.measure(attempt, operation)
        send = _Send(hold.held_at, attempt, operation)
        self._open.setdefault(hold.request.operation_id, []).append(send)
        if len(self._open) > _OPEN_MAX:
            self._open.popitem(last=False)

    def request_recorded(self, record: RequestRecord) -> None:
        """Make the spans of a request, in the trace of its caller."""
        sends, operation = self._open.pop(record.id, []), self._operation_of(record.use_case)
        span = self._tracer.start_span(
            f"{operation} {record.use_case}",
            start_time=_ns(record.started_at),
            attributes=_attributes_of_request(record, operation),
        )
        parent = trace.set_span_in_context(span)
        for send in sends:
            child = self._tracer.start_span(
                f"{send.operation} {send.attempt.model}",
                context=parent,
                kind=SpanKind.CLIENT,
                start_time=_ns(send.began_at),
                attributes=_attributes_of(send.attempt, send.operation),
            )
            _end(child, send.attempt.outcome, send.began_at, send.attempt.latency_s)
        _end(span, record.outcome, record.started_at, record.latency_s)

    def _operation_of(self, use_case: str | None) -> str:
        """Return what the conventions call the requests of a use case."""
        settings = self._orchestrator.config.settings
        if use_case is None or use_case not in settings.use_cases:
            return _OPERATIONS[Mode.CHAT]
        return _OPERATIONS[mode_of(settings, use_case)]


def _attributes_of_request(record: RequestRecord, operation: str) -> dict[str, Value]:
    attributes: dict[str, Value | None] = {
        "gen_ai.operation.name": operation,
        "gen_ai.response.model": record.model,
        "gen_ai.usage.input_tokens": record.usage.input_tokens,
        "gen_ai.usage.output_tokens": record.usage.output_tokens,
        "error.type": record.error,
        "nextflow.request_id": record.id,
        "nextflow.use_case": record.use_case,
        "nextflow.cache": record.cached.value,
        "nextflow.attempts": record.attempts,
        "nextflow.degraded": record.degraded,
        "nextflow.cost_usd": record.cost_nusd / _NUSD_PER_USD,
    }
    return {name: value for name, value in attributes.items() if value is not None}


_DIMENSIONS = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "error.type")


def _attributes_of(attempt: Attempt, operation: str) -> dict[str, Value]:
    attributes: dict[str, Value | None] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDER_NAMES.get(attempt.provider, attempt.provider),
        "gen_ai.request.model": attempt.model,
        "gen_ai.response.id": attempt.upstream_id,
        "gen_ai.usage.input_tokens": attempt.usage.input_tokens,
        "gen_ai.usage.output_tokens": attempt.usage.output_tokens,
        "http.response.status_code": attempt.status,
        "error.type": attempt.failure,
        "nextflow.deployment": attempt.deployment,
        "nextflow.cost_usd": attempt.cost_nusd / _NUSD_PER_USD,
        "nextflow.cost_source": attempt.cost_source.value,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _end(span: Span, outcome: Outcome, began_at: datetime, latency_s: float) -> None:
    if outcome is not Outcome.SUCCEEDED:
        span.set_status(Status(StatusCode.ERROR, outcome.value))
    span.end(_ns(began_at + timedelta(seconds=latency_s)))


def _ns(moment: datetime) -> int:
    """Return a moment in nanoseconds since 1970, as OpenTelemetry counts it; exact to the microsecond."""
    return round(moment.timestamp() * 1_000_000) * 1000
