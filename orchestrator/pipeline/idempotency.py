"""Idempotency keys: one request and one charge for each key, however often it is asked.

    1. Callers of this process that ask the same under one key share one way through the rest.
    2. The key is claimed in the ledger. Another request under the same key is an error.
    3. The call that has the claim asks; its reply is stored, then the claim is marked as done.
    4. One that has not waits until the other has ended, and gives its reply once more.
    5. A request that failed frees its key. One whose process died is taken over: what it held stays
       counted, and the reply says that an earlier try may have been billed.

A repetition is the same request, so it leaves no row of its own in the ledger.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import TypeVar

import orjson

from orchestrator.cache.response_cache import key_of
from orchestrator.cache.single_flight import LeaderFailedError, SingleFlight
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
    KeyStore,
)
from orchestrator.pipeline.call import Call, Step
from orchestrator.pipeline.repeats import replayed
from orchestrator.pipeline.reply_building import pack_whole, unpack_whole
from orchestrator.pipeline.services import PipelineServices

logger = logging.getLogger("orchestrator.idempotency")

T = TypeVar("T")

_POLL_MIN_S = 0.02
_POLL_MAX_S = 0.1
_ASK_AGAIN_S = 1.0
"""When a request is worth sending again whose key stands for one under way."""
_ENDED_AFTER = timedelta(seconds=60)
"""So long after its deadline a request has ended: LiteLLM is loaded and its attempts are settled."""
_CLAIMS_BETWEEN_SWEEPS = 100
_SWEPT_AT_ONCE = 500


class Idempotency:
    """Answers a call that has a key once: whatever repeats it gets the same reply and is charged nothing.

    Used on one event loop.
    """

    def __init__(self, services: PipelineServices, following: Step) -> None:
        """Stand around `following`; nothing is opened before a key is used."""
        self._keep_s = services.idempotency.keep_s
        self._kept = services.kept_replies
        self._keys: KeyStore = services.ledger.store
        self._clock = services.clock
        self._chance = services.dispatch.chance
        self._following = following
        self._flights: SingleFlight[ChatReply] = SingleFlight()
        self._claims = 0

    async def __call__(self, call: Call) -> ChatReply:
        """Go on, unless the key's request was answered before or is under way: then give its reply once more.

        Raises:
            IdempotencyConflictError: the key was used with another request.
            DeadlineExceededError: another process has not answered the request in time.
            ReplyLostError: the request was answered, and its reply is gone.
            StateError: claims or replies cannot be kept; nothing was sent.
        """
        if call.request.idempotency_key is None:
            return await self._following(call)
        claim = self._claim_of(call)
        name = orjson.dumps((claim.tenant, claim.key, claim.request_hash)).decode()
        while True:
            # A call that asks has the deadline in its own work; one that joins may have less patience.
            patience_s = call.deadline.left_s() if self._flights.is_running(name) else None
            try:
                async with asyncio.timeout(patience_s):
                    reply, joined = await self._flights.do(name, lambda: self._first(call, claim))
            except TimeoutError:
                raise _still_running(call, call.id) from None
            except LeaderFailedError as exc:
                failed = exc.__cause__
            else:
                return replayed(call, reply) if joined or reply.cached is CacheState.REPLAYED else reply
            if isinstance(failed, OrchestratorError) and not isinstance(failed, DeadlineExceededError):
                # One request has one end; only a deadline or a cancellation was the other caller's own.
                raise failed

    async def _first(self, call: Call, claim: KeyClaim) -> ChatReply:
        """Claim the key and go on, or return the stored reply of the request that had it before."""
        self._kept.check()
        await self._in_time(call, self._sweep_now_and_then())
        died: KeyHolder | None = None
        while (holder := await self._in_time(call, self._keys.claim_key(claim))) is not None:
            if holder.is_expired(self._clock.now()):
                self._kept.drop(holder.operation_id)
            else:
                stored = self._stored(claim, holder)
                if stored is not None:
                    return stored
                if not holder.is_dead(self._clock.now()):
                    await self._wait(call, holder)
                    continue
                died = holder
            if await self._in_time(call, self._keys.take_over_key(claim, over=holder)):
                break
        return await self._ask_and_keep(call, claim, died)

    def _stored(self, claim: KeyClaim, holder: KeyHolder) -> ChatReply | None:
        """Return the reply of the request that has the key, None while there is none.

        A reply is stored before its claim is done, so it is looked for whatever the claim says: its
        process may have died between the two.
        """
        if holder.request_hash != claim.request_hash:
            raise _conflict(holder)
        packed = self._kept.get(holder.operation_id)
        reply = unpack_whole(packed) if packed is not None else None
        if reply is None and holder.state is KeyState.DONE:
            raise _lost(holder)
        if reply is not None and holder.state is KeyState.RUNNING:
            self._finish(claim, holder.operation_id)
        return reply

    async def _in_time(self, call: Call, work: Awaitable[T]) -> T:
        """Wait for the ledger no longer than the caller has; what is cut off has changed nothing."""
        try:
            async with asyncio.timeout(call.deadline.left_s()):
                return await work
        except TimeoutError:
            raise _too_busy(call) from None

    async def _wait(self, call: Call, holder: KeyHolder) -> None:
        left_s = call.deadline.left_s()
        if left_s <= 0:
            raise _still_running(call, holder.operation_id)
        pause_s = _POLL_MIN_S + self._chance.up_to(_POLL_MAX_S - _POLL_MIN_S)
        await self._clock.sleep(min(pause_s, left_s))

    async def _ask_and_keep(self, call: Call, claim: KeyClaim, died: KeyHolder | None) -> ChatReply:
        try:
            reply = await self._following(call)
        except BaseException:
            self._book(lambda: self._keys.free_key(claim), claim.operation_id)
            raise
        if died is not None:
            ended = f"an earlier try with this idempotency key (request {died.operation_id}) ended with its process"
            reply = replace(reply, notices=(f"{ended}; it may have been billed", *reply.notices))
        try:
            self._kept.put(claim.operation_id, pack_whole(reply), tenant=call.payer.tenant)
        except StateError as exc:
            # It was paid for and goes to its caller all the same; another try gets an error, and no charge.
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
        for expired in over:
            self._kept.drop(expired.operation_id)
        if over:
            await self._keys.forget_keys(over)

    def _claim_of(self, call: Call) -> KeyClaim:
        until = self._clock.now() + timedelta(seconds=call.deadline.timeout_s) + _ENDED_AFTER
        key = call.request.idempotency_key or ""
        return KeyClaim(call.payer.tenant, key, _hash_of(call.request), call.id, until)


def _hash_of(request: ChatRequest) -> str:
    """Return a hash that is equal for what is one request: what shapes the answer, and whose budgets pay.

    How patiently it is asked, in pieces or whole, and with or without the cache may change from try to try.
    """
    run = () if request.run is None else (request.run.name,)
    payers = (request.user, sorted(set(request.tags)), *run)
    return sha256(orjson.dumps((key_of(request), payers))).hexdigest()


def _conflict(holder: KeyHolder) -> IdempotencyConflictError:
    return IdempotencyConflictError(
        f"this idempotency key stands for another request ({holder.operation_id}): use a new key for a new "
        "request, or repeat the first one unchanged (use case, messages, model, limits, sampling, user, tags and run)"
    ).of_request(holder.operation_id)


def _lost(holder: KeyHolder) -> ReplyLostError:
    return ReplyLostError(
        f"this idempotency key was answered by request {holder.operation_id}, whose stored reply is missing or "
        "damaged; nothing was sent. Use another key to ask anew, which is charged anew"
    ).of_request(holder.operation_id)


def _too_busy(call: Call) -> DeadlineExceededError:
    return DeadlineExceededError(
        f"the ledger was busy for all of {call.deadline.timeout_s:g} s, so the idempotency key was not claimed and nothing "
        "was sent; ask again with the same key, or allow more with deadline_s",
        retry_after_s=_ASK_AGAIN_S,
    ).of_request(call.id)


def _still_running(call: Call, operation_id: str) -> DeadlineExceededError:
    return DeadlineExceededError(
        f"the request of this idempotency key is still under way after {call.deadline.timeout_s:g} s; "
        "ask again with the same key, or allow more with deadline_s",
        retry_after_s=_ASK_AGAIN_S,
    ).of_request(operation_id)
