"""Act 5: a stream breaks off twice; another model finishes it, and the reader sees one text."""

from dataclasses import dataclass

from orchestrator.cli.story.act import Act, CheckedClaim, StoryEntry
from orchestrator.cli.story.stage import DemoStage
from orchestrator.core.errors import StreamInterruptedError
from orchestrator.core.formatting import money, seconds
from orchestrator.core.money import format_usd
from orchestrator.core.reply import Attempt, ChatReply, DegradationKind, Outcome
from orchestrator.core.request import CacheUse

_PROMPT = "Tell a customer in one sentence how to return a parcel."
_FAULTS = ("openrouter:cut_stream=6,times=1", "openrouter:cut_stream=9,times=1")
"""The second comes later: what goes on says the last words again, and then some of its own."""


@dataclass(frozen=True, slots=True)
class _Read:
    """What a reader of the stream saw."""

    text: str
    error: StreamInterruptedError | None
    reply: ChatReply | None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Return the attempts of a reply, none without one."""
        return () if self.reply is None else self.reply.attempts


def play(stage: DemoStage) -> Act:
    """Cut one stream twice, then ask again without a fault."""
    billed_before = stage.billed_nusd()
    booked_before = _booked(stage)
    stage.providers.faults.add(*_FAULTS)
    broken = _read(stage)
    stage.providers.faults.clear()
    billed, booked = stage.billed_nusd() - billed_before, _booked(stage) - booked_before
    again = _read(stage)
    return Act(
        title="A stream that breaks off is rescued",
        intro=(
            "OpenRouter closes the connection after six pieces of the answer, and again when asked to go on."
        ),
        parts=(_entry("with the fault", broken), _entry("asked again, without it", again)),
        claims=(
            _one_text(broken),
            _honest(broken),
            CheckedClaim(
                "asked again, the answer came whole at once",
                again.reply is not None and again.text == again.reply.text and len(again.attempts) == 1,
            ),
            CheckedClaim(
                f"all attempts are in the ledger at {format_usd(booked)} "
                f"(the providers billed {format_usd(billed)})",
                booked >= billed and booked == sum(attempt.cost_nusd for attempt in broken.attempts),
            ),
        ),
        facts={
            "rescued": broken.reply is not None,
            "characters": len(broken.text),
            "story": None
            if broken.reply is None or broken.reply.degraded is None
            else broken.reply.degraded.text,
            "same_as_unbroken": broken.text == again.text,
            **money("booked", booked),
            **money("billed", billed),
        },
    )


def _read(stage: DemoStage) -> _Read:
    text = ""
    stream = stage.orchestrator.stream(
        _PROMPT, tenant="nextflow", max_tokens=64, temperature=0.0, cache=CacheUse.OFF
    )
    try:
        for delta in stream:
            text += delta.text
    except StreamInterruptedError as error:
        return _Read(text, error, None)
    return _Read(text, None, stream.reply)


def _entry(heading: str, read: _Read) -> StoryEntry:
    if read.error is not None:
        return StoryEntry(
            heading, (f"{type(read.error).__name__}: {read.error}",), quotation=f"{read.text} …"
        )
    reply = read.reply
    lines: tuple[str, ...] = ()
    if reply is not None:
        lines = (f"{reply.deployment} · {format_usd(reply.cost_nusd)} · {seconds(reply.latency_s)}",)
        lines += (str(reply.degraded),) if reply.degraded else ()
    return StoryEntry(heading, lines, quotation=read.text)


def _one_text(broken: _Read) -> CheckedClaim:
    failed = [attempt for attempt in broken.attempts if attempt.outcome is not Outcome.SUCCEEDED]
    whole = broken.reply is not None and broken.reply.text == broken.text != ""
    return CheckedClaim(
        f"{len(failed)} attempts broke off, the next one finished the answer: "
        "the reader saw one text and no error",
        whole and len(failed) > 1,
    )


def _honest(broken: _Read) -> CheckedClaim:
    reply = broken.reply
    named = {attempt.deployment for attempt in broken.attempts if attempt.first_token_s is not None}
    degraded = None if reply is None else reply.degraded
    says_so = degraded is not None and DegradationKind.BROKE_OFF in degraded.kinds
    return CheckedClaim(
        "the reply says who broke off and who went on",
        says_so and len(named) > 1 and all(name in str(degraded) for name in named),
    )


def _booked(stage: DemoStage) -> int:
    return sum(
        budget.spent
        for budget in stage.orchestrator.standings()
        if budget.scope == "all" and budget.window == "day"
    )
