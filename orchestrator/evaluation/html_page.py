"""An evaluation as one page that needs nothing else: the standings, and the differences side by side."""

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from html import escape

from orchestrator.core.formatting import seconds
from orchestrator.core.language import Language
from orchestrator.core.money import format_usd
from orchestrator.evaluation.case import ScoredRow
from orchestrator.evaluation.intervals import MeanInterval
from orchestrator.evaluation.page_words import page_words
from orchestrator.evaluation.summary import SubjectStanding

_ROWS_MAX = 200
_CHARS_MAX = 1_500
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem; color: #1c2530; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; } p { color: #55606d; }
table { border-collapse: collapse; width: 100%; }
@media screen and (max-width: 34rem) { table { display: block; overflow-x: auto; } td { min-width: 6rem; } }
th { text-align: left; font-weight: 600; color: #55606d; }
th, td { padding: 0.4rem 0.8rem 0.4rem 0; border-bottom: 1px solid #e3e7eb; vertical-align: top; }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.text { white-space: pre-wrap; overflow-wrap: anywhere; }
b.right { color: #1b6e3c; } b.wrong { color: #b3261e; } b.part { color: #8a5a00; }
ins { background: #fdf0c8; text-decoration: none; } del { background: #fbdedb; } small { color: #55606d; }
"""


def evaluation_page(
    results: Sequence[ScoredRow], places: Sequence[SubjectStanding], reasons: Sequence[str], *, language: Language,
    is_practice: bool = False,
) -> str:  # fmt: skip
    """Return the page."""
    words = page_words(language)
    verdict = words["failed" if reasons else "passed"]
    parts = [f"<h1>{words['title']}: {verdict}</h1>"]
    parts += [f"<p>{escape(reason)}</p>" for reason in reasons]
    if is_practice:
        parts.append(f"<p>{words['practice']}</p>")
    parts.append(_standings(places, words))
    by_row: dict[str, list[ScoredRow]] = {}
    for result in results:
        by_row.setdefault(result.row.key, []).append(result)
    differing = [row for row in by_row.values() if len({result.value for result in row}) > 1]
    wrong = [row for row in by_row.values() if row not in differing and any(each.value != 1 for each in row)]
    parts.append(f"<p>{words['marks']}</p>")
    parts += _rows(words["differing"], differing, words) + _rows(words["wrong"], wrong, words)
    if len(differing) + len(wrong) < len(by_row):
        parts.append(f"<p>{words['right']}</p>")
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{words["title"]}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _standings(places: Sequence[SubjectStanding], words: Mapping[str, str]) -> str:
    names = ("rows", "score", "interval", "beside", "cost", "latency", "no_answer", "unscored")
    head = "".join(f'<th class="number">{words[name]}</th>' for name in names)
    rows = []
    for standing in places:
        quality = standing.quality
        cells = (
            str(standing.rows),
            "-" if quality is None else f"{quality.mean:.3f}",
            _range(quality),
            "-"
            if standing.beside_first is None
            else f"{standing.beside_first.mean:+.3f} {_range(standing.beside_first)}",
            format_usd(standing.cost_nusd),
            seconds(standing.latency_s),
            str(standing.failed),
            str(standing.unscored),
        )
        columns = "".join(f'<td class="number">{escape(cell)}</td>' for cell in cells)
        rows.append(f"<tr><td>{escape(standing.subject)}</td>{columns}</tr>")
    return f"<table><tr><th>{words['subject']}</th>{head}</tr>{''.join(rows)}</table>"


def _range(interval: MeanInterval | None) -> str:
    return "-" if interval is None else f"[{interval.low:.3f}, {interval.high:.3f}]"


def _rows(title: str, rows: Sequence[Sequence[ScoredRow]], words: Mapping[str, str]) -> list[str]:
    if not rows:
        return []
    subjects = "".join(f"<th>{escape(result.subject)}</th>" for result in rows[0])
    head = f"<tr><th>{words['row']}</th><th>{words['asked']}</th><th>{words['expected']}</th>{subjects}</tr>"
    body = "".join(_row(row) for row in rows[:_ROWS_MAX])
    parts = [f"<h2>{title} ({len(rows)})</h2><table>{head}{body}</table>"]
    if len(rows) > _ROWS_MAX:
        parts.append(f"<p>{words['more'].format(count=len(rows) - _ROWS_MAX)}</p>")
    return parts


def _row(results: Sequence[ScoredRow]) -> str:
    row = results[0].row
    expected = "" if row.expected is None else row.expected_text
    cells = [escape(row.id), escape(_cut(row.asks)), escape(_cut(expected))]
    cells += [_answer(result, expected) for result in results]
    columns = "".join(f'<td class="text">{cell}</td>' for cell in cells)
    return f"<tr>{columns}</tr>"


def _answer(result: ScoredRow, expected: str) -> str:
    value = result.value
    kind = "part" if value is None else {1.0: "right", 0.0: "wrong"}.get(value, "part")
    shown = "?" if value is None else f"{value:.2f}"
    reasons = "; ".join(f"{name}: {score.reason}" for name, score in result.scores.items() if score.reason)
    text = result.answer.error or result.answer.text
    marked = (
        marked_differences(_cut(text), _cut(expected))
        if expected and not result.answer.error
        else escape(_cut(text))
    )
    return f'<b class="{kind}">{shown}</b> {marked}<br><small>{escape(reasons)}</small>'


def marked_differences(text: str, expected: str) -> str:
    """Return a text as HTML: words that are not expected in `ins`, those that are missing in `del`."""
    ours, theirs = text.split(), expected.split()
    parts = []
    for kind, from_, to, begin, end in SequenceMatcher(None, theirs, ours, autojunk=False).get_opcodes():
        missing, extra = escape(" ".join(theirs[from_:to])), escape(" ".join(ours[begin:end]))
        if kind == "equal":
            parts.append(extra)
            continue
        parts += [f"<del>{missing}</del>"] if missing else []
        parts += [f"<ins>{extra}</ins>"] if extra else []
    return " ".join(parts)


def _cut(text: str) -> str:
    return text if len(text) <= _CHARS_MAX else f"{text[:_CHARS_MAX]} …"
