"""Answers of the cache, on the thread that asks: a hit crosses to no other and waits for no transaction.

Its row costs nothing and nobody waits for it, so rows of hits are written together, a moment later. A process
that is killed in this moment loses them; no money is in them.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from orchestrator.core.errors import LedgerError
from orchestrator.core.json_log import logged_as
from orchestrator.core.reply import CacheState, ChatReply
from orchestrator.ledger.record_settings import RecordMode
from orchestrator.ledger.store import LedgerBusyError
from orchestrator.pipeline.cache_lookup import cache_key_of, kept_reply, lifetime_of
from orchestrator.pipeline.call import Call
from orchestrator.pipeline.recording import record_repeat
from orchestrator.pipeline.repeats import age_s_of, repeated
from orchestrator.pipeline.services import PipelineServices

logger = logging.getLogger("orchestrator")

_GATHERED_S = 0.01


class Hits:
    """Looks in the cache before a call goes to the steps; thread-safe."""

    def __init__(
        self, services: PipelineServices, begin: Callable[[Coroutine[Any, Any, None]], object]
    ) -> None:
        """Record hits in the services' ledger; `begin` starts work on the background loop."""
        self._services = services
        self._begin = begin
        self._writing_in = 0
        """The process whose loop writes gathered rows in a moment; 0 while none does."""

    def look(self, call: Call) -> ChatReply | Call:
        """Return a fresh answer of the cache, recorded; else the call, with the key that was looked for."""
        lifetime = lifetime_of(call)
        if not self._may_be_answered(call) or lifetime is None:
            return call
        key = cache_key_of(call)
        kept = kept_reply(call, key)
        if kept is None or age_s_of(kept, self._services.clock) >= lifetime.fresh_s:
            return replace(call, cache_key=key)
        hit = repeated(call, kept, CacheState.HIT)
        with logged_as(call.logged):
            record_repeat(call, hit, services=self._services)
        self._write_soon()
        return call.names.in_reply(hit)

    def _may_be_answered(self, call: Call) -> bool:
        """Return whether a hit is all there is to a call: no pieces, no key to claim, no content to keep.

        And nothing to open first: that may take longer than a caller's event loop should stand still.
        """
        return (
            call.sink is None
            and call.request.idempotency_key is None
            and call.recorded.mode is not RecordMode.CONTENT
            and call.snapshot.cache.is_open
        )

    def _write_soon(self) -> None:
        if self._writing_in != os.getpid():
            self._writing_in = os.getpid()
            self._begin(self._write())

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(_GATHERED_S)
            # Before it writes: what comes meanwhile needs another turn.
            self._writing_in = 0
            if not self._is_busy() or self._writing_in:
                # Written, or somebody else has begun to: one at a time waits for the file.
                return
            self._writing_in = os.getpid()

    def _is_busy(self) -> bool:
        """Write what was gathered, or return that others hold the file."""
        try:
            self._services.ledger.write_gathered()
        except LedgerBusyError:
            return True
        except LedgerError as exc:
            logger.error("rows of cached answers are late; they follow with the next booking: %s", exc)  # noqa: TRY400
        return False
