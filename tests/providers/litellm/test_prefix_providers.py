"""Providers of kind litellm, end to end: whole, streamed, with tools, faults, budgets, and the bill."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

from orchestrator import CacheUse, Orchestrator
from orchestrator.core.errors import BudgetExceededError, RejectedByProviderError
from orchestrator.core.reply import ChatReply, CostSource
from orchestrator.practice import Fault, PracticeAnswer, PracticeServer, PracticeToolCall, Scripted
from orchestrator.practice.server import SeenRequest
from orchestrator.providers.litellm.loading import load_litellm
from tests.providers.test_one_attempt import ResponsesApi
from tests.providers.wire.misbehaving import Exchanged, serving
from tests.support.prefixed import (
    AZURE,
    CLAUDE,
    DEEPSEEK,
    KEY,
    PRACTICED,
    UPSTREAMS,
    VERTEX_CLAUDE,
    prefixed,
    prefixed_server,
)

ALL = pytest.mark.parametrize("name", PRACTICED)
OF_EACH_WIRE = pytest.mark.parametrize("name", [name for name in PRACTICED if name != VERTEX_CLAUDE])
"""Vertex AI carries Anthropic's wire."""
WHOLE_AND_STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> None:
    """Within the deadline of a request a busy machine may not load it."""
    load_litellm()


@pytest.fixture
def server() -> Iterator[PracticeServer]:
    with prefixed_server() as server:
        yield server


def ask(
    orchestrator: Orchestrator, *, stream: bool = False, prompt: object = "Xin chào", **more
) -> ChatReply:
    overrides = {"cache": CacheUse.OFF, "max_tokens": 200, **more}
    if not stream:
        return orchestrator.complete(prompt, **overrides)
    with orchestrator.stream(prompt, **overrides) as pieces:
        seen = list(pieces)
    assert "".join(delta.text for delta in seen) == pieces.reply.text
    assert "".join(delta.reasoning for delta in seen) == pieces.reply.reasoning.text
    return pieces.reply


def asked(server: PracticeServer) -> list[SeenRequest]:
    """Requests for an answer; Vertex AI is asked for a token before."""
    return [seen for seen in server.requests if seen.model is not None]


def booked(orchestrator: Orchestrator) -> tuple[int, int]:
    standing = next(each for each in orchestrator.standings() if (each.scope, each.window) == ("all", "day"))
    return standing.spent, standing.held


@ALL
def test_an_answer_comes_whole_and_in_pieces_and_costs_what_is_billed(
    make_orchestrator, server: PracticeServer, name: str
) -> None:
    orchestrator = make_orchestrator(prefixed(server, name))
    for stream in (False, True):
        reply = ask(orchestrator, stream=stream)
        assert reply.deployment == name
        assert "Xin chào" in reply.text
        assert reply.finish_reason == "stop"
        (row,) = reply.attempts
        assert row.cost_source is CostSource.PRICE_BOOK
    assert booked(orchestrator) == (server.bill.total_nusd(PRACTICED[name]), 0)
    assert server.bill.total_nusd() > 0


TOOL = {
    "type": "function",
    "function": {
        "name": "find_order",
        "description": "Find an order by its number.",
        "parameters": {
            "type": "object",
            "properties": {"number": {"type": "string"}},
            "required": ["number"],
        },
    },
}
QUESTION = {"role": "user", "content": "Where is order DH1001?"}


@ALL
def test_a_tool_is_called_and_its_result_goes_back(make_orchestrator, name: str) -> None:
    call = PracticeToolCall("find_order", '{"number": "DH1001"}')
    answerer = Scripted([PracticeAnswer(tool_calls=(call,)), PracticeAnswer("It is on its way.")])
    with prefixed_server(answerer=answerer) as server:
        orchestrator = make_orchestrator(prefixed(server, name))
        # What LiteLLM loads with a first tool may take a busy machine seconds; a second send gets another answer.
        asked = ask(orchestrator, stream=True, prompt=[QUESTION], tools=[TOOL], deadline_s=600)
        (made,) = asked.tool_calls
        assert (made.name, json.loads(made.arguments)) == ("find_order", {"number": "DH1001"})
        assert asked.finish_reason == "tool_calls"
        turn = {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": made.id,
                    "type": "function",
                    "function": {"name": made.name, "arguments": made.arguments},
                }
            ],
        }
        result = {"role": "tool", "tool_call_id": made.id, "content": "left this morning"}
        told = ask(orchestrator, prompt=[QUESTION, turn, result], tools=[TOOL], deadline_s=600)
        assert told.text == "It is on its way."
        assert "left this morning" in json.dumps(server.requests[-1].body)
        assert booked(orchestrator) == (server.bill.total_nusd(), 0)


@ALL
def test_a_form_of_answer_is_kept_to(make_orchestrator, server: PracticeServer, name: str) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "trip", "schema": schema, "strict": True}}
    reply = ask(make_orchestrator(prefixed(server, name)), prompt="3 days in Huế", response_format=form)
    assert set(json.loads(reply.text)) == {"city", "days"}


FAULTS = [
    ("status=500", "server_error", 500),
    ("status=503", "unavailable", 503),
    ("status=529", "unavailable", 529),
    ("status=401", "unauthorized", 401),
    ("status=404", "model_not_found", 404),
    ("status=400,reason=context_length", "context_overflow", 400),
    ("reset", "disconnected", None),
    ("malformed_body", "malformed", None),
    ("cut_stream=0", "disconnected", None),
    # Last, for it is left alone for a minute then.
    ("status=429,retry_after_s=60", "rate_limited", 429),
]


@OF_EACH_WIRE
@WHOLE_AND_STREAM
def test_a_fault_is_answered_by_the_next_provider(
    make_orchestrator, server: PracticeServer, practice, name: str, stream: bool
) -> None:
    """What the provider really did is in the books, and another kind of provider answers."""
    changes = prefixed(server, name, "google/gemini-3.8-flash")
    orchestrator = make_orchestrator(changes | {"circuit_breaker": {"failures": 10**6}})
    for fault, kind, status in FAULTS:
        server.faults.clear()
        server.faults.add(Fault.parse(f"{PRACTICED[name]}:{fault}"))
        sent = len(asked(server))
        reply = ask(orchestrator, stream=stream)
        assert reply.deployment == "google/gemini-3.8-flash", fault
        failed = reply.attempts[0]
        assert (failed.deployment, failed.failure, failed.status) == (name, kind, status), fault
        assert (failed.cost_nusd > 0) == (status is None), fault
        assert len(asked(server)) - sent == sum(row.deployment == name for row in reply.attempts), fault


@ALL
def test_one_of_the_other_kinds_falls_back_to_it(
    make_orchestrator, server: PracticeServer, practice, name: str
) -> None:
    practice.faults.add("openrouter:status=503")
    reply = ask(make_orchestrator(prefixed(server, "openrouter/gpt-6.1-sol", name)))
    assert reply.deployment == name


@ALL
def test_nothing_is_sent_that_the_budget_does_not_hold(
    make_orchestrator, server: PracticeServer, name: str
) -> None:
    changes = prefixed(server, name)
    changes["budgets"] = {"limits": [{"scope": f"provider:{name.partition('/')[0]}", "day": 0.000001}]}
    with pytest.raises(BudgetExceededError):
        ask(make_orchestrator(changes), model=name)
    assert not server.requests


@ALL
def test_the_key_stays_in_its_header(make_orchestrator, server: PracticeServer, name: str, caplog) -> None:
    """The server takes no other key, and what it saw beside holds none; nor does a log of LiteLLM's."""
    caplog.set_level("DEBUG")
    told: list[object] = []
    litellm = load_litellm()
    litellm.success_callback.append(told.append)
    try:
        ask(make_orchestrator(prefixed(server, name)), prompt="a secret prompt")
    finally:
        litellm.success_callback.remove(told.append)
    (seen,) = asked(server)
    assert KEY not in repr(seen)
    assert KEY not in caplog.text
    assert "a secret prompt" not in caplog.text
    assert not told


def test_azures_filter_and_version_are_its_own(make_orchestrator, server: PracticeServer) -> None:
    """A prompt that its filter blocks is filtered, and no bad request that ends the walk."""
    orchestrator = make_orchestrator(prefixed(server, AZURE, CLAUDE))
    server.faults.add("azure:status=400,reason=content_filter")
    with pytest.raises(RejectedByProviderError):
        ask(orchestrator)
    (seen,) = server.requests
    assert seen.path == f"/azure/openai/deployments/{UPSTREAMS[AZURE]}/chat/completions"


def test_anthropics_cache_is_priced_as_written_and_as_read(make_orchestrator, server: PracticeServer) -> None:
    """What is stored costs more than input and what is read less, to the last nano-dollar."""
    orchestrator = make_orchestrator(prefixed(server, CLAUDE))
    text = {
        "type": "text",
        "text": "Chính sách " * 2_000,
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
    }
    prompt = [{"role": "system", "content": [text]}, {"role": "user", "content": "Xin chào"}]
    written, read = ask(orchestrator, prompt=prompt), ask(orchestrator, prompt=prompt, stream=True)
    assert written.attempts[0].usage.cache_write_tokens > 1024
    assert read.attempts[0].usage.cached_input_tokens > 1024
    assert booked(orchestrator) == (server.bill.total_nusd(), 0)
    marks = [block["cache_control"] for seen in server.requests for block in seen.body["system"]]
    assert marks == [{"type": "ephemeral"}] * 2


@WHOLE_AND_STREAM
def test_thought_is_paid_for_as_output(make_orchestrator, stream: bool) -> None:
    answerer = Scripted([PracticeAnswer("Sau khi nghĩ.", reasoning_tokens=77)])
    with prefixed_server(answerer=answerer) as server:
        orchestrator = make_orchestrator(prefixed(server, CLAUDE))
        reply = ask(orchestrator, stream=stream)
        assert reply.text == "Sau khi nghĩ."
        assert reply.attempts[0].usage.output_tokens > 77
        assert booked(orchestrator) == (server.bill.total_nusd(), 0)


@pytest.mark.parametrize("name", [CLAUDE, DEEPSEEK])
@WHOLE_AND_STREAM
def test_thoughts_come_out_and_go_back_to_their_vendor_alone(
    make_orchestrator, name: str, stream: bool
) -> None:
    """Anthropic refuses a thought without its signature, and one of another model's."""
    call = PracticeToolCall("find_order", '{"number": "DH1001"}')
    thought = "It is about an order: look it up."
    answerer = Scripted([PracticeAnswer(tool_calls=(call,), reasoning=thought), "On its way.", "On its way."])
    with prefixed_server(answerer=answerer) as server:
        orchestrator = make_orchestrator(prefixed(server, name))
        fields = {"tools": [TOOL], "max_tokens": 2_000, "reasoning_effort": "low"}
        asked = ask(orchestrator, prompt=[QUESTION], stream=stream, **fields)
        assert asked.reasoning.text == thought
        assert asked.reasoning.vendor == ("anthropic" if name == CLAUDE else "deepseek")
        result = {"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": "left this morning"}
        conversation = [QUESTION, asked.as_message(), result]
        assert ask(orchestrator, prompt=conversation, **fields).text == "On its way."
        sent = server.requests[-1].body["messages"][1]
        if name == CLAUDE:
            block = sent["content"][0]
            assert (block["type"], block["thinking"]) == ("thinking", thought)
        else:
            assert sent["reasoning_content"] == thought
        other = DEEPSEEK if name == CLAUDE else CLAUDE
        elsewhere = ask(orchestrator, prompt=conversation, model=other, tools=[TOOL])
        assert any("came from another vendor" in notice for notice in elsewhere.notices)
        assert thought not in json.dumps(server.requests[-1].body)
        assert "reasoning_vendor" not in json.dumps([seen.body for seen in server.requests])


def test_more_thought_than_is_held_for_is_not_sent(make_orchestrator, server: PracticeServer) -> None:
    """LiteLLM asks Anthropic for 4,096 tokens of thought at high effort; held is money for 200."""
    reply = ask(make_orchestrator(prefixed(server, CLAUDE, DEEPSEEK)), reasoning_effort="high")
    assert reply.deployment == DEEPSEEK
    assert (reply.attempts[0].failure, reply.attempts[0].cost_nusd) == ("not_sent", 0)
    assert [seen.provider for seen in server.requests] == ["compatible"]


def test_what_a_model_does_not_take_is_told(make_orchestrator, server: PracticeServer) -> None:
    reply = ask(make_orchestrator(prefixed(server, CLAUDE)), seed=7)
    assert any("'seed'" in notice for notice in reply.notices)


def test_what_litellm_drops_without_a_word_is_told(make_orchestrator) -> None:
    """It says that GPT-5.2 at Azure takes a temperature, and sends none beside an effort."""
    with PracticeServer(api_keys={KEY}) as server:
        check_what_is_dropped(server, make_orchestrator)


def check_what_is_dropped(server: PracticeServer, make_orchestrator) -> None:
    changes = prefixed(server, AZURE)
    changes["deployments"][AZURE]["price"] = {
        "input": 1,
        "output": 1,
        "source": "tests",
        "date": "2026-11-23",
    }
    changes["deployments"][AZURE]["upstream"] = "gpt-5.2"
    reply = ask(make_orchestrator(changes), temperature=0.3, reasoning_effort="low")
    assert "temperature" not in server.requests[-1].body
    assert any("'temperature' is not taken by gpt-5.2" in notice for notice in reply.notices)


@OF_EACH_WIRE
@WHOLE_AND_STREAM
def test_an_end_that_nobody_knows_is_no_answer(make_orchestrator, practice, name: str, stream: bool) -> None:
    """LiteLLM would call it `stop`."""
    with prefixed_server(
        answerer=Scripted([PracticeAnswer("Nửa câu", finish_reason="pause_turn")])
    ) as server:
        orchestrator = make_orchestrator(prefixed(server, name, "google/gemini-3.8-flash"))
        reply = ask(orchestrator, stream=stream)
        assert reply.deployment == "google/gemini-3.8-flash"
        assert reply.attempts[0].failure in {"interrupted", "malformed"}
        assert reply.attempts[0].cost_nusd == server.bill.total_nusd()


def test_azures_newer_models_call_tools_over_the_bridge_within_their_hold(make_orchestrator, server) -> None:
    """LiteLLM carries their function tools over to the Responses API, by a call inside the call."""
    api = ThreadingHTTPServer(("127.0.0.1", 0), ResponsesApi)
    api.seen = []
    threading.Thread(target=api.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{api.server_port}"
        changes = prefixed(server, AZURE, providers={"azure": {"base_url": address}})
        changes["deployments"][AZURE] |= {"upstream": "gpt-6.1-sol", "price": STATED}
        orchestrator = make_orchestrator(changes)
        reply = ask(orchestrator, prompt=[QUESTION], tools=[TOOL])
    finally:
        api.shutdown()
        api.server_close()
    assert [call.name for call in reply.tool_calls] == ["find_order"]
    ((path, body),) = api.seen
    assert path.startswith("/openai/")
    assert body["max_output_tokens"] == 200
    # 60 tokens at $1 and 12 at $2 a million.
    assert booked(orchestrator) == (84_000, 0)


STATED = {"input": 1, "output": 2, "source": "tests", "date": "2026-11-23"}


@WHOLE_AND_STREAM
async def test_a_letter_in_a_header_loses_no_answer(
    make_orchestrator, server: PracticeServer, stream: bool
) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    head = {"id": "a", "created": 1, "model": "deepseek-chat"}

    async def answer(exchanged: Exchanged) -> None:
        ended = {"index": 0, "finish_reason": "stop"}
        words = {"role": "assistant", "content": "Chào"}
        told = {**head, "choices": [{**ended, "delta" if stream else "message": words}], "usage": usage}
        body = json.dumps(told).encode()
        if stream:
            body = b"data: " + body + b"\n\ndata: [DONE]\n\n"
        await exchanged.answer(body, headers="x-served-by: Hà Nội\r\n", json=not stream)

    async with serving(answer) as vendor:
        address = {"deepseek": {"base_url": vendor.base_url}}
        orchestrator = make_orchestrator(prefixed(server, DEEPSEEK, providers=address))
        reply = await asyncio.to_thread(ask, orchestrator, stream=stream)
    assert (reply.text, len(reply.attempts)) == ("Chào", 1)
    assert reply.cost_nusd > 0
