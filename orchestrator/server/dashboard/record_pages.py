"""What the ledger keeps: requests, one of them, the month's report."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import urlencode

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.language import Language
from orchestrator.core.moments import moment_of
from orchestrator.core.reply import Outcome
from orchestrator.core.vietnamese import in_language
from orchestrator.ledger.contents import KeptContent
from orchestrator.ledger.kept_plan import KeptPlan
from orchestrator.ledger.requests import (
    AttemptRow,
    RequestDetail,
    RequestOrder,
    RequestQuery,
    RequestRow,
    query_of,
)
from orchestrator.reports.analysis import Analysis
from orchestrator.reports.html_page import report_parts
from orchestrator.reports.html_parts import cards, html_table, link, section, text
from orchestrator.reports.report_words import REPORT_WORDS, filter_in
from orchestrator.requests.views import plain_content
from orchestrator.server.dashboard.kinds import kind_in
from orchestrator.server.dashboard.viewer import Viewer
from orchestrator.server.dashboard.words import DASHBOARD_WORDS

_NAMES = ("use_case", "model", "user", "tag")
_MOMENTS = ("since", "until")
_SWITCHES = ("failed", "degraded")
_ON = "1"
_OWN = frozenset({"lang", "tenant", "order", "before", *_NAMES, *_MOMENTS, *_SWITCHES})
PAGE_SIZE = 50
_SHORT_ID = 13


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for: the query, and how he wrote it."""

    query: RequestQuery
    written: Mapping[str, str]

    @classmethod
    def read(cls, written: Mapping[str, str], viewer: Viewer, *, now: datetime) -> "Search":
        """Return the search of an address; whoever sees one tenant alone searches that tenant's requests.

        Raises:
            InvalidRequestError: it has a part that is none, or one that cannot be looked for.
        """
        unknown = next((name for name in written if name not in _OWN), None)
        if unknown is not None:
            raise InvalidRequestError(f"requests cannot be looked for by '{unknown[:40]}'")
        filled = {name: value.strip() for name, value in written.items() if value.strip()}
        parts: dict[str, Any] = {name: filled[name] for name in (*_NAMES, "before") if name in filled}
        for name in _MOMENTS:
            if name in filled:
                parts[name] = moment_of(
                    filled[name], now=now, time_zone=viewer.zone.key, is_end=name == "until"
                )
        switches = {name: filled.get(name) == _ON for name in _SWITCHES}
        tenant = viewer.tenant if viewer.tenant is not None else filled.get("tenant")
        order = RequestOrder.NEWEST if "before" in filled else filled.get("order", RequestOrder.NEWEST)
        query = query_of(**parts, **switches, tenant=tenant, order=order, limit=PAGE_SIZE)
        return cls(query, filled)


def request_list(viewer: Viewer, search: Search, rows: Sequence[RequestRow]) -> Iterator[str]:
    """Yield the form that searches, and what it found."""
    words = DASHBOARD_WORDS[viewer.language]
    yield _form(viewer, search)
    if not rows:
        yield f"<p>{text(words['no_requests'])}</p>"
        return
    names = ("request", "time", "cost", "latency", "outcome", "tenant", "use_case", "model")
    shown = [
        (
            link(f"/dashboard/requests/{row.id}?lang={viewer.language}", row.id[:_SHORT_ID]),
            viewer.moment(row.started_at), viewer.figures.usd(row.cost_nusd), viewer.figures.duration(row.latency_s),
            _result(row, viewer.language), row.tenant, row.use_case, row.model or "-",
        )
        for row in rows
    ]  # fmt: skip
    yield section("", html_table([words[name] for name in names], shown, texts=4))
    if len(rows) == PAGE_SIZE and search.query.order is RequestOrder.NEWEST:
        older = urlencode({**search.written, "lang": viewer.language.value, "before": rows[-1].id})
        yield f"<p>{link(f'/dashboard/requests?{older}', words['older'])}</p>"


def request_page(
    viewer: Viewer, detail: RequestDetail, content: KeptContent | None, *, with_content: bool
) -> Iterator[str]:
    """Yield all that is kept of one request; prompt and reply only `with_content`."""
    words, row = DASHBOARD_WORDS[viewer.language], detail.request
    yield f"<p>{link(f'/dashboard/requests?lang={viewer.language}', words['back'])}</p>"
    yield section(f"{words['request']} {row.id}", cards(_facts(viewer, row)))
    if detail.plan is not None:
        yield from _plan(viewer, detail.plan)
    yield section(words["attempts"], _attempts(viewer, detail))
    if detail.corrections:
        rows = [
            (
                str(item.attempt),
                viewer.figures.usd(item.cost_nusd),
                kind_in(item.source.value, viewer.language),
                item.note,
            )
            for item in detail.corrections
        ]
        head = ("#", words["cost"], words["source"], "")
        yield section(words["corrections"], html_table(head, rows, texts=2))
    if detail.feedback:
        scores = [
            (item.source, "-" if item.score is None else f"{item.score} / 5") for item in detail.feedback
        ]
        yield section(words["feedback"], cards(scores))
    if with_content:
        yield section(words["content"], _content(content, words["no_content"]))


def savings_page(viewer: Viewer, analysed: Analysis) -> Iterator[str]:
    """Yield the month so far: cost, savings, forecast, what to change, models."""
    if analysed.report.is_empty:
        yield f"<p>{text(REPORT_WORDS[viewer.language]['empty'])}</p>"
        return
    of = filter_in(analysed.report.of, viewer.language)
    yield f"<p class=soft>{text(analysed.report.span.label)} {text(of)}</p>"
    yield from report_parts(analysed, viewer.language)


def _form(viewer: Viewer, search: Search) -> str:
    words, written = DASHBOARD_WORDS[viewer.language], search.written
    names = (*(("tenant",) if viewer.tenant is None else ()), *_NAMES, *_MOMENTS)
    fields = "".join(
        f'<label>{text(words[name])} <input name="{name}" value="{escape(written.get(name, ""))}"></label>'
        for name in names
    )
    orders = "".join(
        f'<option value="{order}"{" selected" if order is search.query.order else ""}>{text(words[order])}</option>'
        for order in RequestOrder
    )
    switches = "".join(
        f'<label class=switch><input type="checkbox" name="{name}" value="{_ON}"'
        f"{' checked' if written.get(name) == _ON else ''}> {text(words[name])}</label>"
        for name in _SWITCHES
    )
    return (
        f'<form class=search method="get" action="/dashboard/requests"><input type="hidden" name="lang" '
        f'value="{viewer.language}">{fields}<label>{text(words["order"])} <select name="order">{orders}</select>'
        f"</label>{switches}<button>{text(words['search'])}</button></form>"
    )


def _facts(viewer: Viewer, row: RequestRow) -> tuple[tuple[str, str], ...]:
    words = DASHBOARD_WORDS[viewer.language]
    facts = [
        (words["time"], viewer.moment(row.started_at)), (words["outcome"], _result(row, viewer.language)),
        (words["cost"], viewer.figures.usd(row.cost_nusd)), (words["latency"], viewer.figures.duration(row.latency_s)),
        (words["tenant"], row.tenant), (words["use_case"], row.use_case), (words["model"], row.model or "-"),
        (words["tokens"], f"{viewer.figures.count(row.input_tokens)} / {viewer.figures.count(row.output_tokens)}"), (words["cache"], kind_in(row.cached.value, viewer.language)),
    ]  # fmt: skip
    facts += [(words["user_short"], row.user)] if row.user is not None else []
    facts += [(words["tags"], ", ".join(row.tags))] if row.tags else []
    return (*facts, *_degraded(viewer, row))


def _degraded(viewer: Viewer, row: RequestRow) -> tuple[tuple[str, str], ...]:
    words = DASHBOARD_WORDS[viewer.language]
    return ((words["why_degraded"], in_language(row.degraded, viewer.language)),) if row.degraded else ()


def _plan(viewer: Viewer, plan: KeptPlan) -> Iterator[str]:
    words = DASHBOARD_WORDS[viewer.language]
    rows = [
        (
            step.deployment,
            viewer.figures.said(f"{step.score:.3f}"),
            viewer.figures.usd(step.bound_nusd),
            _kinds(step.reasons, viewer.language),
        )
        for step in plan.candidates
    ]
    head = [words[name] for name in ("deployment", "score", "bound", "reasons")]
    yield section(words["plan"], html_table(head, rows, texts=1))
    left_out = [(step.deployment, kind_in(step.reason, viewer.language)) for step in plan.left_out]
    left_out += [
        (f"+ {viewer.figures.count(count)}", kind_in(kind, viewer.language))
        for kind, count in plan.left_out_more.items()
    ]
    passed_over = [(step.deployment, in_language(step.reason, viewer.language)) for step in plan.passed_over]
    for name, steps in (("left_out", left_out), ("passed_over", passed_over)):
        if steps:
            yield section(words[name], html_table((words["deployment"], words["reasons"]), steps, texts=1))


def _attempts(viewer: Viewer, detail: RequestDetail) -> str:
    words = DASHBOARD_WORDS[viewer.language]
    if not detail.attempts:
        return f"<p>{text(words['none'])}</p>"
    names = ("deployment", "time", "latency", "cost", "held", "tokens", "outcome", "source")
    rows = [
        (
            f"{row.number}. {row.deployment}", viewer.moment(row.started_at), viewer.figures.duration(row.latency_s),
            viewer.figures.usd(row.cost_nusd), viewer.figures.usd(row.held_nusd), f"{viewer.figures.count(row.input_tokens)} / {viewer.figures.count(row.output_tokens)}",
            _failure(row, viewer.language), kind_in(row.cost_source.value, viewer.language),
        )
        for row in detail.attempts
    ]  # fmt: skip
    return html_table([words[name] for name in names], rows, texts=2)


def _content(content: KeptContent | None, missing: str) -> str:
    plain = plain_content(content)
    if plain is None:
        return f"<p>{text(missing)}</p>"
    texts: Iterable[tuple[str, str]] = (
        *((str(message.get("role")), str(message.get("content"))) for message in plain["messages"]),
        *((name, plain[name]) for name in ("reply", "corrected") if plain[name] is not None),
    )
    return "".join(f"<h3>{text(name)}</h3><pre tabindex=0>{text(words)}</pre>" for name, words in texts)


def _result(row: RequestRow, language: Language) -> str:
    outcome = _outcome(row.outcome, language)
    kinds = (
        row.error,
        "degraded" if row.degraded else None,
        None if row.cached.value == "miss" else row.cached.value,
    )
    more = _kinds((kind for kind in kinds if kind), language)
    return f"{outcome} ({more})" if more else outcome


def _outcome(outcome: Outcome, language: Language) -> str:
    return DASHBOARD_WORDS[language]["failed_outcome" if outcome is Outcome.FAILED else outcome.value]


def _failure(row: AttemptRow, language: Language) -> str:
    failure = None if row.failure is None else kind_in(row.failure, language)
    words = " ".join(str(word) for word in (failure, row.status) if word is not None)
    return words or _outcome(row.outcome, language)


def _kinds(kinds: Iterable[str], language: Language) -> str:
    return ", ".join(kind_in(kind, language) for kind in kinds)
