"""A report as one page that needs nothing else: no script, no network; its plot is SVG of its own bars.

It reads on a phone, prints in black on white, and follows the reader's choice of light or dark. Whatever
was named by somebody is escaped.
"""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from orchestrator.core.formatting import percent, seconds
from orchestrator.core.language import Language
from orchestrator.core.money import format_usd
from orchestrator.core.visible_text import visible
from orchestrator.reports.report_rows import groups
from orchestrator.reports.report_words import spread, title_of, words_of

if TYPE_CHECKING:
    from orchestrator.reports.analysis import Analysis
    from orchestrator.reports.durations import Durations
    from orchestrator.reports.resampling import Interval
    from orchestrator.reports.usage_report import DayCost, Part, UsageReport

_SHOWN = 20

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2530; --soft: #55606d; --line: #dfe4e9; --bar: #2563a8; --page: #fff;
  --card: #f4f6f8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaee; --soft: #a3aeba; --line: #343d47; --bar: #6ea8e6;
  --page: #14181d; --card: #1d232a; } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #333; --line: #bbb; --bar: #444; --page: #fff;
  --card: #fff; } section { break-inside: avoid; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem auto; max-width: 72rem; padding: 0 1rem;
  color: var(--ink); background: var(--page); }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
h3 { font-size: 1rem; margin: 0; } p { margin: .3rem 0; } .soft, th { color: var(--soft); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .6rem; margin: 1rem 0; }
dl div, article { background: var(--card); border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .8rem; }
dt { color: var(--soft); } dd { margin: 0; font-size: 1.15rem; font-weight: 600; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; }
th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:first-child { overflow-wrap: anywhere; min-width: 8rem; }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
@media (max-width: 34rem) { td.n { white-space: normal; } td:first-child { min-width: 6rem; } }
article { margin: .6rem 0; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0; font-size: .85rem; }
svg { width: 100%; height: 9rem; display: block; } rect { fill: var(--bar); }
"""


def report_page(result: "Analysis", language: Language) -> str:
    """Return the page in a language."""
    words, report = words_of(language), result.report
    title = f"{words['title']} {report.span.label}"
    parts = [f"<h1>{_text(title)}</h1>"]
    if report.of.label:
        parts.append(f"<p class=soft>{_text(report.of.label)}</p>")
    if report.is_empty:
        parts.append(f"<p>{_text(words['empty'])}</p>")
    else:
        parts += _body(result, language)
    return (
        f'<!doctype html><html lang="{language.value}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _body(result: "Analysis", language: Language) -> Iterator[str]:
    words, report = words_of(language), result.report
    yield _cards(report, language)
    yield "".join(f"<p class=soft>{_text(notice)}</p>" for notice in report.notices)
    yield _section(words["days"], _bars(report.days))
    yield _savings(result, language)
    yield _forecasts(result, language)
    yield _unusual(result, language)
    yield _changes(result, language)
    for kind, parts in groups(report):
        if parts:
            yield _section(words[kind], _parts(kind, parts, language))
    if any(part.latency for part in report.models):
        yield _section(words["speed"], _speed(report.models, language))


def _cards(report: "UsageReport", language: Language) -> str:
    words, trend = words_of(language), report.trend
    change = "" if trend.change is None else f" ({trend.change * 100:+.1f} %)"
    average = "-" if report.average_cost_nusd is None else format_usd(report.average_cost_nusd)
    cards = (
        (words["cost"], format_usd(report.cost_nusd)),
        (f"{words['before']} ({trend.label})", f"{format_usd(trend.cost_nusd)}{change}"),
        (words["requests"], f"{report.requests:,}"),
        (words["average"], average),
        (words["success"], percent(report.success_rate)),
        (f"{words['latency']} p50 / p95", _ranks(report.latency)),
        (words["per_hour"], f"{report.requests_per_hour:,.1f}"),
    )
    return "<dl>" + "".join(f"<div><dt>{_text(n)}</dt><dd>{_text(v)}</dd></div>" for n, v in cards) + "</dl>"


def _bars(days: Sequence["DayCost"]) -> str:
    most = max((day.cost_nusd for day in days), default=0) or 1
    bars = "".join(
        f'<rect x="{10 * number + 1}" y="{100 - 100 * day.cost_nusd / most:.2f}" width="8" '
        f'height="{100 * day.cost_nusd / most:.2f}"><title>{day.day}: {format_usd(day.cost_nusd)}</title></rect>'
        for number, day in enumerate(days)
    )
    ends = f"{days[0].day} – {days[-1].day}, max {format_usd(most)}" if days else ""
    return (
        f'<svg viewBox="0 0 {10 * len(days)} 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{ends}">{bars}</svg><p class=soft>{ends}</p>'
    )


def _savings(result: "Analysis", language: Language) -> str:
    words, saved = words_of(language), result.savings
    if saved is None:
        return _section(
            words["savings"], f"<p>{_text(words['unknown'].format(reason=result.no_savings))}</p>"
        )
    rows = [
        (name, _spread(saving.amount_nusd, saving.interval, language))
        for name, saving in (
            (words["by_model"], saved.model), (words["by_cache"], saved.cache), (words["savings"], saved.total),
        )
    ]  # fmt: skip
    against = f"{words['against'].format(baseline=saved.baseline)}: {percent(saved.share)}"
    return _section(words["savings"], f"<p>{_text(against)}</p>" + _table(("", words["cost"]), rows))


def _forecasts(result: "Analysis", language: Language) -> str:
    if not result.forecasts:
        return ""
    words = words_of(language)
    rows = [
        (item.label, format_usd(item.spent_nusd), _spread(item.expected_nusd, item.interval, language))
        for item in result.forecasts
    ]
    return _section(words["forecast"], _table(("", words["so_far"], words["expected"]), rows))


def _unusual(result: "Analysis", language: Language) -> str:
    if not result.unusual:
        return ""
    words = words_of(language)
    rows = [
        (
            day.day, format_usd(day.cost_nusd), format_usd(day.usual_nusd),
            f"{day.tenant}, {day.use_case}, {day.model}: +{format_usd(day.rise_nusd)}",
        )
        for day in result.unusual
    ]  # fmt: skip
    head = ("", words["cost"], words["usual"], words["cause"])
    return _section(words["unusual"], _table(head, rows, texts=1))


def _changes(result: "Analysis", language: Language) -> str:
    words = words_of(language)
    shown = []
    for change in result.recommendations:
        evidence = words["evidence"].format(count=f"{change.count:,}", out_of=f"{change.out_of:,}")
        lines = [f"<h3>{_text(title_of(change, language))}</h3>"]
        if change.month_nusd:
            amount = _spread(change.month_nusd, change.interval, language)
            lines.append(f"<p><b>{_text(words[change.meaning.value])}: {_text(amount)}</b></p>")
        lines.append(f"<p class=soft>{_text(evidence)} · {_text(change.rows)}</p>")
        lines.append(f"<p>{_text(words['risk'])}: {_text(words[f'risk_{change.kind.value}'])}</p>")
        lines.append(f"<p>{_text(words['apply'])}:</p><pre>{_text(change.apply)}</pre>")
        shown.append(f"<article>{''.join(lines)}</article>")
    body = "".join(shown) or f"<p>{_text(words['none'])}</p>"
    return _section(words["changes"], f"{body}<p class=soft>{_text(words['not_looked'])}</p>")


def _parts(kind: str, parts: Sequence["Part"], language: Language) -> str:
    words = words_of(language)
    count = words["sends"] if kind == "model" else words["requests"]
    rows = [
        (
            part.name, f"{part.requests:,}", percent(part.share), format_usd(part.cost_nusd),
            "-" if part.average_cost_nusd is None else format_usd(part.average_cost_nusd),
            seconds(part.average_latency_s), percent(part.success_rate),
        )
        for part in parts[:_SHOWN]
    ]  # fmt: skip
    head = (words["name"], count, *(words[n] for n in ("share", "cost", "average", "latency", "success")))
    more = words["more"].format(count=len(parts) - _SHOWN) if len(parts) > _SHOWN else ""
    return _table(head, rows) + (f"<p class=soft>{_text(more)}</p>" if more else "")


def _speed(parts: Sequence["Part"], language: Language) -> str:
    words = words_of(language)
    rows = [
        (
            part.name, _ranks(part.latency), _ranks(part.first_token),
            "-" if part.output_tokens_per_s is None else f"{part.output_tokens_per_s:,.0f}",
        )
        for part in parts[:_SHOWN]
    ]  # fmt: skip
    return _table((words["name"], f"{words['latency']} p50 / p95", words["first"], words["rate"]), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int = 0) -> str:
    """Return a table whose first column and last `texts` columns are words, the others numbers."""
    numbers = [0 < place < len(head) - texts for place in range(len(head))]

    def line(tag: str, cells: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=n' if number else ''}>{_text(cell)}</{tag}>"
            for cell, number in zip(cells, numbers, strict=True)
        )

    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return f"<div class=wide><table><tr>{line('th', head)}</tr>{body}</table></div>"


def _section(title: str, body: str) -> str:
    return f"<section><h2>{_text(title)}</h2>{body}</section>"


def _ranks(durations: "Durations | None") -> str:
    return "-" if durations is None else f"{seconds(durations.p50_s)} / {seconds(durations.p95_s)}"


def _spread(amount: int, interval: "Interval | None", language: Language) -> str:
    bounds = None if interval is None else (interval.low, interval.high)
    return spread(amount, bounds, words_of(language)["few"])


def _text(text: str) -> str:
    return escape(visible(text))
