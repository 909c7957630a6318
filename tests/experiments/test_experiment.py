"""Who is on which side: always the same for a user, as many as the share says, and more for a larger share."""

from datetime import UTC, date, datetime

import pytest

from orchestrator.core.arms import ArmKind
from orchestrator.experiments.decision import DecidedBy, Verdict, decided
from orchestrator.experiments.experiment import ExperimentState, experiment_from
from orchestrator.experiments.settings import ExperimentSettings

TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
AB = {"use_case": "support", "candidate": "b/model", "mode": "ab", "share": 0.3, "metric": "rating"}
SHADOW = {**AB, "mode": "shadow", "metric": "cost", "budget": {"day": 1}}


def experiment(fields=AB, *, name="faq", live=("a/model",), decision=None, **changes):
    settings = ExperimentSettings.model_validate({**fields, **changes})
    return experiment_from(name, settings, live=live, decision=decision)


def candidates(tested, users, tenant="acme"):
    return {
        user
        for user in users
        if tested.arm_of(tenant=tenant, user=user, request_id="r", today=TODAY).kind is ArmKind.CANDIDATE
    }


USERS = [f"user-{number}" for number in range(3000)]


def test_a_user_is_on_one_side_whatever_is_asked_and_when():
    tested = experiment()
    for user in USERS[:20]:
        sides = {
            tested.arm_of(tenant="acme", user=user, request_id=f"{number}", today=date(2026, 11, number)).kind
            for number in range(1, 20)
        }
        assert len(sides) == 1


def test_the_share_of_users_is_as_said_and_a_larger_one_keeps_who_was_in():
    few, many = candidates(experiment(share=0.1), USERS), candidates(experiment(share=0.3), USERS)
    assert abs(len(few) / len(USERS) - 0.1) < 0.02
    assert abs(len(many) / len(USERS) - 0.3) < 0.03
    assert few < many


def test_tenants_and_experiments_draw_by_themselves():
    first = candidates(experiment(share=0.5), USERS)
    for others in (
        candidates(experiment(share=0.5), USERS, tenant="globex"),
        candidates(experiment(share=0.5, name="faq2"), USERS),
    ):
        assert 0.4 < len(first & others) / len(first) < 0.6


def test_without_a_user_each_request_is_drawn_and_the_reason_says_so():
    tested = experiment(share=0.5)
    arms = [
        tested.arm_of(tenant="acme", user=None, request_id=f"{number}", today=TODAY) for number in range(400)
    ]
    assert 150 < sum(arm.kind is ArmKind.CANDIDATE for arm in arms) < 250
    assert "it names no user" in arms[0].text


def test_shadows_are_drawn_for_each_request_and_the_side_stays_live():
    arms = [
        experiment(SHADOW).arm_of(tenant="acme", user="u", request_id=f"{number}", today=TODAY)
        for number in range(600)
    ]
    drawn = [arm for arm in arms if arm is not None]
    assert 130 < len(drawn) < 230
    assert all(arm.is_shadowed and not arm.asks_candidate for arm in drawn)


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, ExperimentState.RUNNING),
        ({"start": "2026-11-23", "end": "2026-11-23"}, ExperimentState.RUNNING),
        ({"start": "2026-11-24"}, ExperimentState.SCHEDULED),
        ({"end": "2026-11-22"}, ExperimentState.ENDED),
    ],
)
def test_it_runs_on_its_days_and_puts_nobody_on_a_side_on_others(fields, state):
    tested = experiment(**fields)
    assert tested.state(TODAY) is state
    arm = tested.arm_of(tenant="acme", user="u", request_id="r", today=TODAY)
    assert (arm is not None) == (state is ExperimentState.RUNNING)


def test_a_decision_counts_before_the_days_and_only_on_its_candidate():
    def decision(verdict, candidate):
        return decided("faq", verdict, candidate=candidate, at=NOW, by=DecidedBy.COMMAND, reason="")

    fingerprint = experiment().candidate
    promoted = experiment(decision=decision(Verdict.PROMOTED, fingerprint), end="2026-11-01")
    arms = [promoted.arm_of(tenant="t", user=user, request_id="r", today=TODAY) for user in USERS[:50]]
    assert {arm.kind for arm in arms} == {ArmKind.PROMOTED}
    rolled_back = experiment(decision=decision(Verdict.ROLLED_BACK, fingerprint))
    assert rolled_back.arm_of(tenant="t", user="u", request_id="r", today=TODAY) is None
    on_another = experiment(decision=decision(Verdict.PROMOTED, fingerprint), candidate="c/model")
    assert on_another.state(TODAY) is ExperimentState.RUNNING


@pytest.mark.parametrize(
    "changes",
    [{"share": 0.31}, {"candidate": "c/model"}, {"checks": [{"min_chars": 1}]}, {"live": ("d/model",)}],
)
def test_whatever_changes_what_is_compared_is_measured_anew(changes):
    assert experiment(**changes).label != experiment().label


def test_what_changes_no_answer_is_measured_on():
    assert experiment(margin=0.1, rule="roll_back_when_worse", end="2027-01-01").label == experiment().label
