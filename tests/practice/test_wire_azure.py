"""Azure's paths, keys and filters around OpenAI's format."""

import httpx

from orchestrator.practice import PracticeServer
from orchestrator.practice.wire_azure import deployment_of

ASKED = {"messages": [{"role": "user", "content": "Xin chào"}], "max_tokens": 50}


def test_a_deployment_is_asked_by_its_path_with_a_version() -> None:
    with PracticeServer(api_keys={"k"}) as server:
        address = f"{server.base_url('azure')}/openai/deployments/our-gpt/chat/completions"
        version = {"api-version": "2024-10-21"}
        whole = httpx.post(address, params=version, json=ASKED, headers={"api-key": "k"}).json()
        assert whole["model"] == "our-gpt"
        assert whole["choices"][0]["content_filter_results"]["hate"]["filtered"] is False
        streamed = httpx.post(
            address, params=version, json=ASKED | {"stream": True}, headers={"api-key": "k"}
        ).text
        assert "prompt_filter_results" in streamed.partition("\n\n")[0]
        assert httpx.post(address, json=ASKED, headers={"api-key": "k"}).status_code == 404
        assert httpx.post(address, params=version, json=ASKED, headers={"api-key": "x"}).status_code == 401


def test_other_paths_ask_for_nothing() -> None:
    assert deployment_of("openai/deployments/a/b/chat/completions") is None
    assert deployment_of("openai/deployments//chat/completions") is None
    assert deployment_of("chat/completions") is None
