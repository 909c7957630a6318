"""Vertex AI: Gemini and Claude behind one address, and tokens in the place of keys."""

import json
from collections.abc import Iterator

import httpx
import pytest
from google.auth.identity_pool import Credentials
from google.auth.transport.requests import Request

from orchestrator.practice import PracticeServer, Scripted

MODELS = "/v1/projects/our-project/locations/europe-west4/publishers"
GEMINI = f"{MODELS}/google/models/gemini-2.5-flash"
CLAUDE = f"{MODELS}/anthropic/models/claude-haiku-4-5"
ASKED_GEMINI = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
ASKED_CLAUDE = {
    "anthropic_version": "vertex-2023-10-16",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "Hi"}],
}


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    with PracticeServer(answerer=Scripted(["Chào bạn"] * 4), api_keys={"k"}) as server:
        yield server


def post(server: PracticeServer, path: str, body: object, token: str = "k") -> httpx.Response:
    return httpx.post(server.url + path, json=body, headers={"authorization": f"Bearer {token}"})


def test_credentials_bring_a_token_that_is_taken(server: PracticeServer) -> None:
    """By Google's own library."""
    credentials = Credentials.from_info(json.loads(server.vertex_credentials("k")), scopes=["x"])
    credentials.refresh(Request())
    assert post(server, f"{GEMINI}:generateContent", ASKED_GEMINI, credentials.token).status_code == 200
    refused = post(server, f"{GEMINI}:generateContent", ASKED_GEMINI, "another")
    assert (refused.status_code, refused.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


def test_each_vendor_speaks_its_own_format(server: PracticeServer) -> None:
    whole = post(server, f"{GEMINI}:generateContent", ASKED_GEMINI).json()
    assert whole["candidates"][0]["content"]["parts"][0]["text"] == "Chào bạn"
    assert b'"candidates"' in post(server, f"{GEMINI}:streamGenerateContent?alt=sse", ASKED_GEMINI).content
    whole = post(server, f"{CLAUDE}:rawPredict", ASKED_CLAUDE).json()
    assert (whole["content"][0]["text"], whole["model"]) == ("Chào bạn", "claude-haiku-4-5")
    streamed = post(server, f"{CLAUDE}:streamRawPredict", ASKED_CLAUDE | {"stream": True})
    assert b"event: message_stop" in streamed.content
    assert {charge.provider for charge in server.bill.charges} == {"vertex_ai"}


@pytest.mark.parametrize("path", [f"{GEMINI}:rawPredict", f"{CLAUDE}:generateContent", f"{GEMINI}:x", MODELS])
def test_another_path_is_not_found(server: PracticeServer, path: str) -> None:
    assert post(server, path, ASKED_GEMINI).status_code == 404


@pytest.mark.parametrize("body", [b"", b"assertion=x.y.z", b"assertion=W10.x", b"\xff"])
def test_what_brings_no_credentials_gets_no_token(server: PracticeServer, body: bytes) -> None:
    assert httpx.post(f"{server.url}/v1/projects/-/token", content=body).status_code == 400
