"""A server watches, looks after providers and sends telemetry while it serves, and none of it holds up its end."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from starlette.testclient import TestClient

from orchestrator.access.key_folder import KeyFolder, KeyRing
from orchestrator.access.settings import ServerSettings
from orchestrator.config.telemetry import TelemetrySettings
from orchestrator.core.alerts import AlertKind
from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import ClosedError, ConfigError
from orchestrator.server import duties as duties_module
from orchestrator.server.app import build_app
from orchestrator.server.duties import Duties, check_telemetry
from tests.server.conftest import wait_for

LONG_S = 300
BODY = {"model": "cost_sensitive", "messages": [{"role": "user", "content": "a secret question"}]}


@pytest.fixture
def client_of(tmp_path):
    def client(orchestrator):
        keys = KeyRing(KeyFolder(tmp_path / "keys"), clock=SystemClock())
        app = build_app(orchestrator, ServerSettings(), keys, duties=Duties(orchestrator))
        return TestClient(app, base_url="http://127.0.0.1")

    return client


def thread_names() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_it_alerts_and_looks_after_quiet_providers_until_it_ends(make_orchestrator, practice, client_of):
    orchestrator = make_orchestrator(
        {
            "alerts": {"check_every_s": 1, "rules": {"broken": {"kind": "circuit_open", "calm_s": 0}}},
            "health_checks": {"every_s": 1},
            "local_model": {"enabled": False},
        }
    )
    alerted = threading.Event()
    orchestrator.on_alert(lambda alert: alerted.set() if alert.kind is AlertKind.CIRCUIT_OPEN else None)
    practice.faults.add("*:status=401")
    with client_of(orchestrator) as client:
        # Asked for their models, though nobody has asked for an answer yet.
        wait_for(lambda: None not in [orchestrator.health.quiet_s(name) for name in ("google", "openai")])
        client.post("/v1/chat/completions", json=BODY)
        assert alerted.wait(LONG_S)
        assert "orchestrator-alert-watch" in thread_names()
    with pytest.raises(ClosedError):
        orchestrator.complete("Hello?")


class _Collector(BaseHTTPRequestHandler):
    received: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        self.received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_collector_gets_the_last_spans_and_no_prompt(make_orchestrator, client_of):
    received: list[tuple[str, bytes]] = []
    handler = type("Collector", (_Collector,), {"received": received})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as collector:
        serving = threading.Thread(target=collector.serve_forever)
        serving.start()
        try:
            address = f"http://127.0.0.1:{collector.server_port}"
            orchestrator = make_orchestrator({"telemetry": {"otlp_endpoint": address}})
            with client_of(orchestrator) as client:
                assert client.post("/v1/chat/completions", json=BODY).status_code == 200
        finally:
            collector.shutdown()
            serving.join()
    assert {path for path, _ in received} == {"/v1/traces", "/v1/metrics"}
    assert b"secret" not in b"".join(body for _, body in received)


def test_a_collector_that_hangs_does_not_hold_up_the_end(make_orchestrator, client_of, monkeypatch):
    monkeypatch.setattr(duties_module, "_LAST_SPANS_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        orchestrator = make_orchestrator({"telemetry": {"otlp_endpoint": address}})
        with client_of(orchestrator) as client:
            assert client.post("/v1/chat/completions", json=BODY).status_code == 200
        waiting = [thread for thread in threading.enumerate() if thread.name == "orchestrator-last-spans"]
        assert [thread.daemon for thread in waiting] == [True]
    for thread in waiting:
        thread.join(LONG_S)


def test_a_collector_without_what_sends_to_it_is_said_before_anything_is_served(monkeypatch):
    monkeypatch.setattr(duties_module, "_TELEMETRY", "opentelemetry_is_not_here")
    check_telemetry(TelemetrySettings())
    with pytest.raises(ConfigError, match=r"\[otel\]"):
        check_telemetry(TelemetrySettings(otlp_endpoint="http://127.0.0.1:4318"))
