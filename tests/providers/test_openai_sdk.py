"""What the environment names for OpenAI or a gateway goes to no provider of config.yaml."""

import openai
import pytest

from orchestrator.providers.openai_sdk import from_no_environment

OF_OTHERS = {
    "OPENAI_ORG_ID": "org-of-others",
    "OPENAI_PROJECT_ID": "project-of-others",
    "OPENAI_CUSTOM_HEADERS": "x-gateway-key: key-of-others\nuser-agent: of-others",
}


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OF_OTHERS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("kind", [openai.OpenAI, openai.AsyncOpenAI])
def test_a_client_sends_no_headers_but_its_own(others, kind) -> None:
    client = kind(api_key="k", base_url="http://127.0.0.1:9")
    assert "of-others" in str(client.default_headers)
    from_no_environment(client)
    assert "of-others" not in str(client.default_headers)
    assert client.auth_headers == {"Authorization": "Bearer k"}


def test_no_client_of_litellms_sends_what_the_environment_names(others) -> None:
    from orchestrator.providers.litellm.http_client import SendOnceClient

    client = SendOnceClient()
    azure = client._azure("http://127.0.0.1:9", "k", "2024-10-21", "")
    for sdk in (client.sdk(base_url="http://127.0.0.1:9", api_key="k"), azure):
        assert "of-others" not in str(sdk.default_headers)
        assert (sdk.max_retries, sdk.api_key) == (0, "k")


def test_a_native_client_sends_none_of_it_either(others, practised, practice) -> None:
    for model in ("openai/gpt-6-luna", "openrouter/gpt-6-luna"):
        practised.native(model, tenant="acme").invoke("Xin chào")
    assert len(practice.requests) == 2
    assert not any("of-others" in str(dict(request.headers)) for request in practice.requests)
