"""What config.yaml says of traces and metrics that are sent away."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from orchestrator.core.settings import HeaderName, HeaderValue, OpenAddress, Settings


class TelemetrySettings(Settings):
    """Where traces and metrics are sent."""

    otlp_endpoint: OpenAddress | None = None
    """An OpenTelemetry collector, such as http://127.0.0.1:4318: its /v1/traces and /v1/metrics get them.
    Empty: nothing is sent, whatever the OTEL_* variables say."""
    otlp_headers: Mapping[HeaderName, HeaderValue] = Field({}, repr=False)
    """Headers for it; they may hold a key."""
    service_name: Annotated[str, Field(min_length=1, max_length=128)] = "nextflow-orchestrator"
    """What it calls this program."""
