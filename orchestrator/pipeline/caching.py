"""Equal questions of a tenant: answered from the cache, joined while under way, or asked and kept."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace

from orchestrator.cache.single_flight import LeaderFailedError, SingleFlight
from orchestrator.core.reply import CacheState, ChatReply
from orchestrator.pipeline.cache_lookup import cache_key_of, kept_reply, lifetime_of
from orchestrator.pipeline.call import Call, Step
from orchestrator.pipeline.recording import record_and_wait
from orchestrator.pipeline.repeats import age_s_of, repeated, stale_reply
from orchestrator.pipeline.reply_building import may_be_kept, pack
from orchestrator.pipeline.services import PipelineServices

_JOINED_GRACE_S = 0.05


class Caching:
    """Asks equal questions once, while an answer is fresh or on its way; streams are not joined."""

    def __init__(self, services: PipelineServices, following: Step) -> None:
        """Stand around `following`."""
        self._services = services
        self._clock = services.clock
        self._following = following
        self._flights: SingleFlight[ChatReply] = SingleFlight()

    async def __call__(self, call: Call) -> ChatReply:
        """Return what the cache has, or what the following step says, which is kept if it is whole.

        Raises:
            DeadlineExceededError: the request that was joined has not been answered in this call's time.
        """
        lifetime = lifetime_of(call)
        if lifetime is None:
            return await self._following(call)
        key = call.cache_key or cache_key_of(call)
        # Also where it was looked for before the call came here: an equal one may have been answered since.
        kept = kept_reply(call, key)
        age_s = math.inf if kept is None else age_s_of(kept, self._clock)
        if kept is not None and age_s < lifetime.fresh_s:
            return await self._repeat(call, kept, CacheState.HIT)
        asking = replace(call, stale=kept if age_s < lifetime.kept_s else None, cache_key=key)

        async def ask_and_keep() -> ChatReply:
            reply = await self._following(asking)
            if may_be_kept(reply, as_json=call.request.sampling.asks_for_json):
                cache, tenant = call.snapshot.cache, call.payer.tenant
                cache.put_in_this_turn(key, pack(reply), ttl_s=lifetime.kept_s, tenant=tenant)
            return reply

        return await (ask_and_keep() if call.sink is not None else self._share(asking, key, ask_and_keep))

    async def _share(self, call: Call, key: str, ask: Callable[[], Awaitable[ChatReply]]) -> ChatReply:
        """Answer with an equal request that is under way, or be the one that others join."""
        while self._flights.is_running(key):
            try:
                # The one that asks meets this deadline in its own work, a moment earlier.
                async with asyncio.timeout(call.deadline.left_s() + _JOINED_GRACE_S):
                    reply, _ = await self._flights.do(key, ask)
            except LeaderFailedError:
                # Its deadline or budget was another's: ask on our own terms.
                continue
            except TimeoutError:
                return await self._joined_too_late(call)
            return await self._repeat(call, reply, CacheState.JOINED)
        reply, _ = await self._flights.do(key, ask)
        return reply

    async def _joined_too_late(self, call: Call) -> ChatReply:
        error = call.too_late()
        stale = stale_reply(call, error, clock=self._clock)
        if stale is None:
            await record_and_wait(call, None, error, services=self._services)
            raise error from None
        return await record_and_wait(call, stale, error, services=self._services)

    async def _repeat(self, call: Call, reply: ChatReply, cached: CacheState) -> ChatReply:
        """Return a reply that another request paid for, and record that it was given once more."""
        repeat = call.hand_over(repeated(call, reply, cached))
        return await record_and_wait(call, repeat, None, services=self._services)
