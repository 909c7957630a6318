"""`orchestrator ask`: one question, one answer."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import (
    AsJson,
    MaxTokens,
    Model,
    Prompt,
    Tags,
    Tenant,
    UseCase,
    User,
    overrides_of,
)
from orchestrator.cli.output import busy, err, errors_as_json, out, print_json, write
from orchestrator.cli.prompts import read_prompt
from orchestrator.cli.session import load_what_is_needed, session_of
from orchestrator.core.errors import UnavailableError, step_lines
from orchestrator.core.formatting import seconds

if TYPE_CHECKING:
    from orchestrator.client import Orchestrator
    from orchestrator.core.reply import ChatReply
    from orchestrator.streaming.reply_stream import ReplyStream

WITHOUT_KEYS = (
    "hint: no provider has a key; 'orchestrator ask --practice' shows a whole answer without one, "
    "and 'orchestrator doctor' says what to set"
)


def ask(  # noqa: PLR0913, PLR0917 -- an argument for each option
    context: typer.Context,
    prompt: Prompt = None,
    use_case: UseCase = None,
    tenant: Tenant = "default",
    user: User = None,
    tags: Tags = None,
    model: Model = None,
    max_tokens: MaxTokens = None,
    temperature: Annotated[float | None, typer.Option(help="0 for the most likely words.")] = None,
    stream: Annotated[
        bool | None,
        typer.Option("--stream/--no-stream", help="Show the words as they come; by default on a terminal."),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither read nor fill the cache.")] = False,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            help="A name for this question; asked again, it gets the same answer and costs nothing."
        ),
    ] = None,
    deadline_s: Annotated[float | None, typer.Option(help="Seconds for all attempts together.")] = None,
    practice: Annotated[
        bool,
        typer.Option("--practice", help="Ask practice providers: no key, nothing to pay, made-up answers."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask one question; the answer goes to standard output, what it cost to standard error."""
    from orchestrator.core.request import CacheUse

    overrides = overrides_of(
        use_case=use_case, tenant=tenant, user=user, tags=tags, model=model, max_tokens=max_tokens,
        temperature=temperature, deadline_s=deadline_s, cache=CacheUse.OFF if no_cache else None,
        idempotency_key=idempotency_key,
    )  # fmt: skip
    with errors_as_json(as_json):
        text = read_prompt(prompt)
        with session_of(context).orchestrator(practice=practice) as orchestrator:
            load_what_is_needed(orchestrator)
            if as_json:
                print_json(_answer_as_json(orchestrator, text, overrides))
            else:
                _answer(
                    orchestrator, text, overrides, streamed=out().is_terminal if stream is None else stream
                )


def _answer_as_json(orchestrator: "Orchestrator", prompt: str, overrides: dict[str, Any]) -> dict[str, Any]:
    from orchestrator.reports.views import plain_reply

    with busy("asking"):
        return plain_reply(orchestrator.complete(prompt, **overrides))


def _answer(orchestrator: "Orchestrator", prompt: str, overrides: dict[str, Any], *, streamed: bool) -> None:
    if streamed:
        with orchestrator.stream(prompt, graceful=True, **overrides) as stream:
            reply = _shown(stream)
    else:
        with busy("asking"):
            reply = orchestrator.complete(prompt, graceful=True, **overrides)
        write(reply.text)
    if reply.text and not reply.text.endswith("\n"):
        write("\n")
    for notice in reply.notices:
        err().print(f"notice: {notice}", style="yellow", markup=False, soft_wrap=True)
    if reply.apology:
        for line in step_lines(str(reply.degraded)):
            err().print(f"error: {line}", markup=False, soft_wrap=True)
    else:
        err().print(summary(reply), style="dim", markup=False, soft_wrap=True)
    if all(deployment.is_local for deployment in orchestrator.config.catalog.deployments.values()):
        err().print(WITHOUT_KEYS, markup=False, soft_wrap=True)
    if reply.apology:
        raise typer.Exit(UnavailableError.exit_code)


def _shown(stream: "ReplyStream") -> "ChatReply":
    pieces = iter(stream)
    begun = ended = False
    try:
        with busy("asking"):
            first = next(pieces, None)
        for delta in _with_first(first, pieces):
            write(delta.text)
            begun = True
        ended = True
    finally:
        if begun and not ended:
            write("\n")
    return stream.reply


def _with_first(first: Any, rest: Iterable[Any]) -> Iterable[Any]:
    if first is not None:
        yield first
    yield from rest


def summary(reply: "ChatReply") -> str:
    """Return in one line which deployment answered, at what cost and how."""
    from orchestrator.core.money import format_usd
    from orchestrator.core.reply import CacheState

    attempts = len(reply.attempts)
    parts = [reply.deployment, format_usd(reply.cost_nusd)]
    if reply.cached is CacheState.MISS:
        parts.append(f"{attempts} attempt{'s' if attempts != 1 else ''}")
    elif reply.cached is CacheState.REPLAYED:
        parts.append("replayed")
    else:
        parts.append(f"cache {reply.cached.value}")
    parts.append(seconds(reply.latency_s))
    if reply.degraded:
        parts.append(f"degraded: {reply.degraded}")
    parts.append(f"request {reply.request_id}")
    return " · ".join(parts)
