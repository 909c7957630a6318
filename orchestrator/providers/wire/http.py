"""The way onto the network: one question, sent once; its answer read, its failure named.

It follows no redirect, keeps no cookie, sends nothing twice and knows nothing of budgets or plans. Apart from
the time to connect, time is the caller's: a call that is cancelled closes its connection at once.

    build → connect → on_sent() → status → the body, or event by event on_delta() → ProviderAnswer
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace

import aiohttp

from orchestrator.core.clock import Clock, SystemClock
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import AttemptFailedError, ProviderAnswer
from orchestrator.core.reply import Delta, ToolCallDelta
from orchestrator.providers.wire.answer_checks import check_was_offered, is_success, unreadable
from orchestrator.providers.wire.body_reading import (
    ANSWER_BYTES_MAX,
    EVENTS_STEP_BYTES,
    STEP_BYTES,
    BodyUnreadableError,
    blocks_of,
    in_utf8,
    read_beginning,
    read_body,
)
from orchestrator.providers.wire.building import wire_request_of
from orchestrator.providers.wire.embedding_format import EMBEDDING_BYTES_MAX, read_embeddings
from orchestrator.providers.wire.failures import ERROR_BYTES_MAX, failure_of_reply
from orchestrator.providers.wire.formats import FORMATS, StreamReader
from orchestrator.providers.wire.outbound import OutboundRequest
from orchestrator.providers.wire.parameter_rules import ParameterRules, documented_rules
from orchestrator.providers.wire.sessions import Sessions, hung_up
from orchestrator.providers.wire.sse import EventReader, SentEvent, StreamTooLargeError, begins_stream
from orchestrator.providers.wire.stream_letters import StreamLetters

LAST_WORD_S = 2.0
"""How long a finished answer may be silent before its end, and a refusal keep back its body: both are clear
by then. A shorter wait would cut answers off whose server says of each piece that it is the last."""

_EVENT_STREAM = "text/event-stream"
_ID_HEADER = "x-generation-id"
"""OpenRouter's id of the generation, before its first event."""


@dataclass(frozen=True, slots=True)
class _Listener:
    """Who hears of an answer while it comes."""

    on_delta: Callable[[Delta], None] | None
    on_alive: Callable[[], None] | None
    on_id: Callable[[str], None] | None


class WireClient:
    """The way to providers whose format we speak ourselves, from any event loop."""

    def __init__(self, *, rules: ParameterRules = documented_rules, clock: Clock | None = None) -> None:
        """Open nothing yet."""
        self._rules = rules
        self._clock = clock or SystemClock()
        self._sessions = Sessions()
        self._begin_within: set[tuple[str, str]] = set()
        """The models, at their addresses, whose last stream began within thoughts."""

    async def call(
        self,
        outbound: OutboundRequest,
        *,
        on_sent: Callable[[], None],
        on_delta: Callable[[Delta], None] | None = None,
        on_alive: Callable[[], None] | None = None,
        on_id: Callable[[str], None] | None = None,
    ) -> ProviderAnswer:
        """Return the answer of one deployment to one question, sent once.

        `on_sent` is called once, right before the first byte of the request is handed to the socket: when it
        was not called nothing was sent, whatever is raised. It must not raise. Of a stream, `on_delta` hears
        each piece, `on_alive` each event that brings none, and `on_id` the provider's id of the
        generation, once.

        Raises:
            UnsendableError: the request cannot be written in this provider's format.
            AttemptFailedError: the provider refused, was not reached, or hung up.
            UnreadableAnswerError: what it answered is no whole answer; it may be billed all the same.
        """
        request = wire_request_of(outbound, self._rules)
        sending, notices = self._sessions.send(request, on_sent), request.notices
        # Its body would be held until the answer is there.
        del request
        listener = _Listener(on_delta, on_alive, on_id)
        response = await sending
        is_whole = False
        try:
            if not is_success(response.status):
                raise AttemptFailedError(await self._refusal(response), was_sent=True)
            answer = await self._read(response, outbound, listener)
            is_whole = True
        finally:
            if is_whole:
                self._sessions.let_end(response)
            else:
                # Does nothing where the response has come to its end: its connection is in the pool again.
                response.close()
        return _finished(answer, outbound, notices)

    async def close(self) -> None:
        """Close the connections of the running loop."""
        await self._sessions.close()

    async def _read(
        self, response: aiohttp.ClientResponse, outbound: OutboundRequest, listener: _Listener
    ) -> ProviderAnswer:
        if outbound.vector_size is not None:
            return await _read_vectors(response, outbound)
        reader = FORMATS[outbound.kind].reader()
        reader.draft.offers_tools = bool(outbound.sampling.tools)
        reader.draft.name(upstream_id=response.headers.get(_ID_HEADER), served_model=None, service_tier=None)
        if reader.draft.upstream_id is not None and listener.on_id is not None:
            listener.on_id(reader.draft.upstream_id)
        kind = response.content_type
        # Some servers stream whatever was asked for.
        is_streamed = outbound.stream and "json" not in kind and "html" not in kind
        if is_streamed or kind == _EVENT_STREAM:
            return await self._read_shown(response, reader, outbound, listener)
        answer = await _read_whole(response, outbound)
        if outbound.stream and listener.on_delta is not None:
            # A server that cannot stream this answer has sent it in one piece.
            listener.on_delta(_as_delta(answer))
        return answer

    async def _read_shown(
        self,
        response: aiohttp.ClientResponse,
        reader: StreamReader,
        outbound: OutboundRequest,
        listener: _Listener,
    ) -> ProviderAnswer:
        """Return the answer of a stream, and learn of it whether its model begins within thoughts."""
        draft, model = reader.draft, (outbound.base_url, outbound.upstream)
        draft.is_shown = listener.on_delta is not None and not outbound.sampling.is_kept_whole
        draft.tags.begins_within = model in self._begin_within
        answer = await _read_stream(response, reader, listener)
        if draft.shows_thoughts:
            self._begin_within.add(model)
        elif not draft.tags.had_any:
            self._begin_within.discard(model)
        return answer

    async def _refusal(self, response: aiohttp.ClientResponse) -> Failure:
        body = b""
        # The status speaks for a body that cannot be read or does not come (a time-out is an OSError).
        with contextlib.suppress(aiohttp.ClientError, OSError, BodyUnreadableError):
            async with asyncio.timeout(LAST_WORD_S):
                body = await read_beginning(response, bytes_max=ERROR_BYTES_MAX)
        return failure_of_reply(response.status, response.headers, body, now=self._clock.now)


async def _whole_body(response: aiohttp.ClientResponse, *, bytes_max: int = ANSWER_BYTES_MAX) -> bytes:
    try:
        return await read_body(response, last_word_s=LAST_WORD_S, bytes_max=bytes_max)
    except BodyUnreadableError as exc:
        raise unreadable(FailureKind.MALFORMED, str(exc)) from None
    except (aiohttp.ClientError, OSError) as exc:
        raise hung_up(exc) from None


async def _read_vectors(response: aiohttp.ClientResponse, outbound: OutboundRequest) -> ProviderAnswer:
    body = await _whole_body(response, bytes_max=EMBEDDING_BYTES_MAX)
    form = FORMATS[outbound.kind].embedding
    if len(body) <= STEP_BYTES:
        answer = read_embeddings(body, outbound, form)
    else:
        # Millions of numbers would hold up the event loop.
        answer = await asyncio.to_thread(read_embeddings, body, outbound, form)
    return replace(answer, upstream_id=response.headers.get(_ID_HEADER) or answer.upstream_id)


async def _read_whole(response: aiohttp.ClientResponse, outbound: OutboundRequest) -> ProviderAnswer:
    body = await _whole_body(response)
    if begins_stream(body):
        return await _read_events(body, FORMATS[outbound.kind].reader(), response.charset)
    try:
        return FORMATS[outbound.kind].read(in_utf8(body, response.charset))
    except BodyUnreadableError as exc:
        raise unreadable(FailureKind.MALFORMED, str(exc)) from None


async def _read_events(body: bytes, reader: StreamReader, charset: str | None) -> ProviderAnswer:
    """Return the answer of a stream that came as something else, or where none was asked for."""
    events, letters, unheard = EventReader(), StreamLetters(charset), _Listener(None, None, None)
    for at in range(0, len(body), EVENTS_STEP_BYTES):
        _hear(reader, _events_in(events, body[at : at + EVENTS_STEP_BYTES], reader, letters), unheard)
        await asyncio.sleep(0)
    _hear(reader, _events_in(events, None, reader, letters), unheard)
    return reader.whole()


async def _read_stream(
    response: aiohttp.ClientResponse, reader: StreamReader, listener: _Listener
) -> ProviderAnswer:
    events, silent_at_s, now_s = EventReader(), None, asyncio.get_running_loop().time
    letters = StreamLetters(response.charset)
    async with contextlib.aclosing(blocks_of(response, step_bytes=EVENTS_STEP_BYTES)) as blocks:
        while not reader.is_over:
            block = await _next_block(blocks, reader, until_s=silent_at_s)
            has_spoken = _hear(reader, _events_in(events, block, reader, letters), listener)
            if block is None:
                break
            if reader.has_finished and (has_spoken or silent_at_s is None):
                silent_at_s = now_s() + LAST_WORD_S
    return reader.whole()


async def _next_block(
    blocks: AsyncGenerator[bytes, None], reader: StreamReader, *, until_s: float | None
) -> bytes | None:
    """Return the next bytes, None at their end, or when a finished answer has no more to say `until_s`."""
    try:
        async with asyncio.timeout_at(until_s):
            return await anext(blocks, None)
    except (BodyUnreadableError, aiohttp.ClientError, OSError) as exc:
        if reader.has_finished:
            return None
        if isinstance(exc, BodyUnreadableError):
            raise reader.draft.malformed(str(exc)) from None
        if reader.draft.has_content:
            raise reader.draft.broken("the connection broke") from None
        raise hung_up(exc) from None


def _events_in(
    events: EventReader, block: bytes | None, reader: StreamReader, letters: StreamLetters
) -> list[SentEvent]:
    try:
        ended = events.close() if block is None else events.feed(block)
        return letters.read(ended, ends=block is None)
    except StreamTooLargeError:
        raise reader.draft.malformed("the stream is larger than any answer") from None
    except BodyUnreadableError as exc:
        raise reader.draft.malformed(str(exc)) from None


def _hear(reader: StreamReader, events: list[SentEvent], listener: _Listener) -> bool:
    """Tell a listener what events bring; return whether there are words or calls in them."""
    had_id, has_spoken = reader.draft.upstream_id is not None, False
    try:
        for event in events:
            for delta in reader.take(event):
                has_spoken = has_spoken or bool(delta.text or delta.tool_calls)
                if listener.on_delta is not None:
                    listener.on_delta(delta)
    finally:
        if not had_id and reader.draft.upstream_id is not None and listener.on_id is not None:
            listener.on_id(reader.draft.upstream_id)
    # A comment comes from what stands before the model, and keeps no answer alive that never begins.
    if events and not has_spoken and listener.on_alive is not None:
        listener.on_alive()
    return has_spoken


def _as_delta(answer: ProviderAnswer) -> Delta:
    calls = (
        ToolCallDelta(place, call.id, call.name, call.arguments)
        for place, call in enumerate(answer.tool_calls)
    )
    return Delta(answer.text, tuple(calls), answer.reasoning)


def _finished(answer: ProviderAnswer, outbound: OutboundRequest, notices: tuple[str, ...]) -> ProviderAnswer:
    """Return an answer with what was left out of its question, and with whose reasoning it has."""
    check_was_offered(answer, outbound.sampling)
    if answer.reasoning or answer.reasoning_details:
        # Of a router it is the model that it chose.
        served = answer.served_model if outbound.vendor == "openrouter" else None
        vendor = replace(outbound, upstream=served).vendor if served else outbound.vendor
        answer = replace(answer, reasoning_vendor=vendor)
    return replace(answer, notices=(*notices, *answer.notices)) if notices else answer
