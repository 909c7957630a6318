"""The spans of a request stand in its caller's trace, with the conventions' names and without its words."""

import asyncio
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from orchestrator import Orchestrator
from orchestrator.core.errors import UnavailableError
from orchestrator.practice import PracticeServer
from orchestrator.telemetry.tracing import trace_requests


class Recorded:
    """OpenTelemetry with its exports in memory."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self.exported = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.exported))
        self.tracer = tracers.get_tracer("the caller")
        trace_requests(
            orchestrator, tracer_provider=tracers, meter_provider=MeterProvider(metric_readers=[self.reader])
        )

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.exported.get_finished_spans()}


@pytest.fixture
def recorded(practised: Orchestrator) -> Recorded:
    return Recorded(practised)


@pytest.mark.parametrize("entry", ["complete", "acomplete", "stream", "native"])
def test_every_entry_stands_in_its_callers_trace(
    practised: Orchestrator, recorded: Recorded, entry: str
) -> None:
    with recorded.tracer.start_as_current_span("caller"):
        if entry == "complete":
            practised.complete("a secret question")
        elif entry == "acomplete":
            asyncio.run(practised.acomplete("a secret question"))
        elif entry == "stream":
            list(practised.stream("a secret question"))
        else:
            practised.native("openai/gpt-6-luna").invoke("a secret question")
    spans = recorded.spans()
    request = next(span for span in spans.values() if "nextflow.request_id" in (span.attributes or {}))
    send = next(span for span in spans.values() if "nextflow.deployment" in (span.attributes or {}))
    assert request.parent is not None
    assert request.parent.span_id == spans["caller"].get_span_context().span_id
    assert send.parent is not None
    assert send.parent.span_id == request.get_span_context().span_id
    assert "secret" not in "".join(span.to_json() for span in spans.values())


def test_names_times_and_costs_are_the_conventions_and_the_ledgers(
    practised: Orchestrator, recorded: Recorded, practice: PracticeServer
) -> None:
    practice.faults.add("openrouter:status=500,times=1")
    reply = practised.complete("question", cache="off")
    spans = recorded.exported.get_finished_spans()
    sends = [span for span in spans if span.name.startswith("chat ") and span.kind.name == "CLIENT"]
    assert [span.attributes["gen_ai.usage.output_tokens"] for span in sends if span.attributes] == [
        attempt.usage.output_tokens for attempt in reply.attempts
    ]
    failed, answered = (dict(span.attributes or {}) for span in sends)
    assert failed["error.type"] == "server_error"
    assert failed["http.response.status_code"] == 500
    assert sends[0].status.status_code is StatusCode.ERROR
    assert answered["gen_ai.request.model"] == reply.model
    assert answered["nextflow.cost_usd"] == pytest.approx(reply.cost_nusd / 1e9)
    request = next(span for span in spans if span.kind.name == "INTERNAL")
    assert request.start_time is not None
    for span in sends:
        assert span.start_time is not None
        assert span.end_time is not None
        assert request.start_time <= span.start_time <= span.end_time


def test_measurements_have_the_conventions_names(practised: Orchestrator, recorded: Recorded) -> None:
    list(practised.stream("question"))
    data = recorded.reader.get_metrics_data()
    assert data is not None
    names = {
        metric.name
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert names == {
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "gen_ai.client.operation.time_to_first_chunk",
    }


def test_a_failed_request_is_an_error_span(make_orchestrator: Any, practice: PracticeServer) -> None:
    practice.faults.add("*:status=401")
    orchestrator = make_orchestrator({"local_model": {"enabled": False}})
    recorded = Recorded(orchestrator)
    with pytest.raises(UnavailableError):
        orchestrator.complete("question")
    request = next(span for span in recorded.exported.get_finished_spans() if span.kind.name == "INTERNAL")
    assert request.status.status_code is StatusCode.ERROR
    assert (request.attributes or {})["error.type"]


def test_without_providers_of_the_application_nothing_is_made(practised: Orchestrator) -> None:
    trace_requests(practised)
    assert practised.complete("question").text


def test_embeddings_are_embeddings_in_spans_and_measurements(
    practised: Orchestrator, recorded: Recorded
) -> None:
    reply = practised.embed(["a secret text"])
    spans = recorded.spans()
    assert set(spans) == {"embeddings embedding", f"embeddings {reply.model}"}
    for span in spans.values():
        assert span.attributes is not None
        assert span.attributes["gen_ai.operation.name"] == "embeddings"
    measured = recorded.reader.get_metrics_data()
    assert measured is not None
    assert '"gen_ai.operation.name": "embeddings"' in measured.to_json()
    assert '"gen_ai.operation.name": "chat"' not in measured.to_json()
