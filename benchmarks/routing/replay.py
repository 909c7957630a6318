"""Policies replayed over recorded outcomes: who would have been called, all of them paid, and who answers.

The decisions are those of `orchestrator.policies.agreement`; here they are only made faster. What is decided
hangs on which answers are alike and not on what they say, so each pattern is decided once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from benchmarks.routing.pools import Floats, Pool
from orchestrator.policies.agreement import Accept, Ask, Ballot, Order, decide
from orchestrator.policies.normal_form import NormalForm

Pattern = tuple[tuple[int, bool], ...]
"""Of each model: which answer it gave (-1 is none that counts), and whether in plain words."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a policy does with one prompt."""

    calls: tuple[str, ...]
    """Every model that was asked."""
    answer: str


Policy = str | Order
"""One model for all prompts, or an agreement."""


def named(policy: Policy) -> tuple[str, ...]:
    """Return the models of a policy."""
    return (policy,) if isinstance(policy, str) else (*policy.voters, *policy.tie_breakers, policy.judge)


def run(policy: Policy, forms: Sequence[NormalForm | None]) -> Decided:
    """Return what a policy does with one prompt; `forms` are what its models said, in their order."""
    names = named(policy)
    if isinstance(policy, str):
        return Decided(names, policy)
    groups: dict[str, int] = {}
    pattern = tuple(
        (-1, True) if form is None else (groups.setdefault(form.value, len(groups)), form.is_plain)
        for form in forms
    )
    asked, answer = _decided(len(policy.voters), pattern)
    return Decided(names[:asked] if asked < len(names) else names, names[answer])


@lru_cache(maxsize=1 << 16)
def _decided(voters: int, pattern: Pattern) -> tuple[int, int]:
    """Return how many models are asked, and whose answer counts; models are asked in their order."""
    places = tuple(str(place) for place in range(len(pattern)))
    order = Order(places[:voters], places[voters:-1], places[-1])
    ballots: list[Ballot] = []
    while isinstance(step := decide(order, ballots), Ask):
        for name in step.names:
            group, is_plain = pattern[int(name)]
            ballots.append(Ballot(name, None if group < 0 else str(group), is_plain=is_plain))
    assert isinstance(step, Accept)
    return len(ballots), int(step.name)


def decisions(policy: Policy, pool: Pool) -> list[Decided]:
    """Return what a policy does with every prompt of a pool."""
    if isinstance(policy, str):
        return [run(policy, ())] * len(pool.prompts)
    columns = [pool.forms[name] for name in named(policy)]
    return [run(policy, row) for row in zip(*columns, strict=True)]


def outcome(decided: Sequence[Decided], pool: Pool) -> tuple[Floats, Floats]:
    """Return the quality and the cost of each decision, every call paid."""
    quality, cost = np.zeros(len(decided)), np.zeros(len(decided))
    groups: dict[Decided, list[int]] = {}
    for at, each in enumerate(decided):
        groups.setdefault(each, []).append(at)
    for each, places in groups.items():
        quality[places] = pool.scores[each.answer][places]
        cost[places] = sum(pool.costs[model][places] for model in each.calls)
    return quality, cost
