"""A report as one page that needs nothing else: no script, no network; its plot is SVG of its own bars.

It reads on a phone, prints in black on white, and follows the reader's choice of light or dark. Whatever
was named by somebody is escaped.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from orchestrator.core.figures import Figures
from orchestrator.core.language import Language
from orchestrator.reports.html_parts import cards, document, html_table, section, text
from orchestrator.reports.report_rows import groups
from orchestrator.reports.report_words import (
    REPORT_WORDS,
    figure_of,
    filter_in,
    not_looked_for,
    phrase_in,
    spread,
    title_of,
)
from orchestrator.reports.savings import share_text

if TYPE_CHECKING:
    from orchestrator.reports.analysis import Analysis
    from orchestrator.reports.durations import Durations
    from orchestrator.reports.ratings import Ratings
    from orchestrator.reports.resampling import Interval
    from orchestrator.reports.usage_report import DayCost, Part, UsageReport

_SHOWN = 20


def report_page(result: "Analysis", language: Language) -> str:
    """Return the page in a language."""
    words, report = REPORT_WORDS[language], result.report
    title = f"{words['title']} {_days(report.span.label)}"
    parts = [f"<h1>{text(title)}</h1>"]
    if report.of.label:
        parts.append(f"<p class=soft>{text(filter_in(report.of, language))}</p>")
    if report.is_empty:
        parts.append(f"<p>{text(words['empty'])}</p>")
    else:
        parts += report_parts(result, language)
    return document(title, "".join(parts), language)


def report_parts(result: "Analysis", language: Language) -> Iterator[str]:
    """Yield the parts of a report that is not empty, each as HTML."""
    words, report = REPORT_WORDS[language], result.report
    yield _cards(report, language)
    yield "".join(f"<p class=soft>{text(phrase_in(notice, language))}</p>" for notice in report.notices)
    yield section(words["days"], _bars(report.days, Figures(language)))
    yield _goals(result, language)
    yield _feedback(report.ratings, language)
    yield _savings(result, language)
    yield _forecasts(result, language)
    yield _unusual(result, language)
    yield _changes(result, language)
    for kind, parts in groups(report):
        if parts:
            yield section(words[kind], _parts(kind, parts, language))
    if any(part.latency for part in report.models):
        yield section(words["speed"], _speed(report.models, language))


def _cards(report: "UsageReport", language: Language) -> str:
    words, trend, figures = REPORT_WORDS[language], report.trend, Figures(language)
    rating = report.ratings.total.average_score
    change = "" if trend.change is None else figures.said(f" ({trend.change * 100:+.1f} %)")
    before = words["none_before"] if trend.is_empty else f"{figures.usd(trend.cost_nusd)}{change}"
    success = words["without_probes"].format(probes=report.probes) if report.probes else words["success"]
    shown = (
        (words["cost"], figures.usd(report.cost_nusd)),
        *(((words["experiments_cost"], figures.usd(report.experiments_nusd)),) if report.experiments else ()),
        (f"{words['before']} ({_days(trend.label)})", before),
        (words["requests"], figures.count(report.requests)),
        (words["average"], figures.usd(report.average_cost_nusd)),
        (success, figures.share(report.success_rate)),
        (f"{words['latency']} p50 / p95", _ranks(report.latency, figures)),
        (words["per_hour"], figures.rate(report.requests_per_hour)),
        *(((words["rating"], figures.score(rating)),) if rating is not None else ()),
    )
    return cards(shown)


def _days(label: str) -> str:
    """Return a range without a word of any language."""
    return label.replace(" to ", " – ")


def _bars(days: Sequence["DayCost"], figures: Figures) -> str:
    most = max((day.cost_nusd for day in days), default=0) or 1
    bars = "".join(
        f'<rect x="{10 * number + 1}" y="{100 - 100 * day.cost_nusd / most:.2f}" width="8" '
        f'height="{100 * day.cost_nusd / most:.2f}"><title>{day.day}: {figures.usd(day.cost_nusd)}</title></rect>'
        for number, day in enumerate(days)
    )
    ends = f"{days[0].day} – {days[-1].day}, max {figures.usd(most)}" if days else ""
    return (
        f'<svg viewBox="0 0 {10 * len(days)} 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{ends}">{bars}</svg><p class=soft>{ends}</p>'
    )


def _savings(result: "Analysis", language: Language) -> str:
    words, saved = REPORT_WORDS[language], result.savings
    if saved is None:
        reason = "" if result.no_savings is None else phrase_in(result.no_savings, language)
        return section(words["savings"], f"<p>{text(words['unknown'].format(reason=reason))}</p>")
    rows = [
        (name, _spread(saving.amount_nusd, saving.interval, language))
        for name, saving in (
            (words["by_model"], saved.model), (words["by_agreement"], saved.agreement),
            (words["by_cache"], saved.cache), (words["savings"], saved.total),
        )
        if saving.amount_nusd or saving is not saved.agreement
    ]  # fmt: skip
    against = f"{words['against'].format(baseline=saved.baseline)}: {share_text(saved, Figures(language))}"
    return section(words["savings"], f"<p>{text(against)}</p>" + html_table(("", words["cost"]), rows))


def _goals(result: "Analysis", language: Language) -> str:
    words, figures = REPORT_WORDS[language], Figures(language)
    states = {True: words["met"], False: words["missed"], None: words["not_known"]}
    rows = [
        (
            words[f"goal_{goal.kind.value}"], figure_of(goal, goal.target, figures),
            figure_of(goal, goal.reached, figures), states[goal.is_met],
        )
        for goal in result.goals
    ]  # fmt: skip
    return section(words["goals"], html_table(("", words["wanted"], words["reached"], ""), rows))


def _feedback(ratings: "Ratings", language: Language) -> str:
    if not ratings.total.answers:
        return ""
    words, figures = REPORT_WORDS[language], Figures(language)
    rows = [
        (
            name,
            figures.score(rating.average_score),
            figures.count(rating.scored),
            figures.count(rating.corrected),
        )
        for named in (ratings.use_cases, ratings.models)
        for name, rating in tuple(named.items())[:_SHOWN]
    ]
    head = (words["name"], words["rating"], words["scores"], words["corrected"])
    return section(words["feedback"], html_table(head, rows))


def _forecasts(result: "Analysis", language: Language) -> str:
    if not result.forecasts:
        return ""
    words, figures = REPORT_WORDS[language], Figures(language)
    rows = [
        (item.label, figures.usd(item.spent_nusd), _spread(item.expected_nusd, item.interval, language))
        for item in result.forecasts
    ]
    return section(words["forecast"], html_table(("", words["so_far"], words["expected"]), rows))


def _unusual(result: "Analysis", language: Language) -> str:
    if not result.unusual:
        return ""
    words, figures = REPORT_WORDS[language], Figures(language)
    rows = [
        (
            day.day, figures.usd(day.cost_nusd), figures.usd(day.usual_nusd),
            f"{day.tenant}, {day.use_case}, {day.model}: +{figures.usd(day.rise_nusd)}",
        )
        for day in result.unusual
    ]  # fmt: skip
    head = ("", words["cost"], words["usual"], words["cause"])
    return section(words["unusual"], html_table(head, rows, texts=1))


def _changes(result: "Analysis", language: Language) -> str:
    words, figures = REPORT_WORDS[language], Figures(language)
    shown = []
    for change in result.recommendations:
        evidence = words["evidence"].format(
            count=figures.count(change.count), out_of=figures.count(change.out_of)
        )
        lines = [f"<h3>{text(title_of(change, language))}</h3>"]
        if change.month_nusd:
            amount = _spread(change.month_nusd, change.interval, language)
            lines.append(f"<p><b>{text(words[change.meaning.value])}: {text(amount)}</b></p>")
        lines.append(f"<p class=soft>{text(evidence)} · {text(phrase_in(change.rows, language))}</p>")
        lines.append(f"<p>{text(words['risk'])}: {text(words[f'risk_{change.kind.value}'])}</p>")
        lines.append(f"<p>{text(words['apply'])}:</p><pre>{text(phrase_in(change.apply, language))}</pre>")
        shown.append(f"<article>{''.join(lines)}</article>")
    body = "".join(shown) or f"<p>{text(words['none'])}</p>"
    return section(
        words["changes"], f"{body}<p class=soft>{text(not_looked_for(result.not_known, language))}</p>"
    )


def _parts(kind: str, parts: Sequence["Part"], language: Language) -> str:
    words, figures = REPORT_WORDS[language], Figures(language)
    count = words["sends"] if kind == "model" else words["requests"]
    rows = [
        (
            part.name, figures.count(part.requests), figures.share(part.share), figures.usd(part.cost_nusd),
            figures.usd(part.average_cost_nusd),
            figures.duration(part.average_latency_s), figures.share(part.success_rate),
        )
        for part in parts[:_SHOWN]
    ]  # fmt: skip
    head = (words["name"], count, *(words[n] for n in ("share", "cost", "average", "latency", "success")))
    more = words["more"].format(count=len(parts) - _SHOWN) if len(parts) > _SHOWN else ""
    return html_table(head, rows) + (f"<p class=soft>{text(more)}</p>" if more else "")


def _speed(parts: Sequence["Part"], language: Language) -> str:
    words, figures = REPORT_WORDS[language], Figures(language)
    rows = [
        (
            part.name, _ranks(part.latency, figures), _ranks(part.first_token, figures),
            "-" if part.output_tokens_per_s is None else figures.said(f"{part.output_tokens_per_s:,.0f}"),
        )
        for part in parts[:_SHOWN]
    ]  # fmt: skip
    return html_table((words["name"], f"{words['latency']} p50 / p95", words["first"], words["rate"]), rows)


def _ranks(durations: "Durations | None", figures: Figures) -> str:
    return (
        "-"
        if durations is None
        else f"{figures.duration(durations.p50_s)} / {figures.duration(durations.p95_s)}"
    )


def _spread(amount: int, interval: "Interval | None", language: Language) -> str:
    bounds = None if interval is None else (interval.low, interval.high)
    return spread(amount, bounds, REPORT_WORDS[language]["few"], Figures(language))
