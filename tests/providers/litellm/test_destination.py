"""LiteLLM sends to the address and with the key of config.yaml, whatever the environment names."""

import logging
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from orchestrator import Orchestrator
from orchestrator.core.errors import OrchestratorError
from orchestrator.practice import PracticeServer
from orchestrator.providers.litellm.destination import Destination
from orchestrator.providers.litellm.loading import load_litellm
from orchestrator.providers.litellm.outgoing import MisdirectedRequestError, check_outgoing
from orchestrator.providers.litellm.sending import in_this_task
from tests.providers.litellm.test_outgoing import request, sending
from tests.support.prefixed import CLAUDE, DEEPSEEK, KEY, PRACTICED, prefixed, prefixed_server

HERE = "http://127.0.0.1:9/base"
BEDROCK = "https://bedrock-runtime.eu-central-1.amazonaws.com/model/x/converse"


def destination(
    prefix: str = "deepseek", headers: tuple[str, ...] = (), region: str | None = None, **arguments: Any
) -> Destination:
    provider = SimpleNamespace(
        prefix=prefix,
        headers=dict.fromkeys(headers, "x"),
        parameters=SimpleNamespace(vertex_location=region),
    )
    deployment = SimpleNamespace(provider=provider)
    return Destination.of(deployment, {"api_base": HERE, "api_key": "the-key", **arguments})  # type: ignore[arg-type]


def leaving(url: str = HERE, **headers: str) -> httpx.Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Request("POST", url, json={}, headers={"authorization": "Bearer the-key", **named})


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/other/path", "http://127.0.0.1:9/base?api-version=1"])
def test_what_goes_to_the_configured_server_with_its_key_leaves(url: str) -> None:
    assert destination().fault_of(leaving(url)) is None


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8/base", "https://127.0.0.1:9/base", "http://elsewhere.example:9/base"]
)
def test_another_address_is_told_without_the_key(url: str) -> None:
    fault = destination().fault_of(leaving(url))
    assert fault is not None
    assert "config.yaml" in fault
    assert "the-key" not in fault


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "api-key", "x-amz-security-token"])
def test_another_key_stays(name: str) -> None:
    fault = destination().fault_of(leaving(**{name.replace("-", "_"): "Bearer of-the-environment"}))
    assert fault is not None
    assert "of-the-environment" not in fault


def test_a_key_that_config_states_as_a_header_is_its_own() -> None:
    own = destination(headers=("X-Api-Key",))
    assert own.fault_of(leaving(x_api_key="another")) is None


def test_bedrocks_address_of_a_region_is_amazons_and_its_signature_names_the_configured_key() -> None:
    bedrock = destination(
        "bedrock", api_base=None, api_key=None, aws_access_key_id="AKID", aws_session_token="T"
    )
    signed = {"authorization": "AWS4-HMAC-SHA256 Credential=AKID/2026/x", "x_amz_security_token": "T"}
    assert bedrock.fault_of(leaving(BEDROCK, **signed)) is None
    assert bedrock.fault_of(leaving(BEDROCK, authorization="Bearer of-the-environment"))
    for url in (
        BEDROCK.replace("https", "http"),
        "https://amazonaws.com.evil.example/",
        "http://127.0.0.1:9/",
    ):
        assert bedrock.fault_of(leaving(url, **signed))


def test_nothing_is_computed_in_a_region_that_config_yaml_does_not_name() -> None:
    """LiteLLM sends a model that it knows in no region of ours to one that it chooses."""
    vertex = destination("vertex_ai", region="europe-west4", api_base=None)
    url = "https://aiplatform.googleapis.com/v1/projects/p/locations/{}/publishers/google/models/m:x"
    assert vertex.fault_of(leaving(url.format("europe-west4"))) is None
    assert "elsewhere than in europe-west4" in str(vertex.fault_of(leaving(url.format("global"))))


def test_headers_that_nobody_configured_are_left_out() -> None:
    request = leaving(
        openai_organization="org-of-another", openai_project="p", http_referer="https://us", x_stainless_os="L",
        x_ours="a", cookie="c",
    )  # fmt: skip
    destination(headers=("X-Ours",)).strip(request)
    assert request.headers["x-stainless-os"] == "L"
    assert request.headers["x-ours"] == "a"
    assert not {"openai-organization", "openai-project", "http-referer", "cookie"} & set(request.headers)


def test_a_request_for_elsewhere_never_leaves_and_its_attempt_says_why() -> None:
    held = sending(destination=destination(api_base="http://127.0.0.1:7"))
    with pytest.raises(MisdirectedRequestError):
        check_outgoing(request({"max_tokens": 1}), held)
    assert not held.has_left
    assert "unset it" in held.source.current.remarks[0]


def test_no_secret_is_shown() -> None:
    assert "the-key" not in repr(destination())


@pytest.fixture
def server() -> Any:
    with prefixed_server() as server:
        yield server


@pytest.mark.parametrize("name", [CLAUDE, DEEPSEEK])
def test_variables_of_litellm_change_nothing_of_what_leaves(
    make_orchestrator: Any, server: PracticeServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    load_litellm()
    for variable in ("OPENAI_ORGANIZATION", "OPENAI_PROJECT", "ANTHROPIC_AUTH_TOKEN", "DEEPSEEK_API_KEY"):
        monkeypatch.setenv(variable, "of-the-environment")
    for variable in ("ANTHROPIC_API_BASE", "DEEPSEEK_API_BASE", "LITELLM_PROXY_API_BASE"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9/elsewhere")
    monkeypatch.setenv("USE_LITELLM_PROXY", "True")
    orchestrator: Orchestrator = make_orchestrator(prefixed(server, name))
    assert orchestrator.complete("Xin chào", max_tokens=50, cache="off").deployment == name
    (received,) = server.requests
    assert received.provider == PRACTICED[name]
    assert "of-the-environment" not in str(received)


def test_a_variable_that_leads_elsewhere_is_an_error_that_says_so(
    make_orchestrator: Any, server: PracticeServer, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """As AWS_BEARER_TOKEN_BEDROCK does: the key that is configured gives way to that of the environment."""
    load_litellm()
    monkeypatch.setattr(Destination, "_is_own", lambda *_: False)
    caplog.set_level(logging.DEBUG)
    orchestrator: Orchestrator = make_orchestrator(prefixed(server, DEEPSEEK))
    with pytest.raises(OrchestratorError, match="unset it") as caught:
        orchestrator.complete("Xin chào", max_tokens=50, cache="off")
    assert server.requests == ()
    assert KEY not in f"{caught.value}{caplog.text}"


def test_a_proxy_that_is_none_is_told_by_its_variable_as_our_own_wire_does(
    make_orchestrator: Any, server: PracticeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was `unreachable`, asked again, and named no variable."""
    monkeypatch.setenv("ALL_PROXY", "socks5://me:hush@127.0.0.1:9")
    changes = prefixed(server, DEEPSEEK)
    changes["providers"]["deepseek"]["base_url"] = "http://gateway.example/v1"
    price = {"input": 1, "output": 2, "source": "our contract", "date": "2026-11-01"}
    changes["deployments"][DEEPSEEK]["price"] = price
    orchestrator: Orchestrator = make_orchestrator(changes)
    with pytest.raises(OrchestratorError, match="ALL_PROXY in the environment is no proxy of HTTP") as caught:
        orchestrator.complete("Xin chào", model=DEEPSEEK, max_tokens=50, cache="off")
    assert "hush" not in str(caught.value)
    assert server.requests == ()


def test_no_token_is_asked_for_with_what_the_environment_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of Databricks LiteLLM would ask for one with every send, on the event loop, and not use it."""
    load_litellm()
    from litellm.llms.databricks.common_utils import DatabricksBase, DatabricksException

    monkeypatch.setenv("DATABRICKS_CLIENT_ID", "of-another")
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", "of-another")

    def headers() -> dict[str, str]:
        nowhere = "http://127.0.0.1:9"
        _, headers = DatabricksBase().databricks_validate_environment(
            KEY, nowhere, endpoint_type="chat_completions", custom_endpoint=None, headers=None
        )
        return headers

    with in_this_task(sending()):
        assert headers()["Authorization"] == f"Bearer {KEY}"
    # A call of the program's own goes as before.
    with pytest.raises(DatabricksException, match="token request failed"):
        headers()
