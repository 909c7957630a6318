"""The vendors' own clients on our ledger: every send is held, booked, and refused over a budget."""

import gc
import json
import logging
import re
import traceback
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.load import dumps
from langchain_core.messages import HumanMessage

from orchestrator.core.errors import BudgetExceededError, ClosedError, InvalidRequestError, UnknownNameError
from orchestrator.ledger.reader import LedgerReader
from orchestrator.practice import Fault, PracticeServer
from tests.providers.wire.misbehaving import Exchanged, serving
from tests.support.redirecting import redirecting
from tests.support.settling import wait_for_settling

NAMES = ["openai/gpt-6-luna", "google/gemini-3.8-flash", "openrouter/gpt-6-luna"]


def standing(orchestrator, scope: str = "tenant:acme") -> tuple[int, int]:
    standings = [
        status for status in orchestrator.standings() if status.scope == scope and status.window == "day"
    ]
    return (standings[0].spent, standings[0].held) if standings else (0, 0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])
async def test_every_way_of_asking_is_booked_at_our_price(
    practised, practice: PracticeServer, name: str, how: str
) -> None:
    message = await _asked(practised.native(name, tenant="acme", temperature=0.1), how)
    usage = message.usage_metadata
    price = practised.config.catalog.price_of(name)
    paid = price.input * usage["input_tokens"] + price.output * usage["output_tokens"]
    assert standing(practised) == (-(-paid // 1_000_000), 0)
    assert len(practice.requests) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_send_over_the_budget_is_refused_before_it_is_made(
    make_orchestrator, practice: PracticeServer, name: str
) -> None:
    orchestrator = make_orchestrator({"budgets": {"limits": [{"scope": "tenant:acme", "day": 0.000001}]}})
    with pytest.raises(BudgetExceededError):
        orchestrator.native(name, tenant="acme").invoke("Xin chào")
    assert practice.requests == ()


def test_a_native_client_counts_for_its_run(practised, practice: PracticeServer) -> None:
    native = practised.native("openai/gpt-6-luna", tenant="acme", run="thread-42", max_cost_usd=0.5)
    native.invoke("Xin chào")
    run = practised.run_standing("thread-42", tenant="acme")
    assert (run.limit, run.spent, run.held) == (500_000_000, practice.bill.total_nusd(), 0)
    tiny = practised.native("openai/gpt-6-luna", tenant="acme", run="tiny", max_cost_usd="0.0000001")
    with pytest.raises(BudgetExceededError, match="the run budget of run:tiny"):
        tiny.invoke("Xin chào")


@pytest.mark.parametrize("name", NAMES)
def test_a_user_and_tags_are_counted_and_told_to_no_provider(
    make_orchestrator, practice: PracticeServer, name: str
) -> None:
    limits = [{"scope": "user:lan", "day": 1}, {"scope": "tag:letters", "day": 1}]
    orchestrator = make_orchestrator({"budgets": {"limits": limits}})
    client = orchestrator.native(name, tenant="acme", user="lan", tags=["letters"])
    client.invoke("Xin chào")
    for scope in ("user:lan", "tag:letters"):
        assert standing(orchestrator, scope) == (practice.bill.total_nusd(), 0)
    (request,) = practice.requests
    assert not {"lan", "letters", "acme"} & set(re.findall(r"\w+", json.dumps(request.body)))
    with pytest.raises(InvalidRequestError, match="'user' is not taken"):
        client.invoke("Xin chào", user="lan")


def test_a_request_limit_is_not_undercut_in_secret(make_orchestrator) -> None:
    """The client's own max_tokens stands, so a send that may cost too much is refused."""
    orchestrator = make_orchestrator({"budgets": {"limits": [{"scope": "all", "request": 0.0001}]}})
    with pytest.raises(BudgetExceededError, match="request budget"):
        orchestrator.native("openai/gpt-6.1-sol", max_tokens=100_000).invoke("Xin chào")


def test_a_failure_that_nobody_bills_costs_nothing(practised, practice: PracticeServer) -> None:
    practice.faults.add(Fault.parse("openai:status=503"))
    with pytest.raises(Exception, match="503"):
        practised.native("openai/gpt-6-luna", tenant="acme").invoke("Xin chào")
    assert standing(practised) == (0, 0)
    assert len(practice.requests) == 1


@pytest.mark.parametrize("name", ["openai/gpt-6-luna", "google/gemini-3.8-flash"])
@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "let go"])
def test_an_abandoned_stream_leaves_nothing_held(practised, name: str, is_closed: bool) -> None:
    pieces = practised.native(name, tenant="acme").stream("Xin chào")
    next(pieces)
    if is_closed:
        pieces.close()
    del pieces
    wait_for_settling()
    spent, held = standing(practised)
    assert held == 0
    assert spent > 0


def test_a_stream_that_is_collected_in_the_middle_of_a_booking_waits_for_its_end(practised) -> None:
    """Garbage is collected anywhere, also where this thread holds a lock that settling needs."""
    pieces = practised.native("google/gemini-3.8-flash", tenant="acme").stream("Xin chào")
    next(pieces)
    with practised._services.ledger.queue._lock:
        del pieces
        gc.collect()
    wait_for_settling()
    spent, held = standing(practised)
    assert (held, spent > 0) == (0, True)


def test_names_keys_and_addresses_come_from_the_configuration(practised) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean"):
        practised.native("openai/gpt-6-lunar")
    with pytest.raises(InvalidRequestError, match="config.yaml alone"):
        practised.native("openai/gpt-6-luna", base_url="http://127.0.0.1:9")


OF_CONFIG_ALONE: dict[str, Any] = {
    "base_url": "http://127.0.0.1:9",
    "openai_api_base": "http://127.0.0.1:9",
    "google_api_base": "http://127.0.0.1:9",
    "openai_proxy": "http://127.0.0.1:9",
    "client_args": {"proxy": "http://127.0.0.1:9"},
    "http_client": object(),
    "http_async_client": object(),
    "http_socket_options": [],
    "client": object(),
    "root_async_client": object(),
    "default_headers": {"x-a": "b"},
    "additional_headers": {"x-a": "b"},
    "default_query": {"a": "b"},
    "api_key": "other",
    "google_api_key": "other",
    "credentials": object(),
    "vertexai": True,
    "project": "other",
    "api_version": "v1",
    "max_retries": 3,
    "model_kwargs": {"extra_headers": {"x-a": "b"}},
    "extra_body": {"models": ["other"]},
    "of_next_year": 1,
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("parameter", OF_CONFIG_ALONE)
def test_no_client_is_made_with_an_address_a_proxy_or_a_client_of_the_callers(
    practised, name: str, parameter: str
) -> None:
    with pytest.raises(InvalidRequestError, match=f"'{parameter}' is not taken"):
        practised.native(name, **{parameter: OF_CONFIG_ALONE[parameter]})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "parameter",
    ["http_options", "extra_headers", "extra_query", "extra_body", "model", "base_url"],
)
@pytest.mark.parametrize("how", ["invoke", "astream"])
async def test_no_call_leads_a_client_elsewhere(
    practised, practice: PracticeServer, name: str, parameter: str, how: str
) -> None:
    """Google's client takes `http_options={"base_url": ...}` with every call."""
    client = practised.native(name)
    with pytest.raises(InvalidRequestError, match=f"'{parameter}' is not taken"):
        await _asked(
            client, how, **{parameter: "other" if parameter == "model" else {"base_url": "http://a"}}
        )
    assert practice.requests == ()


@pytest.mark.parametrize("name", ["google/gemini-3.8-flash", "openrouter/gpt-6-luna"])
async def test_tools_and_structured_output_are_taken(practised, practice: PracticeServer, name: str) -> None:
    schema = {"title": "Answer", "type": "object", "properties": {"text": {"type": "string"}}}
    client = practised.native(name, max_tokens=50, temperature=0.5, callbacks=[])
    await client.with_structured_output(schema).ainvoke("Xin chào")
    client.bind_tools([schema], tool_choice="auto").invoke("Xin chào")
    assert len(practice.requests) == 2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])
async def test_a_redirect_is_a_failure_and_followed_nowhere(make_orchestrator, name: str, how: str) -> None:
    with redirecting() as elsewhere:
        providers = {
            provider: {"base_url": elsewhere.url, "headers": {"x-team": "secret"}}
            for provider in ("openai", "google", "openrouter")
        }
        client = make_orchestrator({"providers": providers}).native(name, tenant="acme")
        with pytest.raises(Exception, match=r"307|Temporary Redirect"):
            await _asked(client, how)
    assert len(elsewhere.asked) == 1
    assert elsewhere.reached == []


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/a.png"}},
        {"type": "image_url", "image_url": "https://example.com/a.png"},
        {"type": "image_url", "image_url": "  HTTP://10.0.0.1/a.png"},
        {"type": "image_url", "image_url": "file:///etc/passwd"},
        {"type": "image", "url": "http://169.254.169.254/latest"},
        {"type": "image", "source_type": "url", "url": "http://[::1]/"},
        {"type": "file", "url": "http://localhost/a.pdf", "mime_type": "application/pdf"},
        {"type": "audio", "url": "http://localhost/a.mp3"},
    ],
)
async def test_no_picture_is_opened_from_this_machine(
    practised, practice: PracticeServer, part: dict[str, Any]
) -> None:
    message = HumanMessage(content=[{"type": "text", "text": "http://this.is/text"}, part])
    client = practised.native("google/gemini-3.8-flash", tenant="acme")
    with pytest.raises(InvalidRequestError, match="would be opened from this machine") as caught:
        await client.ainvoke([message])
    assert "://" not in str(caught.value)
    assert practice.requests == ()
    assert standing(practised) == (0, 0)


def test_a_picture_in_the_message_is_taken(make_orchestrator, practice: PracticeServer) -> None:
    """It tells its size, in whichever alphabet of base64, so no whole context is held for it."""
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    parts = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{pixel}"}},
        {"type": "image", "base64": pixel, "mime_type": "image/png"},
    ]
    orchestrator = make_orchestrator({"budgets": {"limits": [{"scope": "all", "request": 0.1}]}})
    orchestrator.native("google/gemini-3.8-flash").invoke([HumanMessage(content=parts)])
    assert len(practice.requests) == 1


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("openai/gpt-6-luna", ("OPENAI_API_BASE", "OPENAI_BASE_URL", "OPENAI_PROXY")),
        ("google/gemini-3.8-flash", ("GOOGLE_GEMINI_BASE_URL",)),
    ],
)
def test_no_address_is_taken_from_the_vendors_own_variables(
    make_orchestrator, monkeypatch: pytest.MonkeyPatch, name: str, variables: tuple[str, ...]
) -> None:
    """Also where config.yaml leaves the address out."""
    for variable in variables:
        monkeypatch.setenv(variable, "http://127.0.0.1:9/trap")
    provider = name.partition("/")[0]
    client = make_orchestrator({"providers": {provider: {"base_url": None}}}).native(name)
    if provider == "openai":
        assert str(client.root_client.base_url).startswith("https://api.openai.com/v1")
        assert client.openai_proxy is None
    else:
        address = client.client._api_client._http_options.base_url
        assert address == "https://generativelanguage.googleapis.com"


def test_a_variable_that_leads_google_to_another_service_is_refused(
    practised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    with pytest.raises(InvalidRequestError, match="GOOGLE_GENAI_USE_VERTEXAI"):
        practised.native("google/gemini-3.8-flash")


@pytest.mark.parametrize("name", NAMES)
def test_a_proxy_that_cannot_be_used_is_told_when_the_client_is_made(
    make_orchestrator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    address = {"base_url": "http://provider.example/v1"}
    orchestrator = make_orchestrator(
        {"providers": dict.fromkeys(("openai", "google", "openrouter"), address)}
    )
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", "socks5://user:word@127.0.0.1:9")
    with pytest.raises(InvalidRequestError, match="HTTP_PROXY") as caught:
        orchestrator.native(name)
    assert "word" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
async def test_no_prompt_stands_in_any_log(
    practised, practice: PracticeServer, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """The SDKs write whole requests at DEBUG."""
    client = practised.native(name)
    caplog.set_level(logging.DEBUG)
    for library in ("openai", "httpx", "httpcore", "google_genai", "langchain_core"):
        caplog.set_level(logging.DEBUG, logger=library)
    for how in ("invoke", "astream"):
        await _asked(client, how)
    practice.faults.add(Fault.parse(f"{name.partition('/')[0]}:status=400"))
    with pytest.raises(Exception, match="400"):
        await _asked(client, "ainvoke")
    assert len(practice.requests) == 3
    assert "Xin ch" not in caplog.text
    assert "Bearer" not in caplog.text


async def _asked(client, how: str, **parameters: Any):
    """Ask in one of LangChain's four ways; return the whole message."""
    if how == "invoke":
        return client.invoke("Xin chào", **parameters)
    if how == "ainvoke":
        return await client.ainvoke("Xin chào", **parameters)
    if how == "stream":
        return _joined(list(client.stream("Xin chào", **parameters)))
    return _joined([chunk async for chunk in client.astream("Xin chào", **parameters)])


def _joined(chunks):
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    return whole


def test_a_native_client_pays_for_a_tenant_however_its_name_is_typed(practised):
    practised.native("openai/gpt-6-luna", tenant=unicodedata.normalize("NFD", "Hà Nội")).invoke("Xin chào")
    assert {one.scope for one in practised.standings() if one.scope.startswith("tenant:")} == {
        "tenant:Hà Nội"
    }


@pytest.mark.parametrize("field", ["deployment", "tenant", "use_case", "user", "tags", "run"])
@pytest.mark.parametrize("no_name", [b"acme", 5, "", "a\x00b", ["a"], {"a": 1}], ids=repr)
def test_what_is_no_name_is_refused_before_a_native_client_is_made(practised, field: str, no_name) -> None:
    named = {"deployment": NAMES[0], field: [no_name] if field == "tags" else no_name}
    with pytest.raises(InvalidRequestError):
        practised.native(**named)


def test_a_native_client_of_no_known_use_case_is_refused(practised):
    with pytest.raises(
        UnknownNameError, match="unknown use case 'custmer_service'. Did you mean 'customer_service'"
    ):
        practised.native("openai/gpt-6-luna", use_case="custmer_service")


TIGHT = {"budgets": {"limits": [{"scope": "all", "request": 0.001}]}}
"""Enough for a thousand tokens of gpt-6-luna or gemini-3.8-flash, and not for ten thousand."""


@pytest.mark.parametrize(
    ("name", "made_with", "called_with"),
    [
        ("google/gemini-3.8-flash", {}, {"generation_config": {"max_output_tokens": 64_000}}),
        ("google/gemini-3.8-flash", {}, {"max_output_tokens": 64_000}),
        ("google/gemini-3.8-flash", {"n": 8, "max_output_tokens": 8_000}, {}),
        ("openai/gpt-6-luna", {"max_tokens": 100}, {"max_completion_tokens": 80_000}),
        ("openai/gpt-6-luna", {"max_tokens": 8_000}, {"n": 10}),
    ],
)
def test_whichever_way_a_limit_is_named_the_money_for_it_is_held(
    make_orchestrator, practice: PracticeServer, name: str, made_with, called_with
) -> None:
    client = make_orchestrator(TIGHT).native(name, **made_with)
    with pytest.raises(BudgetExceededError):
        client.invoke("Xin chào", **called_with)
    assert practice.requests == ()


@pytest.mark.parametrize(
    ("name", "called_with"),
    [
        ("openai/gpt-6-luna", {"web_search_options": {}}),
        ("openai/gpt-6-luna", {"extra_body": {"max_tokens": 9}}),
        ("openai/gpt-6-luna", {"extra_headers": {"a": "b"}}),
        ("openai/gpt-6-luna", {"extra_query": {"a": "b"}}),
        ("openai/gpt-6-luna", {"service_tier": "priority"}),
        ("openai/gpt-6-luna", {"tools": [{"type": "web_search"}]}),
        ("google/gemini-3.8-flash", {"tools": [{"google_search": {}}]}),
        ("google/gemini-3.8-flash", {"cached_content": "cachedContents/1"}),
        ("google/gemini-3.8-flash", {"generation_config": {"response_modalities": ["IMAGE"]}}),
        ("google/gemini-3.8-flash", {"http_options": {"base_url": "http://127.0.0.1:9"}}),
    ],
)
@pytest.mark.parametrize("how", ["invoke", "stream"])
def test_a_call_with_what_has_no_bound_is_refused(
    practised, practice: PracticeServer, name: str, called_with, how: str
) -> None:
    client = practised.native(name)
    with pytest.raises(InvalidRequestError):
        client.invoke("Xin chào", **called_with) if how == "invoke" else list(
            client.stream("Xin chào", **called_with)
        )
    assert practice.requests == ()


@pytest.mark.parametrize(
    ("name", "made_with"),
    [
        ("openai/gpt-6-luna", {"http_client": object()}),
        ("openai/gpt-6-luna", {"model_kwargs": {"n": 9}}),
        ("openai/gpt-6-luna", {"openai_proxy": "http://127.0.0.1:9"}),
        ("openai/gpt-6-luna", {"service_tier": "flex"}),
        ("openai/gpt-6-luna", {"use_previous_response_id": True}),
        ("google/gemini-3.8-flash", {"client_args": {}}),
        ("google/gemini-3.8-flash", {"vertexai": True}),
        ("google/gemini-3.8-flash", {"response_modalities": ["AUDIO"]}),
        ("google/gemini-3.8-flash", {"model_kwargs": {"max_output_tokens": 9}}),
        ("google/gemini-3.8-flash", {"not_yet_invented": 1}),
    ],
)
def test_a_client_is_made_with_named_parameters_alone(practised, name: str, made_with) -> None:
    with pytest.raises(InvalidRequestError, match="config.yaml alone"):
        practised.native(name, **made_with)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -5, "completion_tokens": -7, "total_tokens": -12},
        {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None},
        {"prompt_tokens": 2**63, "completion_tokens": 2**63, "total_tokens": 2**64},
        None,
    ],
)
async def test_a_count_that_is_none_is_booked_at_the_bound_and_loses_no_answer(
    make_orchestrator, usage
) -> None:
    message = {"role": "assistant", "content": "Chào chị"}
    body = {"id": "a", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.answer(json.dumps(body).encode())

    async with serving(answer) as server:
        orchestrator = make_orchestrator(OPENAI_BASE_URL=server.base_url)
        client = orchestrator.native("openai/gpt-6-luna", tenant="acme")
        assert (await client.ainvoke("Xin chào")).text == "Chào chị"
    assert sources(orchestrator) == ["bound"]
    assert standing(orchestrator)[0] > 0


async def test_the_charge_to_a_customers_own_key_is_booked_and_a_dearer_count_too(make_orchestrator) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 1, "total_tokens": 101, "cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.036}}  # fmt: skip
    chunk = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    events = [
        {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Chào"}}]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**chunk, "choices": [], "usage": usage},
    ]
    stream = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.answer(stream + b"data: [DONE]\n\n", json=False)

    async with serving(answer) as server:
        orchestrator = make_orchestrator(OPENROUTER_BASE_URL=server.base_url)
        client = orchestrator.native("openrouter/gpt-6-luna", tenant="acme")
        assert [chunk async for chunk in client.astream("Xin chào")]
    assert standing(orchestrator) == (36_000_000, 0)


@pytest.mark.parametrize("name", ["openai/gpt-6-luna", "google/gemini-3.8-flash"])
async def test_a_redirect_is_not_followed_and_may_have_been_billed(make_orchestrator, name: str) -> None:
    async def answer(exchanged: Exchanged) -> None:
        headers = "location: http://127.0.0.1:9/elsewhere\r\n"
        await exchanged.answer(b"", status="307 Temporary Redirect", headers=headers)

    async with serving(answer) as server:
        google = server.base_url.replace("/v1", "/v1beta")
        orchestrator = make_orchestrator(OPENAI_BASE_URL=server.base_url, GOOGLE_BASE_URL=google)
        with pytest.raises(Exception, match="307|Redirect"):
            await orchestrator.native(name, tenant="acme").ainvoke("Xin chào")
        assert len(server.requests) == 1
    assert sources(orchestrator) == ["bound"]


@pytest.mark.parametrize("name", ["openai/gpt-6-luna", "google/gemini-3.8-flash"])
@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_without_a_connection_nothing_is_booked(make_orchestrator, name: str, how: str) -> None:
    nowhere = "http://127.0.0.1:9"
    orchestrator = make_orchestrator(OPENAI_BASE_URL=f"{nowhere}/v1", GOOGLE_BASE_URL=f"{nowhere}/v1beta")
    client = orchestrator.native(name, tenant="acme")
    with pytest.raises(Exception, match="[Cc]onnect"):
        client.invoke("Xin chào") if how == "invoke" else await client.ainvoke("Xin chào")
    assert (standing(orchestrator), sources(orchestrator)) == ((0, 0), ["none"])


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_stream_is_booked_at_its_bound(practised, practice: PracticeServer, name: str) -> None:
    practice.faults.add("*:cut_stream=2")
    with pytest.raises(Exception, match=r".*"):
        list(practised.native(name, tenant="acme").stream("Xin chào"))
    spent, held = standing(practised)
    assert (held, sources(practised)) == (0, ["bound"])
    assert spent > practice.bill.total_nusd()


def test_a_closed_orchestrator_sends_nothing(make_orchestrator, practice: PracticeServer) -> None:
    orchestrator = make_orchestrator()
    client = orchestrator.native("openai/gpt-6-luna")
    orchestrator.close()
    with pytest.raises(ClosedError, match="was closed"):
        client.invoke("Xin chào")
    with pytest.raises(ClosedError, match="was closed"):
        orchestrator.native("openai/gpt-6-luna")
    assert practice.requests == ()


def sources(orchestrator) -> list[str]:
    with LedgerReader(Path(orchestrator.config.settings.ledger.path)) as reader:
        (month,) = reader.months()
        table = reader.attempts(month=month)
    return [row[table.columns.index("cost_source")] for row in table.rows]


@pytest.mark.parametrize("name", ["openai/gpt-6-luna", "google/gemini-3.8-flash"])
def test_a_file_that_does_not_tell_its_tokens_is_held_for_as_a_whole_context(
    make_orchestrator, practice: PracticeServer, name: str
) -> None:
    pdf = {"type": "file", "base64": "JVBERi0xLjc=", "mime_type": "application/pdf", "filename": "a.pdf"}
    message = HumanMessage(content=[{"type": "text", "text": "Tóm tắt"}, pdf])
    context = make_orchestrator().config.catalog.deployments[name].model.most_tokens
    with pytest.raises(BudgetExceededError) as caught:
        make_orchestrator(TIGHT).native(name, max_tokens=10).invoke([message])
    price = make_orchestrator().config.catalog.price_of(name).on(datetime.now(UTC).date())
    assert caught.value.needed == price.bound_of(input_tokens=context, output_tokens=10)
    assert practice.requests == ()


def _reachable(client: object) -> list[object]:
    """Return the values that `vars` shows of a client and of what it holds, however deep."""
    shown: dict[int, object] = {}
    waiting: list[object] = [client]
    while waiting:
        one = waiting.pop()
        if id(one) in shown or isinstance(one, type | ModuleType):
            continue
        shown[id(one)] = one
        holders = [*one.values()] if isinstance(one, Mapping) else []
        holders += [*one] if isinstance(one, list | tuple) else []
        names = getattr(type(one), "__slots__", ())
        waiting += [*holders, *getattr(one, "__dict__", {}).values()]
        waiting += [getattr(one, name, None) for name in names if not name.startswith("_")]
    return [one for one in shown.values() if isinstance(one, str | bytes)]


@pytest.mark.parametrize("provider", ["openai", "google"])
def test_no_client_holds_the_key_or_a_header_of_config(make_orchestrator, provider: str) -> None:
    """LangChain writes its objects into traces and cache keys."""
    secrets = {"api_key": "key-of-config", "headers": {"X-Team": "header-of-config"}}
    with PracticeServer(api_keys={"key-of-config"}) as server:
        orchestrator = make_orchestrator(
            {"providers": {provider: {"base_url": server.base_url(provider), **secrets}}}
        )
        name = {"openai": "openai/gpt-6-luna", "google": "google/gemini-3.8-flash"}[provider]
        client = orchestrator.native(name, tenant="acme")
        shown = (
            f"{client!r}{client}{client.to_json()}{client.model_dump()}{dumps(client)}{_reachable(client)}"
        )
        assert "of-config" not in shown
        # Another key would be refused.
        assert client.invoke("Xin chào").content
        assert "header-of-config" in str(dict(server.requests[-1].headers))


@pytest.mark.parametrize("name", ["openai/gpt-6-luna", "google/gemini-3.8-flash"])
def test_no_frame_of_an_error_holds_the_key(make_orchestrator, name: str) -> None:
    nowhere = {
        "base_url": "http://127.0.0.1:9/v1",
        "api_key": "key-of-config",
        "headers": {"X-Team": "of-config"},
    }
    client = make_orchestrator({"providers": {name.partition("/")[0]: nowhere}}).native(name, tenant="acme")
    try:
        client.invoke("Xin chào")
    except Exception as error:  # noqa: BLE001 -- of the vendor's own kinds
        # Without this test's own frame, which holds what it wrote.
        inner = error.__traceback__.tb_next
        told = traceback.TracebackException(type(error), error, inner, capture_locals=True)
    assert "of-config" not in "".join(told.format())


@pytest.mark.filterwarnings("ignore:WARNING! .* is not default parameter")
@pytest.mark.parametrize("is_made_with", [True, False], ids=["made", "called"])
@pytest.mark.parametrize(
    ("name", "odd"),
    [
        ("google/gemini-3.8-flash", {"media_resolution": 0}),
        ("google/gemini-3.8-flash", {"safety_settings": {"x": 1}}),
        ("google/gemini-3.8-flash", {"response_mime_type": 7}),
        ("openai/gpt-6-luna", {"tools": 7}),
        ("openai/gpt-6-luna", {"logit_bias": object()}),
        ("openai/gpt-6-luna", {"response_format": 7}),
        ("openrouter/gpt-6-luna", {"tool_choice": float("nan")}),
        ("openrouter/gpt-6-luna", {"strict": 7}),
    ],
)
async def test_a_parameter_that_the_vendors_client_cannot_use_is_told_in_our_words(
    practised, practice: PracticeServer, name: str, odd: dict[str, Any], is_made_with: bool
) -> None:
    """It was a validation error of pydantic's with the value in it, or an attribute error of a library."""
    with pytest.raises(InvalidRequestError, match="cannot use what it was given|is not taken|must be"):
        if is_made_with:
            await practised.native(name, tenant="acme", **odd).ainvoke("Xin chào")
        else:
            await practised.native(name, tenant="acme").ainvoke("Xin chào", **odd)
    assert (practice.requests, standing(practised)) == ((), (0, 0))


def test_a_parameter_of_none_is_none(practised, practice: PracticeServer) -> None:
    """Google's client refused it; OpenAI's took it for no limit of output at all."""
    for name in ("google/gemini-3.8-flash", "openai/gpt-6-luna"):
        client = practised.native(name, tenant="acme", max_tokens=20)
        assert client.invoke("Xin chào", max_tokens=None, n=None).text
    assert len(practice.requests) == 2


@pytest.mark.parametrize("config", [{"not_yet_invented": 1}, -1, "x", {"max_output_tokens": "9"}])
def test_a_generation_config_that_is_none_is_told_in_our_words(
    practised, practice: PracticeServer, config: Any
) -> None:
    with pytest.raises(InvalidRequestError, match="cannot use what it was given|must be a whole number"):
        practised.native("google/gemini-3.8-flash", tenant="acme").invoke("Hi", generation_config=config)
    assert (practice.requests, standing(practised)) == ((), (0, 0))


@pytest.mark.parametrize("made", ["native", "chat_model"])
def test_langchains_cache_of_the_process_gives_no_tenant_the_answer_of_another(
    practised, monkeypatch: pytest.MonkeyPatch, made: str
) -> None:
    """`set_llm_cache` knows a client by its settings alone, and a tenant is none of a vendor's client."""
    monkeypatch.setattr("langchain_core.globals._llm_cache", InMemoryCache())

    def asked(tenant: str) -> str:
        client = getattr(practised, made)(
            *(("openai/gpt-6-luna",) if made == "native" else ()), tenant=tenant
        )
        return str(client.invoke("Where is my order?").id)

    first, again, other = asked("acme"), asked("acme"), asked("lotus")
    assert first == again != other
