"""The way out over our own wire: each attempt is written, sent once and read here.

What walks along the fallbacks is handed in, and so is what carries what this wire does not speak.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.embedding import EmbeddingRequest
from orchestrator.core.errors import LocalModelError
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import AttemptFailedError, ProviderAnswer
from orchestrator.core.reply import Delta
from orchestrator.core.secret_values import SecretText
from orchestrator.dispatch.attempt import InFlightAttempt
from orchestrator.dispatch.transport import AttemptSource, Transport
from orchestrator.providers.local.model import LocalModel
from orchestrator.providers.openrouter import NOT_OFFERED
from orchestrator.providers.wire.formats import FORMATS
from orchestrator.providers.wire.http import WireClient
from orchestrator.providers.wire.outbound import OutboundRequest, UnsendableError, is_carried

logger = logging.getLogger("orchestrator.providers")

_TOLD = frozenset({FailureKind.CONTENT_FILTERED, FailureKind.UNSUPPORTED})
"""Of what an answer lacks: what its caller is told in the words of who has read it."""
_LOADING = (
    "this request waited while LiteLLM was loaded, which takes seconds: call warm_up() while a program starts"
)


class FallbackWalker(Protocol):
    """What goes from a failed attempt to the next deployment that its source admits."""

    @property
    def is_ready(self) -> bool:
        """Return whether everything is loaded that a walk needs."""
        ...

    async def get_ready(self) -> None:
        """Load what a walk needs, without holding up the event loop."""
        ...

    async def walk(self, failed: str, source: AttemptSource, ask: Callable[[str], Awaitable[bool]]) -> None:
        """Go on from a deployment that failed to others that its source admits, until one answers."""
        ...


class WireTransport:
    """The way to providers whose format we speak, for one configuration, on one event loop."""

    def __init__(
        self, walker: FallbackWalker, *, client: WireClient, local_model: LocalModel, bridge: Transport
    ) -> None:
        """Open nothing yet; `bridge` carries what `is_carried` denies, one attempt at a time."""
        self._walker = walker
        self._client = client
        self._local_model = local_model
        self._bridge = bridge
        self._requests = 0
        self._loading: asyncio.Task[None] | None = None
        self._bridging: asyncio.Future[None] | None = None
        """The loading of the bridge, which goes on when the request that began it is gone."""

    @property
    def is_ready(self) -> bool:
        """Return True: the wire needs nothing, and until the walker is loaded the source itself chooses."""
        return True

    async def get_ready(self) -> None:
        """Load the walker, which takes seconds: no request waits for it."""
        await self._walker.get_ready()

    async def send(self, source: AttemptSource) -> ProviderAnswer | None:
        """Send the source's current attempt, and others that it admits; None when it has to choose again."""
        answer: ProviderAnswer | None = None

        async def ask(deployment: str) -> bool:
            nonlocal answer
            attempt = source.current
            # Of another one no money is held; it is not sent.
            if attempt is not None and attempt.name == deployment:
                answer = await self._answer(source, attempt)
            return answer is not None

        first = source.current
        if first is None:
            return None
        # Of the chat models alone the walker knows; where vectors are asked for, the source chooses.
        may_walk = not isinstance(first.request, EmbeddingRequest)
        if may_walk and not self._walker.is_ready and first.number == 1:
            self._load_beside()
        if not await ask(first.name) and may_walk and self._walker.is_ready and source.upcoming():
            await self._walker.walk(first.name, source, ask)
        return answer

    def _load_beside(self) -> None:
        """Begin to load the walker with the second request: a program that asks once has no use for it."""
        self._requests += 1
        if self._requests > 1 and self._loading is None:
            self._loading = asyncio.get_running_loop().create_task(self._load())

    async def _load(self) -> None:
        try:
            await self._walker.get_ready()
        except Exception as exc:  # noqa: BLE001 -- an import may raise anything; the source goes on choosing
            logger.error("what walks the fallbacks cannot be loaded: %s", type(exc).__qualname__)  # noqa: TRY400

    async def _answer(self, source: AttemptSource, attempt: InFlightAttempt) -> ProviderAnswer | None:
        """Return the answer to one attempt; None when it has failed, which it has been told."""
        try:
            return await self._send(source, attempt)
        except AttemptFailedError as exc:
            if exc.failure.kind is FailureKind.MODEL_NOT_FOUND and _is_at_openrouter(attempt):
                attempt.remark(NOT_OFFERED)
            if exc.failure.kind in _TOLD and exc.detail:
                attempt.remark(exc.detail)
            attempt.fail(exc.failure, billed=exc.answer)
        except UnsendableError as exc:
            attempt.remark(str(exc))
            attempt.fail(Failure(FailureKind.NOT_SENT))
        except LocalModelError as exc:
            attempt.remark(str(exc))
            attempt.fail(Failure(FailureKind.UNREACHABLE))
        except Exception as exc:  # noqa: BLE001 -- a fault of ours at one provider's answer; the next may do
            # The type alone: its words may hold the prompt or the key.
            logger.error("unexpected %s while asking %s", type(exc).__qualname__, attempt.name)  # noqa: TRY400
            attempt.fail(Failure(FailureKind.UNKNOWN))
        return None

    async def _send(self, source: AttemptSource, attempt: InFlightAttempt) -> ProviderAnswer | None:
        stream, is_local = source.streams, attempt.target.deployment.is_local
        if attempt.target.deployment.provider.kind not in FORMATS:
            return await self._bridged(source, attempt)
        outbound = None if is_local else _outbound(attempt, stream=stream)
        if outbound is not None and not is_carried(outbound):
            return await self._bridged(source, attempt)
        attempt.start()
        if outbound is None:
            # Starting the model is a part of the attempt's time.
            outbound = _outbound(attempt, stream=stream, base_url=await self._local_model.base_url())
            if self._local_model.api_key:
                outbound = replace(outbound, api_key=SecretText(self._local_model.api_key))
        if not stream:
            return await self._client.call(outbound, on_sent=attempt.mark_sent, on_id=attempt.identify)
        return await _streamed(self._client, outbound, attempt)

    async def _bridged(self, source: AttemptSource, attempt: InFlightAttempt) -> ProviderAnswer | None:
        """Send one attempt by what carries the formats that this wire does not speak.

        Loading it takes seconds of the request's own time, and of an attempt no more than its limit: whoever
        needs no loading may answer meanwhile. It goes on for the next request, however this one ends.
        """
        if self._bridge.is_ready:
            return await self._bridge.send(_OneAttempt(source))
        if self._bridging is None or self._bridging.done():
            self._bridging = asyncio.ensure_future(self._bridge.get_ready())
            self._bridging.add_done_callback(_look_at)
        try:
            async with asyncio.timeout(attempt.limit_s):
                await asyncio.shield(self._bridging)
        except asyncio.CancelledError:
            attempt.remark(_LOADING)
            raise
        except TimeoutError:
            attempt.remark(_LOADING)
            attempt.fail(Failure(FailureKind.TIMEOUT))
            return None
        answer = await self._bridge.send(_OneAttempt(source))
        return answer and replace(answer, notices=(*answer.notices, _LOADING))


@dataclass(frozen=True, slots=True)
class _OneAttempt:
    """The current attempt of a source and none behind it: the walk goes on where it began."""

    source: AttemptSource

    @property
    def streams(self) -> bool:
        return self.source.streams

    @property
    def current(self) -> InFlightAttempt | None:
        return self.source.current

    def upcoming(self) -> Sequence[str]:
        return ()

    async def admit(self, deployment: str) -> bool:  # noqa: ARG002 -- the protocol's name
        return False


def _look_at(loading: asyncio.Future[None]) -> None:
    """Let asyncio log no error that a request was told already."""
    if not loading.cancelled():
        loading.exception()


def _outbound(attempt: InFlightAttempt, *, stream: bool, base_url: str | None = None) -> OutboundRequest:
    return OutboundRequest.to(
        attempt.target.deployment,
        attempt.request,
        max_tokens=attempt.max_tokens,
        stream=stream,
        price_cap=attempt.rates if _is_at_openrouter(attempt) else None,
        base_url=base_url,
    )


async def _streamed(
    client: WireClient, outbound: OutboundRequest, attempt: InFlightAttempt
) -> ProviderAnswer:
    begun = False
    thoughts: list[str] = []
    """Before the first words: they are shown with these, for an attempt that fails before is not shown."""

    def begin() -> None:
        nonlocal begun
        if not begun:
            begun = True
            attempt.begin_stream()

    def receive(delta: Delta) -> None:
        if not delta.text and not delta.tool_calls and not begun:
            thoughts.append(delta.reasoning)
            return
        begin()
        if thoughts:
            delta = replace(delta, reasoning="".join((*thoughts, delta.reasoning)))
            thoughts.clear()
        attempt.receive(delta)

    answer = await client.call(
        outbound,
        on_sent=attempt.mark_sent,
        on_delta=receive,
        # No begin: until its first words the attempt fails like any other, and the walk goes on.
        on_alive=lambda: attempt.receive(None),
        on_id=attempt.identify,
    )
    begin()
    return answer


def _is_at_openrouter(attempt: InFlightAttempt) -> bool:
    return attempt.target.deployment.provider.kind is ProviderKind.OPENROUTER
