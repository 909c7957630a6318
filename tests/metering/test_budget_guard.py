"""Code that calls LiteLLM itself keeps within the budgets, and the ledger says what the providers billed."""

import asyncio
import contextlib
import inspect
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import litellm
import pytest
from litellm import acompletion as imported_before
from litellm import completion as imported_before_sync
from litellm.integrations.custom_logger import CustomLogger
from openai import AsyncOpenAI
from pydantic import BaseModel

from orchestrator import BudgetExceededError, BudgetGuard, CacheUse
from orchestrator.core.errors import (
    InvalidRequestError,
    PriceUnknownError,
    UnavailableError,
    UnknownNameError,
)
from orchestrator.core.money import nano_usd
from orchestrator.drill.practice_config import addresses
from orchestrator.metering import litellm_call as guarded_call
from orchestrator.metering import litellm_guard as guarded
from orchestrator.metering.meter import DEFAULT_MAX_TOKENS
from orchestrator.practice import Fault, PracticePrice, PracticeServer
from tests.providers.wire.misbehaving import Exchanged, serving
from tests.support.redirecting import redirecting
from tests.support.settling import wait_for_settling

MODELS = ["openai/gpt-6-luna", "gemini/gemini-3.8-flash", "openrouter/openai/gpt-6-luna"]
HELLO = [{"role": "user", "content": "Xin chào"}]

MakeGuard = Callable[..., BudgetGuard]


@pytest.fixture
def practice(prices_today: dict[tuple[str, str], PracticePrice]) -> Iterator[PracticeServer]:
    """Practice providers at the prices of config.yaml, so that the ledger can be compared with their bill."""
    with PracticeServer(prices=prices_today) as server:
        yield server


@pytest.fixture
def make_guard(make_config) -> Iterator[MakeGuard]:
    guards: list[BudgetGuard] = []

    def make(changes: Any = None, **payer: Any) -> BudgetGuard:
        guard = BudgetGuard(make_config(changes), **{"tenant": "acme", **payer})
        litellm.callbacks.append(guard)
        guards.append(guard)
        return guard

    yield make
    for guard in guards:
        if guard in litellm.callbacks:
            litellm.callbacks.remove(guard)
        guard.close()


@pytest.fixture
def guard(make_guard: MakeGuard) -> BudgetGuard:
    return make_guard()


@pytest.fixture
def to(practice: PracticeServer) -> Callable[..., dict[str, Any]]:
    """Return the arguments that lead LiteLLM to the practice provider of a model."""

    def arguments(model: str, **more: Any) -> dict[str, Any]:
        kind = {"gemini": "google"}.get(model.partition("/")[0], model.partition("/")[0])
        return {
            "model": model,
            "messages": HELLO,
            "api_base": practice.base_url(kind),
            "api_key": "practice",
            "max_tokens": 50,
            **more,
        }

    return arguments


def standing(guard: BudgetGuard, scope: str = "tenant:acme") -> tuple[int, int]:
    standings = [status for status in guard.standings() if status.scope == scope and status.window == "day"]
    return (standings[0].spent, standings[0].held) if standings else (0, 0)


def operations(guard: BudgetGuard) -> list[tuple[str, str, int]]:
    """Return outcome, error and number of attempts of every operation."""
    query = "SELECT outcome, error, attempts FROM operations ORDER BY id"
    return guard._ledger.store.file.write(lambda connection: connection.execute(query).fetchall())


def sources(guard: BudgetGuard) -> list[str]:
    query = "SELECT cost_source FROM attempts ORDER BY operation_id"
    return [
        source
        for (source,) in guard._ledger.store.file.write(
            lambda connection: connection.execute(query).fetchall()
        )
    ]


@pytest.fixture
def cache_of_the_program() -> Iterator[litellm.Cache]:
    """What `litellm.enable_cache()` makes."""
    litellm.enable_cache()
    yield litellm.cache
    litellm.disable_cache()


@pytest.mark.parametrize("asked", [{}, {"caching": True}, {"cache": {"ttl": 60}}])
async def test_no_tenant_is_answered_out_of_litellms_cache(
    guard: BudgetGuard, practice: PracticeServer, to, cache_of_the_program, asked
) -> None:
    """It knows no tenants: one got what another was answered, and paid for it."""
    for tenant in ("acme", "globex"):
        arguments = to(MODELS[0], metadata={"orchestrator": {"tenant": tenant}}, **asked)
        await litellm.acompletion(**arguments)
        await asyncio.to_thread(litellm.completion, **arguments)
        async for _ in await litellm.acompletion(**arguments, stream=True):
            pass
        await asyncio.to_thread(lambda: list(litellm.completion(**arguments, stream=True)))  # noqa: B023 -- waited for
    assert practice.bill.count() == 8
    assert not cache_of_the_program.cache.cache_dict


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("how", ["acompletion", "astream", "completion", "stream"])
async def test_every_way_of_calling_is_booked_as_the_provider_bills_it(
    guard: BudgetGuard, practice: PracticeServer, to, model: str, how: str
) -> None:
    if how == "acompletion":
        await litellm.acompletion(**to(model))
    elif how == "astream":
        assert [chunk async for chunk in await litellm.acompletion(**to(model, stream=True))]
    elif how == "completion":
        litellm.completion(**to(model))
    else:
        assert list(litellm.completion(**to(model, stream=True)))
    practice.wait_idle()
    spent, held = standing(guard)
    assert held == 0
    assert len(practice.requests) == 1
    assert sources(guard) == ["provider" if model.startswith("openrouter") else "price_book"]
    assert operations(guard) == [("succeeded", None, 1)]
    assert spent == practice.bill.total_nusd()


@pytest.fixture
def router_to(to) -> Callable[..., litellm.Router]:
    """Make a Router whose groups `first` and `second` are a model at OpenRouter and one at OpenAI."""

    def make(**settings: Any) -> litellm.Router:
        groups = {"first": "openrouter/openai/gpt-6-luna", "second": "openai/gpt-6-luna"}
        entries = []
        for name, model in groups.items():
            params = to(model)
            del params["messages"], params["max_tokens"]
            entries.append({"model_name": name, "litellm_params": params})
        return litellm.Router(model_list=entries, fallbacks=[{"first": ["second"]}], **settings)

    return make


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what other threads do."""
    async with asyncio.timeout(60):
        while not is_so():  # noqa: ASYNC110 -- a server in a thread of its own sets no event
            await asyncio.sleep(0.01)


async def ask(arguments: dict[str, Any]) -> str:
    """Return how a call ended: the name of its error, or `answered`."""
    try:
        await litellm.acompletion(**arguments)
    except Exception as error:  # noqa: BLE001 -- LiteLLM raises anything
        return type(error).__name__
    return "answered"


async def test_200_calls_at_once_on_a_budget_for_ten_send_what_fits_and_no_more(
    make_guard: MakeGuard, practice: PracticeServer, to
) -> None:
    """A call holds 335,125 nano-dollars and costs less: settled money is free for the next."""
    limit = nano_usd("0.0036")
    guard = make_guard({"budgets": {"limits": [{"scope": "tenant:acme", "day": 0.0036}], "tiers": []}})
    calls = [asyncio.ensure_future(ask(to("openai/gpt-6-luna", max_tokens=600))) for _ in range(200)]
    highest = 0
    while not all(call.done() for call in calls):
        highest = max(highest, sum(standing(guard)))
        await asyncio.sleep(0)
    outcomes = [call.result() for call in calls]
    practice.wait_idle()
    spent, held = standing(guard)
    assert set(outcomes) == {"answered", "BudgetExceededError"}
    assert outcomes.count("answered") == len(practice.requests)
    assert (spent, held) == (practice.bill.total_nusd(), 0)
    assert 0 < spent <= highest <= limit


async def test_while_200_calls_hang_only_those_are_sent_whose_bound_fits(
    make_guard: MakeGuard, practice: PracticeServer, to
) -> None:
    """Nothing is settled while all wait, so exactly limit / bound calls go out."""
    practice.faults.add(Fault.parse("openai:silence"))
    sample = (
        make_guard().meter(guarded_call.metered_call_of(to("openai/gpt-6-luna"))).open(HELLO, max_tokens=50)
    )
    bound = sample._hold.request.bound_nusd
    sample.end()
    limits = [{"scope": "tenant:other", "day": (bound * 10 + bound // 2) / 1e9}]
    litellm.callbacks.pop()
    guard = make_guard({"budgets": {"limits": limits, "tiers": []}}, tenant="other")
    calls = [asyncio.ensure_future(ask(to("openai/gpt-6-luna"))) for _ in range(200)]
    await until(lambda: len(practice.requests) == 10 and sum(call.done() for call in calls) == 190)
    assert standing(guard, "tenant:other") == (0, bound * 10)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert len(practice.requests) == 10
    assert standing(guard, "tenant:other") == (bound * 10, 0)


@pytest.mark.parametrize("model", MODELS)
async def test_a_cancelled_call_is_booked_in_full_at_once(
    guard: BudgetGuard, practice: PracticeServer, to, model: str
) -> None:
    """The provider may work on and bill it; LiteLLM tells no hook of it."""
    practice.faults.add(Fault.parse("*:silence"))
    call = asyncio.ensure_future(litellm.acompletion(**to(model)))
    await until(lambda: bool(practice.requests))
    held = standing(guard)[1]
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert held > 0
    assert standing(guard) == (held, 0)
    assert operations(guard) == [("cancelled", "cancelled", 1)]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("how", ["break", "aclose", "sync break", "cancel"])
async def test_a_stream_that_is_given_up_leaves_nothing_held(
    guard: BudgetGuard, practice: PracticeServer, to, model: str, how: str
) -> None:
    arguments = to(model, stream=True)
    if how == "sync break":
        for _ in litellm.completion(**arguments):
            break
    else:
        await give_up(await litellm.acompletion(**arguments), how)
    # LiteLLM logs a synchronous stream's chunks in a thread, which may keep it a moment longer.
    await until(lambda: standing(guard)[1] == 0)
    wait_for_settling()
    spent, _ = standing(guard)
    assert spent >= practice.bill.total_nusd()
    assert operations(guard) == [("cancelled", "cancelled", 1)]
    # Its count may have come with its first piece.
    assert set(sources(guard)) <= {"bound", "provider", "price_book"}


async def give_up(stream: Any, how: str) -> None:
    if how == "cancel":
        begun = asyncio.Event()
        reader = asyncio.ensure_future(read_and_wait(stream, begun))
        del stream
        await begun.wait()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        return
    async for _ in stream:
        break
    if how == "aclose":
        await stream.aclose()


async def read_and_wait(stream: Any, begun: asyncio.Event) -> None:
    async for _ in stream:
        begun.set()
        await asyncio.sleep(60)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fault", ["cut_stream", "end_stream"])
@pytest.mark.parametrize("how", ["completion", "acompletion"])
async def test_a_stream_that_breaks_off_is_never_booked_below_the_bill(
    guard: BudgetGuard, practice: PracticeServer, to, model: str, fault: str, how: str
) -> None:
    """LiteLLM makes up an end for some of them; without the provider's last word all of the hold is booked.

    And its reader is told.
    """
    practice.faults.add(Fault.parse(f"*:{fault},after_chunks=2"))
    told = (litellm.exceptions.MidStreamFallbackError, litellm.exceptions.APIError, UnavailableError)
    with pytest.raises(told):
        if how == "completion":
            for _ in litellm.completion(**to(model, stream=True)):
                pass
        else:
            async for _ in await litellm.acompletion(**to(model, stream=True)):
                pass
    practice.wait_idle()
    spent, held = standing(guard)
    assert held == 0
    assert spent >= practice.bill.total_nusd() > 0
    assert sources(guard) == ["bound"]
    assert [row[0] for row in operations(guard)] == ["failed"]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("fault", "cost_source"), [("status=503", "none"), ("reset", "bound")])
async def test_a_failure_costs_nothing_or_all_that_was_held_and_is_sent_once(
    guard: BudgetGuard, practice: PracticeServer, to, model: str, fault: str, cost_source: str
) -> None:
    """Neither LiteLLM nor the vendor's SDK sends again under the same hold, whatever the call asks for."""
    practice.faults.add(Fault.parse(f"*:{fault}"))
    assert await ask(to(model, num_retries=2, max_retries=2)) != "answered"
    with pytest.raises(Exception, match="."):
        litellm.completion(**to(model, num_retries=2, max_retries=2))
    assert len(practice.requests) == 2
    assert sources(guard) == [cost_source] * 2
    assert standing(guard)[1] == 0


async def test_a_model_without_a_price_is_refused_before_it_is_sent(
    guard: BudgetGuard, practice: PracticeServer, to
) -> None:
    for model in ("openai/gpt-nobody-knows", "groq/llama-3.1-8b-instant", "no-such-thing"):
        with pytest.raises(PriceUnknownError, match="no price"):
            await litellm.acompletion(**to("openai/gpt-6-luna") | {"model": model})
        with pytest.raises(PriceUnknownError, match="no price"):
            litellm.completion(**to("openai/gpt-6-luna") | {"model": model})
    assert practice.requests == ()
    assert operations(guard) == []


async def test_a_search_that_is_billed_beside_tokens_is_not_sent(
    guard: BudgetGuard, practice: PracticeServer, to
) -> None:
    with pytest.raises(PriceUnknownError, match="':online'"):
        await litellm.acompletion(**to("openrouter/openai/gpt-6-luna:online"))
    assert practice.requests == ()
    assert operations(guard) == []


@pytest.mark.parametrize("model", ["openai/gpt-6-luna", "openai/gpt-4o-mini"])
async def test_a_model_at_another_vendors_address_has_no_price_by_its_name(
    guard: BudgetGuard, practice: PracticeServer, to, model: str
) -> None:
    """The first is a deployment of config.yaml at OpenAI, the second only in OpenAI's list."""
    for address in ("https://llm.example.net/v1", "https://api.deepseek.com/v1"):
        with pytest.raises(PriceUnknownError, match="no price"):
            await litellm.acompletion(**to(model) | {"api_base": address})
    assert operations(guard) == []


ELSEWHERE = "https://llm.example.net/v1"


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        (MODELS[0], "OPENAI_BASE_URL"),
        (MODELS[0], "OPENAI_API_BASE"),
        (MODELS[1], "GEMINI_API_BASE"),
        (MODELS[2], "OPENROUTER_API_BASE"),
    ],
)
async def test_an_address_in_the_environment_is_another_vendors_too(
    guard: BudgetGuard, to, monkeypatch: pytest.MonkeyPatch, model: str, variable: str
) -> None:
    """LiteLLM sends there a call that states none."""
    monkeypatch.setenv(variable, ELSEWHERE)
    with pytest.raises(PriceUnknownError, match="no price"):
        await litellm.acompletion(**to(model, api_base=None))
    with pytest.raises(PriceUnknownError, match="no price"):
        litellm.completion(**to(model, api_base=None))
    monkeypatch.delenv(variable)
    monkeypatch.setattr(litellm, "api_base", ELSEWHERE)
    with pytest.raises(PriceUnknownError, match="no price"):
        litellm.completion(**to(model, api_base=None))
    assert sources(guard) == []


async def test_a_client_of_the_callers_own_is_billed_where_it_sends(
    guard: BudgetGuard, practice: PracticeServer, to
) -> None:
    """Whatever address the call states beside it."""
    own = AsyncOpenAI(api_key="k", base_url=ELSEWHERE)
    with pytest.raises(PriceUnknownError, match="no price"):
        await litellm.acompletion(**to(MODELS[0], client=own))
    here = AsyncOpenAI(api_key="practice", base_url=practice.base_url("openai"))
    await litellm.acompletion(**to(MODELS[0], client=here, api_base=ELSEWHERE))
    assert sources(guard) == ["price_book"]


async def test_a_model_that_only_the_price_book_knows_is_sent_and_booked(
    guard: BudgetGuard, practice: PracticeServer, to
) -> None:
    await litellm.acompletion(**to("openai/gpt-4o-mini"))
    assert sources(guard) == ["price_book"]
    assert standing(guard, "provider:openai") == standing(guard) != (0, 0)


async def test_the_router_holds_for_each_of_its_attempts(
    guard: BudgetGuard, practice: PracticeServer, router_to
) -> None:
    """One operation for each attempt: a retry at OpenRouter, then the fallback at OpenAI."""
    practice.faults.add(Fault.parse("openrouter:status=500"))
    answer = await router_to(num_retries=1).acompletion(model="first", messages=HELLO)
    assert answer.choices[0].message.content
    practice.wait_idle()
    assert [request.provider for request in practice.requests] == ["openrouter", "openrouter", "openai"]
    assert sources(guard) == ["none", "none", "price_book"]
    assert standing(guard) == (practice.bill.total_nusd(), 0)


@pytest.mark.parametrize("stream", [False, True])
def test_the_router_is_guarded_in_synchronous_code_too(
    guard: BudgetGuard, practice: PracticeServer, router_to, stream: bool
) -> None:
    practice.faults.add(Fault.parse("openrouter:status=503"))
    answer = router_to(num_retries=0).completion(model="first", messages=HELLO, stream=stream)
    if stream:
        assert list(answer)
    practice.wait_idle()
    assert sources(guard) == ["none", "price_book"]
    assert standing(guard) == (practice.bill.total_nusd(), 0)


async def test_the_routers_stream_is_settled_when_it_is_read(
    guard: BudgetGuard, practice: PracticeServer, router_to
) -> None:
    stream = await router_to(num_retries=0).acompletion(model="first", messages=HELLO, stream=True)
    assert [chunk async for chunk in stream]
    practice.wait_idle()
    assert sources(guard) == ["provider"]
    assert standing(guard) == (practice.bill.total_nusd(), 0)


async def test_a_routers_stream_that_is_given_up_leaves_nothing_held(guard: BudgetGuard, router_to) -> None:
    stream = await router_to(num_retries=0).acompletion(model="first", messages=HELLO, stream=True)
    async for _ in stream:
        break
    await stream.aclose()
    spent, held = standing(guard)
    assert spent > 0 == held


@pytest.mark.parametrize("way", ["acompletion", "completion", "router", "router sync", "stream"])
async def test_the_refusal_itself_reaches_the_caller(
    make_guard: MakeGuard, practice: PracticeServer, to, router_to, way: str
) -> None:
    """Not wrapped by LiteLLM, not retried, and with a cheaper fallback asked first where the Router has one."""
    guard = make_guard({"budgets": {"limits": [{"scope": "tenant:acme", "day": 0.000001}], "tiers": []}})
    with pytest.raises(BudgetExceededError, match="day budget of tenant:acme") as caught:
        if way == "acompletion":
            await litellm.acompletion(**to("openai/gpt-6-luna"))
        elif way == "completion":
            litellm.completion(**to("openai/gpt-6-luna"))
        elif way == "router":
            await router_to(num_retries=3).acompletion(model="first", messages=HELLO)
        elif way == "router sync":
            await asyncio.to_thread(router_to(num_retries=3).completion, model="first", messages=HELLO)
        else:
            await litellm.acompletion(**to("openai/gpt-6-luna", stream=True))
    assert caught.value.resets_at is not None
    assert practice.requests == ()
    assert standing(guard) == (0, 0)


async def test_a_call_names_who_pays(guard: BudgetGuard, to) -> None:
    payer = {"tenant": "globex", "use_case": "cost_sensitive", "user": "42", "tags": ["trial"]}
    await litellm.acompletion(**to("openai/gpt-6-luna", metadata={"orchestrator": payer, "other": 1}))
    paid = standing(guard, "tenant:globex")
    assert paid > (0, 0)
    for scope in ("use_case:cost_sensitive", "user:42", "tag:trial", "provider:openai", "all"):
        assert standing(guard, scope) == paid
    assert standing(guard, "tenant:acme") == (0, 0)


async def test_a_call_names_the_run_that_it_counts_for(
    guard: BudgetGuard, practice: PracticeServer, to
) -> None:
    run = {"run": "thread-42/step", "max_cost_usd": 0.5}
    await litellm.acompletion(**to("openai/gpt-6-luna", metadata={"orchestrator": run}))
    whole, part = (guard._ledger.run("acme", name) for name in ("thread-42", "thread-42/step"))
    assert (whole.spent, part.limit) == (practice.bill.total_nusd(), 500_000_000)
    tiny = {"run": "tiny", "max_cost_usd": "0.0000001"}
    with pytest.raises(BudgetExceededError, match="the run budget of run:tiny"):
        await litellm.acompletion(**to("openai/gpt-6-luna", metadata={"orchestrator": tiny}))
    assert standing(guard, "model:gpt-6-luna") == (whole.spent, 0)


@pytest.mark.parametrize(
    ("payer", "error"),
    [
        ({"run": "a//b"}, InvalidRequestError),
        ({"max_cost_usd": 1}, InvalidRequestError),
        ({"use_case": "sales"}, UnknownNameError),
        ({"tenent": "acme"}, InvalidRequestError),
        ({"tenant": ""}, InvalidRequestError),
        ("acme", InvalidRequestError),
    ],
)
async def test_a_payer_that_is_none_is_refused(
    guard: BudgetGuard, practice: PracticeServer, to, payer: Any, error: type[Exception]
) -> None:
    """A misspelt name would pass by the limits of the one that was meant."""
    with pytest.raises(error):
        await litellm.acompletion(**to("openai/gpt-6-luna", metadata={"orchestrator": payer}))
    assert practice.requests == ()


async def test_a_call_without_an_output_limit_is_given_one(
    guard: BudgetGuard, practice: PracticeServer, to
) -> None:
    await litellm.acompletion(**to("openai/gpt-6-luna", max_tokens=None))
    body = practice.requests[-1].body
    assert body.get("max_tokens", body.get("max_completion_tokens")) == DEFAULT_MAX_TOKENS


async def test_answers_tools_and_formats_count_in_what_is_held(
    guard: BudgetGuard, practice: PracticeServer, to
) -> None:
    class Label(BaseModel):
        """What was found."""

        text: str

    async def held_for(**more: Any) -> int:
        await ask(to("openai/gpt-4o-mini", **more))
        query = "SELECT held_nusd FROM attempts ORDER BY operation_id DESC LIMIT 1"
        return guard._ledger.store.file.write(lambda connection: connection.execute(query).fetchone()[0])

    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    plain = await held_for()
    assert await held_for(n=3) > plain
    assert await held_for(tools=[tool]) > plain
    assert await held_for(response_format=Label) > await held_for(response_format={"type": "json_object"})


@pytest.mark.parametrize(
    "more",
    [
        {"extra_body": {"n": 50}},
        {"fallbacks": ["openai/gpt-4o-mini"]},
        {"service_tier": "priority"},
        {"web_search_options": {"search_context_size": "low"}},
        {"plugins": [{"id": "web"}]},
        {"modalities": ["text", "audio"]},
        {"max_output_tokens": 8_000},
        {"not_yet_invented": 1},
    ],
)
async def test_what_takes_the_bound_away_is_refused(
    guard: BudgetGuard, practice: PracticeServer, to, more: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequestError, match="is not taken by a guarded call"):
        await litellm.acompletion(**to("openai/gpt-6-luna", **more))
    assert practice.requests == ()


@pytest.mark.parametrize(
    "more",
    [
        *(
            {name: value}
            for name in ("metadata", "litellm_metadata", "model_info")
            for value in ("x", ["x"], 5)
        ),
        *({name: "x"} for name in ("cache", "stream_options", "extra_headers", "headers", "client")),
    ],
)
async def test_what_litellm_would_trip_over_is_refused_before_it_is_sent(
    guard: BudgetGuard, practice: PracticeServer, to, more: dict[str, Any]
) -> None:
    """It tripped over `litellm_metadata` behind the answer, which was billed and lost."""
    arguments = to("openai/gpt-6-luna", **more)
    with pytest.raises(InvalidRequestError, match="must be"):
        await litellm.acompletion(**arguments)
    with pytest.raises(InvalidRequestError, match="must be"):
        await asyncio.to_thread(litellm.completion, **arguments)
    assert practice.requests == ()
    assert standing(guard) == (0, 0)


async def test_a_client_and_a_setting_that_send_twice_are_refused(
    guard: BudgetGuard, practice: PracticeServer, to, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidRequestError, match="'client' is not taken"):
        await litellm.acompletion(**to("openrouter/openai/gpt-6-luna", client=object()))
    monkeypatch.setattr(litellm, "num_retries", 2)
    with pytest.raises(InvalidRequestError, match=r"litellm\.num_retries"):
        litellm.completion(**to("openai/gpt-6-luna"))
    assert practice.requests == ()


async def test_the_callers_own_openai_client_is_used_without_its_retries(
    guard: BudgetGuard, practice: PracticeServer, to
) -> None:
    practice.faults.add(Fault.parse("openai:status=503"))
    own = AsyncOpenAI(api_key="practice", base_url=practice.base_url("openai"), max_retries=3)
    assert await ask(to("openai/gpt-6-luna", client=own)) != "answered"
    assert len(practice.requests) == 1


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("how", ["acompletion", "astream", "completion", "stream"])
async def test_a_redirect_is_a_failure_and_followed_nowhere(
    guard: BudgetGuard, to, model: str, how: str
) -> None:
    """The key, the prompt and the headers go to the address of the call alone; what it did may be billed."""
    with redirecting() as elsewhere:
        arguments = to(model, api_base=elsewhere.url, stream=how.endswith("stream"))
        if how == "acompletion":
            with pytest.raises(Exception, match="litellm"):
                await litellm.acompletion(**arguments)
        elif how == "astream":
            with pytest.raises(Exception, match="litellm"):
                assert [chunk async for chunk in await litellm.acompletion(**arguments)] == "answered"
        else:
            with pytest.raises(Exception, match="litellm"):
                assert list(litellm.completion(**arguments)) == "answered"
    assert len(elsewhere.asked) == 1
    assert elsewhere.reached == []
    assert operations(guard) == [("failed", "malformed", 1)]
    assert standing(guard)[0] > 0


async def test_the_callers_own_openai_client_follows_no_redirect_either(guard: BudgetGuard, to) -> None:
    with redirecting() as elsewhere:
        own = AsyncOpenAI(api_key="practice", base_url=elsewhere.url)
        assert await ask(to("openai/gpt-6-luna", client=own)) != "answered"
    assert elsewhere.reached == []


@pytest.mark.parametrize("how", ["acompletion", "completion"])
@pytest.mark.parametrize("address", ["http://127.0.0.1:9/a.png", "https://example.com/a", "//host/a.png"])
async def test_no_picture_is_opened_from_this_machine(
    guard: BudgetGuard, practice: PracticeServer, to, how: str, address: str
) -> None:
    """LiteLLM opens the addresses of pictures for Google's models itself."""
    parts = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": address}}]
    arguments = to("gemini/gemini-3.8-flash", messages=[{"role": "user", "content": parts}])
    with pytest.raises(InvalidRequestError, match="would be opened from this machine"):
        if how == "acompletion":
            await litellm.acompletion(**arguments)
        else:
            litellm.completion(**arguments)
    assert practice.requests == ()
    assert standing(guard) == (0, 0)


@pytest.mark.parametrize("model", MODELS)
async def test_no_prompt_stands_in_any_log(
    guard: BudgetGuard, practice: PracticeServer, to, caplog: pytest.LogCaptureFixture, model: str
) -> None:
    caplog.set_level(logging.DEBUG)
    for library in ("openai", "httpx", "httpcore", "LiteLLM"):
        caplog.set_level(logging.DEBUG, logger=library)
    await litellm.acompletion(**to(model))
    litellm.completion(**to(model))
    assert len(practice.requests) == 2
    assert "Xin ch" not in caplog.text


@pytest.mark.parametrize("when", ["priced_at", "is_watched"])
async def test_an_interrupt_before_the_send_leaves_nothing_held_and_costs_nothing(
    guard: BudgetGuard, practice: PracticeServer, to, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(guarded, when, interrupted)
    for call in (litellm.completion, litellm.acompletion):
        with pytest.raises(KeyboardInterrupt):
            sent = call(**to(MODELS[0]))
            # Driven by hand: a loop lets an interrupt of a task end it.
            sent.send(None)
    assert standing(guard) == (0, 0)
    assert practice.requests == ()


def test_our_hook_has_the_parameters_that_litellm_passes() -> None:
    """A hook with another name or other parameters would let everything past."""
    theirs = inspect.signature(CustomLogger.async_pre_call_deployment_hook)
    assert list(inspect.signature(guarded.Guard.async_pre_call_deployment_hook).parameters) == list(
        theirs.parameters
    )


async def test_what_goes_past_the_guard_is_stopped(guard: BudgetGuard, practice: PracticeServer, to) -> None:
    """Names imported before the guard was made, and LiteLLM's other doors."""
    guarded.stand_guard()
    past_it = imported_before.__wrapped__ if imported_before is litellm.acompletion else imported_before
    past_it_sync = (
        imported_before_sync.__wrapped__
        if imported_before_sync is litellm.completion
        else imported_before_sync
    )
    with pytest.raises(InvalidRequestError, match="goes past it"):
        await past_it(**to("openai/gpt-6-luna"))
    with pytest.raises(InvalidRequestError, match="goes past it"):
        past_it_sync(**to("openai/gpt-6-luna"))
    embedding = to("openai/text-embedding-3-small", input=["Xin chào"])
    with pytest.raises(InvalidRequestError, match="aembedding"):
        await litellm.aembedding(
            **{name: embedding[name] for name in ("model", "input", "api_base", "api_key")}
        )
    assert practice.requests == ()


async def test_without_a_guard_in_the_list_nothing_is_held(
    guard: BudgetGuard, practice: PracticeServer, to
) -> None:
    litellm.callbacks.remove(guard)
    try:
        assert await ask(to("openai/gpt-nobody-knows")) == "answered"
    finally:
        litellm.callbacks.append(guard)
    assert standing(guard) == (0, 0)


async def test_what_an_orchestrator_sends_is_held_once(guard: BudgetGuard, practised, practice) -> None:
    """Both are in the process, on one ledger; the walk pays for its own attempts."""
    await practised.acomplete("Xin chào", tenant="acme", cache=CacheUse.OFF)
    await practised.native("openai/gpt-6-luna", tenant="acme").ainvoke("Xin chào")
    practice.wait_idle()
    assert len(practice.requests) == 2
    assert standing(guard) == (practice.bill.total_nusd(), 0)
    assert len(operations(guard)) == 2


def test_a_process_that_ends_with_its_reply_has_booked_it(
    practice: PracticeServer, make_config, environment: dict[str, str], warm
) -> None:
    """LiteLLM's own success callbacks record 0 of 1 here."""
    path = make_config().path
    program = f"""
import asyncio, os, litellm
from orchestrator import BudgetGuard
litellm.callbacks.append(BudgetGuard.from_config({str(path)!r}, tenant="acme"))
async def main():
    await asyncio.gather(*(litellm.acompletion("openai/gpt-6-luna", {HELLO!r}) for _ in range(50)))
    os._exit(0)
asyncio.run(main())
"""
    warm(program, environment={**environment, **addresses(practice)}).wait(300)
    practice.wait_idle()
    looker = BudgetGuard(make_config())
    assert len(practice.requests) == 50
    assert standing(looker) == (practice.bill.total_nusd(), 0)
    looker.close()


GOOGLE = "gemini/gemini-3.8-flash"
FUNCTION = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    "more",
    [
        {"max_output_tokens": 8_000},
        {"maxOutputTokens": 8_000},
        {"generation_config": {"max_output_tokens": 8_000}},
        {"cached_content": "cachedContents/1"},
        {"tools": [{"googleSearch": {}}]},
        {"tools": [FUNCTION, {"urlContext": {}}]},
        {"tools": [{"type": "web_search"}]},
        {"web_search_options": {}},  # LiteLLM writes googleSearch for either
        {"functions": [{"googleSearch": {}}]},
    ],
)
async def test_what_has_no_bound_at_google_is_refused(
    guard: BudgetGuard, practice: PracticeServer, to, more: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequestError, match="not taken by a guarded call"):
        await litellm.acompletion(**to(GOOGLE, **more))
    with pytest.raises(InvalidRequestError, match="not taken by a guarded call"):
        litellm.completion(**to(GOOGLE, **more))
    assert practice.requests == ()


async def test_a_cache_mark_is_not_sent_to_google_and_said_once(
    guard: BudgetGuard, practice: PracticeServer, to, caplog: pytest.LogCaptureFixture
) -> None:
    guarded_call._tell_once.cache_clear()
    mark = {"cache_control": {"type": "ephemeral"}}
    marked = [{"role": "user", "content": [{"type": "text", "text": "Xin chào " * 2_000, **mark}]}]
    for _ in range(2):
        await litellm.acompletion(**to(GOOGLE, messages=marked, tools=[{**FUNCTION, **mark}]))
    assert len(practice.requests) == 2
    assert sum("'cache_control' is not sent to Google" in record.message for record in caplog.records) == 1
    assert standing(guard) == (practice.bill.total_nusd(), 0)
    assert marked[0]["content"][0]["cache_control"] == mark["cache_control"]


UNREADABLE = {
    "empty object": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
    "wrong length": b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"id":',
    "bad chunks": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nxy\r\n",
    "a page": b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>",
    "a redirect": b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n",
}


@pytest.mark.parametrize("what", UNREADABLE)
@pytest.mark.parametrize("model", MODELS)
async def test_what_cannot_be_read_may_have_been_billed(
    guard: BudgetGuard, to, model: str, what: str
) -> None:
    async def answer(exchanged: Exchanged) -> None:
        await exchanged.send(UNREADABLE[what])
        exchanged.writer.close()

    async with serving(answer) as server:
        with contextlib.suppress(Exception):
            await litellm.acompletion(**to(model, api_base=server.base_url))
        assert len(server.requests) == 1
    assert sources(guard) == ["bound"]


@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_letter_in_a_header_loses_no_answer(guard: BudgetGuard, to, in_thread: bool) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    choice = {"index": 0, "message": {"role": "assistant", "content": "Chào"}, "finish_reason": "stop"}
    told = {"id": "a", "created": 1, "model": "gpt-6-luna", "object": "chat.completion", "choices": [choice], "usage": usage}  # fmt: skip

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.answer(json.dumps(told).encode(), headers="x-served-by: Hà Nội\r\n")

    async with serving(answer) as server:
        call = to("openai/gpt-6-luna", api_base=server.base_url)
        answered = await (
            asyncio.to_thread(litellm.completion, **call) if in_thread else litellm.acompletion(**call)
        )
        assert answered.choices[0].message.content == "Chào"
    assert sources(guard) == ["price_book"]


@pytest.mark.parametrize("model", MODELS)
async def test_without_a_connection_nothing_is_booked(guard: BudgetGuard, to, model: str) -> None:
    with contextlib.suppress(Exception):
        await litellm.acompletion(**to(model, api_base="http://127.0.0.1:9/v1"))
    with contextlib.suppress(Exception):
        await asyncio.to_thread(litellm.completion, **to(model, api_base="http://127.0.0.1:9/v1"))
    assert (sources(guard), standing(guard)) == (["none", "none"], (0, 0))


@pytest.mark.parametrize("stream", [False, True])
async def test_what_a_customers_own_key_is_charged_is_booked(guard: BudgetGuard, to, stream: bool) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11, "cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.036}}  # fmt: skip
    head = {"id": "gen-1", "created": 1, "model": "openai/gpt-6-luna"}

    async def answer(exchanged: Exchanged) -> None:
        if not stream:
            choice = {
                "index": 0,
                "message": {"role": "assistant", "content": "Chào"},
                "finish_reason": "stop",
            }
            told = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
            await exchanged.answer(json.dumps(told).encode())
            return
        chunk = {**head, "object": "chat.completion.chunk"}
        events = [
            {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Chào"}}]},
            {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {**chunk, "choices": [], "usage": usage},
        ]
        body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
        await exchanged.answer(body + b"data: [DONE]\n\n", json=False)

    async with serving(answer) as server:
        answered = await litellm.acompletion(
            **to("openrouter/openai/gpt-6-luna", api_base=server.base_url, stream=stream)
        )
        if stream:
            assert [chunk async for chunk in answered]
    assert (sources(guard), standing(guard)) == (["provider"], (36_000_000, 0))


async def test_a_file_is_held_for_as_a_whole_context_and_refused_where_none_is_known(
    make_guard: MakeGuard, practice: PracticeServer, to
) -> None:
    content = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    messages = [{"role": "user", "content": content}]
    guard = make_guard({"budgets": {"limits": [{"scope": "all", "request": 0.001}]}})
    with pytest.raises(BudgetExceededError):
        await litellm.acompletion(**to("openai/gpt-6-luna", messages=messages))
    with pytest.raises(InvalidRequestError, match="context_tokens"):
        await litellm.acompletion(**to("openai/gpt-4o-mini", messages=messages))
    assert (practice.requests, standing(guard)) == ((), (0, 0))


async def test_an_answer_whose_id_is_a_number_is_booked(guard: BudgetGuard) -> None:
    """No ledger holds one of 64 bits: the money stayed held, and the caller had an OverflowError."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "Chào"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
    body = {"id": 2**63, "created": 1, "model": "m", "choices": [choice], "usage": usage}

    async def answer(exchanged: Exchanged) -> None:
        await exchanged.answer(json.dumps(body).encode())

    async with serving(answer) as server:
        await litellm.acompletion(
            model=MODELS[0], messages=HELLO, max_tokens=50, api_base=server.base_url, api_key="k"
        )
    spent, held = standing(guard)
    assert spent > 0 == held
