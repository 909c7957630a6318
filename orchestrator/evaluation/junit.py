"""An evaluation as JUnit XML, which every CI server shows: a suite for each subject, a case for each row."""

from collections.abc import Sequence
from html import escape

from orchestrator.core.visible_text import visible
from orchestrator.evaluation.case import ScoredRow
from orchestrator.evaluation.summary import SubjectStanding

RIGHT_FROM = 0.5
"""A row with a lower score by any scorer is shown as failed."""


def junit(results: Sequence[ScoredRow], places: Sequence[SubjectStanding], *, min_score: float | None) -> str:
    """Return the XML; with `min_score` each suite has a case for its mean score besides."""
    suites = "".join(
        _suite(standing, [result for result in results if result.subject == standing.subject], min_score)
        for standing in places
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="evaluation">{suites}</testsuites>\n'


def _suite(standing: SubjectStanding, results: Sequence[ScoredRow], min_score: float | None) -> str:
    cases = [_case(result) for result in results]
    failures = sum(result.value is not None and _is_wrong(result) for result in results)
    if min_score is not None:
        mean = None if standing.quality is None else standing.quality.mean
        is_low = mean is None or mean < min_score
        failures += is_low
        words = f"the mean score is {mean}, and at least {min_score:g} is asked for"
        inside = f'<failure message="{_text(words)}"/>' if is_low else ""
        cases.append(f'<testcase classname="{_text(standing.subject)}" name="mean score">{inside}</testcase>')
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{standing.unscored}"'
    return f'<testsuite name="{_text(standing.subject)}" {counts}>{"".join(cases)}</testsuite>'


def _case(result: ScoredRow) -> str:
    reasons = "; ".join(f"{name}: {score.reason}" for name, score in result.scores.items() if score.reason)
    inside = ""
    if result.value is None:
        inside = f'<error message="{_text(reasons)}"/>'
    elif _is_wrong(result):
        inside = f'<failure message="{_text(reasons)}">{_text(result.answer.text)}</failure>'
    return (
        f'<testcase classname="{_text(result.subject)}" name="{_text(result.row.id)}" '
        f'time="{result.answer.latency_s:.3f}">{inside}</testcase>'
    )


def _is_wrong(result: ScoredRow) -> bool:
    return any(score.value is not None and score.value < RIGHT_FROM for score in result.scores.values())


def _text(text: str) -> str:
    """Return a text as XML 1.0 can hold it, in which nothing acts on the terminal of a CI server either."""
    text = visible(text)
    allowed = "".join(each if each in "\t\n\r" or " " <= each <= "\ud7ff" or "\ue000" <= each <= "\ufffd" or each >= "\U00010000" else "\ufffd" for each in text)  # fmt: skip
    return escape(allowed, quote=True)
