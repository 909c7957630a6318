"""What leaves for a guarded call is what money is held for: its model, its size, once."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import litellm
import orjson
import pytest
from litellm.integrations.custom_logger import CustomLogger
from pydantic import BaseModel

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.errors import InvalidRequestError, OrchestratorError
from orchestrator.metering.leaving import Leave
from orchestrator.practice import PracticeServer
from orchestrator.providers.litellm.sending import Sending, in_this_task
from tests.metering import test_budget_guard as with_guard
from tests.metering.test_budget_guard import HELLO, MODELS, operations, sources, standing

practice, make_guard, guard, to = (
    with_guard.practice,
    with_guard.make_guard,
    with_guard.guard,
    with_guard.to,
)

PADDING = "chào " * 400


class Meddling(CustomLogger):
    """A hook that changes a call after the guard has held for it."""

    def __init__(self, changes: dict[str, Any]) -> None:
        super().__init__()
        self.changes = changes

    async def async_pre_call_deployment_hook(self, kwargs: dict[str, Any], call_type: Any) -> Any:
        return {**kwargs, **self.changes}


@pytest.fixture
def listed() -> Iterator[Callable[[CustomLogger], CustomLogger]]:
    """Put a callback into LiteLLM's list for one test."""
    added: list[CustomLogger] = []

    def add(callback: CustomLogger) -> CustomLogger:
        litellm.callbacks.append(callback)
        added.append(callback)
        return callback

    yield add
    for callback in added:
        litellm.callbacks.remove(callback)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "changes",
    [{"max_tokens": 4_000}, {"n": 4}, {"messages": HELLO * 400}, {"model": "another"}],
    ids=["limit", "answers", "messages", "model"],
)
async def test_a_call_that_a_hook_has_changed_does_not_leave(
    guard, practice: PracticeServer, to, listed, model: str, changes: dict[str, Any]
) -> None:
    prefix, _, name = model.rpartition("/")
    listed(Meddling({**changes, "model": f"{prefix}/another-{name}"} if "model" in changes else changes))
    with pytest.raises(InvalidRequestError, match="nothing was sent"):
        await litellm.acompletion(**to(model))
    assert (practice.requests, standing(guard)) == ((), (0, 0))
    assert sources(guard) == ["none"]


SEARCHES = {"web_search_options": {}}
GOOGLES = {"googleSearch": {}}


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        (MODELS[0], {"extra_body": {"web_search_options": {}}}),
        (MODELS[0], {"service_tier": "priority"}),
        (MODELS[0], {"extra_body": {"previous_response_id": "resp_1"}}),
        (MODELS[1], SEARCHES),
        (MODELS[1], {"tools": [GOOGLES]}),
        (MODELS[1], {"extra_body": {"cachedContent": "cachedContents/1"}}),
        (MODELS[1], {"modalities": ["image"]}),
        (MODELS[1], {"extra_body": {"generation_config": {"response_modalities": ["IMAGE"]}}}),
        (MODELS[2], {"extra_body": {"plugins": [{"id": "web"}]}}),
        (MODELS[2], {"extra_body": {"models": ["anthropic/claude-opus-5.5"]}}),
        (MODELS[2], SEARCHES),
    ],
)
async def test_what_no_bound_is_known_of_does_not_leave(
    guard, practice: PracticeServer, to, listed, model: str, changes: dict[str, Any]
) -> None:
    """Sizes say nothing of a search, another class of service or a prompt that the vendor has kept."""
    listed(Meddling(changes))
    with pytest.raises(InvalidRequestError, match="nothing was sent"):
        await litellm.acompletion(**to(model))
    assert (practice.requests, standing(guard)) == ((), (0, 0))


@pytest.mark.parametrize("model", MODELS)
async def test_a_call_leaves_for_the_host_that_it_was_priced_at(
    guard, practice: PracticeServer, to, listed, model: str
) -> None:
    with PracticeServer() as other:
        kind = {"gemini": "google"}.get(model.partition("/")[0], model.partition("/")[0])
        listed(Meddling({"api_base": other.base_url(kind)}))
        with pytest.raises(InvalidRequestError, match="another host"):
            await litellm.acompletion(**to(model))
        assert (practice.requests, other.requests, standing(guard)) == ((), (), (0, 0))


@pytest.mark.parametrize("model", MODELS)
async def test_a_call_priced_over_tls_does_not_leave_in_plain_text(
    guard, practice: PracticeServer, to, listed, model: str
) -> None:
    """At the same host: who listens on the way would read the key and the prompt."""
    call = to(model)
    listed(Meddling({"api_base": call["api_base"]}))
    safe = call["api_base"].replace("http://", "https://")
    with pytest.raises(InvalidRequestError, match="another host than 'https://"):
        await litellm.acompletion(**{**call, "api_base": safe})
    assert (practice.requests, standing(guard)) == ((), (0, 0))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("how", ["completion", "acompletion"])
@pytest.mark.parametrize(
    ("setting", "value", "why"),
    [
        ("model_fallbacks", ["openai/gpt-6-astra"], "model_fallbacks"),
        ("use_litellm_proxy", True, "nothing was sent|no price"),
    ],
)
async def test_a_setting_of_litellms_leads_nowhere_else(
    guard,
    practice: PracticeServer,
    to,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    how: str,
    setting: str,
    value: Any,
    why: str,
) -> None:
    """With `model_fallbacks` LiteLLM asked itself without an end."""
    monkeypatch.setattr(litellm, setting, value)
    with pytest.raises(OrchestratorError, match=why):
        if how == "completion":
            litellm.completion(**to(model))
        else:
            await litellm.acompletion(**to(model))
    assert (practice.requests, standing(guard)) == ((), (0, 0))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("how", ["completion", "stream", "acompletion", "astream"])
async def test_an_alias_of_litellms_leads_to_no_model_without_a_hold(
    guard, practice: PracticeServer, to, monkeypatch: pytest.MonkeyPatch, model: str, how: str
) -> None:
    """It is read after the model was priced: the bill was another model's."""
    prefix, _, name = model.partition("/")
    monkeypatch.setattr(litellm, "model_alias_map", {name: "gpt-6-astra", model: f"{prefix}/gpt-6-astra"})
    with pytest.raises(InvalidRequestError, match="nothing was sent"):
        await read(how, to(model))
    assert (practice.requests, standing(guard)) == ((), (0, 0))


async def read(how: str, arguments: dict[str, Any]) -> None:
    """Make a call in one of four ways, and read all of its answer."""
    match how:
        case "completion":
            litellm.completion(**arguments)
        case "stream":
            # Gemini's is asked for with its first piece.
            list(litellm.completion(**arguments, stream=True))
        case "acompletion":
            await litellm.acompletion(**arguments)
        case _:
            [piece async for piece in await litellm.acompletion(**arguments, stream=True)]


def nested(depth: int) -> dict[str, Any]:
    """Return a small schema that is large without its references: each level names the one below twice."""
    levels: dict[str, Any] = {"L0": {"type": "object", "properties": {"x": {"type": "string"}}}}
    for level in range(1, depth):
        below = {"$ref": f"#/$defs/L{level - 1}"}
        levels[f"L{level}"] = {"type": "object", "properties": {"left": below, "right": dict(below)}}
    return {"type": "object", "properties": {"top": {"$ref": f"#/$defs/L{depth - 1}"}}, "$defs": levels}


async def test_a_schema_that_litellm_writes_out_beyond_what_is_held_does_not_leave(
    guard, practice: PracticeServer, to
) -> None:
    tool = {"type": "function", "function": {"name": "find", "parameters": nested(10)}}
    with pytest.raises(InvalidRequestError, match="more than money is held for"):
        await litellm.acompletion(**to("gemini/gemini-3.8-flash", tools=[tool]))
    assert (practice.requests, standing(guard)) == ((), (0, 0))


class Place(BaseModel):
    """A place."""

    street: str
    city: str


class Person(BaseModel):
    """A person."""

    name: str
    home: Place
    work: Place


FIND = {"name": "find", "description": "Finds.", "parameters": {"type": "object", "properties": {"q": {"type": "string"}}}}  # fmt: skip
CALLED = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"q": "Huế"}'}}
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("how", ["completion", "acompletion"])
@pytest.mark.parametrize(
    "more",
    [
        {"messages": [{"role": "system", "content": "s"}]},
        {"messages": [{"role": "system", "content": "s"}, *HELLO]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]},
        {"messages": [*HELLO, {"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}]},
        {
            "messages": [
                *HELLO,
                {"role": "assistant", "content": None, "tool_calls": [CALLED]},
                {"role": "tool", "tool_call_id": "call_1", "content": "Huế"},
            ],
            "tools": [{"type": "function", "function": FIND}],
        },
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]}]},
        {"response_format": Place},
        {"response_format": Person},
        {"response_format": {"type": "json_object"}},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": Person.model_json_schema()}}]},
        {"messages": [litellm.Message(role="user", content="hi")]},
    ],
    ids=["system", "both", "parts", "turns", "tools", "picture", "small", "nested", "json", "refs", "object"],
)  # fmt: skip
async def test_what_litellm_writes_of_an_honest_call_is_what_is_held_for(
    guard, practice: PracticeServer, to, model: str, how: str, more: dict[str, Any]
) -> None:
    if how == "completion":
        litellm.completion(**to(model, **more))
    else:
        await litellm.acompletion(**to(model, **more))
    practice.wait_idle()
    assert len(practice.requests) == 1
    assert standing(guard) == (practice.bill.total_nusd(), 0)


async def test_a_task_that_outlives_its_send_has_no_leave_for_others(
    guard, practice: PracticeServer, to, listed
) -> None:
    """LiteLLM runs the callbacks of a success in a task that was begun in the send."""

    class Asking(CustomLogger):
        errors: list[Exception]

        async def async_log_success_event(self, **_: Any) -> None:
            past_it = {
                "model": MODELS[0],
                "messages": HELLO,
                "api_base": to(MODELS[0])["api_base"],
                "api_key": "k",
            }
            embedded = {**past_it, "model": "openai/text-embedding-3-small", "input": ["x"]}
            del embedded["messages"]
            self.errors = []
            for ask, arguments in (
                (litellm.acompletion.__wrapped__, past_it),
                (litellm.aembedding, embedded),
            ):
                try:
                    await ask(**arguments)
                except Exception as error:  # noqa: BLE001 -- LiteLLM raises anything
                    self.errors.append(error)
            done.set()

    done = asyncio.Event()
    asking = listed(Asking())
    await litellm.acompletion(**to(MODELS[0]))
    async with asyncio.timeout(60):
        await done.wait()
    assert ["goes past it" in str(error) for error in asking.errors] == [True, True]
    practice.wait_idle()
    assert standing(guard) == (practice.bill.total_nusd(), 0)
    assert len(operations(guard)) == len(practice.requests) == 1


async def test_a_hook_that_embeds_within_a_call_is_stopped(
    guard, practice: PracticeServer, to, listed
) -> None:
    """As a hook does that adds what it finds to the prompt."""
    base = to(MODELS[0])["api_base"]

    class Embedding(CustomLogger):
        async def async_pre_call_deployment_hook(self, kwargs: dict[str, Any], call_type: Any) -> Any:
            if getattr(call_type, "value", call_type) == "acompletion":
                await litellm.aembedding(
                    model="openai/text-embedding-3-small", input=["x"], api_base=base, api_key="k"
                )
            return kwargs

    listed(Embedding())
    with pytest.raises(InvalidRequestError, match="aembedding"):
        await litellm.acompletion(**to(MODELS[0]))
    assert (practice.requests, standing(guard)) == ((), (0, 0))


ONE = {"role": "user", "content": "Xin chào"}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "messages",
    [(ONE,), [litellm.Message(role="user", content="hi")], [{"role": "assistant", "tool_calls": []}, ONE]],
    ids=["tuple", "object", "no content"],
)
def test_no_messages_lead_the_unmetered_completion_past_the_guard(
    guard, practice: PracticeServer, to, model: str, messages: Any
) -> None:
    """LiteLLM asks its `pre_call_rules` for a list that begins with a mapping with a content alone."""
    with pytest.raises(InvalidRequestError, match="goes past it"):
        litellm.completion.__wrapped__(**to(model, messages=messages))
    assert (practice.requests, standing(guard)) == ((), (0, 0))


DOORS = {
    "text_completion": {"model": "openai/gpt-6-luna", "prompt": "hi"},
    "embedding": {"model": "openai/text-embedding-3-small", "input": ["hi"]},
    "image_generation": {"model": "openai/dall-e-3", "prompt": "hi"},
    "speech": {"model": "openai/tts-1", "input": "hi", "voice": "alloy"},
    "responses": {"model": "openai/gpt-6-luna", "input": "hi"},
    "rerank": {"model": "cohere/rerank-v3.5", "query": "hi", "documents": ["a"]},
}


@pytest.mark.parametrize("door", DOORS)
def test_synchronous_doors_without_a_meter_are_closed(guard, practice: PracticeServer, to, door: str) -> None:
    at = {name: value for name, value in to(MODELS[0]).items() if name in {"api_base", "api_key"}}
    with pytest.raises(Exception, match="goes past it"):
        getattr(litellm, door)(**DOORS[door], **at)
    assert (practice.requests, standing(guard)) == ((), (0, 0))
    litellm.callbacks.remove(guard)
    try:
        if door == "embedding":
            assert litellm.embedding(**DOORS[door], **at)
    finally:
        litellm.callbacks.append(guard)


def test_a_synchronous_call_within_what_an_orchestrator_sends_pays_for_itself(
    guard, practice: PracticeServer, to
) -> None:
    """As a hook of the program's makes it."""
    with in_this_task(Sending(source=None)):
        litellm.completion(**to(MODELS[0]))
    practice.wait_idle()
    assert standing(guard) == (practice.bill.total_nusd(), 0) != (0, 0)


async def test_of_two_guards_the_first_is_on_duty(make_guard, practice: PracticeServer, to) -> None:
    first, second = make_guard(tenant="acme"), make_guard(tenant="globex")
    await litellm.acompletion(**to(MODELS[0]))
    practice.wait_idle()
    assert standing(first) == (practice.bill.total_nusd(), 0)
    assert standing(second, "tenant:globex") == (0, 0)


def request_of(body: bytes, path: str = "/v1/chat/completions") -> httpx.Request:
    return httpx.Request("POST", f"http://127.0.0.1{path}", content=body)


def test_a_leave_is_for_one_request_and_for_another_only_after_a_refusal_that_is_not_billed() -> None:
    body = orjson.dumps({"model": "m", "messages": HELLO, "max_tokens": 5})
    leave = Leave(ProviderKind.OPENAI, "m", "http://127.0.0.1/v1", lambda *_, **__: True)
    leave.use(request_of(body))
    leave.last_status = 422
    leave.use(request_of(body))
    leave.last_status = 500
    with pytest.raises(InvalidRequestError, match="second request"):
        leave.use(request_of(body))


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", "/v1/chat/completions"),
        (b"[]", "/v1/chat/completions"),
        (b'{"model": "m", "messages": []}', "/v1/chat/completions"),
        (b'{"model": "m", "messages": [], "max_tokens": -1}', "/v1/chat/completions"),
        (b'{"model": "m", "messages": [], "max_tokens": 5, "n": "9"}', "/v1/chat/completions"),
        (b'{"model": "other", "messages": [], "max_tokens": 5}', "/v1/chat/completions"),
        (b'{"model": "m", "input": "x", "max_tokens": 5}', "/v1/embeddings"),
    ],
)
def test_what_has_no_bound_has_no_leave(body: bytes, path: str) -> None:
    leave = Leave(ProviderKind.OPENAI, "m", "http://127.0.0.1/v1", lambda *_, **__: True)
    with pytest.raises(InvalidRequestError, match="nothing was sent"):
        leave.use(request_of(body, path))
    assert not leave.is_used


@pytest.mark.parametrize(
    ("kind", "address", "url", "is_sent"),
    [
        ("openai", "http://h/v1", "http://h/v1/chat/completions", True),
        ("openai", "http://h/v1/", "http://h/v1/chat/completions", True),
        ("openai", "http://h/v1/chat/completions", "http://h/v1/chat/completions", True),
        ("openai", "http://h/v1", "http://h/v1/responses", True),
        ("openai", "http://h/v1", "http://h/other/v1/chat/completions", False),
        ("openai", "http://h/v1", "http://h/v1/other/chat/completions", False),
        ("openai", "http://h/v1", "http://h/v1/../dear/chat/completions", False),
        ("openai", "http://h/v1", "http://h/chat/completions", False),
        ("openai", "http://h", "http://h/chat/completions", True),
        ("google", "http://h/v1beta", "http://h/v1beta/models/m:generateContent", True),
        ("google", "http://h/v1beta", "http://h/v1/dear/models/m:generateContent", False),
        ("google", "http://h/v1beta", "http://h/v1beta/models/x/m:generateContent", False),
        ("google", "http://h/v1beta", "http://h/v1beta/tunedModels/m:generateContent", False),
    ],
)
def test_a_call_leaves_for_the_path_that_it_was_priced_at(kind, address, url, is_sent) -> None:
    """Another path of a gateway may lead to another vendor, at other prices."""
    if kind == "google":
        asked: dict[str, Any] = {"contents": [], "generationConfig": {"maxOutputTokens": 5}}
    else:
        limit = {"max_output_tokens": 5, "input": "x"} if url.endswith("/responses") else {"max_tokens": 5}
        asked = {"model": "m", **({"messages": HELLO} if "max_tokens" in limit else {}), **limit}
    leave = Leave(ProviderKind(kind), "m", address, lambda *_, **__: True)
    request = httpx.Request("POST", url, content=orjson.dumps(asked))
    if is_sent:
        leave.use(request)
    else:
        with pytest.raises(InvalidRequestError, match="another address|would not ask"):
            leave.use(request)
    assert leave.is_used is is_sent
