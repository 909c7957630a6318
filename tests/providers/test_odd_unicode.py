"""Half a character from a provider costs neither the answer that was paid for nor its booking."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

HALF, OTHER_HALF = "\\ud83d", "\\ude00"
"""As JSON escapes: together they are 😀."""


def whole(text: str) -> bytes:
    answer = {
        "id": "ID",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "TEXT"}}
        ],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, "cost": 0.00001},
    }
    return json.dumps(answer).replace("ID", f"gen-{HALF}").replace("TEXT", text).encode()


@pytest.fixture
def provider() -> Iterator[ThreadingHTTPServer]:
    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            body = whole(f"chào {HALF}{OTHER_HALF} {HALF}")
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_an_answer_with_half_an_emoji_is_given_kept_and_booked(make_orchestrator, provider):
    orchestrator = make_orchestrator(OPENROUTER_BASE_URL=f"http://127.0.0.1:{provider.server_port}/v1")
    replies = [orchestrator.complete("Xin chào", model="openrouter/gpt-6-luna") for _ in range(2)]
    assert [reply.text for reply in replies] == ["chào 😀 \N{REPLACEMENT CHARACTER}"] * 2
    assert [reply.cached for reply in replies] == ["miss", "hit"]
    assert replies[0].attempts[0].upstream_id == "gen-\N{REPLACEMENT CHARACTER}"
    booked = {(one.spent, one.held) for one in orchestrator.standings() if one.scope == "all"}
    assert booked == {(10_000, 0)}
