"""A collector's connections: its own address, its own key, nothing kept."""

import ssl

import pytest
import requests

from orchestrator.telemetry.collector_session import CollectorSession
from tests.support.redirecting import STATUSES, redirecting


@pytest.mark.parametrize("status", STATUSES)
def test_no_redirect_is_followed_whatever_is_asked_for(status: int) -> None:
    with redirecting() as elsewhere, CollectorSession(elsewhere.url) as session:
        elsewhere.status = status
        answer = session.post(elsewhere.url, data=b"spans", allow_redirects=True, timeout=10)
        assert (answer.status_code, elsewhere.reached) == (status, [])


def test_a_proxy_of_the_environment_is_used_and_its_exceptions_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    assert CollectorSession("https://outside.example").proxies["https"] == "http://proxy.example:3128"
    assert not CollectorSession("https://inside.example").proxies
    assert not CollectorSession("https://127.0.0.1:4318").proxies


def test_certificates_are_checked_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_VERIFY", "False")
    adapter = CollectorSession("https://collector.example").get_adapter("https://collector.example")
    assert isinstance(adapter, requests.adapters.HTTPAdapter)
    context = adapter.poolmanager.connection_pool_kw["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
