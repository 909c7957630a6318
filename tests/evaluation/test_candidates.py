"""Policies are replayed by their own decisions, and every call is paid."""

from orchestrator.evaluation.candidates import candidates_of, policy_name, replayed_policy
from orchestrator.evaluation.comparing import compare_of
from orchestrator.evaluation.outcomes import outcomes_of
from orchestrator.policies.settings import CheckSettings
from tests.evaluation.conftest import scored

LABELS = ("delivery", "refund")
COST = {"cheap": 1, "other": 2, "third": 3, "best": 100}
SAID = {
    "a": {"cheap": "delivery", "other": "Delivery.", "third": "refund", "best": "refund"},
    "b": {"cheap": "delivery", "other": "refund", "third": "refund", "best": "delivery"},
    "c": {"cheap": "hm", "other": "hm", "third": "hm", "best": "delivery"},
}
VENDORS = {"cheap": "v1", "other": "v2", "third": "v3", "best": "v1"}


def outcomes():
    return outcomes_of(
        [
            scored(
                name, model, float(text.strip(".").lower() == "delivery"), text=text, cost_nusd=COST[model]
            )
            for name, said in SAID.items()
            for model, text in said.items()
        ],
        reference="best",
    )


def policies(vendors=VENDORS):
    return {
        policy_name(policy): policy
        for policy in candidates_of(
            outcomes(), reference="best", vendors=vendors, compare=compare_of(None, LABELS),
            checks=[CheckSettings(labels=LABELS)], version="1",
        )
    }  # fmt: skip


def test_two_that_agree_are_paid_and_believed_else_the_judge():
    replayed = replayed_policy(policies()["agreement: other, cheap | best"], outcomes()) if "agreement: other, cheap | best" in policies() else replayed_policy(policies()["agreement: cheap, other | best"], outcomes())  # fmt: skip
    assert replayed.scores == (1.0, 1.0, 1.0)
    assert replayed.costs_nusd == (3, 103, 103)


def test_an_escalation_goes_on_where_the_check_fails():
    replayed = replayed_policy(policies()["escalate: cheap > best"], outcomes())
    assert replayed.scores == (1.0, 1.0, 1.0)
    assert replayed.costs_nusd == (1, 1, 101)


def test_a_constant_model_is_paid_once_a_row():
    replayed = replayed_policy(policies()["constant: other"], outcomes())
    assert (replayed.scores, replayed.costs_nusd) == ((1.0, 0.0, 0.0), (2, 2, 2))


def test_voters_are_of_different_vendors():
    assert not any("agreement" in name for name in policies(dict.fromkeys(VENDORS, "v1")))
    for policy in policies().values():
        if policy.agreement is not None:
            vendors = [VENDORS[name] for name in (*policy.agreement.voters, *policy.agreement.tie_breakers)]
            assert len(set(vendors)) == len(vendors)
