"""A practice server for each test, and a plain HTTP client for it."""

import json
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from orchestrator.practice import PracticeServer

# LiteLLM reads its price map at import; without this it would go to the network.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

HELLO: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello there"}]}
HELLO_GEMINI: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Hello there"}]}]}


class Caller:
    """Sends the same question to any provider in its own wire format."""

    def __init__(self, server: PracticeServer) -> None:
        self.server = server
        self.http = httpx.Client(timeout=300, trust_env=False)

    def post(
        self, provider: str, *, stream: bool = False, body: dict[str, Any] | None = None, key: str = "k"
    ):
        """Return the response to one question."""
        return self.http.request("POST", **self.sent(provider, stream=stream, body=body, key=key))

    def sent(
        self, provider: str, *, stream: bool = False, body: dict[str, Any] | None = None, key: str = "k"
    ):
        """Return the arguments of the HTTP request."""
        base = self.server.base_url(provider)
        if provider == "google":
            verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
            headers = {"x-goog-api-key": key} if key else {}
            return {"url": f"{base}/models/m:{verb}", "json": body or HELLO_GEMINI, "headers": headers}
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return {
            "url": f"{base}/chat/completions",
            "json": {**HELLO, "stream": stream, **(body or {})},
            "headers": headers,
        }

    @staticmethod
    def events(text: str) -> list[dict[str, Any]]:
        """Return the decoded events of a stream, without comments and the end mark."""
        lines = [line.removeprefix("data:").strip() for line in text.splitlines() if line.startswith("data:")]
        return [json.loads(line) for line in lines if line != "[DONE]"]

    @classmethod
    def text_of(cls, text: str, provider: str) -> str:
        """Return the text that a stream's events make together."""
        events = cls.events(text)
        if provider == "google":
            parts = [part for event in events for part in event["candidates"][0]["content"].get("parts", ())]
            return "".join(part.get("text", "") for part in parts)
        choices = [choice for event in events for choice in event.get("choices", ())]
        return "".join(choice["delta"].get("content") or "" for choice in choices)


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    """A running server that answers by rule."""
    with PracticeServer() as running:
        yield running


@pytest.fixture
def caller(server: PracticeServer) -> Iterator[Caller]:
    """A client of that server."""
    sends = Caller(server)
    yield sends
    sends.http.close()
