"""Act 4: a stream breaks off in the middle; the reader learns it, and what was sent is booked."""

from dataclasses import dataclass

from orchestrator.calls import CacheUse, ChatReply
from orchestrator.cli.story.act import Act, Claim, Entry
from orchestrator.cli.story.stage import Stage
from orchestrator.cli.told import money, seconds
from orchestrator.errors import StreamInterruptedError
from orchestrator.money import format_usd

_PROMPT = "Tell a customer in one sentence how to return a parcel."
_FAULT = "openrouter:cut_stream=6,times=1"


@dataclass(frozen=True, slots=True)
class _Read:
    """What a reader of the stream saw."""

    text: str
    error: StreamInterruptedError | None
    reply: ChatReply | None


def play(stage: Stage) -> Act:
    """Cut one stream, then ask again."""
    billed_before = stage.billed_nusd()
    booked_before = _booked(stage)
    stage.providers.faults.add(_FAULT)
    broken = _read(stage)
    stage.providers.faults.clear()
    billed, booked = stage.billed_nusd() - billed_before, _booked(stage) - booked_before
    again = _read(stage)
    return Act(
        title="A stream that breaks off",
        intro="OpenRouter closes the connection after six pieces of the answer.",
        parts=(_entry("with the fault", broken), _entry("asked again", again)),
        claims=(
            _honest(broken),
            Claim(
                "asked again, the answer came whole",
                again.reply is not None and again.text == again.reply.text,
            ),
            Claim(
                f"the broken one is in the ledger at {format_usd(booked)} (the provider billed {format_usd(billed)})",
                booked > 0 or billed == 0,
            ),
        ),
        facts={
            "rescued": broken.reply is not None,
            "characters": len(broken.text),
            **money("booked", booked),
            **money("billed", billed),
        },
    )


def _read(stage: Stage) -> _Read:
    text = ""
    stream = stage.orchestrator.stream(
        _PROMPT, tenant="nextflow", max_tokens=32, temperature=0.0, cache=CacheUse.OFF
    )
    try:
        for delta in stream:
            text += delta.text
    except StreamInterruptedError as error:
        return _Read(text, error, None)
    return _Read(text, None, stream.reply)


def _entry(heading: str, read: _Read) -> Entry:
    if read.error is not None:
        return Entry(heading, (f"{type(read.error).__name__}: {read.error}",), said=f"{read.text} …")
    reply = read.reply
    lines = (
        ()
        if reply is None
        else (f"{reply.deployment} · {format_usd(reply.cost_nusd)} · {seconds(reply.latency_s)}",)
    )
    return Entry(heading, lines, said=read.text)


def _honest(broken: _Read) -> Claim:
    if broken.error is not None:
        told = broken.error.partial_text == broken.text and bool(broken.text)
        return Claim("the reader got the words that came, then a clear error that carries them", told)
    rescued = broken.reply is not None and broken.reply.text == broken.text and len(broken.reply.attempts) > 1
    return Claim("the next deployment finished the answer, and the reader saw one text", rescued)


def _booked(stage: Stage) -> int:
    return sum(
        one.spent for one in stage.orchestrator.standings() if one.scope == "all" and one.window == "day"
    )
