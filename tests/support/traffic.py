"""Traffic through the whole pipeline, in virtual time, in front of practice providers without sockets."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from orchestrator.cache.response_cache import ReplyCache
from orchestrator.config.loader import Config
from orchestrator.core.alerts import Alerts
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.reply import ChatReply
from orchestrator.core.request import CacheUse, ChatRequest
from orchestrator.pipeline.call import Call
from orchestrator.pipeline.services import ConfigSnapshot, PipelineServices
from orchestrator.pipeline.steps import build
from orchestrator.practice import Fault, Scripted
from orchestrator.practice.faults import FaultQueue
from orchestrator.providers.in_memory import InMemoryTransport
from orchestrator.streaming.reply_stream import StreamSink

TEXT = "Dạ, đơn hàng của anh chị đã rời kho lúc chín giờ sáng nay và sẽ đến nơi trước năm giờ chiều."


class ByChance(FaultQueue):
    """A share of all attempts meets one of these faults, drawn by lot."""

    def __init__(self, *texts: str, share: float, seed: int = 2) -> None:
        super().__init__()
        self._faults = [Fault.parse(text) for text in texts]
        self._share = share
        self._chance = random.Random(seed)  # noqa: S311 -- no secret

    def take(self, provider: str, model: str, *, goes_on: bool = False, embeds: bool = False) -> Fault | None:
        if self._chance.random() >= self._share:
            return None
        return self._chance.choice(self._faults)


@dataclass(slots=True)
class Traffic:
    """A pipeline and whom it asks."""

    config: Config
    services: PipelineServices
    transport: InMemoryTransport
    clock: Any

    async def ask(self, number: int, *, stream: bool = False, **fields: Any) -> ChatReply | OrchestratorError:
        """Return the reply to one question, or the error that its caller gets."""
        fields = {"use_case": "customer_service", "tenant": "acme", "cache": CacheUse.OFF, **fields}
        request = ChatRequest.of(f"Đơn DH{number} của tôi ở đâu?", **fields)
        snapshot = ConfigSnapshot(self.config, self.transport, ReplyCache(self.config.settings.cache))
        sink = StreamSink(lambda _: None) if stream else None
        try:
            return await build(self.services)(Call.of(request, snapshot, clock=self.clock, sink=sink))
        except OrchestratorError as error:
            return error

    async def ask_many(self, count: int, *, every_s: float = 0.0, **fields: Any) -> list[Any]:
        """Return what became of so many questions, one begun every so many seconds."""

        async def later(number: int) -> ChatReply | OrchestratorError:
            await self.clock.sleep(number * every_s)
            return await self.ask(number, **fields)

        return list(await asyncio.gather(*(later(number) for number in range(count))))


@contextmanager
def traffic(config: Config, clock: Any, *, latency_s: float = 0.5) -> Iterator[Traffic]:
    """Open a pipeline on a clock; it is closed at the end."""
    services = PipelineServices.of(config, clock=clock, alerts=Alerts())
    transport = InMemoryTransport(clock=clock, answerer=Scripted(matched={"": TEXT}), latency_s=latency_s)
    try:
        yield Traffic(config, services, transport, clock)
    finally:
        services.kept_replies.close()
        services.ledger.close()


def whole(results: list[Any]) -> list[ChatReply]:
    """Return the replies that are whole answers."""
    return [one for one in results if isinstance(one, ChatReply) and one.text == TEXT]
