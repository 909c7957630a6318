"""A plan lists what is asked, in order, and what is left out."""

from dataclasses import FrozenInstanceError

import pytest

from orchestrator.core.money import ZERO_NUSD
from orchestrator.core.plan import Candidate, Excluded, Plan


def candidate(name: str) -> Candidate:
    return Candidate(name, 0.5, {}, ZERO_NUSD, ZERO_NUSD, 10, 20, 100, ("in the route",))


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
    with pytest.raises(FrozenInstanceError):
        PLAN.reserve = ()  # type: ignore[misc]
