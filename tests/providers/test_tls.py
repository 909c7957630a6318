"""Every client checks certificates, and writes down no keys of its connections."""

import ssl
from pathlib import Path

import pytest
from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport

from orchestrator.providers.litellm.http_client import SendOnceClient
from orchestrator.providers.tls import shared_tls_context, tls_context


def test_no_key_of_a_connection_is_written_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    context = tls_context()
    assert context.keylog_filename is None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("switch", ["SSL_VERIFY", "SSL_SECURITY_LEVEL"])
async def test_litellm_checks_certificates_whatever_its_variables_say(
    monkeypatch: pytest.MonkeyPatch, switch: str
) -> None:
    shared_tls_context.cache_clear()
    monkeypatch.setenv(switch, {"SSL_VERIFY": "False"}.get(switch, "DEFAULT@SECLEVEL=0"))
    client = SendOnceClient()
    transport = client.client._transport
    assert isinstance(transport, LiteLLMAiohttpTransport)
    context = transport.get_valid_client_session().connector._ssl
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.security_level == ssl.create_default_context().security_level
    await client.close()


def test_the_certificates_are_read_once_for_all_clients_of_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reading would stop a loop, and whoever waits on it, for 20 ms."""
    once = shared_tls_context("aiohttp")
    monkeypatch.delattr(ssl, "create_default_context")
    assert shared_tls_context("aiohttp") is once


@pytest.mark.filterwarnings("ignore:.cert=")
async def test_what_litellm_writes_into_its_settings_reaches_no_other_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A certificate of the machine would be shown to every provider, and HTTP/2 offered by who cannot speak it."""
    written: list[ssl.SSLContext] = []
    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", lambda context, *_: written.append(context))
    monkeypatch.setenv("SSL_CERTIFICATE", "client.pem")
    monkeypatch.setenv("LITELLM_HTTP2", "true")
    client = SendOnceClient()
    assert shared_tls_context("litellm") in written
    assert not {shared_tls_context("aiohttp"), shared_tls_context("httpx")} & set(written)
    await client.close()
