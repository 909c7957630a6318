"""Replays recorded traffic through the whole way of a request, on a clock of its own.

Every request passes the same steps as a real one: cache, slots, plan, circuits, rate limits, budgets,
retries, fallbacks and policies. Only the way out is another, the time, and the ledger, which counts money in
memory and keeps no row.
"""

import asyncio
import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache

from orchestrator.cache.response_cache import ReplyCache
from orchestrator.config.loader import Config
from orchestrator.core.alerts import Alerts
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.money import NanoUsd
from orchestrator.core.prompt_size import Script
from orchestrator.core.reply import Attempt, ChatReply, CostSource, Outcome
from orchestrator.core.request import CacheUse, ChatRequest
from orchestrator.core.virtual_time import SeededChance, VirtualClock, run_virtually
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.opening import counting_ledger
from orchestrator.ledger.periods import period_of
from orchestrator.ledger.records import Hold, HoldRequest, NewHold
from orchestrator.pipeline.call import Call, Step
from orchestrator.pipeline.services import ConfigSnapshot, PipelineServices
from orchestrator.pipeline.steps import build
from orchestrator.streaming.reply_stream import StreamSink
from orchestrator.whatif.drawn import drawn_id
from orchestrator.whatif.evidence import SendEvidence
from orchestrator.whatif.isolated import isolated
from orchestrator.whatif.outcomes import ReplayOutcomes
from orchestrator.whatif.recorded_traffic import RecordedRequest, RecordedTraffic
from orchestrator.whatif.replay_transport import ReplayTransport
from orchestrator.whatif.world import World

# One long word each: whatever reads words has one to read.
_WIDE = "Dạđơnhàngcủaanhchịđãrờikholúcchíngiờsángnayvàsẽđếnnơitrướcnămgiờchiều"
_PLAIN = "yourorderleftthewarehouseatninethismorningandwillbewithyoubeforefiveintheafternoon"
_LANGUAGES = {Script.PLAIN: "en", Script.WIDE: "vi"}
_CHARS_PER_TOKEN = {Script.PLAIN: 4.0, Script.WIDE: 2.25}
_LONGEST_CHARS = 4_000_000
_MESSAGE_TOKENS = 4
_COLLECTED_AFTER = 50_000
"""So many new objects before the collector looks for circles; usually it does after 700."""
_SIZE_STEPS = 32
"""Sizes of prompts are rounded to so many steps of a doubling, so that few texts are made."""


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """What a replay assumes, the same for all configurations that are compared."""

    seed: int = 0
    accepted_share: float = 0.85
    """How many answers under a policy agree or pass: assumed, for the ledger keeps no answers."""
    at_once: bool = False
    """Whether both configurations are replayed at once, in two processes: half the time, for a program whose
    other threads hold nothing that a replay needs (`whatif.at_once`)."""


def replay(
    config: Config, traffic: RecordedTraffic, evidence: SendEvidence, settings: ReplaySettings
) -> ReplayOutcomes:
    """Return what would have become of recorded traffic under a configuration; nothing is sent."""

    async def main(clock: VirtualClock) -> ReplayOutcomes:
        with isolated(config) as own:
            world = World(clock, evidence, settings.seed, settings.accepted_share)
            run = _Replay(own, traffic, world)
            try:
                return await run.all()
            finally:
                run.close()

    with _quiet(), _seldom_collecting():
        return run_virtually(main, began=traffic.began)


class _Replay:
    """One configuration under recorded traffic."""

    def __init__(self, config: Config, traffic: RecordedTraffic, world: World) -> None:
        ledger = counting_ledger(limits=config.limits, clock=world.clock)
        services = PipelineServices.of(config, clock=world.clock, alerts=Alerts(), ledger=ledger)
        dispatch = replace(services.dispatch, chance=SeededChance(world.seed))
        self._services = replace(services, dispatch=dispatch)
        self._config, self._traffic, self._world = config, traffic, world
        self._cache = ReplyCache(config.settings.cache)
        self._answer: Step = build(self._services)
        self._outcomes = ReplayOutcomes.of(len(traffic.requests))
        self._began_s = world.clock.monotonic_s()

    async def all(self) -> ReplayOutcomes:
        """Begin every request at its moment, and wait for the last one."""
        _open_balances(self._services.ledger, self._traffic)
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as running:
            for request in self._traffic.requests:
                ahead_s = request.at_s - self._elapsed_s()
                if ahead_s > 0:
                    await self._world.clock.sleep(ahead_s)
                task = running.create_task(self._one(request))
                if request.outcome is Outcome.CANCELLED:
                    # Whoever left then would leave now.
                    loop.call_later(request.latency_s, task.cancel)
        return self._outcomes

    def close(self) -> None:
        self._cache.close()
        self._services.kept_replies.close()
        self._services.contents.close()
        self._services.ledger.close()

    async def _one(self, request: RecordedRequest) -> None:
        reply: ChatReply | None = None
        error: BaseException | None = None
        call: Call | None = None
        try:
            call = self._call_of(request)
            reply = await self._answer(call)
        except (OrchestratorError, asyncio.CancelledError) as exc:
            error = exc
        latency_s = 0.0 if call is None else call.deadline.elapsed_s()
        self._outcomes.note(request.number, reply, error, latency_s=latency_s)
        if call is not None:
            self._outcomes.pay(request.number, call.trace.attempts, at_s=self._elapsed_s())

    def _call_of(self, request: RecordedRequest) -> Call:
        chat = ChatRequest(
            messages=({"role": "user", "content": _prompt_of(request)},),
            use_case=request.use_case,
            tenant=request.tenant,
            user=request.user,
            tags=request.tags,
            language=_LANGUAGES[request.script],
            model=request.terms.model,
            max_tokens=request.terms.max_tokens,
            max_cost_nusd=request.terms.max_cost_nusd,
            deadline_s=request.terms.deadline_s,
            # A prompt that is asked once is found in no cache: it is not written there either.
            cache=CacheUse.USE if request.is_repeated else CacheUse.OFF,
        )
        snapshot = ConfigSnapshot(self._config, ReplayTransport(self._world, request), self._cache)
        sink = StreamSink(_ignore) if request.is_streamed else None
        # Who names no user is on the side of an experiment that his id draws: the same for the same seed.
        identity = drawn_id(self._world.seed, request.number)
        return Call.of(chat, snapshot, clock=self._world.clock, sink=sink, identity=identity)

    def _elapsed_s(self) -> float:
        return self._world.clock.monotonic_s() - self._began_s


def _open_balances(ledger: Ledger, traffic: RecordedTraffic) -> None:
    """Book what was spent before the traffic into the windows that were still open when it began."""
    limits = ledger.limits
    for number, spent in enumerate(traffic.spent_before):
        scopes = tuple(scope for scope in spent.scopes if limits.all_of(scope))
        if not scopes:
            continue
        cost = NanoUsd(spent.cost_nusd)
        request = HoldRequest(f"{number:032x}", 1, "", "", "", scopes, cost, "")
        new = NewHold(request, period_of(spent.at, limits.time_zone), spent.at, ())
        attempt = Attempt(1, "", "", "", Outcome.SUCCEEDED, cost_nusd=cost, cost_source=CostSource.NONE)
        hold = ledger.store.hold(new)
        if isinstance(hold, Hold):
            ledger.store.settle(hold, attempt)


def _prompt_of(request: RecordedRequest) -> str:
    """Return a text as large as the prompt was, equal for equal prompts and for no others."""
    return f"{request.prompt:08x} {_filler(request.script, _rounded(request.expected_tokens))}"


def _rounded(tokens: int) -> int:
    step = max(1, (1 << max(0, tokens.bit_length() - 1)) // _SIZE_STEPS)
    return round(tokens / step) * step


@lru_cache(maxsize=4096)
def _filler(script: Script, tokens: int) -> str:
    text = _WIDE if script is Script.WIDE else _PLAIN
    chars = min(_LONGEST_CHARS, max(1, round((tokens - _MESSAGE_TOKENS) * _CHARS_PER_TOKEN[script]) - 9))
    return (text * (chars // len(text) + 1))[:chars]


def _ignore(_: object) -> None:
    """Take a piece of a stream that nobody reads."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Log nothing: what fails in a replay has failed already, or never will."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Let the collector leave alone what was read of the ledger, and look seldom at the rest."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
