"""The drill: break what can break, through practice providers, and look at what a caller would have got.

Every case has an orchestrator of its own, so that no case profits from what an earlier one learned.
Nothing is assumed: an answer counts as whole only when it equals the answer of the practice providers.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from orchestrator.catalog.models import Mode
from orchestrator.client import Orchestrator
from orchestrator.config.loader import Config
from orchestrator.config.modes import use_cases_of
from orchestrator.core.clock import Clock
from orchestrator.core.errors import (
    AllProvidersFailedError,
    OrchestratorError,
    RequestError,
    UnknownNameError,
)
from orchestrator.core.money import ZERO_NUSD, NanoUsd
from orchestrator.core.reply import ChatReply, DegradationKind
from orchestrator.core.request import Message
from orchestrator.core.request_fields import RequestFields
from orchestrator.core.unknown_names import unknown
from orchestrator.drill.cases import CLASSES, NOBODY_LEFT, QUESTION, Case, cases_of, levels_of
from orchestrator.drill.environment import ANSWER, RESCUED_ANSWER, DrillEnvironment, staged

LATE_S = 0.1
"""A request may end this much after its deadline."""

_MAX_TOKENS = 64
_QUESTION: Message = {"role": "user", "content": QUESTION}


class CaseResult(StrEnum):
    """How a case ended."""

    ANSWERED = "answered"
    """The first choice answered at its first attempt: the fault did not reach it."""
    RESCUED = "rescued"
    """A whole answer, by another attempt or another deployment."""
    LAST_RESORT = "last resort"
    """No provider could answer: the local model did, or an apology where the request asks for one."""
    RIGHT_ERROR = "right error"
    """An error, where an answer would have been wrong, or where nobody was left who could give one."""
    FAILED = "failed"
    """An error where a provider could have answered, an answer that is not whole, or one that is late."""


@dataclass(frozen=True, slots=True)
class Result:
    """One case and how it ended."""

    case: Case
    verdict: CaseResult
    saw: str
    """What the caller got, for people; for a failure, why it is one."""
    answered_by: str | None
    took_s: float
    sends: int
    """How often a practice provider was asked."""
    cost_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class Drill:
    """A whole drill."""

    results: tuple[Result, ...]
    speed: float
    """Every wait of the configuration was this many times shorter."""
    booked_nusd: NanoUsd
    billed_nusd: NanoUsd

    @property
    def failed(self) -> tuple[Result, ...]:
        """Return the cases that did not end as they should."""
        return tuple(result for result in self.results if result.verdict is CaseResult.FAILED)

    @property
    def exit_code(self) -> int:
        """Return 0 when every case ended as it should, else 1."""
        return 1 if self.failed or not self.results else 0


def drill(
    config: Config,
    *,
    clock: Clock,
    use_cases: Sequence[str] = (),
    kinds: Sequence[str] = (),
    speed: float = 10.0,
    say: Callable[[str], None] = lambda _: None,
) -> Drill:
    """Play every case against a configuration; `say` gets the text of what is under way.

    Raises:
        UnknownNameError: there is no such use case or class of fault.
        ConfigError: the configuration cannot be used.
    """
    chosen = _chosen(config, use_cases, kinds)
    with (
        tempfile.TemporaryDirectory(prefix="orchestrator-drill-") as home,
        staged(config.path, home=Path(home), clock=clock, speed=speed) as stage,
    ):
        results = tuple(_play(stage, chosen, kinds, say))
        booked = NanoUsd(sum(result.cost_nusd for result in results))
        return Drill(results, speed, booked, stage.billed_nusd())


def _chosen(config: Config, use_cases: Sequence[str], kinds: Sequence[str]) -> tuple[str, ...]:
    known = use_cases_of(config.settings, Mode.CHAT)
    for name in use_cases:
        if name in config.settings.use_cases and name not in known:
            raise UnknownNameError(
                f"use case '{name}' makes embeddings; a drill asks chats: {', '.join(known)}"
            )
        if name not in known:
            raise UnknownNameError(unknown("use case", name, known))
    for kind in kinds:
        if kind not in CLASSES and kind not in {"level", "levels", "provider", "providers"}:
            raise UnknownNameError(unknown("class of fault", kind, [*CLASSES, "level", "levels", "provider"]))
    return tuple(use_cases) or known


def _play(
    stage: DrillEnvironment, use_cases: Sequence[str], kinds: Sequence[str], say: Callable[[str], None]
) -> Iterator[Result]:
    for use_case in use_cases:
        if not levels_of(stage.config, use_case):
            continue
        for case in cases_of(stage.config, use_case, kinds=kinds):
            say(f"{use_case}: {case.broken}{', streamed' if case.stream else ''}")
            yield _play_case(stage, case)


def _play_case(stage: DrillEnvironment, case: Case) -> Result:
    for server in stage.servers.values():
        server.faults.clear()
    for provider, fault in case.faults:
        stage.servers[provider].faults.add(fault)
    sent = stage.sent()
    end: ChatReply | Exception
    with Orchestrator(stage.config) as orchestrator:
        orchestrator.warm_up()
        began_s = stage.clock.monotonic_s()
        try:
            end = _ask(orchestrator, case)
        except Exception as exc:  # noqa: BLE001 -- every error is what the caller would have got
            end = exc
        took_s = stage.clock.monotonic_s() - began_s
        spent = [budget.spent for budget in orchestrator.standings() if budget.scope == f"tag:{_tag(case)}"]
    late = took_s > _deadline_s(stage.config, case.use_case) + LATE_S
    verdict, saw = judge(case, end, late=late)
    return Result(
        case=case,
        verdict=verdict,
        saw=saw,
        answered_by=end.deployment if isinstance(end, ChatReply) else None,
        took_s=took_s,
        sends=stage.sent() - sent,
        # The counters of the day and of the month are equal.
        cost_nusd=max(spent, default=ZERO_NUSD),
    )


def _ask(orchestrator: Orchestrator, case: Case) -> ChatReply:
    overrides: RequestFields = {
        "use_case": case.use_case,
        "tenant": "drill",
        "tags": (_tag(case),),
        "max_tokens": _MAX_TOKENS,
    }
    if not case.stream:
        return orchestrator.complete([_QUESTION], **overrides)
    with orchestrator.stream([_QUESTION], **overrides) as stream:
        seen = "".join(delta.text for delta in stream)
        reply = stream.reply
    if seen != reply.text:
        msg = "the pieces of the stream are not the reply"
        raise AssertionError(msg)
    return reply


def judge(case: Case, end: ChatReply | Exception, *, late: bool) -> tuple[CaseResult, str]:
    """Return how a case ended, and what its caller got."""
    if late:
        return CaseResult.FAILED, "it ended after its deadline"
    if isinstance(end, Exception):
        right = case.wants_error and isinstance(
            end, AllProvidersFailedError if case.kind == NOBODY_LEFT else RequestError
        )
        return (CaseResult.RIGHT_ERROR if right else CaseResult.FAILED), _error_text(end)
    return _judge_reply(case, end)


def _error_text(error: Exception) -> str:
    if isinstance(error, OrchestratorError):
        return f"{type(error).__name__}: {error.in_one_line}"
    # Its text comes from another library and may quote the request.
    return f"an error of another library: {type(error).__name__}"


def _judge_reply(case: Case, reply: ChatReply) -> tuple[CaseResult, str]:
    if case.wants_error:
        return CaseResult.FAILED, "an answer, where an error is the right end"
    if reply.apology:
        no_provider_could = case.kind == NOBODY_LEFT
        apology = "an apology" if no_provider_could else "an apology, though somebody could have answered"
        return (
            CaseResult.LAST_RESORT if no_provider_could else CaseResult.FAILED
        ), f"{apology}: {reply.degraded}"
    if reply.degraded is not None and DegradationKind.EMERGENCY_MODEL in reply.degraded.kinds:
        return CaseResult.LAST_RESORT, f"the local model's answer, degraded: {reply.degraded}"
    if reply.text != ANSWER and not (case.stream and reply.text == RESCUED_ANSWER):
        return (
            CaseResult.FAILED,
            f"an answer that is not whole: {len(reply.text)} of {len(ANSWER)} characters",
        )
    if len(reply.attempts) == 1 and reply.degraded is None:
        return CaseResult.ANSWERED, "the whole answer"
    return CaseResult.RESCUED, "the whole answer" + (
        f", degraded: {reply.degraded}" if reply.degraded else ""
    )


def _tag(case: Case) -> str:
    return f"{case.broken}{' streamed' if case.stream else ''}"


def _deadline_s(config: Config, use_case: str) -> float:
    settings = config.settings.use_cases[use_case]
    return settings.deadline_s or config.settings.retry_profiles[settings.profile].deadline_s
