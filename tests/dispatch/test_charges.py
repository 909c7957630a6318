"""What is booked for an attempt: the provider's word, else our price with its hours and discounts."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from orchestrator import Orchestrator
from orchestrator.catalog.price import Price
from orchestrator.core.errors import AllProvidersFailedError, OrchestratorError, StreamInterruptedError
from orchestrator.core.reply import CostSource, Usage
from orchestrator.core.request import CacheUse
from orchestrator.ledger.reader import LedgerReader
from orchestrator.providers.wire.usage_reading import read_openai_usage
from tests.providers.wire.misbehaving import Exchanged, serving

NAME = "google/gemini-3.8-flash"
PRICE = {"input": 2, "output": 10, "source": "a test", "date": "2026-11-09"}
NIGHT = {**PRICE, "off_peak": {"begins": "16:30", "ends": "00:30", "input": 1, "output": 5}}
EVERY_CENT = {"providers": {"google": {"volume_discounts": [{"above_usd_per_month": 0, "percent": 10}]}}}


def told_version(orchestrator: Orchestrator) -> list[str]:
    import sqlite3

    with sqlite3.connect(orchestrator.config.settings.ledger.path) as ledger:
        return [row[0] for row in ledger.execute("SELECT price_version FROM attempts ORDER BY started_at")]


def ask(orchestrator: Orchestrator, model: str = NAME):
    return orchestrator.complete("Xin chào", cache=CacheUse.OFF, model=model)


@pytest.mark.parametrize(("hour", "output_usd"), [(12, 10), (20, 5)])
def test_the_hour_of_a_request_is_booked(make_orchestrator, clock, hour, output_usd):
    clock.set(datetime(2026, 11, 23, hour, tzinfo=UTC))
    orchestrator = make_orchestrator({"deployments": {NAME: {"price": NIGHT}}}, clock=clock)
    reply = ask(orchestrator)
    usage = reply.usage
    assert reply.cost_nusd == usage.output_tokens * output_usd * 1000 + usage.input_tokens * output_usd * 200
    (version,) = told_version(orchestrator)
    assert version == f"a test{', off-peak' if hour == 20 else ''}@2026-11-09"


def test_a_volume_discount_begins_once_enough_is_booked(make_orchestrator):
    orchestrator = make_orchestrator({**EVERY_CENT, "deployments": {NAME: {"price": PRICE}}})
    first, second = ask(orchestrator), ask(orchestrator)
    assert first.usage == second.usage
    assert second.cost_nusd == -(-first.cost_nusd * 9 // 10)
    assert told_version(orchestrator) == ["a test@2026-11-09", "a test@2026-11-09, volume -10%"]


def test_the_vendors_own_client_gets_the_same_discount(make_orchestrator):
    orchestrator = make_orchestrator({**EVERY_CENT, "deployments": {NAME: {"price": PRICE}}})
    for _ in range(2):
        orchestrator.native(NAME, tenant="acme").invoke("Xin chào")
    assert told_version(orchestrator) == ["a test@2026-11-09", "a test@2026-11-09, volume -10%"]


def test_no_discount_touches_a_cost_that_the_provider_reports(make_orchestrator, practice):
    discount = {"volume_discounts": [{"above_usd_per_month": 0, "percent": 90}]}
    orchestrator = make_orchestrator({"providers": {"openrouter": discount}})
    replies = [ask(orchestrator, "openrouter/gpt-6-luna") for _ in range(2)]
    assert {one.attempts[0].cost_source for one in replies} == {CostSource.PROVIDER}
    assert sum(one.cost_nusd for one in replies) == practice.bill.total_nusd("openrouter")


MODEL = "openrouter/gpt-6-luna"
ONCE = {"retry_profiles": {"interactive": {"attempts_per_deployment": 1}}}
COUNTS = {"prompt_tokens": 1_000, "completion_tokens": 10, "total_tokens": 1_010}
OWN_KEY = {"is_byok": True, "cost_details": {"upstream_inference_cost": 0.036}}
SAID = {"role": "assistant", "content": "Chào chị"}


def whole(usage=None, *, message=SAID, **more) -> bytes:
    """Return an answer in one piece."""
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = {"id": "gen-1", "choices": [choice], **more}
    return orjson.dumps(body if usage is None else {**body, "usage": usage})


def piece(finish=None, **delta) -> bytes:
    """Return an event of a stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + orjson.dumps({"id": "gen-1", "choices": [choice]}) + b"\n\n"


def counted(usage) -> bytes:
    """Return the event with a stream's usage."""
    return b"data: " + orjson.dumps({"id": "gen-1", "choices": [], "usage": usage}) + b"\n\n"


async def booked_of(make_orchestrator, answers, *, stream: bool):
    """Return the attempt that an answer on a real socket was booked as."""

    async def answer(exchanged: Exchanged) -> None:
        await answers(exchanged)
        exchanged.writer.close()

    async with serving(answer) as server:
        orchestrator = make_orchestrator(ONCE, OPENROUTER_BASE_URL=server.base_url)
        wanted = {"cache": CacheUse.OFF, "model": MODEL, "on_break": "error"}
        with contextlib.suppress(AllProvidersFailedError, StreamInterruptedError):
            if stream:
                [_ async for _ in orchestrator.stream("Xin chào", **wanted)]
            else:
                await orchestrator.acomplete("Xin chào", **wanted)
        assert len(server.requests) == 1
    reader = LedgerReader(Path(orchestrator.config.settings.ledger.path))
    with reader:
        (month,) = reader.months()
        table = reader.attempts(month=month)
    held = orchestrator.explain("Xin chào", model=MODEL).asked[0].bound_nusd
    return {**dict(zip(table.columns, table.rows[0], strict=True)), "held_nusd": held}


def at_bound(booked) -> bool:
    return booked["cost_source"] == CostSource.BOUND and booked["cost_nusd"] == booked["held_nusd"] > 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("usage", "cost_nusd", "source"),
    [
        ({"cost": 0.002, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.002}}, 2_000_000, "provider"),
        ({"cost": 0.002, "cost_details": {"upstream_inference_cost": 0.002}}, 2_000_000, "provider"),
        ({"cost": 0, **OWN_KEY}, 36_000_000, "provider"),
        ({"cost": 0.0018, **OWN_KEY}, 37_800_000, "provider"),
        ({"cost": 0}, None, "price_book"),
        ({"cost": 1e-12}, None, "price_book"),
        ({"cost": "0.0000000001"}, None, "price_book"),
        ({"cost": 0, "is_byok": True}, None, "price_book"),
        # A twentieth of the price, which is 105,000: a fee, unless it is said that no key of the customer's own was charged.
        ({"cost": 0.00000525, "is_byok": True}, 110_250, "price_book"),
        ({"cost": 0.00000525, "is_byok": True, "cost_details": {"upstream_inference_cost": 0}}, 110_250, "price_book"),
        ({"cost": 0.00000525, "cost_details": {"upstream_inference_cost": 0}}, 110_250, "price_book"),
        ({"cost": 0.0018, "is_byok": True, "cost_details": {"upstream_inference_cost": 0, "upstream_inference_prompt_cost": 0.03, "upstream_inference_completions_cost": 0.006}}, 37_800_000, "provider"),
        ({"cost": 0.00000525}, 110_250, "price_book"),
        ({"cost": 0.00000525, "is_byok": False}, 5_250, "provider"),
        ({}, None, "price_book"),
    ],
)  # fmt: skip
async def test_what_a_customers_own_key_is_charged_is_a_cost_and_a_cost_of_nothing_is_none(
    make_orchestrator, usage, cost_nusd, source, stream
) -> None:
    async def answers(exchanged: Exchanged) -> None:
        if stream:
            await exchanged.answer(
                piece(content="Chào") + piece("stop") + counted({**COUNTS, **usage}), json=False
            )
        else:
            await exchanged.answer(whole({**COUNTS, **usage}))

    booked = await booked_of(make_orchestrator, answers, stream=stream)
    assert booked["cost_source"] == source
    assert booked["cost_nusd"] == cost_nusd if cost_nusd else booked["cost_nusd"] > 1_000


@pytest.mark.parametrize(
    "between", [b": OPENROUTER PROCESSING\n\n", b"event: usage\n", b"event: message\ndata: \n\n: ping\n\n", b"id: 7\nretry: 5\n\n"]
)  # fmt: skip
async def test_what_stands_between_finish_and_usage_hides_no_usage(make_orchestrator, between) -> None:
    async def answers(exchanged: Exchanged) -> None:
        ending = piece("stop") + between + counted({**COUNTS, "cost": 0.00012}) + b"data: [DONE]\n\n"
        await exchanged.answer(piece(content="Chào") + ending, json=False)

    booked = await booked_of(make_orchestrator, answers, stream=True)
    assert (booked["cost_source"], booked["cost_nusd"]) == ("provider", 120_000)


CALL = {"index": 0, "id": "a", "function": {"name": "find", "arguments": '{"order'}}
ERROR = b'data: {"error":{"code":502,"message":"x"}}\n\n'


@pytest.mark.parametrize(
    "events",
    [
        piece(reasoning="Hm, the customer") + ERROR,
        piece(reasoning="Hm, the customer"),
        piece(reasoning_details=[{"type": "reasoning.encrypted", "data": "x"}]) + ERROR,
        piece(tool_calls=[CALL]),
        piece(tool_calls=[CALL]) + ERROR,
        piece(content="Chào"),
        piece(content="Chào") + ERROR,
        piece(content="Chào") + counted({**COUNTS, "completion_tokens": 1}),
        piece(content="Chào") + piece("stop"),
        piece(content="Chào") + piece("stop") + counted({"prompt_tokens": -5, "completion_tokens": -7}),
        piece(content="Chào") + piece("stop") + counted({"prompt_tokens": 2**63, "completion_tokens": None}),
        *(
            piece(content="Chào") + piece("stop") + counted({"cost": cost, "is_byok": False})
            for cost in (1e-9, 0.00001, "0.00001", -1, True, None)
        ),
        piece(content="Chào")
        + piece("stop")
        + counted({**COUNTS, "prompt_tokens": -5, "cost": 0.00001, "is_byok": False}),
    ],
)
async def test_a_stream_without_its_last_count_is_booked_at_its_bound(make_orchestrator, events) -> None:
    async def answers(exchanged: Exchanged) -> None:
        await exchanged.answer(events, json=False)

    assert at_bound(await booked_of(make_orchestrator, answers, stream=True))


async def test_a_text_far_beyond_its_limit_that_nobody_counts_is_booked_above_its_bound(
    make_orchestrator,
) -> None:
    """A whole body has no pieces by which it would be ended: it was booked at the bound, whatever its length."""
    message = {"role": "assistant", "content": "haha " * 100_000}

    async def answers(exchanged: Exchanged) -> None:
        await exchanged.answer(whole(message=message))

    booked = await booked_of(make_orchestrator, answers, stream=False)
    assert booked["cost_source"] == CostSource.BOUND
    assert booked["cost_nusd"] > 10 * booked["held_nusd"]


async def test_a_cost_above_the_bound_is_booked_though_no_tokens_are_counted(make_orchestrator) -> None:
    async def answers(exchanged: Exchanged) -> None:
        await exchanged.answer(whole({"cost": 0.5, "is_byok": False}))

    booked = await booked_of(make_orchestrator, answers, stream=False)
    assert (booked["cost_source"], booked["cost_nusd"]) == (CostSource.PROVIDER, 500_000_000)


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        ("200 OK", whole(), ""),
        ("200 OK", whole({"prompt_tokens": None, "completion_tokens": 5}), ""),
        ("200 OK", b"{}", ""),
        ("200 OK", whole()[:-9], ""),
        ("200 OK", whole(error={"code": 503, "message": "x"}), ""),
        ("307 Temporary Redirect", b"", "location: /elsewhere\r\n"),
        ("302 Found", b"", "location: /elsewhere\r\n"),
    ],
)
async def test_a_whole_answer_that_does_not_say_what_it_cost_is_booked_at_its_bound(
    make_orchestrator, status, body, headers
) -> None:
    async def answers(exchanged: Exchanged) -> None:
        await exchanged.answer(body, status=status, headers=headers)

    assert at_bound(await booked_of(make_orchestrator, answers, stream=False))


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n"
        + whole(COUNTS)[:-1],
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n{}",
        b"no HTTP at all\r\n\r\n",
    ],
)
async def test_an_answer_that_http_cannot_read_may_have_been_billed(make_orchestrator, answer) -> None:
    async def answers(exchanged: Exchanged) -> None:
        await exchanged.send(answer)

    assert at_bound(await booked_of(make_orchestrator, answers, stream=False))


async def test_what_could_not_connect_costs_nothing(make_orchestrator) -> None:
    """A port that nobody listens on, and one whose name resolves to nothing."""
    for address in ("http://127.0.0.1:9/v1", "http://nowhere.invalid/v1"):
        orchestrator = make_orchestrator(ONCE, OPENROUTER_BASE_URL=address)
        with pytest.raises(OrchestratorError):
            await orchestrator.acomplete("Xin chào", model=MODEL, cache=CacheUse.OFF, deadline_s=20)
        assert {(one.spent, one.held) for one in orchestrator.standings()} == {(0, 0)}


def test_cache_writes_are_paid_at_their_own_rate() -> None:
    """$2 for input and a quarter more for what is stored."""
    price = Price(input=2, output=10, cache_write=2.5, source="a test", date="2026-11-09")
    raw = {"prompt_tokens": 10_000, "completion_tokens": 100, "prompt_tokens_details": {"cache_write_tokens": 9_000}}  # fmt: skip
    counts = read_openai_usage(raw, reports_cost=False)
    assert counts.usage.cache_write_tokens == 9_000
    assert price.cost_of(counts.usage) == 25_500_000


OPENAI = "openai/gpt-6-luna"


@pytest.mark.parametrize(
    ("tier", "percent"), [("default", 100), ("flex", 100), ("priority", 250), ("new", 600)]
)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_in_a_dearer_service_tier_is_priced_and_told(
    make_orchestrator, tier: str, percent: int, stream: bool
) -> None:
    counts = {**COUNTS, "prompt_tokens_details": {"cached_tokens": 600}}

    async def answer(exchanged: Exchanged) -> None:
        late = orjson.dumps({"id": "a", "choices": [], "usage": counts, "service_tier": tier})
        if stream:
            head = piece(content="Chào") + piece("stop")
            await exchanged.answer(head + b"data: " + late + b"\n\ndata: [DONE]\n\n", json=False)
        else:
            await exchanged.answer(whole(counts, service_tier=tier))

    async with serving(answer) as server:
        orchestrator = make_orchestrator(ONCE, OPENAI_BASE_URL=server.base_url)
        wanted = {"cache": CacheUse.OFF, "model": OPENAI, "tenant": "acme"}
        if stream:
            streamed = orchestrator.stream("Xin chào", **wanted)
            [_ async for _ in streamed]
            reply = streamed.reply
        else:
            reply = await orchestrator.acomplete("Xin chào", **wanted)
        native = orchestrator.native(OPENAI, tenant="native")
        if stream:
            [_ async for _ in native.astream("Xin chào")]
        else:
            await native.ainvoke("Xin chào")
    price = orchestrator.config.catalog.price_of(OPENAI).on(datetime.now(UTC).date())
    listed = price.cost_of(Usage(1_000, 10, 600))
    assert listed < price.cost_of(Usage(1_000, 10))
    assert reply.cost_nusd == -(-listed * percent // 100)
    assert any("service tier" in notice for notice in reply.notices) is (percent != 100)
    spent = {one.scope: one.spent for one in orchestrator.standings()}
    assert spent["tenant:native"] == spent["tenant:acme"] == reply.cost_nusd


@pytest.mark.parametrize("usage", [COUNTS, {}])
async def test_a_fee_for_a_customers_own_key_comes_on_top_of_what_is_booked_for_the_rest(
    make_orchestrator, make_config, usage
) -> None:
    """OpenRouter says what it takes itself, and not what the key was charged."""

    async def answers(exchanged: Exchanged) -> None:
        await exchanged.answer(whole({**usage, "cost": 0.0001, "is_byok": True}))

    booked = await booked_of(make_orchestrator, answers, stream=False)
    listed = make_config().catalog.price_of(MODEL).cost_of(Usage(1_000, 10))
    assert booked["cost_source"] == ("price_book" if usage else "bound")
    assert booked["cost_nusd"] == (listed if usage else booked["held_nusd"]) + 100_000
