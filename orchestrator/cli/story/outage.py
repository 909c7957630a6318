"""Acts 6 and 7: one provider down, two down, then all; each time there is an answer."""

import asyncio
from collections.abc import Sequence

from orchestrator.cli.story.act import Act, CheckedClaim, Grid, StoryEntry
from orchestrator.cli.story.stage import DemoStage
from orchestrator.core.errors import AllProvidersFailedError
from orchestrator.core.formatting import seconds
from orchestrator.core.money import format_usd
from orchestrator.core.reply import Attempt, ChatReply, DegradationKind, Outcome
from orchestrator.core.request import CacheUse
from orchestrator.reports.views import plain_reply
from orchestrator.resilience.circuit_breaker import CircuitState

_PROMPT = "A customer asks for the refund rules. Answer in one sentence."
_CUSTOMERS = 3


def play_one_down(stage: DemoStage) -> Act:
    """Let OpenRouter fail, then Google too."""
    faults = stage.providers.faults
    faults.add("openrouter:status=503")
    first = _ask(stage)
    faults.add("google:status=503")
    second = _ask(stage)
    faults.clear()
    replies = (("OpenRouter down (503)", first), ("OpenRouter and Google down", second))
    free = all(attempt.cost_nusd == 0 for _, reply in replies for attempt in _failed(reply))
    return Act(
        title="A provider goes down",
        intro="The next one is asked at once, then after 100, 200, 400, 800 ms; the reply says so.",
        parts=tuple(part for heading, reply in replies for part in _attempts(heading, reply)),
        claims=(
            CheckedClaim(
                f"OpenRouter down: answered by {first.provider}",
                first.provider not in {"openrouter", "local"},
            ),
            CheckedClaim(
                f"Google down as well: answered by {second.provider}",
                second.provider not in {"openrouter", "google", "local"},
            ),
            CheckedClaim(
                "both replies say that they are degraded, and why", bool(first.degraded and second.degraded)
            ),
            CheckedClaim("the refused attempts cost nothing", free),
        ),
        facts={"replies": [plain_reply(reply) for _, reply in replies]},
    )


def play_all_down(stage: DemoStage) -> Act:
    """Let every provider fail: the model on this machine answers."""
    stage.providers.faults.add("*:status=503")
    results = asyncio.run(_customers(stage))
    opened = {name for name, state in stage.orchestrator.circuits().items() if state is CircuitState.OPEN}
    last = asyncio.run(_customers(stage, 1))[0]
    stage.providers.faults.clear()
    if not stage.has_local_model:
        return _no_answer([*results, last])
    replies = [result for result in (*results, last) if isinstance(result, ChatReply)]
    return Act(
        title="Everything is down: business goes on with the model on this machine",
        intro=f"All three providers answer 503. {_CUSTOMERS} customers ask at once, then one more.",
        parts=(
            StoryEntry(f"{_CUSTOMERS} customers at once", tuple(_line(reply) for reply in replies[:-1])),
            StoryEntry(
                "one more",
                (_line(replies[-1]),) if replies else (),
                quotation=replies[-1].text if replies else None,
            ),
        ),
        claims=(
            CheckedClaim(
                f"{len(replies)} of {_CUSTOMERS + 1} were answered, by the local model, for $0",
                len(replies) == _CUSTOMERS + 1
                and all(reply.provider == "local" and reply.cost_nusd == 0 for reply in replies),
            ),
            CheckedClaim(
                "each says: answered by the emergency model",
                all(_by_emergency_model(reply) for reply in replies),
            ),
            _left_alone(opened, replies),
        ),
        facts={"replies": [plain_reply(reply) for reply in replies], "open_circuits": sorted(opened)},
    )


def _left_alone(opened: set[str], replies: Sequence[ChatReply]) -> CheckedClaim:
    """Claim that a deployment which failed too often is not asked by the next request."""
    tried = {attempt.deployment for attempt in replies[-1].attempts} if replies else set()
    return CheckedClaim(
        "circuits opened, of deployments or their providers: "
        f"the next request left {len(opened)} deployments alone",
        bool(opened) and not opened & tried,
    )


def _by_emergency_model(reply: ChatReply) -> bool:
    return reply.degraded is not None and DegradationKind.EMERGENCY_MODEL in reply.degraded.kinds


def _no_answer(results: Sequence[ChatReply | AllProvidersFailedError]) -> Act:
    errors = [result for result in results if isinstance(result, AllProvidersFailedError)]
    message = str(errors[0]).partition(" (")[0] if errors else ""
    return Act(
        title="Everything is down, and no local model is installed",
        intro="With the extra 'local' the model on this machine would answer; without it nobody can.",
        parts=(
            StoryEntry("what the caller gets", (f"{type(errors[0]).__name__}: {message}",) if errors else ()),
        ),
        claims=(CheckedClaim("every request ends in one clear error", len(errors) == len(results)),),
        facts={"errors": [type(error).__name__ for error in errors]},
    )


def _ask(stage: DemoStage) -> ChatReply:
    return stage.orchestrator.complete(
        _PROMPT, tenant="nextflow", max_tokens=32, temperature=0.0, cache=CacheUse.OFF
    )


async def _customers(stage: DemoStage, count: int = _CUSTOMERS) -> list[ChatReply | AllProvidersFailedError]:
    async def ask(number: int) -> ChatReply | AllProvidersFailedError:
        try:
            return await stage.orchestrator.acomplete(
                f"Customer {number} asks for the refund rules. Answer in one sentence.",
                tenant="nextflow",
                max_tokens=32,
                cache=CacheUse.OFF,
            )
        except AllProvidersFailedError as error:
            return error

    return list(await asyncio.gather(*(ask(number) for number in range(count))))


def _failed(reply: ChatReply) -> list[Attempt]:
    return [attempt for attempt in reply.attempts if attempt.outcome is not Outcome.SUCCEEDED]


def _attempts(heading: str, reply: ChatReply) -> tuple[StoryEntry | Grid, ...]:
    rows = tuple(
        (
            str(attempt.number),
            attempt.deployment,
            "answered"
            if attempt.outcome is Outcome.SUCCEEDED
            else f"{attempt.failure} {attempt.status or ''}".strip(),
            seconds(attempt.latency_s),
            format_usd(attempt.cost_nusd),
        )
        for attempt in reply.attempts
    )
    lost_s = reply.latency_s - reply.attempts[-1].latency_s
    lines = (
        f"{seconds(reply.latency_s)} in all, {seconds(lost_s)} of it to find who answers",
        f"degraded: {reply.degraded}",
    )
    return (
        StoryEntry(heading),
        Grid(("#", "deployment", "outcome", "time", "cost"), rows, numbers=("#", "time", "cost")),
        StoryEntry("", lines),
    )


def _line(reply: ChatReply) -> str:
    return f"{reply.deployment} after {len(reply.attempts) - 1} failed attempts, {seconds(reply.latency_s)}"
