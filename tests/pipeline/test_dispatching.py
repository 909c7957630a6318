"""The attempts of a plan come to a reply, and every one of them is in the trace and in the books."""

import asyncio

import pytest

from orchestrator.core.errors import DeadlineExceededError
from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import ProviderAnswer
from orchestrator.core.reply import Delta, Usage
from orchestrator.pipeline.dispatching import Dispatching
from orchestrator.pipeline.planning import Planning
from tests.support.step_bench import StepBench

FIRST = "openrouter/gpt-6.1-sol"


class Sending:
    """A transport that sends the first attempt and ends it as the test says."""

    is_ready = True

    def __init__(self, *, pieces: tuple[str, ...] = (), silent: bool = False) -> None:
        self.sources: list = []
        self.sent = asyncio.Event()
        self._pieces, self._silent = pieces, silent

    async def send(self, source) -> ProviderAnswer:
        self.sources.append(source)
        attempt = source.current
        attempt.start()
        attempt.mark_sent()
        if source.streams:
            attempt.begin_stream()
        for text in self._pieces:
            attempt.receive(Delta(text))
        self.sent.set()
        if self._silent:
            await asyncio.Event().wait()
        return ProviderAnswer(
            text="".join(self._pieces) or "Chào anh Nam",
            finish_reason="stop",
            tool_calls=(),
            usage=Usage(14, 27),
            reported_cost_nusd=None,
            upstream_id="gen-1",
        )


def dispatched(bench: StepBench, transport: Sending, **fields):
    """Return a planned call on its way through the step, and the call."""
    object.__setattr__(bench.snapshot, "transport", transport)
    call = bench.call(**fields)
    return Planning(bench.services, Dispatching(bench.services))(call), call


async def held(bench: StepBench) -> int:
    """Return what is held when this turn of the loop is over: its bookings are written together."""
    await asyncio.sleep(0)
    return sum(status.held for status in bench.services.ledger.budget_status())


async def test_an_answer_becomes_a_reply_that_says_what_it_cost_and_what_gave_it(bench) -> None:
    answering, call = dispatched(bench, Sending())
    reply = await answering
    assert (reply.request_id, reply.text, reply.deployment) == (call.id, "Chào anh Nam", FIRST)
    assert reply.attempts == call.trace.attempts
    assert reply.cost_nusd == call.trace.spent_nusd > 0
    assert reply.degraded is None
    assert await held(bench) == 0


async def test_a_deadline_books_the_attempt_as_late_and_says_what_was_delivered(bench) -> None:
    answering, call = dispatched(
        bench, Sending(pieces=("Chào ", "anh "), silent=True), stream=True, deadline_s=0.1
    )
    with pytest.raises(DeadlineExceededError, match="no whole answer within 0.1 s; 8 characters") as caught:
        await answering
    assert caught.value.partial_text == "Chào anh"
    assert [attempt.failure for attempt in call.trace.attempts] == [FailureKind.TIMEOUT]
    assert await held(bench) == 0


async def test_a_call_that_is_left_books_its_attempt(bench) -> None:
    transport = Sending(silent=True)
    answering, call = dispatched(bench, transport)
    task = asyncio.create_task(answering)
    await transport.sent.wait()
    assert await held(bench) > 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [attempt.failure for attempt in call.trace.attempts] == [FailureKind.CANCELLED]
    assert await held(bench) == 0


async def test_a_slow_provider_is_given_up_at_the_calls_deadline(bench) -> None:
    answering, call = dispatched(bench, Sending(silent=True), deadline_s=0.1)
    with pytest.raises(DeadlineExceededError, match="no answer within 0.1 s"):
        await answering
    assert [attempt.failure for attempt in call.trace.attempts] == [FailureKind.TIMEOUT]


async def test_a_call_without_a_plan_is_a_mistake_of_ours(bench) -> None:
    with pytest.raises(RuntimeError, match="planned before it is dispatched"):
        await Dispatching(bench.services)(bench.call())
