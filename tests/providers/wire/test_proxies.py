"""Proxies come from the environment, as they were when the session began."""

import pytest

from orchestrator.providers.wire.outbound import UnsendableError
from orchestrator.providers.wire.proxies import ProxiesOfEnvironment

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def proxy_of(address: str):
    return ProxiesOfEnvironment().for_url(address)


def test_without_any_there_is_none() -> None:
    assert proxy_of("https://api.openai.com/v1") is None


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy"])
def test_each_scheme_has_its_own(monkeypatch, name) -> None:
    monkeypatch.setenv(name, "http://proxy.vn:3128")
    proxy = proxy_of("https://api.openai.com/v1")
    assert proxy is not None
    assert (proxy.url, proxy.headers) == ("http://proxy.vn:3128", None)
    assert (proxy_of("http://gateway.vn/v1") is None) is (name != "all_proxy")


def test_name_and_password_are_told_to_the_proxy_and_stand_in_no_address(monkeypatch) -> None:
    monkeypatch.setenv("https_proxy", "user:word@proxy.vn:3128")
    proxy = proxy_of("https://api.openai.com/v1")
    assert proxy is not None
    assert proxy.url == "http://proxy.vn:3128"
    assert proxy.headers == {"Authorization": "Basic dXNlcjp3b3Jk"}


@pytest.mark.parametrize("bypass", ["api.openai.com", "openai.com", "*"])
def test_hosts_that_shall_be_reached_directly_are(monkeypatch, bypass) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.vn:3128")
    monkeypatch.setenv("no_proxy", bypass)
    assert proxy_of("https://api.openai.com/v1") is None
    assert bypass == "*" or proxy_of("https://openrouter.ai/api/v1") is not None


@pytest.mark.parametrize("address", ["http://127.0.0.1:8080/v1", "http://localhost:11434", "http://[::1]:1"])
def test_what_this_machine_answers_itself_goes_through_none(monkeypatch, address) -> None:
    """The proxy got the prompts and the key of the model on board, and could not reach it."""
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://proxy.vn:3128")
    assert proxy_of(address) is None
    assert proxy_of("http://127.0.0.1.example.com") is not None


@pytest.mark.parametrize(
    "address",
    [
        "socks5://u:word@proxy.vn:1",
        "ftp://u:word@proxy.vn",
        "http://u:word@[::1",
        "http://u:word@h:99999",
        "u:word@",
    ],
)
def test_what_is_no_proxy_of_http_is_told_by_its_variable_and_nothing_goes_beside_it(
    monkeypatch, address
) -> None:
    monkeypatch.setenv("all_proxy", address)
    with pytest.raises(UnsendableError, match="ALL_PROXY") as caught:
        proxy_of("https://api.openai.com/v1")
    assert "word" not in str(caught.value)
    monkeypatch.setenv("no_proxy", "openai.com")
    assert proxy_of("https://api.openai.com/v1") is None
