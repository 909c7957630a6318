"""The drill: break what can break, through practice providers, and look at what a caller would have seen.

Every case has an orchestrator of its own, so that no case profits from what an earlier one learnt.
Nothing is taken on trust: an answer counts as whole when it is the one the practice providers gave.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from orchestrator.client import Orchestrator
from orchestrator.config.loader import Config
from orchestrator.config.references import unknown
from orchestrator.core.clock import Clock
from orchestrator.core.errors import OrchestratorError, RequestError, UnknownNameError
from orchestrator.core.money import ZERO_NUSD, NanoUsd
from orchestrator.core.reply import ChatReply
from orchestrator.core.request import Message
from orchestrator.drill.cases import CLASSES, Case, cases_of, levels_of
from orchestrator.drill.environment import ANSWER, DrillEnvironment, staged

LATE_S = 0.1
"""A request may outlive its deadline by this much."""

_MAX_TOKENS = 64
_QUESTION: Message = {"role": "user", "content": "Đơn hàng DH1001 của tôi đang ở đâu?"}


class CaseResult(StrEnum):
    """What came of a case."""

    ANSWERED = "answered"
    """The first choice answered: the fault did not reach it."""
    RESCUED = "rescued"
    """A whole answer of another try or another deployment."""
    LAST_RESORT = "last resort"
    """Something where no provider could answer: the local model, or an apology to those who want it."""
    RIGHT_ERROR = "right error"
    """An error, where an answer would have been wrong."""
    FAILED = "failed"
    """An error where somebody could have answered, an answer that is not whole, or one that came late."""


@dataclass(frozen=True, slots=True)
class Result:
    """One case and what came of it."""

    case: Case
    verdict: CaseResult
    saw: str
    """What the caller saw, for people; of a failure, why it is one."""
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
        return tuple(one for one in self.results if one.verdict is CaseResult.FAILED)

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
    """Play every case against a configuration; `say` is told what is under way.

    Raises:
        UnknownNameError: a use case or a class of fault that there is not.
        ConfigError: the configuration cannot be used.
    """
    chosen = _chosen(config, use_cases, kinds)
    with (
        tempfile.TemporaryDirectory(prefix="orchestrator-drill-") as home,
        staged(config.path, home=Path(home), clock=clock, speed=speed) as stage,
    ):
        results = tuple(_play(stage, chosen, kinds, say))
        booked = NanoUsd(sum(one.cost_nusd for one in results))
        return Drill(results, speed, booked, stage.billed_nusd())


def _chosen(config: Config, use_cases: Sequence[str], kinds: Sequence[str]) -> tuple[str, ...]:
    known = config.settings.use_cases
    for name in use_cases:
        if name not in known:
            raise UnknownNameError(unknown("use case", name, known))
    for kind in kinds:
        if kind not in CLASSES and kind not in {"level", "levels", "provider", "providers"}:
            raise UnknownNameError(unknown("class of fault", kind, [*CLASSES, "level", "levels", "provider"]))
    return tuple(use_cases) or tuple(known)


def _play(
    stage: DrillEnvironment, use_cases: Sequence[str], kinds: Sequence[str], say: Callable[[str], None]
) -> Iterator[Result]:
    for use_case in use_cases:
        if not levels_of(stage.config, use_case):
            continue
        for case in cases_of(stage.config, use_case, kinds=kinds):
            say(f"{use_case}: {case.broken}{', streamed' if case.stream else ''}")
            yield _one(stage, case)


def _one(stage: DrillEnvironment, case: Case) -> Result:
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
        except Exception as exc:  # noqa: BLE001 -- whatever comes is what the caller would have seen
            end = exc
        took_s = stage.clock.monotonic_s() - began_s
        spent = [one.spent for one in orchestrator.standings() if one.scope == f"tag:{_tag(case)}"]
    late = took_s > _deadline_s(stage.config, case.use_case) + LATE_S
    verdict, saw = judge(case, end, late=late)
    return Result(
        case=case,
        verdict=verdict,
        saw=saw,
        answered_by=end.deployment if isinstance(end, ChatReply) else None,
        took_s=took_s,
        sends=stage.sent() - sent,
        # The day's and the month's counter say the same.
        cost_nusd=max(spent, default=ZERO_NUSD),
    )


def _ask(orchestrator: Orchestrator, case: Case) -> ChatReply:
    wanted = {"use_case": case.use_case, "tenant": "drill", "tags": (_tag(case),), "max_tokens": _MAX_TOKENS}
    if not case.stream:
        return orchestrator.complete([_QUESTION], **wanted)
    with orchestrator.stream([_QUESTION], **wanted) as stream:
        seen = "".join(delta.text for delta in stream)
        reply = stream.reply
    if seen != reply.text:
        msg = "the pieces of the stream are not the reply"
        raise AssertionError(msg)
    return reply


def judge(case: Case, end: ChatReply | Exception, *, late: bool) -> tuple[CaseResult, str]:
    """Return what came of a case, and what its caller saw."""
    if late:
        return CaseResult.FAILED, "it ended after its deadline"
    if isinstance(end, Exception):
        right = case.wants_error and isinstance(end, RequestError)
        return (CaseResult.RIGHT_ERROR if right else CaseResult.FAILED), _told(end)
    return _judge_reply(case, end)


def _told(error: Exception) -> str:
    if isinstance(error, OrchestratorError):
        return f"{type(error).__name__}: {error}"
    # Its text is another library's and may quote the request.
    return f"an error of another library: {type(error).__name__}"


def _judge_reply(case: Case, reply: ChatReply) -> tuple[CaseResult, str]:
    if case.wants_error:
        return CaseResult.FAILED, "an answer, though the request itself was refused"
    if reply.apology:
        nobody_could = case.kind == "providers"
        told = "an apology" if nobody_could else "an apology, though somebody could have answered"
        return (CaseResult.LAST_RESORT if nobody_could else CaseResult.FAILED), f"{told}: {reply.degraded}"
    if "emergency model" in (reply.degraded or ""):
        return CaseResult.LAST_RESORT, f"the local model's answer, degraded: {reply.degraded}"
    if reply.text != ANSWER:
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
    found = config.settings.use_cases[use_case]
    return found.deadline_s or config.settings.retry_profiles[found.profile].deadline_s
