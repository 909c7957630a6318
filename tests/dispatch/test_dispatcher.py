"""One plan to one answer over practice providers without sockets: a dispatch needs nothing of LiteLLM."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.core.errors import AllProvidersFailedError
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Delta
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.practice import Scripted
from orchestrator.providers.in_memory import InMemoryTransport

FIRST, SECOND = "openrouter/gpt-6.1-sol", "openrouter/claude-sonnet-5.5"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def transport(clock, listed_prices) -> InMemoryTransport:
    return InMemoryTransport(
        clock=clock, answerer=Scripted(["Chào chị, đơn hàng đang trên đường."]), prices=listed_prices
    )


@pytest.fixture
def dispatcher_of(dispatch_of, transport):
    """Make dispatchers over the shipped configuration, in front of the transport."""

    def make(*, take=None, **overrides) -> Dispatcher:
        dispatch, services = dispatch_of(stream=take is not None, **overrides)
        return Dispatcher(dispatch, transport=transport, services=services, take=take)

    return make


async def test_an_answer_is_booked_at_what_it_is_billed(dispatcher_of, transport) -> None:
    result = await dispatcher_of().run()
    assert result.answer is not None
    assert result.answer.text == "Chào chị, đơn hàng đang trên đường."
    assert result.spent_nusd == transport.bill.total_nusd("openrouter") > 0


async def test_a_failure_is_followed_by_the_next_deployment(dispatcher_of, transport) -> None:
    transport.faults.add("openrouter:status=503,times=1")
    result = await dispatcher_of().run()
    assert [(row.deployment, row.failure) for row in result.attempts] == [
        (FIRST, "unavailable"),
        (SECOND, None),
    ]


SAME_FAULTS = [
    ("status=429", "rate_limited"),
    ("status=500", "server_error"),
    ("status=503", "unavailable"),
    ("status=401", "unauthorized"),
    ("status=400,reason=output_limit", "output_limit"),
    ("status=429,reason=request_too_large", "unsupported"),
    ("status=400,reason=location", "unauthorized"),
    ("status=400,reason=html", "server_error"),
    ("odd_answer=unknown_finish", "interrupted"),
    ("odd_answer=nameless_call", "malformed"),
    ("status=402", "no_credit"),
    ("status=404", "model_not_found"),
    ("reset", "disconnected"),
    ("malformed_body", "malformed"),
    ("wrong_types", "malformed"),
    ("empty_content", "empty"),
    ("error_in_200", "server_error"),
]
"""As `tests/providers/test_transport.py` sees them over a real connection."""


@pytest.mark.parametrize(("fault", "kind"), SAME_FAULTS)
async def test_a_fault_is_the_failure_that_it_is_over_a_connection(
    dispatcher_of, transport, fault, kind
) -> None:
    transport.faults.add(f"openrouter:{fault}")
    result = await dispatcher_of().run()
    assert result.answer is not None
    assert {row.failure for row in result.attempts if row.provider == "openrouter"} == {kind}


async def test_silence_takes_its_time_on_the_clock_alone(dispatcher_of, transport, clock) -> None:
    transport.faults.add("openrouter:silence,times=1")
    before_s = clock.monotonic_s()
    result = await dispatcher_of().run()
    assert result.attempts[0].failure == "timeout"
    assert result.attempts[0].cost_nusd > NanoUsd(0)
    assert clock.monotonic_s() - before_s == pytest.approx(30)


async def test_a_stream_that_breaks_off_is_finished_by_another_attempt(dispatcher_of, transport) -> None:
    transport.faults.add("openrouter:cut_stream=4,times=1")
    pieces: list[Delta] = []
    result = await dispatcher_of(take=pieces.append).run()
    assert "".join(piece.text for piece in pieces) == "Chào chị, đơn hàng đang trên đường."
    assert result.story is not None
    assert len(result.attempts) == 2


class Broken:
    """A transport with a mistake: it tells its attempt nothing, and raises what it should not or nothing."""

    is_ready = True

    def __init__(self, then, error: Exception | None) -> None:
        self._then, self._error, self._sends = then, error, 0

    async def send(self, source):
        self._sends += 1
        if self._sends > 1:
            return await self._then.send(source)
        source.current.start()
        source.current.mark_sent()
        if self._error is not None:
            raise self._error
        return None


async def test_an_attempt_of_which_a_transport_tells_nothing_is_booked_as_unknown(
    dispatcher_of, transport
) -> None:
    dispatcher = dispatcher_of()
    dispatcher._transport = Broken(transport, None)
    result = await dispatcher.run()
    assert [row.failure for row in result.attempts] == ["unknown", None]


async def test_a_mistake_of_a_transport_is_no_cancellation_of_the_caller(dispatcher_of, transport) -> None:
    dispatcher = dispatcher_of()
    dispatcher._transport = Broken(transport, OSError("the wire broke"))
    with pytest.raises(OSError, match="the wire broke"):
        await dispatcher.run()
    dispatcher.close()
    assert [row.failure for row in dispatcher.result().attempts] == ["unknown"]


async def test_a_caller_that_leaves_a_stream_is_billed_for_what_was_said(dispatcher_of, transport) -> None:
    class LeftError(Exception):
        """The reader has had enough."""

    def leave(delta: Delta) -> None:
        raise LeftError

    dispatcher = dispatcher_of(take=leave)
    with pytest.raises(LeftError):
        await dispatcher.run()
    assert transport.bill.total_nusd("openrouter") > 0
    assert dispatcher.result().spent_nusd >= transport.bill.total_nusd("openrouter")


async def test_only_what_has_spoken_broke_off(dispatcher_of, transport) -> None:
    transport.faults.add("openrouter:cut_stream=4,times=1", "openrouter:status=503")
    result = await dispatcher_of(take=lambda _: None).run()
    assert result.story.count("broke off") == 1


async def test_when_every_provider_fails_the_error_names_each(dispatcher_of, transport, clock) -> None:
    transport.faults.add("*:status=400,reason=insufficient_quota")
    with pytest.raises(AllProvidersFailedError, match=FIRST):
        await dispatcher_of(model="gpt-6.1-sol").run()


async def test_no_message_of_the_caller_is_changed_by_an_attempt(dispatcher_of, transport) -> None:
    dispatcher = dispatcher_of()
    attempt = await dispatcher._cursor.next()
    outbound = attempt.outbound()
    outbound.messages[0]["content"] = "something else"
    outbound.messages[0]["cache_control"] = {"type": "ephemeral"}
    assert attempt.outbound().messages == [{"role": "user", "content": "Xin chào"}]
    dispatcher.close()


def test_a_dispatch_over_it_loads_neither_litellm_nor_a_client_of_http() -> None:
    program = """
import sys
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.providers.in_memory import InMemoryTransport
print(sorted(name for name in ("litellm", "openai", "httpx", "langchain_core") if name in sys.modules))
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=300
    )
    assert ended.stdout.strip() == "[]"
