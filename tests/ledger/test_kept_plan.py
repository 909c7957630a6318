"""What is kept of a plan: everything but words, and never much."""

import orjson
import pytest

from orchestrator.core.errors import FailedStep
from orchestrator.core.money import NanoUsd
from orchestrator.core.plan import Candidate, Excluded, Plan, Reason, ReasonKind
from orchestrator.ledger.kept_plan import (
    KEPT_MAX,
    NO_TERMS,
    KeptStep,
    OwnTerms,
    packed_plan,
    terms_in,
    unpacked_plan,
)

SECRET = "words of config.yaml and of nobody's prompt"


def candidate(name: str, *kinds: ReasonKind, score: float = 0.81234, bound: int = 8_732_500) -> Candidate:
    reasons = tuple(Reason(kind, SECRET) for kind in kinds)
    return Candidate(name, score, (), NanoUsd(1), NanoUsd(bound), 10, 20, 800, reasons)


def excluded(name: str, kind: ReasonKind) -> Excluded:
    return Excluded(name, Reason(kind, SECRET))


def kept(plan: Plan, *passed_over: FailedStep):
    packed = packed_plan(plan, passed_over)
    return unpacked_plan(packed.shape, packed.numbers)


def test_a_plan_comes_back_with_order_scores_bounds_and_kinds_of_reasons_but_no_words():
    plan = Plan(
        "support",
        (
            candidate("a/x", ReasonKind.ROUTE),
            candidate("b/x", ReasonKind.ROUTE, ReasonKind.CLAMPED, score=0.5, bound=0),
        ),
        (
            excluded("c/x", ReasonKind.CAPABILITY),
            excluded("d/x", ReasonKind.BEHIND),
            excluded("e/x", ReasonKind.BEHIND),
        ),
        reserve=(candidate("f/x", ReasonKind.RESERVE),),
    )
    packed = packed_plan(plan, (FailedStep("a/x", "circuit open"),))
    assert SECRET not in packed.shape + packed.numbers
    plan_again = unpacked_plan(packed.shape, packed.numbers)
    assert [
        (step.deployment, step.score, step.bound_nusd, step.reasons, step.is_reserve)
        for step in plan_again.candidates
    ] == [
        ("a/x", 0.812, 8_732_500, ("route",), False),
        ("b/x", 0.5, 0, ("route", "clamped"), False),
        ("f/x", 0.812, 8_732_500, ("reserve",), True),
    ]
    assert plan_again.left_out == (KeptStep("c/x", "capability"),)
    assert plan_again.left_out_more == {"behind": 2}
    assert plan_again.passed_over == (KeptStep("a/x", "circuit open"),)


def test_requests_of_one_shape_share_its_key_and_others_do_not():
    first = packed_plan(Plan("support", (candidate("a/x", ReasonKind.ROUTE, bound=1),)))
    second = packed_plan(Plan("support", (candidate("a/x", ReasonKind.ROUTE, bound=2, score=0.1),)))
    other = packed_plan(Plan("support", (candidate("a/x", ReasonKind.STRENGTH, bound=1),)))
    assert (first.shape_key, first.shape) == (second.shape_key, second.shape)
    assert first.numbers != second.numbers
    assert other.shape_key != first.shape_key
    assert 0 <= first.shape_key < 2**63


def test_a_plan_over_a_thousand_deployments_with_the_longest_names_stays_small():
    names = [f"{number:04}/".ljust(128, "x") for number in range(1000)]
    plan = Plan(
        "support",
        tuple(candidate(name, ReasonKind.ROUTE) for name in names),
        tuple(excluded(name, ReasonKind.CAPABILITY) for name in names),
        reserve=tuple(candidate(name, ReasonKind.RESERVE) for name in names),
    )
    packed = packed_plan(plan, [FailedStep(name, "y" * 5000) for name in names])
    assert len(packed.shape) + len(packed.numbers) < 16_000
    plan_again = unpacked_plan(packed.shape, packed.numbers)
    assert len(plan_again.left_out) == len(plan_again.passed_over) == KEPT_MAX
    assert plan_again.left_out_more == {"capability": 1000 - KEPT_MAX}


@pytest.mark.parametrize(
    ("shape", "numbers"),
    [
        (None, "[[]]"),
        ("[[],[],[],{}]", None),
        ("no JSON", "[[]]"),
        ("[[],[],[],{}]", "{}"),
        ('[[["a/x",["route"]]],[],[],{}]', "[[]]"),
        ("[1,2,3,4]", "[[]]"),
        ("{}", "[[]]"),
        ('[[],[],[],{"behind":"many"}]', "[[]]"),
        (orjson.dumps([[["a/x", 5]], [], [], {}]).decode(), "[[[812,5]]]"),
    ],
)
def test_a_damaged_plan_is_none_and_hides_nothing_else(shape, numbers):
    assert unpacked_plan(shape, numbers) is None


@pytest.mark.parametrize(
    "terms",
    [NO_TERMS, OwnTerms(max_tokens=0), OwnTerms("a/x", 40, NanoUsd(7), 2.5), OwnTerms(deadline_s=0.25)],
    ids=str,
)
@pytest.mark.parametrize("passed_over", [(), (FailedStep("a/x", "circuit open"),)], ids=["asked", "passed"])
def test_what_a_request_asked_for_itself_comes_back(terms, passed_over):
    packed = packed_plan(Plan("support", (candidate("a/x", ReasonKind.ROUTE),)), passed_over, terms=terms)
    plan_again = unpacked_plan(packed.shape, packed.numbers)
    assert (plan_again.terms, plan_again.decision) == (terms, None)
    assert len(plan_again.passed_over) == len(passed_over)
    assert terms_in(packed.numbers) == terms


@pytest.mark.parametrize(
    "numbers", ["[]", "{}", "[[],[],null,[1]]", '[[],[],null,[null,"x",null,null]]', "x"]
)
def test_terms_that_cannot_be_read_are_none(numbers):
    assert terms_in(numbers) == NO_TERMS
