"""One caller's haste, poverty or mistake never binds another; each was seen to, in a review."""

import asyncio
import logging
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import CacheState, CacheUse, ChatRequest, Orchestrator
from orchestrator.core.errors import (
    BudgetExceededError,
    DeadlineExceededError,
    InvalidRequestError,
    OrchestratorError,
)
from orchestrator.core.reply import CostSource
from orchestrator.practice import Fault, PracticeServer
from orchestrator.providers.litellm import loading

TOOL = {"type": "function", "function": {"name": "find_order", "parameters": {"type": "object"}}}


def test_a_joined_caller_has_its_own_deadline(make_orchestrator) -> None:
    """The one that began was in a hurry; the one that joined gets its answer all the same."""
    with PracticeServer(seed_latency_s=1.0) as server:
        orchestrator: Orchestrator = make_orchestrator(OPENROUTER_BASE_URL=server.base_url("openrouter"))
        orchestrator.warm_up()

        async def both() -> list[object]:
            hurried = asyncio.create_task(orchestrator.acomplete("Giờ mở cửa?", deadline_s=0.4))
            await asyncio.sleep(0.1)
            patient = asyncio.create_task(orchestrator.acomplete("Giờ mở cửa?", deadline_s=20))
            return await asyncio.gather(hurried, patient, return_exceptions=True)

        hurried, patient = asyncio.run(both())
    assert isinstance(hurried, DeadlineExceededError)
    assert getattr(patient, "text", None)


def test_a_joined_caller_has_its_own_budget(make_orchestrator) -> None:
    """The one that began had no money left; the refusal is its own."""
    limits = [{"scope": "user:poor", "day": 0.000000001}]
    with PracticeServer(seed_latency_s=0.2) as server:
        orchestrator = make_orchestrator(
            {"budgets": {"limits": limits}}, OPENROUTER_BASE_URL=server.base_url("openrouter")
        )
        orchestrator.warm_up()
        with ThreadPoolExecutor(2) as pool:
            poor = pool.submit(orchestrator.complete, "Giờ mở cửa?", user="poor")
            rich = pool.submit(orchestrator.complete, "Giờ mở cửa?", user="rich")
            assert rich.result().cached in {CacheState.MISS, CacheState.HIT}
            error = poor.exception()
            if error is None:
                # On a busy machine it may come after the other one, whose answer is free then.
                assert poor.result().cached in {CacheState.HIT, CacheState.JOINED}
            else:
                assert isinstance(error, BudgetExceededError)
                assert "user:poor" in str(error)


def test_a_caller_in_a_hurry_opens_no_circuit(make_orchestrator) -> None:
    """A provider that answers in 0.3 s is not ill because somebody waited 0.1 s."""
    with PracticeServer(seed_latency_s=0.3) as server:
        orchestrator = make_orchestrator(OPENROUTER_BASE_URL=server.base_url("openrouter"))
        orchestrator.warm_up()
        for number in range(5):
            with pytest.raises(DeadlineExceededError):
                orchestrator.complete(f"Câu {number}", deadline_s=0.1, cache=CacheUse.OFF)
        assert "open" not in orchestrator.circuits().values()


@pytest.mark.parametrize(
    "wanted",
    [
        {"tools": ["x"]},
        {"tools": [{"type": "openrouter:web_search"}]},
        {"tools": [{"googleSearch": {}}]},
        {"response_format": "json"},
        {"response_format": {"schema": {}}},
    ],
)
def test_a_malformed_request_is_refused_before_it_opens_circuits(
    practised: Orchestrator, practice: PracticeServer, wanted: dict[str, object]
) -> None:
    for _ in range(4):
        with pytest.raises(InvalidRequestError):
            practised.complete("Xin chào", **wanted)
    assert practised.circuits() == {}
    assert practice.requests == ()


def test_a_request_changed_by_replace_is_checked_again(practised: Orchestrator) -> None:
    """A negative max_tokens would be a negative hold, and make room for others."""
    request = ChatRequest.of("Xin chào", use_case="customer_service")
    with pytest.raises(InvalidRequestError, match="max_tokens"):
        practised.complete(replace(request, max_tokens=-1_000_000))


def test_a_tenant_without_money_takes_nothing_of_the_rate_limit(make_orchestrator) -> None:
    changes = {
        "budgets": {"limits": [{"scope": "tenant:broke", "day": 0.000000001}]},
        "providers": {"openrouter": {"requests_per_min": 5}},
    }
    orchestrator = make_orchestrator(changes)
    for number in range(10):
        with pytest.raises(BudgetExceededError):
            orchestrator.complete(f"Câu {number}", tenant="broke")
    assert orchestrator.complete("Xin chào", tenant="acme").deployment == "openrouter/gpt-6.1-sol"


def test_two_first_requests_at_once_load_litellm_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that stood twice in LiteLLM's list would veto every attempt of the process."""
    litellm = loading.load_litellm()
    guards = [one for one in litellm.callbacks if type(one).__name__ == "AttemptGuard"]
    for guard in guards:
        litellm.callbacks.remove(guard)
    monkeypatch.setattr(loading, "_litellm", None)
    start = threading.Barrier(8)

    def load(_: int) -> object:
        start.wait()
        return loading.load_litellm()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(load, range(8)))
    assert [type(one).__name__ for one in litellm.callbacks].count("AttemptGuard") == 1


def test_a_late_booking_says_nothing_of_prompt_or_key(
    make_orchestrator, practice: PracticeServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged inside a provider's error, whose chain quotes the request."""
    orchestrator = make_orchestrator({"ledger": {"lock_timeout_s": 0.2}})
    orchestrator.complete("Xin chào", cache=CacheUse.OFF)
    practice.faults.add(Fault.parse("*:slow_first_token,delay_s=0.6"))
    blocker = sqlite3.connect(
        Path(orchestrator.config.settings.ledger.path), isolation_level=None, check_same_thread=False
    )
    locked = threading.Timer(0.3, lambda: blocker.execute("BEGIN IMMEDIATE"))
    locked.start()
    with caplog.at_level(logging.DEBUG, logger="orchestrator"):
        try:
            reply = orchestrator.complete("bí mật của khách", cache=CacheUse.OFF, deadline_s=5)
            assert any("booked late" in notice for notice in reply.notices)
        except OrchestratorError as exc:
            assert "bí mật" not in str(exc)
    locked.join()
    blocker.execute("ROLLBACK")
    blocker.close()
    assert "the bookings follow" in caplog.text
    assert "bí mật" not in caplog.text
    assert "practice-key" not in caplog.text
    orchestrator.complete("Xin chào lần nữa", cache=CacheUse.OFF)
    assert all(one.held == 0 for one in orchestrator.standings())


def test_an_answer_without_usage_is_not_free(make_orchestrator) -> None:
    """LiteLLM writes zeros where a provider said nothing."""
    from aiohttp import web

    async def answer(_: web.Request) -> web.Response:
        message = {"role": "assistant", "content": "Chào chị, cửa hàng mở cửa lúc 8 giờ."}
        return web.json_response(
            {
                "id": "x",
                "object": "chat.completion",
                "created": 1,
                "model": "m",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            }
        )

    with _Served({"/v1/chat/completions": answer}) as address:
        orchestrator = make_orchestrator(OPENAI_BASE_URL=f"{address}/v1")
        reply = orchestrator.complete("Xin chào", model="openai/gpt-6.1-sol", cache=CacheUse.OFF)
    assert reply.cost_nusd > 0
    assert reply.attempts[0].cost_source is CostSource.BOUND
    assert reply.usage.estimated or reply.attempts[0].usage.estimated


class _Served:
    """A server of a test's own, on a thread."""

    def __init__(self, routes: dict[str, object]) -> None:
        from aiohttp import web

        self._app = web.Application()
        for path, handler in routes.items():
            self._app.router.add_post(path, handler)  # type: ignore[arg-type]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> str:
        from aiohttp import web

        self._thread.start()
        self._runner = web.AppRunner(self._app)

        async def start() -> int:
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", 0)
            await site.start()
            return self._runner.addresses[0][1]

        return f"http://127.0.0.1:{asyncio.run_coroutine_threadsafe(start(), self._loop).result()}"

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
