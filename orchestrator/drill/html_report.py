"""The scorecard of a drill as one page that needs nothing else: no script, no network."""

from html import escape
from typing import TYPE_CHECKING

from orchestrator.core.formatting import seconds
from orchestrator.core.money import format_usd

if TYPE_CHECKING:
    from orchestrator.drill.drill import Drill, Result

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1c2530; }
h1 { font-size: 1.4rem; margin-bottom: 0; }
p { color: #55606d; margin-top: 0.3rem; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
@media screen and (max-width: 34rem) { table { display: block; overflow-x: auto; } td { min-width: 6rem; } }
th { text-align: left; font-weight: 600; color: #55606d; }
th, td { padding: 0.3rem 0.7rem 0.3rem 0; border-bottom: 1px solid #e3e7eb; vertical-align: top; }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.verdict { white-space: nowrap; font-weight: 600; }
tr.failed td.verdict { color: #b3261e; } tr.failed { background: #fdf0ef; }
tr.rescued td.verdict { color: #1b6e3c; } tr.last-resort td.verdict { color: #8a5a00; }
"""

_HEAD = (
    "<tr><th>broken</th><th>asked for</th><th>verdict</th><th>answered by</th>"
    '<th class="number">time</th><th class="number">sends</th><th class="number">cost</th>'
    "<th>what the caller saw</th></tr>"
)


def page(done: "Drill", config: str) -> str:
    """Return the page; `config` is the path of the configuration that was drilled."""
    total, failed = len(done.results), len(done.failed)
    verdict = "every case ended as it should" if not failed else f"{failed} of {total} cases failed"
    summary = (
        f"{config}: {total} cases, waits {done.speed:g} times shorter than configured; booked "
        f"{format_usd(done.booked_nusd)}, billed {format_usd(done.billed_nusd)} by practice providers."
    )
    parts = [f"<h1>Drill: {escape(verdict)}</h1>", f"<p>{escape(summary)}</p>"]
    for use_case in dict.fromkeys(result.case.use_case for result in done.results):
        rows = "".join(_row(result) for result in done.results if result.case.use_case == use_case)
        parts.append(f"<h2>{escape(use_case)}</h2><table>{_HEAD}{rows}</table>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Drill</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _row(result: "Result") -> str:
    cells = (
        ("", result.case.broken),
        ("", "stream" if result.case.stream else "whole"),
        ("verdict", result.verdict.value),
        ("", result.answered_by or "nobody"),
        ("number", seconds(result.took_s)),
        ("number", str(result.sends)),
        ("number", format_usd(result.cost_nusd)),
        ("", result.saw),
    )
    columns = "".join(f'<td class="{name}">{escape(text)}</td>' for name, text in cells)
    return f'<tr class="{result.verdict.value.replace(" ", "-")}">{columns}</tr>'
