"""Every prefix that may be configured goes out through the client that LiteLLM is handed, and once."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from orchestrator.catalog.litellm_prefixes import CLIENTS, VERTEX_UPSTREAMS, ClientKind
from orchestrator.practice import PracticeServer
from orchestrator.providers.litellm.loading import load_litellm

NEEDED: dict[str, dict[str, str]] = {
    "azure": {"api_version": "2024-10-21"},
    "bedrock": {"aws_region_name": "us-east-1"},
}
UPSTREAMS = {"bedrock": "anthropic.claude-sonnet-4-5-20250929-v1:0", "vertex_ai": "gemini-2.5-flash"}
ERROR = b'{"error": {"message": "no", "type": "x", "code": "y"}}'


class Ill(BaseHTTPRequestHandler):
    """Counts what comes, and is ill: whoever would send again, does."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.seen.append(json.loads(body))
        self.send_response(503)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(ERROR)))
        self.end_headers()
        self.wfile.write(ERROR)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True, scope="module")
def _tokens() -> Iterator[None]:
    """Vertex AI's are fetched from another server first."""
    with PracticeServer() as practice:
        place = {"vertex_project": "p", "vertex_location": "europe-west4"}
        NEEDED["vertex_ai"] = {**place, "vertex_credentials": practice.vertex_credentials()}
        yield
    del NEEDED["vertex_ai"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Ill)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/base"
    server.shutdown()
    server.server_close()


async def sends_of(
    prefix: str, address: str, *, stream: bool, upstream: str | None = None
) -> tuple[int, int]:
    """Ask once; return how much arrived, and how much of it left through our client."""
    from orchestrator.providers.litellm.http_client import SendOnceClient

    client, left = SendOnceClient(), []
    client.client.event_hooks["request"].append(_noted_in(left))
    arguments = {"api_base": address, "api_key": "k", **NEEDED.get(prefix, {})}
    Ill.seen.clear()
    with pytest.raises(Exception):  # noqa: B017 -- of LiteLLM's own kinds
        async for _ in await load_litellm().acompletion(
            model=f"{prefix}/{upstream or UPSTREAMS.get(prefix, 'some-model')}",
            messages=[{"role": "user", "content": "Xin chào"}],
            client=client.of(CLIENTS[prefix], arguments),
            max_tokens=7,
            max_retries=0,
            num_retries=0,
            stream=stream,
            **arguments,
        ):
            pass
    await client.close()
    return len(Ill.seen), len(left)


def _noted_in(left: list[object]):
    async def note(request: object) -> None:
        left.append(request)

    return note


def test_what_is_carried_is_sent_once_and_by_our_client(address: str) -> None:
    """An ill server is asked again by no hidden retry, and nothing passes our client by."""
    wrong = {}
    for prefix, kind in CLIENTS.items():
        for stream in (True, False) if kind is not ClientKind.OPENAI else (True,):
            sends = asyncio.run(sends_of(prefix, address, stream=stream))
            if sends != (1, 1):
                wrong[prefix, stream] = sends
    assert not wrong


def test_each_kind_of_model_of_vertex_ai_is_sent_once_and_by_our_client(address: str) -> None:
    """LiteLLM sends each vendor's in another format; what is not on the list, by a library of Google's."""
    wrong = {}
    for begin in VERTEX_UPSTREAMS:
        sends = asyncio.run(sends_of("vertex_ai", address, stream=True, upstream=f"{begin}-x"))
        if sends != (1, 1):
            wrong[begin] = sends
    assert not wrong
    assert asyncio.run(sends_of("vertex_ai", address, stream=True, upstream="gemma/gemma-3")) == (0, 0)
