"""An evaluation asks each row once, keeps within its budget however often it is started, and says what it cost."""

import pytest

from orchestrator.core.errors import UnknownNameError
from orchestrator.evaluation.case import EvaluationError
from orchestrator.evaluation.summary import standings, why_not_passed
from tests.evaluation.conftest import FLASH, LUNA, SONNET

ROWS = [f'{{"id":"r{n}","prompt":"Where is parcel {n}?","expected":"delivery"}}' for n in range(6)]


def test_every_row_to_every_model_once_and_booked_as_billed(speaking, golden, evaluation):
    orchestrator, transport, voices = speaking()
    results = evaluation(orchestrator, golden(*ROWS), models=[LUNA, FLASH]).run()
    luna, flash = standings(results)
    assert (luna.quality.mean, flash.quality.mean) == (1, 0)
    assert flash.beside_first.mean == -1
    assert len(voices.asked) == 12
    assert luna.cost_nusd + flash.cost_nusd == transport.bill.total_nusd() > 0


def test_another_start_asks_nothing_twice(speaking, golden, evaluation):
    orchestrator, _, voices = speaking()
    path = golden(*ROWS)
    first = evaluation(orchestrator, path, models=[LUNA]).run()
    again = evaluation(
        orchestrator, golden(*ROWS, ROWS[0].replace("r0", "new").replace("0?", "9?")), models=[LUNA]
    )
    priced = again.estimate()
    assert (priced.calls, priced.kept) == (1, 6)
    assert again.run()[:6] == first
    assert len(voices.asked) == 7


def test_the_budget_of_all_starts_together_is_never_passed(speaking, golden, evaluation):
    orchestrator, transport, voices = speaking()
    path = golden(*ROWS)
    bound_nusd = (
        orchestrator.explain("Where is parcel 0?", use_case="cost_sensitive", model=LUNA).asked[0].bound_nusd
    )
    evaluation(
        orchestrator, golden(ROWS[0], name="one.jsonl"), models=[LUNA], results=path.with_name("one")
    ).run()
    cost_nusd = transport.bill.total_nusd()
    # A fourth answer finds three paid, and could not be held.
    limit_nusd = bound_nusd + 2 * cost_nusd
    for answers in (3, 3):
        limited = evaluation(orchestrator, path, models=[LUNA])
        results = limited.run(max_cost_usd=f"{limit_nusd / 1e9:.9f}", concurrency=1)
        assert len(voices.asked) - 1 == answers
        assert transport.bill.total_nusd() - cost_nusd <= limit_nusd
        reasons = why_not_passed(standings(results), min_score=None, stopped=limited.stopped)
        assert len(reasons) == 2
        assert reasons[1].startswith(
            f"{LUNA}: 3 of 6 rows have no score, first line 4 (row 'r3'), label: not asked"
        )
    limited.run(max_cost_usd="0.01")
    assert limited.stopped == ""
    assert len(voices.asked) - 1 == 6


def test_several_at_once_hold_no_more_than_the_budget_and_still_use_it_up(speaking, golden, evaluation):
    orchestrator, transport, voices = speaking()
    bound_nusd = (
        orchestrator.explain("Where is parcel 0?", use_case="cost_sensitive", model=LUNA).asked[0].bound_nusd
    )
    limit_nusd = bound_nusd * 3 // 2
    crowded = evaluation(orchestrator, golden(*ROWS), models=[LUNA])
    crowded.run(max_cost_usd=f"{limit_nusd / 1e9:.9f}", concurrency=4)
    assert transport.bill.total_nusd() <= limit_nusd
    assert crowded.stopped == ""
    assert len(voices.asked) == 6


def test_a_budget_too_small_for_any_answer_sends_nothing(speaking, golden, evaluation):
    orchestrator, _, voices = speaking()
    poor = evaluation(orchestrator, golden(*ROWS), models=[SONNET])
    results = poor.run(max_cost_usd="0.000001")
    assert "run" in poor.stopped
    assert voices.asked == []
    assert {result.value for result in results} == {None}
    assert why_not_passed(standings(results), min_score=None, stopped=poor.stopped)


def test_the_estimate_bounds_what_is_billed(speaking, golden, evaluation):
    orchestrator, transport, _ = speaking()
    made = evaluation(orchestrator, golden(*ROWS), models=[LUNA, SONNET])
    priced = made.estimate()
    made.run()
    assert 0 < transport.bill.total_nusd() <= priced.bound_nusd
    assert priced.expected_nusd <= priced.bound_nusd


def test_a_judge_is_asked_twice_a_row_from_a_budget_of_its_own_and_once_ever(speaking, golden, evaluation):
    orchestrator, _, voices = speaking(**{"claude-sonnet-5.5": "A"})
    options = {"models": [LUNA], "scorers": [f"judge:{SONNET}"]}
    with pytest.raises(EvaluationError, match="set --judge-max-cost-usd"):
        evaluation(orchestrator, golden(*ROWS[:2]), **options).run()
    results = evaluation(orchestrator, golden(*ROWS[:2]), **options).run(judge_max_cost_usd="1")
    # It says A whoever stands there: a draw.
    assert [result.value for result in results] == [0.5, 0.5]
    asked = len(voices.asked)
    assert asked == 2 + 4
    evaluation(orchestrator, golden(*ROWS[:2]), **options).run(judge_max_cost_usd="1")
    assert len(voices.asked) == asked


def test_what_cannot_be_measured_is_refused_before_anything_is_sent(speaking, golden, evaluation):
    orchestrator, _, voices = speaking()
    with pytest.raises(UnknownNameError):
        evaluation(orchestrator, golden(*ROWS), models=["gpt-7"])
    with pytest.raises(UnknownNameError):
        evaluation(orchestrator, golden(*ROWS), scorers=["judge:gpt-7"])
    with pytest.raises(EvaluationError, match="at least one scorer"):
        evaluation(orchestrator, golden(*ROWS), scorers=[])
    for_chains = golden('{"id":"a","input":{"question":"x"},"expected":"y"}')
    with pytest.raises(EvaluationError, match="only 'input'"):
        evaluation(orchestrator, for_chains, models=[LUNA]).estimate()
    assert voices.asked == []


def test_without_models_the_use_case_answers_as_it_stands(speaking, golden, evaluation):
    orchestrator, _, _ = speaking()
    (result, *_) = evaluation(orchestrator, golden(*ROWS)).run()
    assert result.subject == "use_case:cost_sensitive"
    assert result.answer.deployment in orchestrator.config.settings.deployments
