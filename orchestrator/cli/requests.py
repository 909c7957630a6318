"""`orchestrator requests`: which requests there were, and what became of one of them."""

from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from orchestrator.cli.options import AsJson, Since, Until
from orchestrator.cli.output import (
    CommandError,
    busy,
    err,
    errors_as_json,
    listed,
    out,
    print_indented,
    print_json,
    table,
    write,
)
from orchestrator.cli.session import session_of
from orchestrator.core.formatting import count_text, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from rich.console import RenderableType

    from orchestrator.config.loader import Config
    from orchestrator.config.schema import RootSettings
    from orchestrator.ledger.contents import KeptContent
    from orchestrator.ledger.kept_plan import KeptCandidate, KeptPlan, KeptVote
    from orchestrator.ledger.requests import AttemptRow, CorrectionRow, FeedbackRow, RequestQuery, RequestRow
    from orchestrator.ledger.requests import RequestDetail as Detail

_SHORT_ID = 16
"""The milliseconds of the moment, and chance enough that hardly two requests share them."""

app = typer.Typer(
    help="List the requests that have ended, or show one: its plan, attempts, costs, feedback.",
    invoke_without_command=True,
)


@app.callback()
def list_requests(  # noqa: PLR0913, PLR0917 -- an argument for each option
    context: typer.Context,
    failed: Annotated[bool, typer.Option("--failed", help="Only those without an answer.")] = False,
    degraded: Annotated[
        bool, typer.Option("--degraded", help="Only those answered otherwise than planned.")
    ] = False,
    dear: Annotated[bool, typer.Option("--dear", help="The dearest first, not the newest.")] = False,
    slow: Annotated[bool, typer.Option("--slow", help="The slowest first, not the newest.")] = False,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant.")] = None,
    user: Annotated[str | None, typer.Option(help="Only this user.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only with this tag.")] = None,
    use_case: Annotated[str | None, typer.Option(help="Only this use case.")] = None,
    model: Annotated[str | None, typer.Option(help="Only this model or deployment.")] = None,
    since: Since = None,
    until: Until = None,
    before: Annotated[str | None, typer.Option(metavar="ID", help="Only older ones: the next page.")] = None,
    limit: Annotated[int, typer.Option(help="How many, 1,000 at most.")] = 20,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print one row a request.")] = False,
) -> None:
    """List the requests that have ended, the newest first; 'requests show ID' tells all of one.

    Neither prompts nor replies are in it.
    """
    if context.invoked_subcommand is not None:
        return
    with errors_as_json(as_json):
        from orchestrator.ledger.opening import open_view
        from orchestrator.ledger.requests import query_of
        from orchestrator.requests.lookup import find_requests

        if as_json and as_csv:
            raise CommandError("choose one of --json and --csv")
        if dear and slow:
            raise CommandError("choose one of --dear and --slow")
        config = session_of(context).config()
        query = _query_of(
            config, since=since, until=until, failed=failed, degraded=degraded, tenant=tenant, user=user, tag=tag,
            use_case=use_case, model=model, before=before, limit=limit,
            order="dearest" if dear else "slowest" if slow else "newest",
        )  # fmt: skip
        view = open_view(config.settings.ledger)
        with busy("reading the ledger"):
            rows = find_requests(view, query)
            newest = rows or find_requests(view, query_of(limit=1))
    if not rows and not (as_json or as_csv):
        _show_none(query, newest, config)
        return
    _show_rows(rows, query, config, as_json=as_json, as_csv=as_csv)


@app.command("show")
def show_request(
    context: typer.Context,
    request_id: Annotated[str, typer.Argument(metavar="ID", help="The id of a request, or its beginning.")],
    tenant: Annotated[str | None, typer.Option(help="Only if it is this tenant's.")] = None,
    with_content: Annotated[
        bool, typer.Option("--content", help="Also prompt and reply, where config.yaml has them kept.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show one request: the plan with its reasons, every attempt, costs, corrections, feedback."""
    with errors_as_json(as_json):
        from orchestrator.core.clock import SystemClock
        from orchestrator.ledger.opening import open_contents, open_view
        from orchestrator.requests.lookup import find_request
        from orchestrator.requests.views import plain_content, plain_detail

        config, clock = session_of(context).config(), SystemClock()
        detail = find_request(open_view(config.settings.ledger), request_id, tenant=tenant)
        content = None
        if with_content:
            with closing(open_contents(config.settings.ledger, clock=clock)) as contents:
                content = contents.find(detail.request.id, now=clock.now())
    if as_json:
        print_json({**plain_detail(detail), **({"content": plain_content(content)} if with_content else {})})
        return
    _show_detail(detail, ZoneInfo(config.settings.budgets.time_zone))
    if with_content:
        _show_content(content)


@app.command("forget")
def forget_content(
    context: typer.Context,
    tenant: Annotated[str | None, typer.Option(help="Everything that is kept of this tenant.")] = None,
    expired: Annotated[bool, typer.Option("--expired", help="What was to be kept until now.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete prompts and replies that were kept, of a tenant or those whose time is over.

    Of a tenant also what the cache and the idempotency keys keep: those keys give an error until they expire.
    The ledger's rows stay: they are money. None of them holds a prompt or a reply.
    """
    with errors_as_json(as_json):
        from orchestrator.core.clock import SystemClock
        from orchestrator.core.names import name_of
        from orchestrator.ledger.opening import open_contents

        if (tenant is None) == (not expired):
            raise CommandError("choose one of --tenant and --expired")
        clock, session = SystemClock(), session_of(context)
        settings = session.config().settings
        with closing(open_contents(settings.ledger, clock=clock)) as contents:
            if tenant is None:
                counts = {"deleted": contents.delete_expired(now=clock.now())}
            else:
                tenant = name_of(tenant, "tenant")
                counts = {"deleted": contents.delete_tenant(tenant), **_forget_replies(settings, tenant)}
    if as_json:
        print_json(counts)
        return
    write(f"prompt and reply of {count_text(counts['deleted'], 'request')} deleted\n")
    if tenant is not None:
        cached, kept = count_text(counts["cached"], "reply"), count_text(counts["of_keys"], "reply")
        write(f"and {cached} of the cache, {kept} of idempotency keys\n")
    if tenant is not None and not any(counts.values()):
        meant = _meant(session.config(), clock.now(), tenant=tenant)
        err().print(f"nothing is kept of '{tenant}'.{meant}", markup=False)


def _meant(config: "Config", moment: "datetime", **named: str | None) -> str:
    from orchestrator.cli.booked_names import hint_of_booked
    from orchestrator.ledger.opening import open_view

    month = f"{moment.astimezone(ZoneInfo(config.settings.budgets.time_zone)):%Y-%m}"
    return hint_of_booked(open_view(config.settings.ledger), named, months=[month])


def _forget_replies(settings: "RootSettings", tenant: str) -> dict[str, int]:
    from orchestrator.cache.idempotent_replies import KeptReplies
    from orchestrator.cache.response_cache import ReplyCache

    with closing(ReplyCache(settings.cache)) as cache, closing(KeptReplies(settings.idempotency)) as replies:
        return {"cached": cache.forget(tenant), "of_keys": replies.forget(tenant)}


def _query_of(config: "Config", *, since: str | None, until: str | None, **parts: Any) -> "RequestQuery":
    from orchestrator.core.clock import SystemClock
    from orchestrator.core.moments import moment_of
    from orchestrator.ledger.requests import query_of

    now, zone = SystemClock().now(), config.settings.budgets.time_zone
    return query_of(
        since=None if since is None else moment_of(since, now=now, time_zone=zone),
        until=None if until is None else moment_of(until, now=now, time_zone=zone, is_end=True),
        **parts,
    )


def _show_rows(
    rows: "Sequence[RequestRow]", query: "RequestQuery", config: "Config", *, as_json: bool, as_csv: bool
) -> None:
    from orchestrator.requests.views import CSV_COLUMNS, csv_values, plain_request

    if as_json:
        print_json({"requests": [plain_request(row) for row in rows]})
    elif as_csv:
        from orchestrator.reports.csv_text import csv_row

        write("".join(map(csv_row, (CSV_COLUMNS, *map(csv_values, rows)))))
    else:
        out().print(_row_table(rows, ZoneInfo(config.settings.budgets.time_zone)))
        if len(rows) == query.limit and query.before is None:
            out().print(f"the first {query.limit}; --limit shows more", style="dim")


def _show_none(query: "RequestQuery", newest: "Sequence[RequestRow]", config: "Config") -> None:
    """Say why there is nothing to show: nothing was asked yet, or what is looked for was not."""
    if not newest:
        out().print("No request is recorded yet. 'orchestrator ask' makes one.", soft_wrap=True)
        return
    zone = ZoneInfo(config.settings.budgets.time_zone)
    parts = [f"--{name}" for name in ("failed", "degraded") if getattr(query, name)]
    for name in ("tenant", "user", "tag", "use_case", "model", "before"):
        value = getattr(query, name)
        parts += [] if value is None else [f"--{name.replace('_', '-')} {value}"]
    for name in ("since", "until"):
        moment = getattr(query, name)
        parts += [] if moment is None else [f"--{name} {moment.astimezone(zone):%Y-%m-%dT%H:%M}"]
    out().print(
        f"None of the recorded requests fits {' '.join(parts)}; the newest of all is of "
        f"{newest[0].started_at.astimezone(zone):%Y-%m-%d %H:%M}. Leave one of these out to see more."
        f"{_meant(config, newest[0].started_at, tenant=query.tenant, user=query.user, tag=query.tag)}",
        soft_wrap=True,
    )
    for name, known in (("use_case", config.settings.use_cases), ("model", _model_names(config))):
        value = getattr(query, name)
        if value is not None and value not in known:
            from orchestrator.core.unknown_names import unknown

            out().print(
                f"config.yaml has it not: {unknown(name.replace('_', ' '), value, known)}", soft_wrap=True
            )


def _model_names(config: "Config") -> set[str]:
    return {*config.settings.models, *config.settings.deployments}


def _row_table(rows: "Sequence[RequestRow]", zone: ZoneInfo) -> "RenderableType":
    from orchestrator.core.money import format_usd

    sizes = range(_SHORT_ID, len(rows[0].id))
    width = next((size for size in sizes if len({row.id[:size] for row in rows}) == len(rows)), None)
    newest_day = max(row.started_at for row in rows).astimezone(zone).date()
    listing = table("id", "when", "cost", "time", "what", numbers=("cost", "time"), folded=("what",))
    for row in rows:
        moment = row.started_at.astimezone(zone)
        listing.add_row(
            row.id[:width],
            f"{moment:%H:%M:%S}" if moment.date() == newest_day else f"{moment:%d %b %H:%M}",
            format_usd(row.cost_nusd),
            seconds(row.latency_s),
            ", ".join(word for word in (row.tenant, row.model, _result_of(row)) if word),
        )
    return listing


def _result_of(row: "RequestRow") -> str:
    """Return how a request ended in a word or two."""
    if row.outcome.value != "succeeded":
        return row.outcome.value + (f": {_words(row.error)}" if _error_says_more(row) else "")
    kind = "" if row.cached.value == "miss" else f"{row.cached.value} "
    return f"{kind}degraded" if row.degraded else kind.strip() or "ok"


def _error_says_more(row: "RequestRow") -> bool:
    return _words(row.error) not in {"", row.outcome.value}


def _words(error: str | None) -> str:
    """Return `all providers failed` for `AllProvidersFailedError`."""
    name = (error or "").removesuffix("Error")
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def _show_detail(detail: "Detail", zone: ZoneInfo) -> None:
    console = out()
    console.print(f"request {detail.request.id}", style="bold")
    for line in _headlines(detail.request, zone):
        print_indented(console, line)
    parts: list[RenderableType] = []
    if detail.plan is not None:
        parts += _plan_parts(detail.plan)
    if detail.attempts:
        parts.append(listed("attempts", [_attempt_line(row, zone) for row in detail.attempts]))
    if detail.corrections:
        parts.append(listed("corrections", [_correction_line(row, zone) for row in detail.corrections]))
    if detail.feedback:
        parts.append(listed("feedback", [_feedback_line(row, zone) for row in detail.feedback]))
    for part in parts:
        console.print()
        console.print(part)


def _show_content(content: "KeptContent | None") -> None:
    from orchestrator.requests.views import plain_content

    plain = plain_content(content)
    if plain is None:
        out().print(
            "\nNeither prompt nor reply is kept: 'record' in config.yaml says what is.", soft_wrap=True
        )
        return
    texts = [(str(message.get("role")), str(message.get("content"))) for message in plain["messages"]]
    texts += [(name, plain[name]) for name in ("reply", "corrected") if plain[name] is not None]
    out().print()
    out().print(listed("content", texts))


def _headlines(row: "RequestRow", zone: ZoneInfo) -> "Iterator[str]":
    from orchestrator.core.money import format_usd

    whose = [f"tenant {row.tenant}", row.use_case]
    whose += [f"user {row.user}"] if row.user is not None else []
    whose += [f"tags {', '.join(row.tags)}"] if row.tags else []
    yield f"{row.started_at.astimezone(zone):%d %b %Y %H:%M:%S} {zone.key}"
    yield ", ".join(whose)
    ended = row.outcome.value + (f" ({_words(row.error)})" if _error_says_more(row) else "")
    answered = f" by {row.deployment}" if row.deployment else ""
    yield f"{ended} in {seconds(row.latency_s)}{answered}"
    yield (
        f"{format_usd(row.cost_nusd)} for {row.input_tokens:,} tokens in and {row.output_tokens:,} out; "
        f"cache: {row.cached.value}"
    )
    if row.degraded:
        yield f"degraded: {row.degraded}"


def _vote_line(vote: "KeptVote") -> str:
    from orchestrator.core.money import format_usd

    value = "" if vote.group is None else f", value {vote.group + 1}"
    outcome = vote.outcome.replace("_", " ")
    return (
        f"{vote.deployment} ({vote.role.replace('_', ' ')}): {outcome}{value}, {format_usd(vote.cost_nusd)}"
    )


def _plan_parts(plan: "KeptPlan") -> "Iterator[RenderableType]":
    yield listed("plan", [(str(place), _candidate_line(candidate)) for place, candidate in
                          enumerate(plan.candidates, start=1)])  # fmt: skip
    by_reason: dict[str, list[str]] = {}
    for step in plan.left_out:
        by_reason.setdefault(step.reason, []).append(step.deployment)
    lines = [("-", f"{', '.join(names)}: {reason.replace('_', ' ')}") for reason, names in by_reason.items()]
    lines += [("-", f"{count} more: {kind.replace('_', ' ')}") for kind, count in plan.left_out_more.items()]
    if lines:
        yield listed("left out", lines)
    if plan.decision is not None:
        yield listed(f"votes ({plan.decision.policy}: {plan.decision.accepted_for})", [
            (str(place), _vote_line(vote)) for place, vote in enumerate(plan.decision.votes, start=1)])  # fmt: skip
    if plan.passed_over:
        yield listed("passed over", [("-", f"{step.deployment}: {step.reason}") for step in plan.passed_over])


def _candidate_line(candidate: "KeptCandidate") -> str:
    from orchestrator.core.money import format_usd

    reasons = ", ".join(reason.replace("_", " ") for reason in candidate.reasons)
    return (
        f"{candidate.deployment}: {reasons}; score {candidate.score:.3f}, "
        f"at most {format_usd(candidate.bound_nusd)}"
    )


def _attempt_line(row: "AttemptRow", zone: ZoneInfo) -> tuple[str, str]:
    from orchestrator.core.money import format_usd

    failure = " ".join(str(word) for word in (row.failure, row.status) if word is not None)
    first = "" if row.first_token_s is None else f", first token after {seconds(row.first_token_s)}"
    estimated = " (estimated)" if row.tokens_estimated else ""
    return str(row.number), (
        f"{row.deployment} at {row.started_at.astimezone(zone):%H:%M:%S}: "
        f"{failure.replace('_', ' ') or row.outcome.value} after {seconds(row.latency_s)}{first}; "
        f"{row.input_tokens:,} tokens in, {row.output_tokens:,} out{estimated}; "
        f"{format_usd(row.cost_nusd)} of {format_usd(row.held_nusd)} held ({row.cost_source.value.replace('_', ' ')})"
    )


def _correction_line(row: "CorrectionRow", zone: ZoneInfo) -> tuple[str, str]:
    from orchestrator.core.money import format_usd

    words = f"{format_usd(row.cost_nusd)} by {row.source.value} on {row.corrected_at.astimezone(zone):%d %b %H:%M}"
    return str(row.attempt), f"{words}{f': {row.note}' if row.note else ''}"


def _feedback_line(row: "FeedbackRow", zone: ZoneInfo) -> tuple[str, str]:
    words = [f"{row.score} of 5"] if row.score is not None else []
    words += ["a better answer was written"] if row.corrected else []
    return "-", f"{row.source}: {', '.join(words)} ({row.given_at.astimezone(zone):%d %b %H:%M})"
