"""A plan lists what is asked, in order, and what is left out."""

import pytest

from orchestrator.core.money import ZERO_NUSD
from orchestrator.core.plan import Candidate, Excluded, LeftOut, Plan


def candidate(name: str) -> Candidate:
    return Candidate(name, 0.5, (), ZERO_NUSD, ZERO_NUSD, 10, 20, 100, ("in the route",))


PLAN = Plan(
    "customer_service",
    (candidate("a"), candidate("b")),
    excluded=(Excluded("c", "its circuit is open"),),
    reserve=(candidate("d"),),
)


def test_the_reserve_is_asked_after_all_candidates_and_what_is_excluded_never():
    assert [place.deployment for place in PLAN.asked] == ["a", "b", "d"]


def test_a_plan_is_frozen():
    """Several attempts read one plan at the same time."""
    with pytest.raises(AttributeError):
        PLAN.reserve = ()  # type: ignore[misc]


def test_what_is_left_out_is_put_together_once_and_only_when_somebody_looks():
    looks = []

    def look():
        looks.append(1)
        return (Excluded("c", "its circuit is open"), Excluded("d", "cannot: vision"))

    left_out = LeftOut(look, noted=[Excluded("c", "its circuit is open")]).behind((Excluded("o", "off"),))
    plan = Plan("customer_service", (candidate("a"),), excluded=left_out)
    assert [plan.why_left_out(name) for name in "aco"] == [None, "its circuit is open", "off"]
    assert looks == []
    assert (plan.why_left_out("d"), plan.why_left_out("x")) == ("cannot: vision", None)
    assert [each.deployment for each in left_out] == ["o", "c", "d"]
    assert (len(left_out), left_out == tuple(left_out), left_out == ()) == (3, True, False)
    assert looks == [1]
