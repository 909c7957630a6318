"""The orchestrator: the only module that knows the order of the steps.

A request is looked up in the cache, given a place, planned, and walked along its plan: money is held before
each attempt and settled after it. `Orchestrator._answer`, `_ask` and `_go` read as these lines.
"""

import asyncio
import logging
import math
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from orchestrator.cache.response_cache import ReplyCache, key_of
from orchestrator.cache.single_flight import LeaderFailedError, SingleFlight
from orchestrator.config.loader import Config, load_config
from orchestrator.config.watcher import ConfigWatch
from orchestrator.core.alerts import Alerts, Listener
from orchestrator.core.background_loop import BackgroundLoop, Job
from orchestrator.core.clock import Clock, SystemClock
from orchestrator.core.errors import DeadlineExceededError, LedgerError, OrchestratorError, UnavailableError
from orchestrator.core.failures import FailureKind
from orchestrator.core.money import ZERO_NUSD
from orchestrator.core.plan import Candidate, Plan
from orchestrator.core.prompt_size import PromptSize
from orchestrator.core.reply import CacheState, ChatReply, Usage
from orchestrator.core.request import CacheUse, ChatRequest, Message
from orchestrator.dispatch.admission import Services
from orchestrator.dispatch.dispatch_request import DispatchRequest
from orchestrator.dispatch.dispatcher import Walk
from orchestrator.ledger.ledger import BudgetStatus, Ledger
from orchestrator.ledger.records import new_operation_id
from orchestrator.metering.meter import Meter, Offer, Payer
from orchestrator.pipeline import reply_building as replies
from orchestrator.pipeline.call import Call, ConfigSnapshot, Way
from orchestrator.pipeline.degradation import degraded
from orchestrator.pipeline.graceful import apologises, apology, why_stale
from orchestrator.pipeline.idempotency import Idempotency, Turn
from orchestrator.pipeline.planning import plan_for
from orchestrator.providers.litellm.router import Connections, Gateway
from orchestrator.providers.local.model import LocalModel
from orchestrator.resilience.circuit_breaker import CircuitState
from orchestrator.resilience.concurrency_limiter import ConcurrencyLimiter, Load
from orchestrator.resilience.health import Health
from orchestrator.resilience.rate_limiter import RateLimiter
from orchestrator.routing.estimate import measure
from orchestrator.routing.token_ratios import TokenRatios
from orchestrator.streaming.reply_stream import ReplyStream, StreamSink
from orchestrator.streaming.stream_writer import TakeDelta

if TYPE_CHECKING:
    from orchestrator.langchain.chat_model import OrchestratorChat

logger = logging.getLogger("orchestrator")

_JOINED_GRACE_S = 0.05


class Orchestrator:
    """One way to many models: estimated, cached, routed, paid for within budgets, and explained.

    Thread-safe; use one for the whole process. The methods without an `a` in front work in any
    synchronous code, a notebook included; those with one in any event loop.
    """

    def __init__(self, config: Config, *, clock: Clock | None = None, watch: bool = False) -> None:
        """Make an orchestrator of a loaded configuration; nothing is opened or started before it is needed.

        With `watch`, a changed configuration file is taken over while the program runs.
        """
        self._clock: Clock = clock or SystemClock()
        self._connections = Connections()
        self._loop = BackgroundLoop("orchestrator", at_end=self._connections.close)
        self._local_model = LocalModel(config.settings.local_model)
        self._alerts = Alerts()
        ledger = Ledger(
            config.settings.ledger,
            limits=config.limits,
            clock=self._clock,
            alerts=self._alerts,
        )
        self._state = Services(
            ledger=ledger,
            health=Health(config.settings.circuit_breaker, clock=self._clock),
            limits=RateLimiter(clock=self._clock),
            counts=TokenRatios(ledger.token_samples),
            clock=self._clock,
        )
        self._admission = ConcurrencyLimiter(config.settings.overload, clock=self._clock)
        self._flights: SingleFlight[ChatReply] = SingleFlight()
        self._keyed = Idempotency(config.settings.idempotency, ledger=self._state.ledger, clock=self._clock)
        self._core = self._make_core(config, ReplyCache(config.settings.cache))
        self._watch = ConfigWatch(config, take_over=self.reload, clock=self._clock) if watch else None
        self._finalizer = weakref.finalize(self, _close, self._loop, self._state.ledger, self._local_model)

    @classmethod
    def from_config(
        cls, path: Path | str | None = None, *, clock: Clock | None = None, watch: bool = True
    ) -> Self:
        """Make an orchestrator from a config.yaml.

        Without `path`: $ORCHESTRATOR_CONFIG, ./config.yaml, or the one embedded in the package.

        Raises:
            ConfigError: the file cannot be used; it says where and what to do.
        """
        used = clock or SystemClock()
        return cls(load_config(path, today=used.now().date()), clock=used, watch=watch)

    @property
    def config(self) -> Config:
        """Return the configuration in force."""
        return self._core.config

    def complete(self, prompt: ChatRequest | str | Sequence[Message], **wanted: Any) -> ChatReply:
        """Answer a prompt; `wanted` are fields of `ChatRequest` and sampling parameters.

        Raises:
            RequestError: the request cannot be served as it is.
            BudgetExceededError: a limit would be passed; nothing was sent.
            UnavailableError: nobody answered before the deadline.
        """
        return self._loop.run(self._serve(self._request(prompt, wanted)))

    async def acomplete(self, prompt: ChatRequest | str | Sequence[Message], **wanted: Any) -> ChatReply:
        """Answer a prompt, from any event loop; see `complete`."""
        return await self._loop.join(self._serve(self._request(prompt, wanted)))

    def stream(self, prompt: ChatRequest | str | Sequence[Message], **wanted: Any) -> ReplyStream:
        """Answer a prompt piece by piece; iterate with `for` or `async for`, then see `.reply`.

        A stream that breaks off is finished by another attempt, or as `on_break` says. Raises what
        `complete` raises, from the iteration, and StreamInterruptedError where nobody could finish it.
        """
        request = self._request(prompt, wanted)
        return ReplyStream(self._loop, lambda emit: self._serve(request, emit))

    def explain(self, prompt: ChatRequest | str | Sequence[Message], **wanted: Any) -> Plan:
        """Return whom a prompt would be put to, in which order and why; nothing is sent."""
        return self._loop.run(self._explain(self._request(prompt, wanted)))

    async def aexplain(self, prompt: ChatRequest | str | Sequence[Message], **wanted: Any) -> Plan:
        """Return whom a prompt would be put to, from any event loop; see `explain`."""
        return await self._loop.join(self._explain(self._request(prompt, wanted)))

    def estimate(self, prompt: ChatRequest | str | Sequence[Message], **wanted: Any) -> Candidate:
        """Return what a prompt would probably cost, and at most, with its first choice; nothing is sent.

        Raises:
            PromptTooLargeError, BudgetExceededError, UnavailableError: nobody may serve it, as in `complete`.
        """
        return self._loop.run(self._explain(self._request(prompt, wanted))).asked[0]

    def chat_model(self, use_case: str | None = None, **wanted: Any) -> "OrchestratorChat":
        """Return a LangChain chat model that asks this orchestrator; `wanted` as in `complete`."""
        from orchestrator.langchain.chat_model import OrchestratorChat  # noqa: PLC0415 -- langchain only where it is asked for

        if use_case is not None:
            wanted["use_case"] = use_case
        return OrchestratorChat.of(self, **wanted)

    def native(
        self, deployment: str, *, tenant: str = "default", use_case: str | None = None, **wanted: Any
    ) -> Any:
        """Return the provider's own LangChain client for a deployment, on the same ledger and budgets.

        For parameters that only that client knows (`wanted`). It has no fallbacks and no cache.

        Raises:
            UnknownNameError: the deployment is not defined, or is off.
            InvalidRequestError: `wanted` names a key, an address or headers.
        """
        from orchestrator.metering.langchain_clients import native_client  # noqa: PLC0415 -- loads both vendors' clients

        found = self._core.config.catalog.named(deployment)[0]
        payer = Payer(tenant, use_case or self._core.config.settings.default_use_case)
        meter = Meter(Offer.of(found), payer, ledger=self._state.ledger, clock=self._clock)
        address = found.provider.base_url
        if found.is_local:
            address = self._loop.run(self._local_model.base_url())
        return native_client(found, meter, address, wanted)

    def standings(self) -> tuple[BudgetStatus, ...]:
        """Return how every scope stands today and this month: limit, spent, held, left."""
        return self._state.ledger.standings()

    def on_alert(self, listener: Listener) -> None:
        """Call `listener` with every alert: a charge above what was held, a booking that has to wait."""
        self._alerts.subscribe(listener)

    def circuits(self) -> Mapping[str, CircuitState]:
        """Return the circuit of every deployment that was asked so far."""
        return self._state.health.circuits()

    def load(self) -> Load:
        """Return how many requests are under way in this process, and how many wait for a place."""
        return self._admission.load

    @property
    def health(self) -> Health:
        """Return what is known of the health of deployments and providers."""
        return self._state.health

    def begin(self, work: Coroutine[Any, Any, None]) -> Job[None]:
        """Start `work` of our own on the background loop; it ends at the latest with `close`."""
        return self._loop.submit(work)

    def reload(self, config: Config) -> None:
        """Use another configuration from the next request on; requests under way keep theirs."""
        old = self._core.config.settings
        new = config.settings
        cache = self._core.cache if new.cache == old.cache else ReplyCache(new.cache)
        self._state.ledger.limits = config.limits
        self._state.health.adopt(new.circuit_breaker)
        self._admission.adopt(new.overload)
        self._core = self._make_core(config, cache)
        for name in ("ledger", "idempotency", "local_model"):
            if getattr(old, name) != getattr(new, name):
                logger.warning("a changed '%s' in config.yaml takes effect after a restart", name)

    def warm_up(self) -> None:
        """Load and open what requests will need, LiteLLM above all, which takes seconds."""
        self._loop.run(self._core.gateway.get_ready())
        self._loop.run(self._state.ledger.aopen())

    def close(self) -> None:
        """Cancel what runs, book it, and close everything. Closing twice does nothing.

        Raises:
            LedgerError: bookings that were owed cannot be written; their holds stay counted. All is closed.
        """
        if self._watch is not None:
            self._watch.close()
        try:
            self._finalizer()
        finally:
            self._core.cache.close()
            self._keyed.close()

    def __enter__(self) -> Self:
        """Return the orchestrator."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the orchestrator."""
        self.close()

    def _make_core(self, config: Config, cache: ReplyCache) -> ConfigSnapshot:
        return ConfigSnapshot(
            config,
            Gateway(config.catalog, local_model=self._local_model, connections=self._connections),
            cache,
        )

    def _request(self, prompt: ChatRequest | str | Sequence[Message], wanted: dict[str, Any]) -> ChatRequest:
        if not isinstance(prompt, ChatRequest):
            wanted.setdefault("use_case", self._core.config.settings.default_use_case)
        return ChatRequest.of(prompt, **wanted)

    def _call(self, request: ChatRequest) -> Call:
        core = self._core
        return Call(
            id=new_operation_id(self._clock.now()),
            request=request,
            core=core,
            use_case=core.config.use_case_of(request),
            profile=core.config.profile_of(request),
            started_at=self._clock.now(),
            started_s=self._clock.monotonic_s(),
            deadline_s=core.config.deadline_s_of(request),
        )

    async def _serve(self, request: ChatRequest, emit: TakeDelta | None = None) -> ChatReply:
        """Answer; where nobody can, apologise to those who want that, else raise what went wrong."""
        call = self._call(request)
        reader = None if emit is None else StreamSink(emit)
        try:
            return await self._once(call, reader)
        except UnavailableError as exc:
            if not apologises(request, call.use_case) or (reader is not None and reader.has_read):
                raise
            reply = apology(
                exc,
                request,
                settings=call.core.config.settings.last_resort,
                started_at=call.started_at,
                latency_s=self._elapsed_s(call),
            )
            return replies.handed_over(reply, reader)

    async def _once(self, call: Call, reader: StreamSink | None) -> ChatReply:
        """Answer once for an idempotency key, and without one each time."""
        if call.request.idempotency_key is None:
            return await self._answer(call, reader)
        turn = Turn(call.request, call.id, call.started_s, call.deadline_s)
        return await self._keyed.once(turn, lambda: self._answer(call, reader), reader)

    async def _answer(self, call: Call, reader: StreamSink | None) -> ChatReply:
        """Answer from the cache, with a request like it that is under way, or by asking."""
        settings, use_case = call.core.cache.settings, call.use_case
        ttl_s = settings.ttl_s if use_case.cache_ttl_s is None else use_case.cache_ttl_s
        stale_s = 0.0 if use_case.never_degrade else settings.stale_s
        if call.request.cache is CacheUse.OFF or not settings.enabled or ttl_s == 0:
            return await self._ask(call, reader)
        key = key_of(call.request)
        kept = self._kept(call, key)
        age_s = self._age_s(kept)
        if kept is not None and age_s < ttl_s:
            return self._repeat(call, kept, CacheState.HIT, reader)
        asking = replace(call, stale=kept if age_s < ttl_s + stale_s else None)

        async def ask_and_keep() -> ChatReply:
            reply = await self._ask(asking, reader)
            if replies.may_be_kept(reply):
                call.core.cache.put(key, replies.pack(reply), ttl_s=ttl_s + stale_s)
            return reply

        return await ask_and_keep() if reader is not None else await self._share(asking, key, ask_and_keep)

    def _kept(self, call: Call, key: str) -> ChatReply | None:
        stored = call.core.cache.get(key) if call.request.cache is CacheUse.USE else None
        return replies.unpack(stored) if stored is not None else None

    def _age_s(self, kept: ChatReply | None) -> float:
        return math.inf if kept is None else (self._clock.now() - kept.created_at).total_seconds()

    async def _share(self, call: Call, key: str, ask: Callable[[], Awaitable[ChatReply]]) -> ChatReply:
        """Answer with a request like it that is under way, or be the one that others join."""
        try:
            # For those who join; the one that asks has this deadline in its own work, a moment earlier.
            async with asyncio.timeout(self._left_s(call) + _JOINED_GRACE_S):
                while True:
                    try:
                        reply, joined = await self._flights.do(key, ask)
                    except LeaderFailedError:
                        # Its deadline or budget was another's: ask on our own terms.
                        continue
                    return self._repeat(call, reply, CacheState.JOINED, None) if joined else reply
        except TimeoutError:
            error = self._too_late(call)
            stale = self._stale(call, None, error, None)
            self._book(call, None, stale, error)
            if stale is None:
                raise error from None
            return stale

    async def _ask(self, call: Call, reader: StreamSink | None) -> ChatReply:
        """Ask, or take an older answer where nobody answers; book the operation whatever happens."""
        way = Way()
        reply: ChatReply | None = None
        error: BaseException | None = None
        try:
            reply = await self._go(way, call, reader)
        except UnavailableError as exc:
            error = exc
            exc.cost_nusd = way.spent_nusd
            reply = self._stale(call, way.walk, exc, reader)
            if reply is None:
                raise
        except BaseException as exc:
            error = exc
            raise
        finally:
            if isinstance(error, OrchestratorError):
                error.request_id = call.id
            if way.walk is not None:
                way.walk.finish()
            self._book(call, way.walk, reply, error)
        return reply

    async def _go(self, way: Way, call: Call, reader: StreamSink | None) -> ChatReply:
        """Have a place, plan, hold, send, settle: all of it before the deadline."""
        gateway = call.core.gateway
        try:
            async with asyncio.timeout(self._left_s(call)):
                if not gateway.is_ready:
                    await gateway.get_ready()
                await self._state.ledger.aopen()
                async with self._place(call):
                    size = measure(call.request)
                    plan = self._plan(call, size)
                    way.walk = self._walk(call, plan, size, stream=reader is not None)
                    answer = await gateway.run(way.walk, emit=reader)
        except TimeoutError:
            if way.walk is not None:
                way.walk.finish(FailureKind.TIMEOUT)
            raise self._too_late(call, "" if way.walk is None else way.walk.delivered) from None
        latency_s = self._elapsed_s(call)
        reply = replies.from_walk(way.walk, answer, latency_s=latency_s, started_at=call.started_at)
        return replace(reply, degraded=degraded(call.core.config, call.use_case, reply))

    def _stale(
        self, call: Call, walk: Walk | None, error: UnavailableError, reader: StreamSink | None
    ) -> ChatReply | None:
        """Return the older answer of the cache, marked, None where there is none or it comes too late."""
        if call.stale is None or (reader is not None and reader.has_read):
            return None
        error.request_id = call.id
        stale = replace(
            self._repeated(call, call.stale, CacheState.STALE),
            degraded=why_stale(error, age_s=self._age_s(call.stale)),
            attempts=() if walk is None else tuple(walk.attempts),
            cost_nusd=error.cost_nusd,
            plan=None if walk is None else walk.terms.plan,
        )
        return replies.handed_over(stale, reader)

    def _place(self, call: Call) -> AbstractAsyncContextManager[None]:
        return self._admission.slot(
            call.request.tenant, background=call.profile.background, left_s=self._left_s(call)
        )

    def _plan(self, call: Call, size: PromptSize) -> Plan:
        today = call.started_at.date()
        return plan_for(call.request, call.core.config, size=size, state=self._state, today=today)

    def _walk(self, call: Call, plan: Plan, size: PromptSize, *, stream: bool) -> Walk:
        terms = DispatchRequest(
            request_id=call.id,
            request=call.request,
            plan=plan,
            size=size,
            profile=call.profile,
            deadline_at_s=call.started_s + call.deadline_s,
            stream=stream,
            today=call.started_at,
            older_answer=call.stale is not None,
        )
        return Walk(terms, deployments=call.core.config.catalog.deployments, state=self._state)

    async def _explain(self, request: ChatRequest) -> Plan:
        return self._plan(self._call(request), measure(request))

    def _repeat(
        self, call: Call, reply: ChatReply, cached: CacheState, reader: StreamSink | None
    ) -> ChatReply:
        """Return a reply that somebody paid for already, under this request's own id, and book it."""
        repeated = replies.handed_over(self._repeated(call, reply, cached), reader)
        self._book(call, None, repeated, None)
        return repeated

    def _repeated(self, call: Call, reply: ChatReply, cached: CacheState) -> ChatReply:
        return replace(
            reply,
            request_id=call.id,
            usage=Usage(),
            cost_nusd=ZERO_NUSD,
            attempts=(),
            cached=cached,
            latency_s=self._elapsed_s(call),
            created_at=call.started_at,
        )

    def _book(
        self, call: Call, walk: Walk | None, reply: ChatReply | None, error: BaseException | None
    ) -> None:
        operation = replies.operation_of(
            call.id, call.request, call.started_at, self._elapsed_s(call), walk=walk, reply=reply, error=error
        )
        try:
            self._state.ledger.close_operation_soon(operation)
        except LedgerError as exc:
            # The money is in the attempts' rows; this row follows with the next transaction.
            # Without a traceback: this may run inside a provider's error, whose text quotes the prompt.
            logger.error("the operation row is late: request=%s: %s", call.id, exc)  # noqa: TRY400

    def _too_late(self, call: Call, delivered: str = "") -> DeadlineExceededError:
        had = f"; {len(delivered)} characters had been delivered, see partial_text" if delivered else ""
        error = DeadlineExceededError(
            f"no {'whole ' if delivered else ''}answer within {call.deadline_s:g} s{had}; "
            "allow more with deadline_s or the retry profile, or ask for less",
            partial_text=delivered,
        )
        error.request_id = call.id
        return error

    def _elapsed_s(self, call: Call) -> float:
        return self._clock.monotonic_s() - call.started_s

    def _left_s(self, call: Call) -> float:
        return call.deadline_s - self._elapsed_s(call)


def _close(loop: BackgroundLoop, ledger: Ledger, local_model: LocalModel) -> None:
    loop.close()
    with closing(local_model):
        ledger.close()
