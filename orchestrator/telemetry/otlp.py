"""Sends traces and metrics to the OpenTelemetry collector that config.yaml names, and to no other.

The application is the owner of OpenTelemetry's global providers; these here are its own, so that no other
library's spans are sent along. The headers in OpenTelemetry's variables are for another collector: they may
hold its key.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from orchestrator.client import Orchestrator
from orchestrator.core.secret_values import secret_texts
from orchestrator.telemetry.collector_session import CollectorSession
from orchestrator.telemetry.tracing import trace_requests

_TIMEOUT_S = 10
_CREDENTIALS = ("_HEADERS", "_CREDENTIAL_PROVIDER", "_CLIENT_KEY", "_CLIENT_CERTIFICATE")
"""How the names of variables end that give an exporter keys."""


def export_telemetry(orchestrator: Orchestrator) -> Callable[[], None]:
    """Begin to send, where config.yaml names a collector; return what ends it, with the last spans sent.

    A collector that cannot be reached is logged by OpenTelemetry; requests go on, and nothing waits for it.
    """
    settings = orchestrator.config.settings.telemetry
    if not settings.otlp_endpoint:
        return _nothing
    base, headers = settings.otlp_endpoint.rstrip("/"), secret_texts(settings.otlp_headers)
    resource = Resource({"service.name": settings.service_name})
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    with _without_credentials_of_others():
        spans = OTLPSpanExporter(
            f"{base}/v1/traces", headers=headers, timeout=_TIMEOUT_S, session=CollectorSession(base)
        )
        measures = OTLPMetricExporter(
            f"{base}/v1/metrics", headers=headers, timeout=_TIMEOUT_S, session=CollectorSession(base)
        )
    tracers.add_span_processor(BatchSpanProcessor(spans))
    meters = MeterProvider(
        [PeriodicExportingMetricReader(measures)], resource=resource, shutdown_on_exit=False
    )
    trace_requests(orchestrator, tracer_provider=tracers, meter_provider=meters)

    def end() -> None:
        tracers.shutdown()
        meters.shutdown()

    return end


@contextmanager
def _without_credentials_of_others() -> Iterator[None]:
    """Hide what OpenTelemetry's exporters would add from the environment when they are made."""
    names = [name for name in os.environ if name.startswith("OTEL_") and name.endswith(_CREDENTIALS)]
    hidden = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _nothing() -> None:
    """End what was never begun."""
