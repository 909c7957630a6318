"""One step of the pipeline alone: real services and files, and a following step of the test's own."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.cache.response_cache import ReplyCache
from orchestrator.config.loader import Config
from orchestrator.core.alerts import Alerts
from orchestrator.core.money import NanoUsd
from orchestrator.core.reply import Attempt, ChatReply, CostSource, Delta, Outcome, Usage
from orchestrator.core.request import ChatRequest
from orchestrator.pipeline.call import Call
from orchestrator.pipeline.services import ConfigSnapshot, PipelineServices
from orchestrator.streaming.reply_stream import StreamSink
from tests.conftest import ManualClock

COST = NanoUsd(298_000)
ATTEMPT = Attempt(
    1,
    "openrouter/gpt-6.1-sol",
    "openrouter",
    "gpt-6.1-sol",
    Outcome.SUCCEEDED,
    usage=Usage(14, 27),
    cost_nusd=COST,
    cost_source=CostSource.PROVIDER,
)


def reply_of(call: Call, text: str = "Chào anh Nam", **fields) -> ChatReply:
    """Return a whole reply of the first choice."""
    return ChatReply(
        **{
            "request_id": call.id,
            "text": text,
            "model": ATTEMPT.model,
            "deployment": ATTEMPT.deployment,
            "provider": ATTEMPT.provider,
            "usage": ATTEMPT.usage,
            "cost_nusd": COST,
            "finish_reason": "stop",
            "attempts": (ATTEMPT,),
            "created_at": call.started_at,
            **fields,
        }
    )


class Following:
    """A following step that answers, or ends as the test says, and remembers its calls."""

    def __init__(self, *ends: BaseException | str) -> None:
        self.calls: list[Call] = []
        self.began = asyncio.Event()
        """Set when the first call has come."""
        self.may_end = asyncio.Event()
        """Set by the test; then what began ends."""
        self.may_end.set()
        self._ends = list(ends)

    async def __call__(self, call: Call) -> ChatReply:
        self.calls.append(call)
        self.began.set()
        end = self._ends.pop(0) if self._ends else "Chào anh Nam"
        await self.may_end.wait()
        call.trace.attempts = (ATTEMPT,)
        if isinstance(end, BaseException):
            raise end
        return reply_of(call, end)


class StubTransport:
    """A transport that sends nothing."""

    def __init__(self) -> None:
        self.is_ready = False
        self.got_ready = 0

    async def get_ready(self) -> None:
        self.is_ready = True
        self.got_ready += 1


class StepBench:
    """What a step needs around it."""

    def __init__(self, config: Config, clock: ManualClock) -> None:
        self.config = config
        self.clock = clock
        self.services = PipelineServices.of(config, clock=clock, alerts=Alerts())
        self.transport = StubTransport()
        self.snapshot = ConfigSnapshot(config, self.transport, ReplyCache(config.settings.cache))  # type: ignore[arg-type]
        self.pieces: list[Delta] = []

    def call(self, prompt: str = "Xin chào", *, stream: bool = False, **fields) -> Call:
        """Return a call of customer service; a stream's pieces go to `pieces`."""
        request = ChatRequest.of(prompt, **{"use_case": "customer_service", "tenant": "acme", **fields})
        sink = StreamSink(self.pieces.append) if stream else None
        return Call.of(request, self.snapshot, clock=self.clock, sink=sink)

    def rows(self) -> list[tuple]:
        """Return id, outcome, error, cached, attempts and cost of each request in the ledger, oldest first."""
        query = (
            "SELECT id, outcome, error, cached, attempts, cost_nusd FROM operations ORDER BY started_at, id"
        )
        with closing(sqlite3.connect(Path(self.config.settings.ledger.path))) as connection:
            return connection.execute(query).fetchall()

    def close(self) -> None:
        self.snapshot.cache.close()
        self.services.kept_replies.close()
        self.services.ledger.close()


@pytest.fixture
def bench(make_config, clock: ManualClock) -> Iterator[StepBench]:
    """Services of the shipped configuration, without the local model."""
    bench = StepBench(make_config({"local_model": {"enabled": False}}), clock)
    yield bench
    bench.close()
