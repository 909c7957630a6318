"""Headers, keys and addresses: the key in one place, and nothing that HTTP could misread."""

import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.request import ChatRequest
from orchestrator.core.secret_values import secret_text
from orchestrator.providers.wire.outbound import (
    OutboundRequest,
    UnsendableError,
    address_of,
    headers_of,
    is_carried,
    is_openai_itself,
)
from tests.providers.wire.outbound_requests import UPSTREAMS, WEATHER_TOOL, outbound

KINDS = tuple(UPSTREAMS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_key_stands_in_one_header_and_nowhere_in_a_printed_request(kind) -> None:
    request = outbound(kind)
    holders = [name for name, value in headers_of(request).items() if "sk-secret" in value]
    assert holders == ["x-goog-api-key" if kind is ProviderKind.GOOGLE else "authorization"]
    assert "sk-secret" not in repr(request)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_key_none_is_sent(kind) -> None:
    headers = headers_of(outbound(kind, api_key=""))
    assert {"authorization", "x-goog-api-key"} & headers.keys() == set()


def test_configured_headers_win_whatever_their_case() -> None:
    headers = headers_of(
        outbound(ProviderKind.OPENAI, headers={"Authorization": "Basic x", "X-Title": "CRM"})
    )
    assert (headers["authorization"], headers["x-title"]) == ("Basic x", "CRM")


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"api_key": "sk-a\nb"}, "the API key"),
        ({"api_key": "sk-ế"}, "the API key"),
        ({"headers": {"x-title": "Cửa hàng"}}, "header 'x-title'"),
        ({"headers": {"x-title": "a\r\nx-other: b"}}, "header 'x-title'"),
        ({"headers": {"x title": "a"}}, "header 'x title'"),
        ({"headers": {"": "a"}}, "header ''"),
    ],
)
def test_what_cannot_stand_in_a_header_is_named_and_not_shown(changes, part) -> None:
    with pytest.raises(UnsendableError, match=part) as caught:
        headers_of(outbound(ProviderKind.OPENAI, **changes))
    assert "sk-" not in str(caught.value)
    assert "hàng" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "api.openai.com/v1", "ftp://x/v1", "file:///etc", "http://"])
def test_an_address_that_is_none_of_http_is_refused(address) -> None:
    with pytest.raises(UnsendableError, match="base_url"):
        address_of(outbound(ProviderKind.OPENAI, base_url=address), "chat/completions")


def test_a_slash_at_the_end_of_an_address_changes_nothing() -> None:
    assert address_of(outbound(ProviderKind.OPENAI, base_url="http://a/v1/"), "x") == "http://a/v1/x"


def test_openai_itself_is_known_by_its_host() -> None:
    assert is_openai_itself(ProviderKind.OPENAI, "https://api.openai.com/v1")
    assert is_openai_itself(ProviderKind.OPENAI, "https://eu.api.openai.com/v1")
    assert not is_openai_itself(ProviderKind.OPENAI, "https://api.deepseek.com/v1")
    assert not is_openai_itself(ProviderKind.OPENROUTER, "https://api.openai.com/v1")


def test_a_request_goes_to_a_deployment_with_its_providers_key_headers_and_address(make_config) -> None:
    catalog = make_config().catalog
    request = ChatRequest.of("Xin chào", use_case="x", temperature=0.5)
    sent = OutboundRequest.to(
        catalog.deployments["google/gemini-3.8-flash"], request, max_tokens=7, stream=True
    )
    assert (sent.kind, sent.upstream, sent.max_tokens, sent.stream) == (
        ProviderKind.GOOGLE,
        "gemini-3.8-flash",
        7,
        True,
    )
    assert (secret_text(sent.api_key), sent.messages, sent.sampling.temperature) == (
        "practice-key-google",
        request.messages,
        0.5,
    )
    local = next(each for each in catalog.deployments.values() if each.is_local)
    assert (
        OutboundRequest.to(local, request, max_tokens=7, base_url="http://127.0.0.1:1/v1").base_url
        == "http://127.0.0.1:1/v1"
    )
    with pytest.raises(UnsendableError, match="no base_url"):
        OutboundRequest.to(local, request, max_tokens=7)


def test_openais_own_tier_is_pinned_to_the_one_that_money_is_held_for(make_config) -> None:
    deployment = make_config().catalog.deployments["openai/gpt-6-luna"]
    request = ChatRequest.of("Xin chào", use_case="x")
    assert OutboundRequest.to(deployment, request, max_tokens=7).service_tier is None
    itself = OutboundRequest.to(deployment, request, max_tokens=7, base_url="https://api.openai.com/v1")
    assert itself.service_tier == "default"


def test_only_openai_itself_wants_another_api_for_tools_beside_reasoning() -> None:
    changes = {"upstream": "gpt-6-luna", "tools": (WEATHER_TOOL,)}
    itself = {**changes, "base_url": "https://api.openai.com/v1"}
    assert not is_carried(outbound(ProviderKind.OPENAI, **itself))
    assert is_carried(outbound(ProviderKind.OPENAI, **itself, reasoning_effort="none"))
    assert is_carried(outbound(ProviderKind.OPENAI, **changes))
    assert is_carried(outbound(ProviderKind.OPENROUTER, **changes))
