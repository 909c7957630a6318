"""A collector that config.yaml names gets spans and measurements, with its headers; without one nothing is sent."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from orchestrator.telemetry.otlp import export_telemetry
from tests.support.redirecting import STATUSES, redirecting


class Collector(ThreadingHTTPServer):
    """A collector that keeps what it is sent."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str | None, bytes]] = []
        self.headers: list[dict[str, str]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.server.received.append((self.path, self.headers["x-collector-key"], body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.send_header("Set-Cookie", "follow=me; Path=/")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_named_collector_gets_spans_and_measurements(
    make_orchestrator: Any, collector: Collector
) -> None:
    telemetry = {"otlp_endpoint": collector.url, "otlp_headers": {"x-collector-key": "of-the-collector"}}
    orchestrator = make_orchestrator({"telemetry": telemetry})
    end = export_telemetry(orchestrator)
    orchestrator.complete("a secret question", tenant="secret-tenant")
    end()
    assert {path for path, _, _ in collector.received} == {"/v1/traces", "/v1/metrics"}
    assert {key for _, key, _ in collector.received} == {"of-the-collector"}
    assert b"secret" not in b"".join(body for _, _, body in collector.received)


def test_the_environment_alone_sends_nothing(
    make_orchestrator: Any, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    orchestrator = make_orchestrator()
    end = export_telemetry(orchestrator)
    orchestrator.complete("question")
    end()
    assert collector.received == []


def test_a_collector_that_is_away_is_in_nobodys_way(make_orchestrator: Any) -> None:
    orchestrator = make_orchestrator({"telemetry": {"otlp_endpoint": "http://127.0.0.1:9"}})
    end = export_telemetry(orchestrator)
    assert orchestrator.complete("question").text
    end()


def test_no_password_of_the_machine_and_no_cookie_goes_along(
    make_orchestrator: Any, collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A session of `requests` puts what ~/.netrc has for a host in the place of the configured key."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password of-the-machine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    telemetry = {"otlp_endpoint": collector.url, "otlp_headers": {"authorization": "Bearer of-the-collector"}}
    orchestrator = make_orchestrator({"telemetry": telemetry})
    for _ in range(2):
        end = export_telemetry(orchestrator)
        orchestrator.complete("question")
        end()
    assert {headers["authorization"] for headers in collector.headers} == {"Bearer of-the-collector"}
    assert not any("cookie" in headers for headers in collector.headers)


@pytest.mark.parametrize("status", STATUSES)
def test_a_redirect_takes_nothing_along(make_orchestrator: Any, status: int) -> None:
    with redirecting() as elsewhere:
        elsewhere.status = status
        telemetry = {"otlp_endpoint": elsewhere.url, "otlp_headers": {"x-collector-key": "secret"}}
        orchestrator = make_orchestrator({"telemetry": telemetry})
        end = export_telemetry(orchestrator)
        orchestrator.complete("question")
        end()
        assert elsewhere.asked
        assert elsewhere.reached == []


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"])
def test_the_key_of_another_collector_is_not_sent_to_this_one(
    make_orchestrator: Any, collector: Collector, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "x-of-another=key-of-another")
    orchestrator = make_orchestrator({"telemetry": {"otlp_endpoint": collector.url}})
    end = export_telemetry(orchestrator)
    assert os.environ[name] == "x-of-another=key-of-another"
    orchestrator.complete("question")
    end()
    assert collector.headers
    assert not any("key-of-another" in str(headers) for headers in collector.headers)
