"""Feedback reaches the side of its request; what is proven worse is rolled back by the rule, and only that."""

import pytest

from orchestrator.experiments.comparison import Finding
from orchestrator.experiments.confidence import UNITS_MIN
from orchestrator.experiments.decision import DecidedBy, Verdict
from orchestrator.experiments.settings import Metric
from orchestrator.experiments.standing import by_rule, shadow_spending, standing_of
from tests.experiments.conftest import AB, CANDIDATE_WORDS, SHADOW, eventually

RULE = {**AB, "rule": "roll_back_when_worse"}


def standing(orchestrator):
    zone = orchestrator.config.settings.budgets.time_zone
    experiment = orchestrator.config.experiments[0]
    return standing_of(experiment, orchestrator.ledger_view, now=orchestrator.clock.now(), time_zone=zone)


@pytest.fixture
def rated(experimenting):
    """Ask as many users as are enough, and rate what they got as a function of the answer says."""

    def rate(fields, score_of):
        orchestrator = experimenting(fields)
        for number in range(int(2.6 * UNITS_MIN)):
            reply = orchestrator.complete("Hi", user=f"u{number}")
            orchestrator.feedback(reply.request_id, score=score_of(reply.text, number))
        return orchestrator

    return rate


def test_ratings_that_prove_it_worse_roll_it_back_by_the_rule(rated):
    orchestrator = rated(
        RULE, lambda text, number: 1 + number % 2 if text == CANDIDATE_WORDS else 4 + number % 2
    )
    known = standing(orchestrator)
    comparison = known.measured.by(Metric.RATING)
    assert (round(comparison.live.mean), round(comparison.candidate.mean)) in {(4, 1), (4, 2), (5, 1), (5, 2)}
    assert known.finding is Finding.WORSE
    decision = by_rule(known, now=orchestrator.clock.now())
    assert (decision.verdict, decision.by) == (Verdict.ROLLED_BACK, DecidedBy.RULE)
    assert "rating" in decision.reason
    assert by_rule(without_rule(known), now=orchestrator.clock.now()) is None


def without_rule(known):
    from dataclasses import replace

    settings = known.experiment.settings.model_copy(update={"rule": None})
    return replace(known, experiment=replace(known.experiment, settings=settings))


def test_nothing_is_decided_of_too_few_and_without_a_ledger(experimenting):
    orchestrator = experimenting(RULE)
    assert standing(orchestrator).finding is Finding.TOO_FEW
    orchestrator.feedback(orchestrator.complete("Hi", user="u1").request_id, score=1)
    known = standing(orchestrator)
    assert known.text == "too few answers to say anything: 0 live, 1 candidate, and 100 a side are needed"
    assert by_rule(known, now=orchestrator.clock.now()) is None


def test_what_shadows_have_spent_stands_beside_their_limit(experimenting):
    orchestrator = experimenting(SHADOW)
    experiment, ledger = orchestrator.config.experiments[0], orchestrator._services.ledger
    assert [spent for _, spent, _ in shadow_spending(experiment, ledger)] == [0]
    orchestrator.complete("Hi")
    ((window, spent, limit),) = eventually(
        lambda: [each for each in shadow_spending(experiment, ledger) if each[1]]
    )
    assert (window.value, limit) == ("day", 1_000_000_000)
    assert 0 < spent < limit
