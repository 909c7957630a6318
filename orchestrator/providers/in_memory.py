"""A way out without sockets: practice answers, faults and bills in this process, on the clock it is handed.

It knows no library and no wire, so whatever runs on it needs none: tests of policies and of the pipeline, and
whole days on a clock of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.clock import Clock
from orchestrator.core.embedding import EmbeddingRequest
from orchestrator.core.failures import Failure, FailureKind, kind_of_status
from orchestrator.core.money import NanoUsd
from orchestrator.core.provider_answer import AttemptFailedError, ProviderAnswer, UnreadableAnswerError
from orchestrator.core.reply import Delta, ToolCall, ToolCallDelta, Usage
from orchestrator.dispatch.attempt import InFlightAttempt
from orchestrator.dispatch.transport import AttemptSource, admitted_next
from orchestrator.practice.answers import Answerer, Content, Finish, PracticeRequest, Thought
from orchestrator.practice.bill import (
    Bill,
    Delivered,
    PracticeCharge,
    PracticePrice,
    PracticePrices,
    PracticeUsage,
)
from orchestrator.practice.continuing import begun_answer, continuation
from orchestrator.practice.fault_kinds import Fault, FaultKind, Manner
from orchestrator.practice.faults import FaultQueue
from orchestrator.practice.odd_shapes import OddShape
from orchestrator.practice.scripted import Scripted
from orchestrator.practice.thoughts import vendor_of
from orchestrator.practice.tokens import count_tokens, input_tokens, piece_bytes
from orchestrator.practice.trim import trimmed
from orchestrator.practice.wire_embeddings import vector_of
from orchestrator.practice.wire_openai import read_openai_request

_REASONS: Mapping[str, FailureKind] = {
    "context_length": FailureKind.CONTEXT_OVERFLOW,
    "content_filter": FailureKind.CONTENT_FILTERED,
    "insufficient_quota": FailureKind.RATE_LIMITED,
    "output_limit": FailureKind.OUTPUT_LIMIT,
    "request_too_large": FailureKind.UNSUPPORTED,
    "location": FailureKind.UNAUTHORIZED,
    "deprecated_model": FailureKind.MODEL_NOT_FOUND,
    "schema": FailureKind.UNSUPPORTED,
    "html": FailureKind.SERVER_ERROR,
    "empty": FailureKind.SERVER_ERROR,
    "huge": FailureKind.SERVER_ERROR,
}
_ODD_ANSWERS: Mapping[OddShape, FailureKind] = {
    OddShape.UNKNOWN_FINISH: FailureKind.INTERRUPTED,
    OddShape.ABORTED: FailureKind.INTERRUPTED,
    OddShape.ERROR_BESIDE_TEXT: FailureKind.SERVER_ERROR,
    OddShape.CUT_CALL: FailureKind.MALFORMED,
    OddShape.NAMELESS_CALL: FailureKind.MALFORMED,
    OddShape.HOST_FAILED: FailureKind.INTERRUPTED,
    OddShape.ERROR_IN_MESSAGE: FailureKind.SERVER_ERROR,
    OddShape.BARE_CODE: FailureKind.SERVER_ERROR,
    OddShape.WORDS_ELSEWHERE: FailureKind.MALFORMED,
    OddShape.NAN_ARGUMENTS: FailureKind.MALFORMED,
    OddShape.GZIP_BOMB: FailureKind.MALFORMED,
    OddShape.FILTERED: FailureKind.CONTENT_FILTERED,
}
"""Shapes that are no answers; of the others only a wire can be odd."""
_BEFORE_THE_ANSWER: Mapping[FaultKind, FailureKind] = {
    FaultKind.REDIRECT: FailureKind.MALFORMED,
    FaultKind.RESET: FailureKind.DISCONNECTED,
    FaultKind.MALFORMED_BODY: FailureKind.MALFORMED,
    FaultKind.WRONG_TYPES: FailureKind.MALFORMED,
    FaultKind.NO_CHOICES: FailureKind.MALFORMED,
    FaultKind.HUGE_BODY: FailureKind.MALFORMED,
    FaultKind.EMPTY_CONTENT: FailureKind.EMPTY,
}
_SILENT = frozenset({FaultKind.SILENCE, FaultKind.DRIP, FaultKind.USELESS})
_IN_THE_ANSWER: Mapping[FaultKind, FailureKind] = {
    FaultKind.CUT_STREAM: FailureKind.INTERRUPTED,
    FaultKind.END_STREAM: FailureKind.INTERRUPTED,
    FaultKind.STALL_STREAM: FailureKind.TIMEOUT,
    FaultKind.MALFORMED_CHUNK: FailureKind.MALFORMED,
    FaultKind.ODD_CHUNK: FailureKind.MALFORMED,
    FaultKind.ERROR_IN_200: FailureKind.INTERRUPTED,
}


@dataclass(slots=True)
class _Spoken:
    """What a provider has said of one answer so far."""

    text: str = ""
    thoughts: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    finish_reason: str = "stop"
    size_bytes: int = 0
    pieces: int = 0


class InMemoryTransport:
    """Practice providers without a network; the faults, answers and bill are those of practice servers."""

    def __init__(
        self,
        *,
        clock: Clock,
        answerer: Answerer | None = None,
        faults: FaultQueue | None = None,
        prices: Mapping[tuple[str, str], PracticePrice] | None = None,
        latency_s: float = 0.0,
    ) -> None:
        """Answer by rule, without faults, after `latency_s` of the clock's seconds."""
        self.faults = FaultQueue() if faults is None else faults
        self.bill = Bill()
        self._clock = clock
        self._answerer = Scripted() if answerer is None else answerer
        self.prices = PracticePrices(prices or {})
        self._latency_s = latency_s
        self._numbers = count(1)

    @property
    def is_ready(self) -> bool:
        """Return True: there is nothing to load."""
        return True

    async def get_ready(self) -> None:
        """Do nothing: there is nothing to load."""

    async def send(self, source: AttemptSource) -> ProviderAnswer | None:
        """Answer the source's current attempt, or one that it admits; None when it has to choose again."""
        attempt = source.current
        while attempt is not None:
            try:
                return await self._answer(attempt, stream=source.streams)
            except AttemptFailedError as exc:
                attempt.fail(exc.failure, billed=exc.answer)
            attempt = await admitted_next(source)
        return None

    async def _answer(self, attempt: InFlightAttempt, *, stream: bool) -> ProviderAnswer:
        attempt.start()
        request, embeds = _request_of(attempt), isinstance(attempt.request, EmbeddingRequest)
        attempt.mark_sent()
        begun = begun_answer(request)
        fault = self.faults.take(request.provider, request.model, goes_on=begun is not None, embeds=embeds)
        if fault is not None:
            await self._fail_before(fault, attempt, stream=stream)
        if self._latency_s:
            await self._clock.sleep(self._latency_s)
        if stream:
            attempt.begin_stream()
        spoken, upstream_id = _Spoken(), f"memory-{next(self._numbers):08x}"
        if stream:
            attempt.identify(upstream_id)
        delivered = Delivered.NOTHING
        try:
            if not embeds:
                await self._tell(attempt, request, spoken, fault=fault, stream=stream)
            delivered = Delivered.WHOLE
        finally:
            # What was said is charged, also to a caller that left.
            if spoken.pieces and delivered is not Delivered.WHOLE:
                delivered = Delivered.PARTIAL
            usage, cost = self._charge(request, spoken, upstream_id, delivered=delivered, stream=stream)
        reports = attempt.target.deployment.provider.kind is ProviderKind.OPENROUTER
        answer = ProviderAnswer(
            text=spoken.text,
            tool_calls=tuple(spoken.calls),
            finish_reason=spoken.finish_reason,
            usage=Usage(usage.input_tokens, usage.output_tokens),
            reported_cost_nusd=cost if reports else None,
            upstream_id=upstream_id,
            reasoning=spoken.thoughts,
            reasoning_vendor=vendor_of(request.provider, request.model) if spoken.thoughts else "",
            served_model=request.model,
        )
        return _with_vectors(answer, attempt, fault) if embeds else answer

    async def _fail_before(self, fault: Fault, attempt: InFlightAttempt, *, stream: bool) -> None:
        """Act out a fault that comes before any answer.

        Raises:
            AttemptFailedError: what it is to the one who asked.
        """
        if fault.kind is FaultKind.STATUS:
            kind = _REASONS.get(fault.reason or "") or kind_of_status(fault.status or 0)
            raise AttemptFailedError(Failure(kind, fault.status, fault.retry_after_s))
        if fault.manner is Manner.REFUSE:
            raise AttemptFailedError(Failure(FailureKind.BAD_REQUEST, 400))
        at_once = fault.kind is FaultKind.ERROR_IN_200 and (not stream or not fault.after_chunks)
        if at_once:
            raise AttemptFailedError(Failure(kind_of_status(fault.status or 0), fault.status))
        delay_s = fault.delay_s or 0.0
        if fault.kind in _SILENT or delay_s >= attempt.limit_s:
            await self._clock.sleep(attempt.limit_s)
            raise AttemptFailedError(Failure(FailureKind.TIMEOUT))
        await self._clock.sleep(delay_s)
        if fault.kind in _BEFORE_THE_ANSWER:
            raise UnreadableAnswerError(Failure(_BEFORE_THE_ANSWER[fault.kind]))
        if fault.shape is not None and fault.shape in _ODD_ANSWERS:
            raise UnreadableAnswerError(Failure(_ODD_ANSWERS[fault.shape]))

    async def _tell(
        self,
        attempt: InFlightAttempt,
        request: PracticeRequest,
        spoken: _Spoken,
        *,
        fault: Fault | None,
        stream: bool,
    ) -> None:
        """Say the answer piece by piece, until a fault of the stream comes."""
        begun = begun_answer(request)
        manner = (fault.manner if fault is not None else None) or Manner.ANCHOR
        pieces = (
            self._answerer.answer(request)
            if begun is None
            else continuation(self._answerer, request, begun=begun, manner=manner)
        )
        async for piece in trimmed(pieces, request=request):
            if isinstance(piece, Finish):
                spoken.finish_reason = piece.reason
                continue
            _break_here(fault, spoken)
            spoken.pieces += 1
            spoken.size_bytes += piece_bytes(piece)
            delta = _delta_of(piece, spoken)
            if stream:
                attempt.receive(delta)
        _break_here(fault, spoken, at_end=True)

    def _charge(
        self, request: PracticeRequest, spoken: _Spoken, reply_id: str, *, delivered: Delivered, stream: bool
    ) -> tuple[PracticeUsage, NanoUsd]:
        usage = PracticeUsage(input_tokens(request), count_tokens(spoken.size_bytes))
        cost = self.prices.price_of(request.provider, request.model).cost_of(usage)
        self.bill.add(
            PracticeCharge(
                request_id=reply_id,
                provider=request.provider,
                model=request.model,
                input_tokens=usage.input_tokens,
                cached_input_tokens=0,
                output_tokens=usage.output_tokens,
                cost_nusd=cost,
                streamed=stream,
                delivered=delivered,
            )
        )
        return usage, cost


def practice_provider(kind: str, prefix: str | None) -> str:
    """Return which practice provider plays one of config.yaml: by its kind, or by its prefix."""
    if kind == ProviderKind.LITELLM:
        return prefix if prefix in {"anthropic", "azure", "bedrock", "vertex_ai"} else "compatible"
    return str(ProviderKind.OPENAI if kind == ProviderKind.LOCAL else kind)


def _request_of(attempt: InFlightAttempt) -> PracticeRequest:
    outbound, deployment = attempt.outbound(), attempt.target.deployment
    body = {
        "model": deployment.upstream,
        "messages": outbound.messages,
        "max_tokens": outbound.max_tokens,
        **outbound.parameters,
    }
    played = practice_provider(deployment.provider.kind, deployment.provider.prefix)
    return read_openai_request(body, provider=played).request


def _with_vectors(answer: ProviderAnswer, attempt: InFlightAttempt, fault: Fault | None) -> ProviderAnswer:
    """Return an answer with the vectors of practice providers.

    Raises:
        UnreadableAnswerError: they are not those that were asked for; they are billed all the same.
    """
    if fault is not None and fault.vectors is not None:
        raise UnreadableAnswerError(Failure(FailureKind.MALFORMED), answer)
    request, own = attempt.request, attempt.target.deployment.model.dimensions or 1
    if not isinstance(request, EmbeddingRequest):
        return answer
    dimensions = request.dimensions or own
    return replace(answer, vectors=tuple(vector_of(text, dimensions) for text in request.texts))


def _break_here(fault: Fault | None, spoken: _Spoken, *, at_end: bool = False) -> None:
    """Break off where the fault says.

    Raises:
        AttemptFailedError: the place has come.
    """
    if fault is None or fault.kind not in _IN_THE_ANSWER:
        return
    if at_end or spoken.pieces >= (fault.after_chunks or 0):
        failure = _IN_THE_ANSWER[fault.kind] if spoken.pieces else FailureKind.DISCONNECTED
        raise AttemptFailedError(Failure(failure))


def _delta_of(piece: Content, spoken: _Spoken) -> Delta | None:
    if isinstance(piece, Thought):
        spoken.thoughts += piece.text
        return Delta(reasoning=piece.text) if piece.text else None
    if isinstance(piece, str):
        spoken.text += piece
        return Delta(piece)
    place = len(spoken.calls)
    call = ToolCall(piece.id or f"call_{place}", piece.name, piece.arguments)
    spoken.calls.append(call)
    return Delta("", (ToolCallDelta(place, call.id, call.name, call.arguments),))
