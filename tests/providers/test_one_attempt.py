"""What belongs to one attempt stays with it: its failure, its copies, its hold, and its innocence."""

import json
import socket
import threading
from collections.abc import Iterator
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from orchestrator import CacheUse, Orchestrator
from orchestrator.core.errors import InvalidRequestError, LedgerError
from orchestrator.core.reply import CostSource
from orchestrator.practice import PracticeServer
from orchestrator.providers.litellm.loading import load_litellm
from orchestrator.resilience.circuit_breaker import CircuitState
from tests.support.ways import BOTH_WAYS

pytestmark = BOTH_WAYS

GOOGLE, OPENAI = "google/gemini-3.8-flash", "openai/gpt-6.1-sol"
TOOL = {
    "type": "function",
    "function": {
        "name": "find_order",
        "description": "Find an order by its number.",
        "parameters": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {"number": {"type": "string", "default": "DH1", "title": "Number"}},
            "required": ["number"],
            "additionalProperties": False,
        },
    },
}


def ask(orchestrator: Orchestrator, prompt: object = "Xin chào", **overrides: object):
    return orchestrator.complete(prompt, cache=CacheUse.OFF, max_tokens=50, **overrides)


def ask_either_way(orchestrator: Orchestrator, *, stream: bool):
    """Return the reply to one question, read whole or in pieces."""
    if not stream:
        return ask(orchestrator)
    pieces = orchestrator.stream("Xin chào", cache=CacheUse.OFF, max_tokens=50)
    for _ in pieces:
        pass
    return pieces.reply


def two_step(make_orchestrator, first: str, second: str, **environment: str) -> Orchestrator:
    """An orchestrator whose customer service asks `first`, then `second`."""
    steps = {
        "primary": {"deployment": first, "reason": "first"},
        "fallbacks": [{"deployment": second, "reason": "second"}],
    }
    return make_orchestrator({"use_cases": {"customer_service": steps}}, **environment)


FIRST_OF = {"openrouter": "openrouter/gpt-6-luna", "google": GOOGLE, "openai": "openai/gpt-6-luna"}
PAIRS = [(first, second) for first in FIRST_OF for second in FIRST_OF if first != second]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_failure_is_read_from_its_own_exception_alone(
    make_orchestrator, practice: PracticeServer, first: str, second: str, stream: bool
) -> None:
    """The second one's 503 comes inside the `except` of the first one's 429, and is no rate limit of its own."""
    orchestrator = two_step(make_orchestrator, FIRST_OF[first], FIRST_OF[second])
    practice.faults.add(f"{first}:status=429,retry_after_s=59", f"{second}:status=503,times=1")
    reply = ask_either_way(orchestrator, stream=stream)
    failures = {row.deployment: (row.failure, row.status) for row in reply.attempts if row.failure}
    assert failures[FIRST_OF[first]] == ("rate_limited", 429)
    assert failures[FIRST_OF[second]] == ("unavailable", 503)
    practice.faults.clear()
    # It asked for no rest, so it is there for the next request.
    assert ask(orchestrator, model=FIRST_OF[second]).deployment == FIRST_OF[second]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_broken_answer_after_another_providers_402_may_be_billed(
    make_orchestrator, practice: PracticeServer, first: str, second: str, stream: bool, way: str
) -> None:
    orchestrator = two_step(make_orchestrator, FIRST_OF[first], FIRST_OF[second])
    practice.faults.add(f"{first}:status=402", f"{second}:malformed_body,times=1")
    reply = ask_either_way(orchestrator, stream=stream)
    broken = next(row for row in reply.attempts if row.deployment == FIRST_OF[second])
    # LiteLLM tells no event that is none from an end.
    kinds = {"malformed"} if way == "wire" or not stream else {"malformed", "interrupted", "empty"}
    assert (broken.failure in kinds, broken.status) == (True, None)
    assert broken.cost_source is CostSource.BOUND


def test_a_ledger_that_cannot_be_written_at_a_hop_is_told_to_the_caller(
    make_orchestrator, practice: PracticeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM would swallow it, and go on without the deployment for which no money could be held."""
    orchestrator = two_step(make_orchestrator, "openrouter/gpt-6-luna", GOOGLE)
    practice.faults.add("openrouter:status=503")
    ledger = orchestrator._services.ledger
    hold = ledger.ahold

    async def full(request, **waiting):
        if request.deployment == GOOGLE:
            raise LedgerError("the disk is full; free some space")
        return await hold(request, **waiting)

    monkeypatch.setattr(ledger, "ahold", full)
    with pytest.raises(LedgerError, match="free some space"):
        ask(orchestrator)


def test_each_hop_sends_the_callers_own_messages_and_tools(
    make_orchestrator, practice: PracticeServer
) -> None:
    """Google's transform changes schemas and messages; neither the caller nor the next provider sees it."""
    orchestrator = two_step(make_orchestrator, GOOGLE, "openrouter/claude-sonnet-5.5")
    practice.faults.add("google:status=503")
    cached = {"type": "text", "text": "Đơn DH1 đâu?", "cache_control": {"type": "ephemeral"}}
    messages, tools = [{"role": "user", "content": [cached]}], [deepcopy(TOOL)]
    before = deepcopy((messages, tools))
    reply = ask(orchestrator, messages, tools=tools)
    assert reply.deployment == "openrouter/claude-sonnet-5.5"
    assert (messages, tools) == before
    sent = practice.requests[-1].body
    assert sent is not None
    assert sent["tools"] == [TOOL]
    assert sent["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize("name", [GOOGLE, OPENAI, "openrouter/gpt-6-luna"])
def test_a_request_that_no_wire_can_carry_says_so_and_opens_no_circuit(
    make_orchestrator, practice: PracticeServer, name: str
) -> None:
    orchestrator = make_orchestrator({"local_model": {"enabled": False}})
    orphan = [{"role": "tool", "tool_call_id": "call_1", "content": "nothing asked for this"}]
    image = [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "AA=="}}]}]
    for messages in (orphan, image) * 3:
        with pytest.raises(InvalidRequestError, match="message 0"):
            ask(orchestrator, messages, model=name)
    assert set(orchestrator.circuits().values()) <= {CircuitState.CLOSED}
    assert practice.requests == ()


class ResponsesApi(BaseHTTPRequestHandler):
    """OpenAI's Responses API, as far as a function tool needs it; its shape is that of the vendor's reference."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append((self.path, body))  # type: ignore[attr-defined]
        call = {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "find_order",
            "arguments": '{"number": "DH1"}',
            "status": "completed",
        }
        answer = {
            "id": "resp_1",
            "object": "response",
            "created_at": 1764300000,
            "status": "completed",
            "model": body["model"],
            "output": [call],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": body["tools"],
            "usage": {
                "input_tokens": 60,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": 12,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": 72,
            },
        }
        data, kind = json.dumps(answer).encode(), "application/json"
        if body.get("stream"):
            events = list(_events(answer, call))
            data = b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events)
            kind = "text/event-stream"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def _events(answer: dict, call: dict) -> Iterator[dict]:
    """The events of a stream, by the vendor's reference."""
    place = {"output_index": 0, "item_id": call["id"]}
    yield {
        "type": "response.created",
        "response": {**answer, "status": "in_progress", "output": [], "usage": None},
    }
    yield {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {**call, "arguments": "", "status": "in_progress"},
    }
    for piece in ('{"number":', ' "DH1"}'):
        yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
    yield {"type": "response.function_call_arguments.done", **place, "arguments": call["arguments"]}
    yield {"type": "response.output_item.done", "output_index": 0, "item": call}
    yield {"type": "response.completed", "response": answer}


@pytest.fixture
def openai_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """A server that is `api.openai.com` to this process: LiteLLM goes by the name of the host."""
    # Within the deadline of a request a busy machine may not load it.
    load_litellm()
    server = ThreadingHTTPServer(("127.0.0.1", 0), ResponsesApi)
    server.seen = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    look_up = socket.getaddrinfo

    def resolve(host, *rest, **named):
        return look_up("127.0.0.1" if host in {"api.openai.com", b"api.openai.com"} else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_bridge_to_another_api_belongs_to_its_attempt_and_its_hold(
    make_orchestrator, openai_host: ThreadingHTTPServer, stream: bool
) -> None:
    """Function tools of newer models go through the Responses API on OpenAI's own host: one attempt, one hold."""
    address = f"http://api.openai.com:{openai_host.server_address[1]}/v1"
    orchestrator = make_orchestrator(OPENAI_BASE_URL=address)
    if stream:
        pieces = orchestrator.stream(
            "Xin chào", cache=CacheUse.OFF, max_tokens=50, model=OPENAI, tools=[TOOL]
        )
        for _ in pieces:
            pass
        reply = pieces.reply
    else:
        reply = ask(orchestrator, model=OPENAI, tools=[TOOL])
    assert [(call.name, json.loads(call.arguments)) for call in reply.tool_calls] == [
        ("find_order", {"number": "DH1"})
    ]
    assert [path for path, _ in openai_host.seen] == ["/v1/responses"]  # type: ignore[attr-defined]
    assert len(reply.attempts) == 1
    assert reply.usage.input_tokens == 60
    assert reply.cost_nusd > 0
    day = next(row for row in orchestrator.standings() if row.scope == "all" and row.window == "day")
    assert (day.spent, day.held) == (reply.cost_nusd, 0)
    _, body = openai_host.seen[0]  # type: ignore[attr-defined]
    assert body["max_output_tokens"] == 50
