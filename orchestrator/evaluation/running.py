"""An evaluation under way: every row to every subject, within a budget, each answer kept as it comes."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from orchestrator.core.errors import BudgetExceededError
from orchestrator.core.run import Run
from orchestrator.evaluation.case import Answer, Row, Score, ScoredRow
from orchestrator.evaluation.journal import Journal
from orchestrator.evaluation.judging import Judge, JudgeStoppedError
from orchestrator.evaluation.scorers import Scorer, scored
from orchestrator.evaluation.subjects import Subject

Say = Callable[[str], None]
"""Shows how far it is."""
CONCURRENCY = 4
NOT_ASKED = "not asked: the budget is spent"


@dataclass(frozen=True, slots=True)
class Asked:
    """How the asking ended."""

    answers: int
    stopped: str = ""
    """Which limit ended it; empty where every row was asked."""


def ask_all(
    rows: Sequence[Row],
    subjects: Sequence[Subject],
    journal: Journal,
    *,
    run: Run,
    concurrency: int = CONCURRENCY,
    say: Say = lambda _: None,
) -> Asked:
    """Ask what is not in the journal yet; a spent budget ends it, and another start goes on."""
    todo = [
        (row, subject) for row in rows for subject in subjects if journal.answer_of(row, subject.name) is None
    ]
    refused = _together(todo, journal, run=run, concurrency=concurrency, say=say)
    # Money held for others in flight refuses too, so what was refused is asked once more, alone.
    for row, subject in refused:
        try:
            journal.keep_answer(row, subject.name, subject.ask(row, run=run))
        except BudgetExceededError as exc:
            return Asked(_count(rows, subjects, journal), str(exc))
    return Asked(_count(rows, subjects, journal))


def _together(
    todo: Iterable[tuple[Row, Subject]], journal: Journal, *, run: Run, concurrency: int, say: Say
) -> list[tuple[Row, Subject]]:
    """Ask several at once; return those that a budget refused, in no order."""
    refused: list[tuple[Row, Subject]] = []

    def ask(row: Row, subject: Subject) -> None:
        # After a refusal nothing new is begun: the rest is asked one by one.
        if refused:
            refused.append((row, subject))
            return
        try:
            journal.keep_answer(row, subject.name, subject.ask(row, run=run))
        except BudgetExceededError:
            refused.append((row, subject))

    with ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="evaluation") as pool:
        futures = [pool.submit(ask, row, subject) for row, subject in todo]
        try:
            for count, future in enumerate(as_completed(futures), start=1):
                future.result()
                say(f"asking: {count} of {len(futures)}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return refused


def _count(rows: Sequence[Row], subjects: Sequence[Subject], journal: Journal) -> int:
    return sum(journal.answer_of(row, subject.name) is not None for row in rows for subject in subjects)


def score_all(
    rows: Sequence[Row],
    subjects: Sequence[str],
    journal: Journal,
    *,
    scorers: Sequence[Scorer],
    judges: Sequence[Judge] = (),
    say: Say = lambda _: None,
) -> list[ScoredRow]:
    """Return every row and subject with its scores; judges are asked where the journal has no verdict yet."""
    results = []
    for count, row in enumerate(rows, start=1):
        for subject in subjects:
            answer = journal.answer_of(row, subject)
            if answer is None:
                answer, scores = (
                    Answer(error=NOT_ASKED),
                    {each.name: Score(None, NOT_ASKED) for each in (*scorers, *judges)},
                )
            else:
                scores = {scorer.name: scored(scorer, row, answer) for scorer in scorers}
                scores |= {judge.name: _judged(judge, row, subject, answer, journal) for judge in judges}
            results.append(ScoredRow(row, subject, answer, scores))
        say(f"scoring: {count} of {len(rows)}")
    return results


def _judged(judge: Judge, row: Row, subject: str, answer: Answer, journal: Journal) -> Score:
    if answer.error:
        return scored(judge, row, answer)
    verdict = journal.verdict_of(row, subject, judge.name)
    if verdict is not None:
        return verdict
    try:
        verdict = judge.score(row, answer)
    except JudgeStoppedError as exc:
        return Score(None, str(exc))
    journal.keep_verdict(row, subject, judge.name, verdict)
    return verdict
