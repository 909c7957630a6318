"""One answer on its way out: latency, faults, and a charge for exactly what was generated."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count

import orjson
from aiohttp import web

from orchestrator.core.clock import Clock
from orchestrator.core.money import NanoUsd
from orchestrator.practice.answers import Answerer, Content, Finish, Piece, PracticeToolCall, Thought
from orchestrator.practice.bill import (
    Bill,
    BilledWhen,
    Delivered,
    PracticeCharge,
    PracticePrices,
    PracticeUsage,
)
from orchestrator.practice.connections import broken_body, cut, drip, dripped_body, forever, reset
from orchestrator.practice.continuing import begun_answer, continuation
from orchestrator.practice.fault_kinds import Fault, FaultKind, Manner
from orchestrator.practice.json_types import JsonObject
from orchestrator.practice.odd_answers import odd_usage, send_odd_answer
from orchestrator.practice.odd_bodies import ODD_BODIES, ODD_USAGE, odd_body
from orchestrator.practice.prompt_cache import PromptCache, PromptCacheUse
from orchestrator.practice.tokens import count_tokens, piece_bytes
from orchestrator.practice.trim import trimmed
from orchestrator.practice.wire import Envelope, WireCall, WireOutcome, WireStream
from orchestrator.practice.wire_errors import HTML_PAGE, Refusal, error_body

Renderer = Callable[[Envelope, WireOutcome], JsonObject]
"""Writes an answer in one piece."""

_KEEP_ALIVE_S = 0.5
_AT_A_PIECE = frozenset(
    {
        FaultKind.CUT_STREAM,
        FaultKind.END_STREAM,
        FaultKind.STALL_STREAM,
        FaultKind.MALFORMED_CHUNK,
        FaultKind.ODD_CHUNK,
        FaultKind.ERROR_IN_200,
    }
)


@dataclass(frozen=True, slots=True)
class House:
    """What all exchanges of a server share."""

    answerer: Answerer
    prices: PracticePrices
    bill: Bill
    prompts: PromptCache
    clock: Clock
    latency_s: float
    """Before the first byte of every answer."""
    piece_latency_s: float
    """Before every piece of a stream."""
    billed_when: BilledWhen = BilledWhen.SENT


class Exchange:
    """Answers one request over one connection."""

    def __init__(
        self, http: web.BaseRequest, *, call: WireCall, envelope: Envelope, house: House, fault: Fault | None
    ) -> None:
        """Take what the answer needs; nothing is sent yet."""
        self._http = http
        self._call = call
        self._envelope = envelope
        self._house = house
        self._fault = fault
        self._text: list[str] = []
        self._thoughts: list[str] = []
        self._tool_calls: list[PracticeToolCall] = []
        self._billed_pieces: list[Content] | None = None
        """The whole answer, where it was billed before any of it is sent."""
        self._size_bytes = 0
        self._reasoning_tokens = 0
        self._pieces_sent = 0
        self._finish_reason = "stop"
        self._opened = False
        self._settled = False
        self._numbers = count()

    @property
    def _kind(self) -> FaultKind | None:
        return None if self._fault is None else self._fault.kind

    async def refuse(self) -> web.StreamResponse | None:
        """Act out a fault that comes before any answer; None when there is an answer to come.

        Raises:
            Refusal: the fault is an HTTP error, or the answerer cannot answer.
        """
        fault = self._fault
        if fault is not None and fault.kind is FaultKind.STATUS:
            raise self._refusal(fault)
        if fault is not None and fault.manner is Manner.REFUSE:
            raise Refusal(400, message="This model takes no conversation with a begun answer in it.")
        if self._house.billed_when is BilledWhen.ACCEPTED:
            await self._bill_ahead()
        if fault is None:
            return None
        if fault.kind is FaultKind.RESET:
            await reset(self._http)
        if fault.kind is FaultKind.SILENCE:
            await forever()
        return await self._odd_answer(fault)

    async def _odd_answer(self, fault: Fault) -> web.StreamResponse | None:
        """Send what comes in the place of an answer, with status 200; None when one is to come."""
        provider = self._envelope.provider
        if fault.kind is FaultKind.MALFORMED_BODY:
            return web.Response(body=HTML_PAGE, content_type="text/html")
        if fault.shape is not None:
            max_tokens = self._call.request.max_tokens
            return await send_odd_answer(
                self._http,
                provider=provider,
                shape=fault.shape,
                stream=self._call.stream,
                max_tokens=max_tokens,
            )
        if fault.kind in ODD_BODIES:
            body = odd_body(provider, self._envelope.model, fault, path=self._http.path)
            return web.Response(body=body, content_type="application/json")
        if fault.kind is FaultKind.ERROR_IN_200 and not self._call.stream:
            body = orjson.dumps(error_body(provider, self._refusal(fault)))
            return web.Response(body=body, content_type="application/json")
        return None

    async def whole(self, render: Renderer) -> web.StreamResponse:
        """Send the answer in one piece, charged in full even if the client has gone by then.

        Raises:
            Refusal: the answerer could not answer; nothing was sent or charged.
        """
        try:
            async for piece in self._pieces():
                self._note(piece)
            outcome = self._outcome()
            await self._wait_whole()
            body = orjson.dumps(render(self._envelope, outcome))
            if self._fault is not None and self._kind in _AT_A_PIECE:
                self._settle(Delivered.PARTIAL)
                return await broken_body(self._http, body, kind=self._fault.kind)
            if self._fault is not None and self._kind is FaultKind.DRIP:
                response = await dripped_body(
                    self._http, body, bytes_per_s=self._fault.bytes_per_s or 1, clock=self._house.clock
                )
                self._settle(Delivered.WHOLE)
                return response
            self._settle(Delivered.WHOLE)
            return web.Response(body=body, content_type="application/json")
        except Refusal:
            self._settled = True
            raise
        finally:
            self._settle(Delivered.NOTHING)

    async def stream(self, writer: WireStream) -> web.StreamResponse:
        """Send the answer in pieces, charged for what was sent when it breaks off.

        Raises:
            Refusal: the answerer could not begin; nothing was sent.
        """
        headers = {"Content-Type": self._call.stream_type, "Cache-Control": "no-cache"}
        response = web.StreamResponse(headers=headers)
        try:
            await self._wait_stream(response, writer)
            async for piece in self._pieces():
                await self._open(response, writer)
                if self._house.piece_latency_s:
                    await self._house.clock.sleep(self._house.piece_latency_s)
                if self._fault is not None and await self._interrupt(response, writer):
                    return response
                await self._send(response, self._written(piece, writer))
                self._pieces_sent += 1
            await self._open(response, writer)
            if self._fault is not None and await self._interrupt(response, writer, at_end=True):
                return response
            outcome = self._outcome()
            self._settle(Delivered.WHOLE)
            await self._send(response, writer.ending(outcome))
        except Refusal as refusal:
            if not response.prepared:
                self._settled = True
                raise
            await self._send(
                response, writer.error(refusal.status, body=error_body(self._envelope.provider, refusal))
            )
        finally:
            self._settle(Delivered.PARTIAL if self._pieces_sent else Delivered.NOTHING)
        return response

    async def _bill_ahead(self) -> None:
        """Put the whole answer on the bill before any of it is sent."""
        self._billed_pieces = [piece async for piece in self._pieces()]
        usage = self._stated_usage() or self._usage_of(self._billed_pieces)
        self._add_charge(usage, Delivered.NOTHING)
        self._settled = True

    def _stated_usage(self) -> PracticeUsage | None:
        """Return what the body of an odd answer will say that it used, None where it will say nothing."""
        if self._fault is None:
            return None
        if self._fault.shape is not None:
            return odd_usage(self._fault.shape, max_tokens=self._call.request.max_tokens)
        return ODD_USAGE if self._kind in ODD_BODIES else None

    async def _pieces(self) -> AsyncIterator[Content]:
        if self._billed_pieces is not None:
            for content in self._billed_pieces:
                yield content
            return
        if self._kind is FaultKind.EMPTY_CONTENT or self._call.embeds:
            return
        async for piece in trimmed(self._answer(), request=self._call.request):
            if isinstance(piece, Finish):
                self._finish_reason = piece.reason
            elif isinstance(piece, PracticeToolCall) and not piece.id:
                yield PracticeToolCall(
                    piece.name, piece.arguments, f"call_{self._envelope.reply_id[-8:]}_{next(self._numbers)}"
                )
            else:
                yield piece

    def _answer(self) -> AsyncIterator[Piece]:
        request, begun = self._call.request, begun_answer(self._call.request)
        if begun is None:
            return self._house.answerer.answer(request)
        manner = (self._fault.manner if self._fault is not None else None) or Manner.ANCHOR
        return continuation(self._house.answerer, request, begun=begun, manner=manner)

    def _note(self, piece: Content) -> None:
        self._size_bytes += piece_bytes(piece)
        if isinstance(piece, str):
            self._text.append(piece)
        elif isinstance(piece, Thought):
            self._reasoning_tokens += piece.tokens
            self._thoughts.append(piece.text)
        else:
            self._tool_calls.append(piece)

    def _written(self, piece: Content, writer: WireStream) -> bytes:
        self._note(piece)
        if isinstance(piece, str):
            return writer.text(piece)
        if isinstance(piece, Thought):
            return writer.thought(piece.text) if piece.text else writer.waiting()
        return writer.tool_call(piece, index=len(self._tool_calls) - 1)

    @cached_property
    def _cache_use(self) -> PromptCacheUse:
        """What the prompt cache does for this request; it is asked once, and not for embeddings."""
        if self._call.embeds:
            return PromptCacheUse()
        return self._house.prompts.used(self._call.request, input_tokens=self._envelope.input_tokens)

    def _outcome(self) -> WireOutcome:
        usage = self._usage(self._size_bytes, self._reasoning_tokens)
        cost = self._cost_of(usage)
        text, thoughts = "".join(self._text), "".join(self._thoughts)
        fault = self._fault.vectors if self._fault is not None else None
        return WireOutcome(
            text, tuple(self._tool_calls), self._finish_reason, usage, cost, thoughts, vector_fault=fault
        )

    def _usage_of(self, pieces: Sequence[Content]) -> PracticeUsage:
        thoughts = sum(piece.tokens for piece in pieces if isinstance(piece, Thought))
        return self._usage(sum(map(piece_bytes, pieces)), thoughts)

    def _usage(self, size_bytes: int, reasoning_tokens: int) -> PracticeUsage:
        cache, answers = self._cache_use, self._envelope.answers
        return PracticeUsage(
            self._envelope.input_tokens,
            count_tokens(size_bytes) * answers,
            cache.read_tokens,
            reasoning_tokens * answers,
            cache.written_tokens,
        )

    def _cost_of(self, usage: PracticeUsage) -> NanoUsd:
        return self._house.prices.price_of(self._envelope.provider, self._envelope.model).cost_of(usage)

    def _settle(self, delivered: Delivered) -> None:
        """Put what was generated so far on the bill, once."""
        if self._settled:
            return
        self._settled = True
        self._add_charge(self._usage(self._size_bytes, self._reasoning_tokens), delivered)

    def _add_charge(self, usage: PracticeUsage, delivered: Delivered) -> None:
        self._house.bill.add(
            PracticeCharge(
                request_id=self._envelope.reply_id,
                provider=self._envelope.provider,
                model=self._envelope.model,
                input_tokens=usage.input_tokens,
                cached_input_tokens=usage.cached_input_tokens,
                output_tokens=usage.output_tokens,
                cost_nusd=self._cost_of(usage),
                streamed=self._call.stream,
                delivered=delivered,
            )
        )

    async def _wait_whole(self) -> None:
        wait_s = self._house.latency_s + self._slowness_s
        if wait_s:
            await self._house.clock.sleep(wait_s)

    async def _wait_stream(self, response: web.StreamResponse, writer: WireStream) -> None:
        if self._house.latency_s:
            await self._house.clock.sleep(self._house.latency_s)
        left_s = self._slowness_s
        if left_s:
            await response.prepare(self._http)
        while left_s > 0:
            await self._send(response, writer.waiting())
            await self._house.clock.sleep(min(_KEEP_ALIVE_S, left_s))
            left_s -= _KEEP_ALIVE_S

    @property
    def _slowness_s(self) -> float:
        return (self._fault.delay_s or 0.0) if self._fault is not None else 0.0

    async def _open(self, response: web.StreamResponse, writer: WireStream) -> None:
        if self._opened:
            return
        self._opened = True
        if not response.prepared:
            await response.prepare(self._http)
        await self._send(response, writer.opening())

    async def _send(self, response: web.StreamResponse, data: bytes) -> None:
        if self._fault is not None and self._fault.kind is FaultKind.DRIP:
            await drip(response, data, bytes_per_s=self._fault.bytes_per_s or 1, clock=self._house.clock)
        elif data:
            await response.write(data)

    async def _interrupt(
        self, response: web.StreamResponse, writer: WireStream, *, at_end: bool = False
    ) -> bool:
        """Act out a fault of the stream when its piece has come; True when the stream is over."""
        fault = self._fault
        if fault is None or fault.kind not in _AT_A_PIECE:
            return False
        if not at_end and self._pieces_sent < (fault.after_chunks or 0):
            return False
        self._fault = None
        if fault.kind is FaultKind.MALFORMED_CHUNK:
            await self._send(response, writer.malformed())
            return False
        if fault.kind is FaultKind.ODD_CHUNK:
            await self._send(response, writer.odd())
            return False
        if fault.kind is FaultKind.ERROR_IN_200:
            # An error before the first piece is a failed request, and those are free.
            self._settled = self._settled or self._pieces_sent == 0
            body = error_body(self._envelope.provider, self._refusal(fault))
            await self._send(response, writer.error(fault.status or 0, body=body))
            return True
        self._settle(Delivered.PARTIAL if self._pieces_sent else Delivered.NOTHING)
        if fault.kind is FaultKind.CUT_STREAM:
            await cut(self._http)
        if fault.kind is FaultKind.STALL_STREAM:
            await forever()
        return True

    def _refusal(self, fault: Fault) -> Refusal:
        return Refusal(
            fault.status or 0,
            reason=fault.reason,
            model=self._envelope.model,
            retry_after_s=fault.retry_after_s,
        )
