"""The orchestrator: the only module that knows the order of the steps.

A request is estimated, looked up in the cache, planned, and walked along its plan: money is
held before each attempt and settled after it. `Orchestrator._ask` reads as these lines.
"""

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from orchestrator import replies
from orchestrator.background import BackgroundLoop
from orchestrator.calls import (
    CacheState,
    CacheUse,
    Candidate,
    ChatReply,
    ChatRequest,
    Excluded,
    Message,
    Plan,
    Usage,
)
from orchestrator.clock import Clock, SystemClock
from orchestrator.config import Config, load_config
from orchestrator.config_watch import ConfigWatch
from orchestrator.errors import (
    BudgetExceededError,
    DeadlineExceededError,
    LedgerError,
    OrchestratorError,
    PromptTooLargeError,
    UnavailableError,
)
from orchestrator.gateway.delivery import Emit
from orchestrator.gateway.local import LocalModel
from orchestrator.gateway.metering import Meter, Payer
from orchestrator.gateway.router import Connections, Gateway
from orchestrator.gateway.walk import State, Terms, Walk
from orchestrator.money import ZERO_NUSD, NanoUsd
from orchestrator.policy.budgets import BudgetTierSettings, Limits, Window, scopes_of, tier_for
from orchestrator.policy.estimate import measure
from orchestrator.policy.failures import FailureKind, RetryProfile
from orchestrator.policy.routing import Rules, UseCaseSettings, Vitals, needs_of, rank
from orchestrator.reply_stream import ReplyStream
from orchestrator.state.cache import LeaderFailedError, ReplyCache, SingleFlight, key_of
from orchestrator.state.health import CircuitState, Health
from orchestrator.state.ledger import Ledger, Standing
from orchestrator.state.ledger_records import new_operation_id
from orchestrator.state.limits import RateLimits

if TYPE_CHECKING:
    from orchestrator.langchain_chat import OrchestratorChat

logger = logging.getLogger("orchestrator")

_JOINED_GRACE_S = 0.05


@dataclass(frozen=True, slots=True)
class _Core:
    """What belongs to one configuration; a changed one makes a new core."""

    config: Config
    gateway: Gateway
    cache: ReplyCache


@dataclass(frozen=True, slots=True)
class _Call:
    """One request with what applies to it from its first moment to its last."""

    id: str
    request: ChatRequest
    core: _Core
    use_case: UseCaseSettings
    profile: RetryProfile
    started_at: datetime
    started_s: float
    deadline_s: float


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
        self._state = State(
            ledger=Ledger(config.settings.ledger, limits=Limits(config.settings.budgets), clock=self._clock),
            health=Health(config.settings.circuit_breaker, clock=self._clock),
            limits=RateLimits(clock=self._clock),
            clock=self._clock,
        )
        self._flights: SingleFlight[ChatReply] = SingleFlight()
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
        return self._loop.run(self._estimate(self._request(prompt, wanted)))

    def chat_model(self, use_case: str | None = None, **wanted: Any) -> "OrchestratorChat":
        """Return a LangChain chat model that asks this orchestrator; `wanted` as in `complete`."""
        from orchestrator.langchain_chat import OrchestratorChat  # noqa: PLC0415 -- langchain only where it is asked for

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
        from orchestrator.gateway.native import native_client  # noqa: PLC0415 -- loads both vendors' clients

        found = self._core.config.catalog.named(deployment)[0]
        payer = Payer(tenant, use_case or self._core.config.settings.default_use_case)
        meter = Meter(found, payer, ledger=self._state.ledger, clock=self._clock)
        address = found.provider.base_url
        if found.is_local:
            address = self._loop.run(self._local_model.base_url())
        return native_client(found, meter, address, wanted)

    def standings(self) -> tuple[Standing, ...]:
        """Return how every scope stands today and this month: limit, spent, held, left."""
        return self._state.ledger.standings()

    def circuits(self) -> Mapping[str, CircuitState]:
        """Return the circuit of every deployment that was asked so far."""
        return self._state.health.circuits()

    def reload(self, config: Config) -> None:
        """Use another configuration from the next request on; requests under way keep theirs."""
        old = self._core.config.settings
        new = config.settings
        cache = self._core.cache if new.cache == old.cache else ReplyCache(new.cache)
        self._state.ledger.limits = Limits(new.budgets)
        self._state.health.adopt(new.circuit_breaker)
        self._core = self._make_core(config, cache)
        for name in ("ledger", "local_model"):
            if getattr(old, name) != getattr(new, name):
                logger.warning("a changed '%s' in config.yaml takes effect after a restart", name)

    def warm_up(self) -> None:
        """Load what the first request would load, LiteLLM above all, which takes seconds."""
        self._loop.run(self._core.gateway.warm_up())

    def close(self) -> None:
        """Cancel what runs, book it, and close everything. Closing twice does nothing."""
        if self._watch is not None:
            self._watch.close()
        self._finalizer()
        self._core.cache.close()

    def __enter__(self) -> Self:
        """Return the orchestrator."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the orchestrator."""
        self.close()

    def _make_core(self, config: Config, cache: ReplyCache) -> _Core:
        return _Core(
            config,
            Gateway(config.catalog, local_model=self._local_model, connections=self._connections),
            cache,
        )

    def _request(self, prompt: ChatRequest | str | Sequence[Message], wanted: dict[str, Any]) -> ChatRequest:
        if not isinstance(prompt, ChatRequest):
            wanted.setdefault("use_case", self._core.config.settings.default_use_case)
        return ChatRequest.of(prompt, **wanted)

    def _call(self, request: ChatRequest) -> _Call:
        core = self._core
        profile = core.config.profile_of(request)
        return _Call(
            id=new_operation_id(self._clock.now()),
            request=request,
            core=core,
            use_case=core.config.use_case_of(request),
            profile=profile,
            started_at=self._clock.now(),
            started_s=self._clock.monotonic_s(),
            deadline_s=request.deadline_s or profile.deadline_s,
        )

    async def _serve(self, request: ChatRequest, emit: Emit | None = None) -> ChatReply:
        """Answer from the cache, with a request like it that is under way, or by asking."""
        call = self._call(request)
        ttl_s = (
            call.use_case.cache_ttl_s
            if call.use_case.cache_ttl_s is not None
            else call.core.cache.settings.ttl_s
        )
        if request.cache is CacheUse.OFF or not call.core.cache.settings.enabled or ttl_s == 0:
            return await self._ask(call, emit)
        key = key_of(request)
        stored = call.core.cache.get(key) if request.cache is CacheUse.USE else None
        kept = replies.unpack(stored) if stored is not None else None
        if kept is not None:
            return self._repeat(call, kept, CacheState.HIT, emit)

        async def ask_and_keep() -> ChatReply:
            reply = await self._ask(call, emit)
            if replies.may_be_kept(reply):
                call.core.cache.put(key, replies.pack(reply), ttl_s=ttl_s)
            return reply

        return await ask_and_keep() if emit is not None else await self._share(call, key, ask_and_keep)

    async def _share(self, call: _Call, key: str, ask: Callable[[], Awaitable[ChatReply]]) -> ChatReply:
        """Answer with a request like it that is under way, or be the one that others join."""
        try:
            # For those who join; the one that asks has this deadline in its own work, a moment earlier.
            async with asyncio.timeout(call.deadline_s + _JOINED_GRACE_S):
                while True:
                    try:
                        reply, joined = await self._flights.do(key, ask)
                    except LeaderFailedError:
                        # Its deadline or budget was another's: ask on our own terms.
                        continue
                    return self._repeat(call, reply, CacheState.JOINED, None) if joined else reply
        except TimeoutError:
            error = self._too_late(call)
            self._book(call, None, None, error)
            raise error from None

    async def _ask(self, call: _Call, emit: Emit | None) -> ChatReply:
        """Plan, hold, send, settle, and book the operation whatever happens."""
        if not call.core.gateway.is_ready:
            # Loading LiteLLM takes seconds, once, and is no provider's delay: the deadline begins after it.
            await call.core.gateway.warm_up()
            call = replace(call, started_s=self._clock.monotonic_s())
        walk: Walk | None = None
        reply: ChatReply | None = None
        error: BaseException | None = None
        try:
            async with asyncio.timeout(call.deadline_s):
                plan = self._plan(call)
                walk = self._walk(call, plan, stream=emit is not None)
                answer = await call.core.gateway.run(walk, emit=emit)
            reply = replies.from_walk(
                walk, answer, latency_s=self._elapsed_s(call), started_at=call.started_at
            )
            reply = replace(reply, degraded=replies.degraded(call.core.config, call.use_case, reply))
        except TimeoutError:
            if walk is not None:
                walk.finish(FailureKind.TIMEOUT)
            error = self._too_late(call, walk.delivered if walk is not None else "")
            raise error from None
        except OrchestratorError as exc:
            exc.request_id = call.id
            error = exc
            raise
        except BaseException as exc:
            error = exc
            raise
        finally:
            if walk is not None:
                walk.finish()
            self._book(call, walk, reply, error)
        return reply

    def _plan(self, call: _Call) -> Plan:
        config = call.core.config
        request = call.request
        pinned = (
            None if request.model is None else tuple(one.name for one in config.catalog.named(request.model))
        )
        usable = config.catalog.deployments
        deployments = tuple(usable.values()) if pinned is None else tuple(usable[name] for name in pinned)
        scopes = scopes_of(
            tenant=request.tenant,
            use_case=request.use_case,
            user=request.user,
            provider="",
            tags=request.tags,
        )
        rules = Rules(
            use_case_name=request.use_case,
            use_case=call.use_case,
            routing=config.settings.routing,
            needs=needs_of(request),
            ceiling=self._state.ledger.limits.tightest_for_request(scopes),
            today=call.started_at.date(),
            pinned=pinned,
            budget_tier=self._budget_tier(config),
        )
        plan = rank(request, deployments, size=measure(request), rules=rules, vitals=self._vitals(config))
        off = tuple(
            Excluded(step.deployment, config.catalog.off[step.deployment])
            for step in call.use_case.route
            if step.deployment in config.catalog.off
        )
        plan = replace(plan, excluded=(*off, *plan.excluded))
        if not plan.candidates:
            raise self._no_candidates(call, plan, rules)
        return plan

    def _budget_tier(self, config: Config) -> BudgetTierSettings | None:
        tiers = config.settings.budgets.tiers
        return tier_for(tiers, self._state.ledger.left("all", Window.DAY)) if tiers else None

    def _vitals(self, config: Config) -> dict[str, Vitals]:
        routing = config.settings.routing
        vitals = {}
        for name in self._state.health.circuits():
            seen = self._state.health.snapshot(name, window_s=routing.availability_window_s)
            vitals[name] = Vitals(
                availability=seen.availability if seen.samples >= routing.min_samples else None,
                latency_s=seen.median_latency_s,
                circuit_open=seen.circuit is CircuitState.OPEN,
            )
        return vitals

    def _no_candidates(self, call: _Call, plan: Plan, rules: Rules) -> OrchestratorError:
        usable = call.core.config.catalog.deployments
        relevant = [
            one
            for one in plan.excluded
            if one.deployment in usable and (rules.pinned is None or one.deployment in rules.pinned)
        ]
        if relevant and all(one.too_small for one in relevant):
            first = relevant[0]
            return PromptTooLargeError(
                f"the prompt is too long: {first.deployment} {first.reason}; shorten it"
            )
        needed = min((one.needed_nusd for one in relevant if one.needed_nusd is not None), default=None)
        if needed is not None:
            own = call.request.max_cost_nusd
            scope, limit = rules.ceiling or ("max_cost_nusd", NanoUsd(0))
            if own is not None and (rules.ceiling is None or own < limit):
                scope, limit = "max_cost_nusd of this request", own
            return BudgetExceededError(
                scope=scope, window="request", limit=limit, left=limit, needed=needed, resets_at=None
            )
        told = "; ".join(f"{one.deployment}: {one.reason}" for one in (relevant or plan.excluded))
        return UnavailableError(f"no deployment may serve this request ({told or 'none is configured'})")

    def _walk(self, call: _Call, plan: Plan, *, stream: bool) -> Walk:
        terms = Terms(
            request_id=call.id,
            request=call.request,
            plan=plan,
            profile=call.profile,
            deadline_at_s=call.started_s + call.deadline_s,
            stream=stream,
            today=call.started_at,
        )
        return Walk(terms, deployments=call.core.config.catalog.deployments, state=self._state)

    async def _explain(self, request: ChatRequest) -> Plan:
        return self._plan(self._call(request))

    async def _estimate(self, request: ChatRequest) -> Candidate:
        return self._plan(self._call(request)).candidates[0]

    def _repeat(self, call: _Call, reply: ChatReply, cached: CacheState, emit: Emit | None) -> ChatReply:
        """Return a reply that somebody paid for already, under this request's own id."""
        repeated = replace(
            reply,
            request_id=call.id,
            usage=Usage(),
            cost_nusd=ZERO_NUSD,
            attempts=(),
            cached=cached,
            latency_s=self._elapsed_s(call),
            created_at=call.started_at,
        )
        if emit is not None:
            for delta in replies.pieces(repeated):
                emit(delta)
        self._book(call, None, repeated, None)
        return repeated

    def _book(
        self, call: _Call, walk: Walk | None, reply: ChatReply | None, error: BaseException | None
    ) -> None:
        operation = replies.operation_of(
            call.id, call.request, call.started_at, self._elapsed_s(call), walk=walk, reply=reply, error=error
        )
        try:
            self._state.ledger.close_operation(operation)
        except LedgerError as exc:
            # The money is in the attempts' rows; this row follows with the next transaction.
            # Without a traceback: this may run inside a provider's error, whose text quotes the prompt.
            logger.error("the operation row is late: request=%s: %s", call.id, exc)  # noqa: TRY400

    def _too_late(self, call: _Call, delivered: str = "") -> DeadlineExceededError:
        had = f"; {len(delivered)} characters had been delivered, see partial_text" if delivered else ""
        error = DeadlineExceededError(
            f"no {'whole ' if delivered else ''}answer within {call.deadline_s:g} s{had}; "
            "allow more with deadline_s or the retry profile, or ask for less",
            partial_text=delivered,
        )
        error.request_id = call.id
        return error

    def _elapsed_s(self, call: _Call) -> float:
        return self._clock.monotonic_s() - call.started_s


def _close(loop: BackgroundLoop, ledger: Ledger, local_model: LocalModel) -> None:
    loop.close()
    ledger.close()
    local_model.close()
