"""An evaluation as one page that needs nothing else: the standings, and the differences side by side."""

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher

from orchestrator.core.figures import Figures
from orchestrator.core.language import Language
from orchestrator.evaluation.case import ScoredRow
from orchestrator.evaluation.intervals import MeanInterval
from orchestrator.evaluation.page_words import page_words
from orchestrator.evaluation.summary import SubjectStanding
from orchestrator.reports.html_parts import Html, document, html_table, section, text

_ROWS_MAX = 200
_CHARS_MAX = 1_500
_STYLE = """
:root { --extra: #fdf0c8; --missing: #fbdedb; }
@media (prefers-color-scheme: dark) { :root { --extra: #4a3d12; --missing: #5a2623; } }
body { max-width: 90rem; } ins { background: var(--extra); text-decoration: none; } del { background: var(--missing); }
small { color: var(--soft); }
"""


def evaluation_page(
    results: Sequence[ScoredRow], places: Sequence[SubjectStanding], reasons: Sequence[str], *, language: Language,
    is_practice: bool = False,
) -> str:  # fmt: skip
    """Return the page."""
    words = page_words(language)
    verdict = words["failed" if reasons else "passed"]
    parts = [f"<h1>{text(words['title'])}: {text(verdict)}</h1>"]
    parts += [f"<p class=soft>{text(reason)}</p>" for reason in reasons]
    if is_practice:
        parts.append(f"<p class=soft>{text(words['practice'])}</p>")
    parts.append(_standings(places, words, Figures(language)))
    by_row: dict[str, list[ScoredRow]] = {}
    for result in results:
        by_row.setdefault(result.row.key, []).append(result)
    differing = [row for row in by_row.values() if len({result.value for result in row}) > 1]
    wrong = [row for row in by_row.values() if row not in differing and any(each.value != 1 for each in row)]
    parts.append(f"<p class=soft>{text(words['marks'])}</p>")
    parts += _rows(words["differing"], differing, words) + _rows(words["wrong"], wrong, words)
    if len(differing) + len(wrong) < len(by_row):
        parts.append(f"<p class=soft>{text(words['right'])}</p>")
    return document(words["title"], "".join(parts), language, style=_STYLE)


def _standings(places: Sequence[SubjectStanding], words: Mapping[str, str], figures: Figures) -> str:
    names = ("subject", "rows", "score", "interval", "beside", "cost", "latency", "no_answer", "unscored")
    rows = []
    for standing in places:
        quality, beside = standing.quality, standing.beside_first
        rows.append(
            (
                standing.subject, str(standing.rows), "-" if quality is None else figures.said(f"{quality.mean:.3f}"), _range(quality, figures),
                "-" if beside is None else f"{figures.said(f'{beside.mean:+.3f}')} {_range(beside, figures)}", figures.usd(standing.cost_nusd),
                figures.duration(standing.latency_s), str(standing.failed), str(standing.unscored),
            )
        )  # fmt: skip
    return html_table([words[name] for name in names], rows)


def _range(interval: MeanInterval | None, figures: Figures) -> str:
    if interval is None:
        return "-"
    # A semicolon, which is read in both languages: a comma is a decimal in one.
    return f"[{figures.said(f'{interval.low:.3f}')}; {figures.said(f'{interval.high:.3f}')}]"


def _rows(title: str, rows: Sequence[Sequence[ScoredRow]], words: Mapping[str, str]) -> list[str]:
    if not rows:
        return []
    head = [words[name] for name in ("row", "asked", "expected")] + [result.subject for result in rows[0]]
    table = html_table(head, map(_row, rows[:_ROWS_MAX]), texts=len(head) - 1, prose=True)
    parts = [section(f"{title} ({len(rows)})", table)]
    if len(rows) > _ROWS_MAX:
        parts.append(f"<p class=soft>{text(words['more'].format(count=len(rows) - _ROWS_MAX))}</p>")
    return parts


def _row(results: Sequence[ScoredRow]) -> Sequence[str]:
    row = results[0].row
    expected = "" if row.expected is None else row.expected_text
    answers = (_answer(result, expected) for result in results)
    return (row.id, _cut(row.asks), _cut(expected), *answers)


def _answer(result: ScoredRow, expected: str) -> Html:
    value = result.value
    kind = "part" if value is None else {1.0: "right", 0.0: "wrong"}.get(value, "part")
    shown = "?" if value is None else f"{value:.2f}"
    reasons = "; ".join(f"{name}: {score.reason}" for name, score in result.scores.items() if score.reason)
    answered = _cut(result.answer.error or result.answer.text)
    is_compared = expected and not result.answer.error
    marked = marked_differences(answered, _cut(expected)) if is_compared else text(answered)
    return Html(f'<b class="{kind}">{shown}</b> {marked}<br><small>{text(reasons)}</small>')


def marked_differences(answered: str, expected: str) -> str:
    """Return an answer as HTML: words that are not expected in `ins`, those that are missing in `del`."""
    ours, theirs = answered.split(), expected.split()
    parts = []
    for kind, from_, to, begin, end in SequenceMatcher(None, theirs, ours, autojunk=False).get_opcodes():
        missing, extra = text(" ".join(theirs[from_:to])), text(" ".join(ours[begin:end]))
        if kind == "equal":
            parts.append(extra)
            continue
        parts += [f"<del>{missing}</del>"] if missing else []
        parts += [f"<ins>{extra}</ins>"] if extra else []
    return " ".join(parts)


def _cut(words: str) -> str:
    return words if len(words) <= _CHARS_MAX else f"{words[:_CHARS_MAX]} …"
