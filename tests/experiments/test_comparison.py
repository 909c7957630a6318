"""What rows prove: users count once, pairs are compared, and a metric is worse where less of it is better."""

import random

import pytest

from orchestrator.core.arms import Arm, ArmKind, Preferred
from orchestrator.core.money import NanoUsd
from orchestrator.experiments.comparison import Finding, measured
from orchestrator.experiments.confidence import Sample, of_difference
from orchestrator.experiments.settings import ExperimentSettings, Metric
from orchestrator.ledger.facts import ArmRow

LABEL = "faq@1a2b3c4d"
AB = {"use_case": "support", "candidate": "b/model", "mode": "ab", "share": 0.5, "metric": "rating"}
SHADOW = {
    **AB, "mode": "shadow", "metric": "checks", "budget": {"day": 1}, "checks": [{"min_chars": 1}],
}  # fmt: skip


def settings(fields=AB, **changes):
    return ExperimentSettings.model_validate({**fields, **changes})


def row(identity, kind=ArmKind.LIVE, *, user=None, passed=None, of=None, preferred=None, **fields):
    tags = Arm(LABEL, kind, "", "c", shadow_of=of, preferred=preferred).tags(passed=passed)
    known = {
        "tenant": "acme", "outcome": "succeeded", "cached": "miss", "cost_nusd": NanoUsd(1_000_000),
        "latency_s": 1.0, "score": None, "is_corrected": False,
    }  # fmt: skip
    return ArmRow(id=str(identity), user=user, tags=("mine", *tags), **{**known, **fields})


def sides(live, candidate, units=400):
    """Return rows of as many users on each side, with what a function says of each."""
    rng = random.Random(5)  # noqa: S311 -- a drawn example
    return [
        row(f"{kind.value}{number}", kind, user=f"{kind.value}{number}", **fields(rng))
        for kind, fields in ((ArmKind.LIVE, live), (ArmKind.CANDIDATE, candidate))
        for number in range(units)
    ]


def scores(*choices):
    return lambda rng: {"score": float(rng.choice(choices))}


@pytest.mark.parametrize(
    ("live", "candidate", "margin", "finding"),
    [
        (scores(4, 5, 5), scores(1, 2, 5), 0.0, Finding.WORSE),
        (scores(1, 2, 5), scores(4, 5, 5), 0.0, Finding.BETTER),
        (scores(4, 5), scores(4, 5), 0.0, Finding.OPEN),
        (scores(4, 5), scores(4, 5), 0.5, Finding.NOT_WORSE),
        (scores(4, 4, 5), scores(4, 4, 4), 0.9, Finding.NOT_WORSE),
    ],
)
def test_ratings_prove_a_candidate_better_worse_or_no_worse(live, candidate, margin, finding):
    comparison = measured(sides(live, candidate), LABEL, settings(margin=margin)).by(Metric.RATING)
    assert comparison.finding is finding
    assert (comparison.live.count, comparison.candidate.count) == (400, 400)


@pytest.mark.parametrize(
    ("metric", "more"),
    [
        (Metric.COST, lambda rng: {"cost_nusd": NanoUsd(rng.randrange(2_000_000, 4_000_000))}),
        (Metric.LATENCY, lambda rng: {"latency_s": 2 + rng.random()}),
        (Metric.CORRECTION_RATE, lambda rng: {"is_corrected": rng.random() < 0.5}),
    ],
)
def test_more_of_what_should_be_little_is_worse(metric, more):
    rows = sides(lambda rng: {"latency_s": 1 + rng.random()}, more)
    assert measured(rows, LABEL, settings(metric=metric)).by(metric).finding is Finding.WORSE


def test_the_margin_of_cost_is_a_share_of_what_the_live_side_costs():
    dearer = sides(
        lambda rng: {"cost_nusd": NanoUsd(rng.randrange(900_000, 1_100_000))},
        lambda rng: {"cost_nusd": NanoUsd(rng.randrange(990_000, 1_210_000))},
    )
    assert measured(dearer, LABEL, settings(metric="cost")).by(Metric.COST).finding is Finding.WORSE
    allowed = measured(dearer, LABEL, settings(metric="cost", margin=0.2)).by(Metric.COST)
    assert allowed.finding is Finding.NOT_WORSE


def test_a_user_counts_once_however_often_he_asks():
    rows = [row(f"{number}", user="busy", score=1.0) for number in range(500)]
    rows += [row(f"c{number}", ArmKind.CANDIDATE, user="other", score=5.0) for number in range(500)]
    comparison = measured(rows, LABEL, settings()).by(Metric.RATING)
    assert (comparison.live.count, comparison.candidate.count) == (1, 1)
    assert comparison.finding is Finding.TOO_FEW


def test_answers_that_were_there_already_say_nothing_of_cost_and_time():
    rows = [row("a"), row("b", cached="hit", cost_nusd=NanoUsd(0), score=4.0), row("c", outcome="refused")]
    known = measured(rows, LABEL, settings())
    assert (known.by(Metric.COST).live.count, known.by(Metric.LATENCY).live.count) == (1, 1)
    assert known.by(Metric.RATING).live.count == 1


def test_a_shadow_is_compared_with_the_live_answer_that_it_stands_beside():
    rng = random.Random(5)  # noqa: S311 -- a drawn example
    rows = []
    for number in range(300):
        rows.append(row(f"l{number}", passed=rng.random() < 0.95))
        rows.append(row(f"s{number}", ArmKind.SHADOW, of=f"l{number}", passed=rng.random() < 0.5))
    # A live answer whose shadow was dropped, and a shadow whose live row is not written yet.
    rows += [row("alone", passed=False), row("s", ArmKind.SHADOW, of="not-there", passed=False)]
    known = measured(rows, LABEL, settings(SHADOW))
    comparison = known.by(Metric.CHECKS)
    assert (comparison.live.count, comparison.finding) == (300, Finding.WORSE)
    assert -0.6 < comparison.difference.value < -0.3
    assert (known.live_requests, known.candidate_requests) == (301, 301)
    assert known.by(Metric.CORRECTION_RATE) is None


def test_rows_of_other_experiments_and_of_the_time_after_a_decision_are_left_out():
    other = ArmRow(
        "x", "acme", None, ("arm:faq@ffffffff:live",), "succeeded", "miss", NanoUsd(1), 1.0, 5.0, False
    )
    known = measured([other, row("p", ArmKind.PROMOTED, score=1.0)], LABEL, settings())
    assert (known.live_requests, known.candidate_requests, known.comparisons) == (0, 0, ())


@pytest.mark.parametrize(
    ("who", "never"),
    [("a/live", True), (None, True), ("b/model", False)],
    ids=["route", "nobody", "candidate"],
)
def test_who_answered_on_the_candidates_side_is_counted(who, never):
    """Where a candidate fails, the route answers: that says nothing of the candidate."""
    rows = [row(number, ArmKind.CANDIDATE, user=f"u{number}", deployment=who) for number in range(3)]
    arms = measured([*rows, row(9, deployment="a/live")], LABEL, settings())
    assert arms.answered_by == ({} if who is None else {who: 3})
    assert arms.never_answered is never
    policy = settings(
        candidate={"agreement": {"voters": ["a/x", "b/y"], "judge": "c/z", "compare": {"by": "number"}}}
    )
    assert not measured(rows, LABEL, policy).never_answered


def test_how_much_is_missing_is_said_until_something_is_proven():
    few = measured(sides(scores(4, 5), scores(4, 5), units=40), LABEL, settings(share=0.1)).by(Metric.RATING)
    assert (few.finding, few.missing) == (Finding.TOO_FEW, 600), "60 on a side that every tenth user is on"
    near = measured(sides(scores(4, 5), scores(4, 4, 5), units=110), LABEL, settings()).by(Metric.RATING)
    assert near.finding is Finding.OPEN
    # The difference stays as it is: so many more of the same users, on both sides.
    times = 1 + near.missing / 220
    assert 1 < times < 10
    more = Sample(round(110 * times) + 5, near.live.mean, near.live.deviation)
    beside = Sample(round(110 * times) + 5, near.candidate.mean, near.candidate.deviation)
    assert of_difference(more, beside).high < 0
    proven = measured(sides(scores(4, 5, 5), scores(1, 2, 5)), LABEL, settings()).by(Metric.RATING)
    assert (proven.finding, proven.missing) == (Finding.WORSE, None)


@pytest.mark.parametrize(
    ("said", "finding", "mean"),
    [
        ([Preferred.CANDIDATE], Finding.BETTER, 1.0),
        ([Preferred.LIVE, Preferred.LIVE, Preferred.NEITHER], Finding.WORSE, 1 / 6),
        ([Preferred.LIVE, Preferred.CANDIDATE], Finding.OPEN, 0.5),
        ([Preferred.NEITHER], Finding.NOT_WORSE, 0.5),
    ],
)
def test_what_a_judge_prefers_is_compared_by_pairs_and_a_question_without_a_verdict_is_none(
    said, finding, mean
):
    judge = {"deployment": "c/model", "budget": {"day": 1}}
    fields = {**SHADOW, "metric": "judge", "judge": judge, "margin": 0.2 if len(said) == 1 else 0.0}
    rows = []
    for number in range(600):
        rows += [row(number), row(f"{number}s", ArmKind.SHADOW, of=str(number))]
        rows += [row(f"{number}a", ArmKind.JUDGE, of=str(number))]
        rows += [row(f"{number}b", ArmKind.JUDGE, of=str(number), preferred=said[number % len(said)])]
    found = measured(rows, LABEL, settings(fields))
    comparison = found.by(Metric.JUDGE)
    assert (found.live_requests, found.candidate_requests) == (600, 600)
    assert (comparison.finding, comparison.live.count) == (finding, 600)
    assert comparison.candidate.mean == pytest.approx(mean)
    assert comparison.live.mean == pytest.approx(1 - mean)
