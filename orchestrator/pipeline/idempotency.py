"""Idempotency keys: one request and one charge for each key, however often it is asked.

    1. Callers of this process that ask the same under one key share one way through the rest.
    2. The key is claimed in the ledger. Another request under the same key is an error.
    3. Whoever has the claim asks; its reply is stored, then the claim is marked as done.
    4. Whoever has not waits until the other has ended, and tells its reply once more.
    5. A request that failed frees its key. One whose process died is taken over: what it held stays
       counted, and the reply says that an earlier try may have been billed.

A repetition is the same request, so it leaves no row of its own in the ledger.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import TypeVar

import orjson

from orchestrator.cache.idempotent_replies import IdempotencySettings, KeptReplies
from orchestrator.cache.response_cache import key_of
from orchestrator.cache.single_flight import LeaderFailedError, SingleFlight
from orchestrator.core.clock import Clock
from orchestrator.core.errors import (
    DeadlineExceededError,
    IdempotencyConflictError,
    LedgerError,
    OrchestratorError,
    ReplyLostError,
    StateError,
)
from orchestrator.core.reply import CacheState, ChatReply
from orchestrator.core.request import ChatRequest
from orchestrator.ledger.idempotency_keys import (
    KeyClaim,
    KeyHolder,
    KeyState,
)
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.store import KeyStore
from orchestrator.pipeline import reply_building as replies
from orchestrator.streaming.stream_writer import TakeDelta

logger = logging.getLogger("orchestrator.idempotency")

T = TypeVar("T")

Ask = Callable[[], Awaitable[ChatReply]]

_POLL_MIN_S = 0.02
_POLL_MAX_S = 0.1
_ENDED_AFTER = timedelta(seconds=60)
"""So long after its deadline a request has ended: LiteLLM is loaded and its attempts are settled."""
_CLAIMS_BETWEEN_SWEEPS = 100
_SWEPT_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Turn:
    """One caller's turn with an idempotency key."""

    request: ChatRequest
    operation_id: str
    """Of the request that is made if nobody has made it."""
    started_s: float
    deadline_s: float


class Idempotency:
    """The idempotency keys of one orchestrator; used on its event loop."""

    def __init__(self, settings: IdempotencySettings, *, ledger: Ledger, clock: Clock) -> None:
        """Remember where keys and replies are; nothing is opened before a key is used."""
        self._keep_s = settings.keep_s
        self._keys: KeyStore = ledger.store
        self._clock = clock
        self._kept = KeptReplies(settings)
        self._flights: SingleFlight[ChatReply] = SingleFlight()
        self._claims = 0

    async def once(self, turn: Turn, ask: Ask, emit: TakeDelta | None) -> ChatReply:
        """Ask, unless the key's request was made before or is under way: then tell its reply once more.

        Raises:
            IdempotencyConflictError: the key was used with another request.
            DeadlineExceededError: another process has not answered the request in time.
            ReplyLostError: the request was answered, and its reply is gone.
            StateError: claims or replies cannot be kept; nothing was sent.
        """
        claim = self._claim_of(turn)
        name = orjson.dumps((claim.tenant, claim.key, claim.request_hash)).decode()
        while True:
            # Whoever asks has the deadline in its own work; whoever joins may have less patience than that.
            patience_s = self._left_s(turn) if self._flights.is_running(name) else None
            try:
                async with asyncio.timeout(patience_s):
                    reply, joined = await self._flights.do(name, lambda: self._first(turn, claim, ask))
            except TimeoutError:
                raise _still_running(turn, turn.operation_id) from None
            except LeaderFailedError as exc:
                failed = exc.__cause__
            else:
                again = joined or reply.cached is CacheState.REPLAYED
                return self._told(turn, reply, emit) if again else reply
            if isinstance(failed, OrchestratorError) and not isinstance(failed, DeadlineExceededError):
                # One request has one end; only a deadline or a cancellation was the other caller's own.
                raise failed

    def close(self) -> None:
        """Close the files."""
        self._kept.close()

    async def _first(self, turn: Turn, claim: KeyClaim, ask: Ask) -> ChatReply:
        """Claim the key and ask, or return the stored reply of whoever had it before."""
        self._kept.check()
        await self._in_time(turn, self._sweep_now_and_then())
        died: KeyHolder | None = None
        while (holder := await self._in_time(turn, self._keys.claim_key(claim))) is not None:
            if holder.is_expired(self._clock.now()):
                self._kept.drop(holder.operation_id)
            else:
                stored = self._stored(claim, holder)
                if stored is not None:
                    return stored
                if not holder.is_dead(self._clock.now()):
                    await self._wait(turn, holder)
                    continue
                died = holder
            if await self._in_time(turn, self._keys.take_over_key(claim, over=holder)):
                break
        return await self._ask_and_keep(claim, ask, died)

    def _stored(self, claim: KeyClaim, holder: KeyHolder) -> ChatReply | None:
        """Return the reply of whoever has the key, None while there is none.

        A reply is stored before its claim is done, so it is looked for whatever the claim says: its
        process may have died between the two.
        """
        if holder.request_hash != claim.request_hash:
            raise _conflict(holder)
        packed = self._kept.get(holder.operation_id)
        reply = replies.unpack_whole(packed) if packed is not None else None
        if reply is None and holder.state is KeyState.DONE:
            raise _lost(holder)
        if reply is not None and holder.state is KeyState.RUNNING:
            self._finish(claim, holder.operation_id)
        return reply

    async def _in_time(self, turn: Turn, work: Awaitable[T]) -> T:
        """Wait for the ledger no longer than the caller has; what is cancelled meanwhile has changed nothing."""
        try:
            async with asyncio.timeout(self._left_s(turn)):
                return await work
        except TimeoutError:
            raise _too_busy(turn) from None

    async def _wait(self, turn: Turn, holder: KeyHolder) -> None:
        left_s = self._left_s(turn)
        if left_s <= 0:
            raise _still_running(turn, holder.operation_id)
        pause_s = random.uniform(_POLL_MIN_S, _POLL_MAX_S)  # noqa: S311 -- no secret
        await self._clock.sleep(min(pause_s, left_s))

    async def _ask_and_keep(self, claim: KeyClaim, ask: Ask, died: KeyHolder | None) -> ChatReply:
        try:
            reply = await ask()
        except BaseException:
            self._book(lambda: self._keys.free_key(claim), claim.operation_id)
            raise
        if died is not None:
            ended = f"an earlier try with this idempotency key (request {died.operation_id}) ended with its process"
            reply = replace(reply, notices=(f"{ended}; it may have been billed", *reply.notices))
        try:
            self._kept.put(claim.operation_id, replies.pack_whole(reply))
        except StateError as exc:
            # It was paid for and goes to its caller all the same; whoever asks again gets an error, and no charge.
            logger.error("the reply of an idempotency key is lost: request=%s: %s", claim.operation_id, exc)  # noqa: TRY400
            lost = "this reply could not be kept: its idempotency key gives an error from now on"
            reply = replace(reply, notices=(*reply.notices, lost))
        self._finish(claim, claim.operation_id)
        return reply

    def _finish(self, claim: KeyClaim, operation_id: str) -> None:
        until = self._clock.now() + timedelta(seconds=self._keep_s)
        self._book(lambda: self._keys.finish_key(claim, operation_id=operation_id, until=until), operation_id)

    def _book(self, write: Callable[[], None], operation_id: str) -> None:
        try:
            write()
        except LedgerError as exc:
            # It follows with the next transaction, before anybody can claim the key here.
            logger.error("the claim of an idempotency key is late: request=%s: %s", operation_id, exc)  # noqa: TRY400

    async def _sweep_now_and_then(self) -> None:
        """Forget the keys and replies whose time is over, replies first: none is ever without its key."""
        self._claims += 1
        if self._claims % _CLAIMS_BETWEEN_SWEEPS != 1:
            return
        now = self._clock.now()
        # A request that never came back keeps its place as long as a reply would, for callers to learn of it.
        abandoned = now - timedelta(seconds=self._keep_s)
        over = await self._keys.expired_keys(done_until=now, running_until=abandoned, limit=_SWEPT_AT_ONCE)
        for one in over:
            self._kept.drop(one.operation_id)
        if over:
            await self._keys.forget_keys(over)

    def _told(self, turn: Turn, reply: ChatReply, emit: TakeDelta | None) -> ChatReply:
        told = replies.replayed(reply, latency_s=self._clock.monotonic_s() - turn.started_s)
        if emit is not None:
            for delta in replies.pieces(told):
                emit(delta)
        return told

    def _claim_of(self, turn: Turn) -> KeyClaim:
        request = turn.request
        until = self._clock.now() + timedelta(seconds=turn.deadline_s) + _ENDED_AFTER
        key = request.idempotency_key or ""
        return KeyClaim(request.tenant, key, _hash_of(request), turn.operation_id, until)

    def _left_s(self, turn: Turn) -> float:
        return turn.started_s + turn.deadline_s - self._clock.monotonic_s()


def _hash_of(request: ChatRequest) -> str:
    """Return a hash that is equal for what is one request: what shapes the answer, and whose budgets pay.

    How patiently it is asked, in pieces or whole, and with or without the cache may change from try to try.
    """
    payers = (request.user, sorted(set(request.tags)))
    return sha256(orjson.dumps((key_of(request), payers))).hexdigest()


def _conflict(holder: KeyHolder) -> IdempotencyConflictError:
    error = IdempotencyConflictError(
        f"this idempotency key stands for another request ({holder.operation_id}): use a new key for a new "
        "request, or repeat the first one unchanged (use case, messages, model, limits, sampling, user and tags)"
    )
    error.request_id = holder.operation_id
    return error


def _lost(holder: KeyHolder) -> ReplyLostError:
    error = ReplyLostError(
        f"this idempotency key was answered by request {holder.operation_id}, whose stored reply is missing or "
        "damaged; nothing was sent. Use another key to ask anew, which is charged anew"
    )
    error.request_id = holder.operation_id
    return error


def _too_busy(turn: Turn) -> DeadlineExceededError:
    error = DeadlineExceededError(
        f"the ledger was busy for all of {turn.deadline_s:g} s, so the idempotency key was not claimed and nothing "
        "was sent; ask again with the same key, or allow more with deadline_s"
    )
    error.request_id = turn.operation_id
    return error


def _still_running(turn: Turn, operation_id: str) -> DeadlineExceededError:
    error = DeadlineExceededError(
        f"the request of this idempotency key is still under way after {turn.deadline_s:g} s; "
        "ask again with the same key, or allow more with deadline_s"
    )
    error.request_id = operation_id
    return error
