"""The scorecard of a drill as one page that needs nothing else: no script, no network."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.core.figures import Figures
from orchestrator.core.language import Language
from orchestrator.core.vietnamese import in_language
from orchestrator.drill.drill import CaseResult
from orchestrator.drill.scorecard_words import broken_in, scorecard_words
from orchestrator.reports.html_parts import Html, document, html_table, section, text

if TYPE_CHECKING:
    from orchestrator.drill.drill import Drill, Result

_COLUMNS = ("broken", "time", "sends", "cost", "asked", "verdict", "answered_by", "saw")
_NUMBERS = 3
_MARKS = {CaseResult.FAILED: "wrong", CaseResult.RESCUED: "right", CaseResult.LAST_RESORT: "part"}


def page(done: "Drill", config: str, language: Language) -> str:
    """Return the page; `config` is the path of the configuration that was drilled."""
    words, total, failed = scorecard_words(language), len(done.results), len(done.failed)
    figures = Figures(language)
    verdict = words["failures"].format(failed=failed, total=total) if failed else words["well"]
    summary = words["summary"].format(
        config=config,
        total=total,
        speed=figures.said(f"{done.speed:g}"),
        booked=figures.usd(done.booked_nusd),
        billed=figures.usd(done.billed_nusd),
    )
    title = f"{words['title']}: {verdict}"
    parts = [f"<h1>{text(title)}</h1>", f"<p class=soft>{text(summary)}</p>"]
    for use_case in dict.fromkeys(result.case.use_case for result in done.results):
        rows = [_row(result, language) for result in done.results if result.case.use_case == use_case]
        head = [words[name] for name in _COLUMNS]
        parts.append(section(use_case, html_table(head, rows, texts=len(_COLUMNS) - 1 - _NUMBERS)))
    return document(title, "".join(parts), language)


def _row(result: "Result", language: Language) -> Sequence[str]:
    words, figures = scorecard_words(language), Figures(language)
    return (
        broken_in(result.case.broken, language), figures.duration(result.took_s), str(result.sends),
        figures.usd(result.cost_nusd), words["stream" if result.case.stream else "whole"], _verdict(result, words),
        result.answered_by or words["nobody"], in_language(result.saw, language),
    )  # fmt: skip


def _verdict(result: "Result", words: Mapping[str, str]) -> Html:
    mark = _MARKS.get(result.verdict, "")
    return Html(f'<b class="{mark}">{text(words[result.verdict.value])}</b>')
