"""How an operating point is chosen: on one part of the prompts, by cross-validation, and applied to the rest.

A policy is worth its quality beside the best single model, less one standard error, less its share of that
model's cost times a fixed rate. A single model that is a point worse with that error is not taken at any cost;
an agreement where it is a point worse on average, for where it errs the judge has mostly not been asked. The rate,
the margin and the shape (two voters, at most one more, the best model as judge) are set by hand, and were set
while looking at one folder of records: how well they do is told by another folder.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from zlib import crc32

import numpy as np

from benchmarks.routing.pools import Pool, vendor_of
from benchmarks.routing.replay import Policy, decisions, outcome
from orchestrator.policies.agreement import Order

POINTS_PER_COST = 0.15
"""All of the best model's cost is worth fifteen points of quality; a tenth of it one and a half."""
MARGIN = 0.01
"""What is so much worse is not taken."""
FOLDS = 8
_BEAM = 4
_TIE_BREAKERS_MAX = 1
_CHEAP_SHARE = 0.35
_BEHIND_MAX = 0.3
_PROMPTS_MIN = 40
"""With fewer labelled prompts nothing is chosen: the best single model stays."""


def parts_of(pool: Pool, *, parts: int) -> list[list[int]]:
    """Return the places of a pool in parts of about one size, by a hash of the prompt's id."""
    places: list[list[int]] = [[] for _ in range(parts)]
    for at, prompt in enumerate(pool.prompts):
        places[crc32(prompt.id.encode()) % parts].append(at)
    return places


def cross_fitted(pool: Pool) -> Iterator[tuple[list[int], Pool]]:
    """Yield the places of each quarter of a pool, and the other three, on which it is chosen for."""
    parts = parts_of(pool, parts=4)
    for at, places in enumerate(parts):
        yield places, pool.part([place for other in parts[:at] + parts[at + 1 :] for place in other])


def choose(pool: Pool) -> Policy:
    """Return the policy for a kind of work, chosen on these prompts alone."""
    reference = pool.best
    if len(pool.prompts) < _PROMPTS_MIN:
        return reference
    families: list[Callable[[Pool], Policy]] = [lambda _: reference, cheapest_as_good]
    if pool.can_vote:
        families += [
            lambda part, depth=depth: best_agreement(part, depth=depth)
            for depth in range(_TIE_BREAKERS_MAX + 1)
        ]
    worths = [_cross_validated(pool, family, reference) for family in families]
    chosen = families[int(np.argmax(worths))](pool)
    return chosen if worth(chosen, pool, reference) >= worth(reference, pool, reference) else reference


def cheapest_as_good(pool: Pool) -> str:
    """Return the single model that is worth most."""
    return max(pool.models, key=lambda model: worth(model, pool, pool.best))


def best_agreement(pool: Pool, *, depth: int) -> Policy:
    """Return the agreement with so many tie-breakers that is worth most; the best model is its judge."""
    judge = pool.best
    cheap = [model for model in pool.models if _may_vote(model, judge, pool)]

    known: dict[Order, float] = {}

    def value(order: Order) -> float:
        if order not in known:
            known[order] = worth(order, pool, judge)
        return known[order]

    # The better of two answers first.
    cheap.sort(key=lambda model: pool.scores[model].mean(), reverse=True)
    orders = [
        Order(pair, (), judge)
        for pair in combinations(cheap, 2)
        if len({vendor_of(model) for model in pair}) == len(pair)
    ]
    for _ in range(depth):
        best = sorted(orders, key=value, reverse=True)[:_BEAM]
        orders = [more for order in best for more in _with_one_more(order, cheap)] or best
    return max(orders, key=value, default=judge)


def worth(policy: Policy, pool: Pool, reference: str) -> float:
    """Return what a policy is worth: quality beside the reference less one standard error, less its cost."""
    return _worth(*_beside(policy, pool, reference), votes=isinstance(policy, Order))


def _beside(policy: Policy, pool: Pool, reference: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    quality, cost = outcome(decisions(policy, pool), pool)
    return quality - pool.scores[reference], cost, pool.costs[reference]


def _worth(difference: np.ndarray, cost: np.ndarray, reference_cost: np.ndarray, *, votes: bool) -> float:
    low = difference.mean() - difference.std() / len(difference) ** 0.5
    if (difference.mean() if votes else low) < -MARGIN:
        # Still in an order, for a search that has to go through it.
        return float(low) - 1.0
    return float(low - POINTS_PER_COST * cost.sum() / reference_cost.sum())


def _cross_validated(pool: Pool, family: Callable[[Pool], Policy], reference: str) -> float:
    """Return what a family is worth on prompts that it was not chosen on."""
    parts = parts_of(pool, parts=2 * FOLDS + 1)[: 2 * FOLDS]
    folds = [parts[at] + parts[at + FOLDS] for at in range(FOLDS)]
    measured, votes = [], False
    for held in folds:
        inside = set(held)
        rest = [at for at in range(len(pool.prompts)) if at not in inside]
        policy = family(pool.part(rest))
        votes = votes or isinstance(policy, Order)
        measured.append(_beside(policy, pool.part(held), reference))
    columns = (np.concatenate(column) for column in zip(*measured, strict=True))
    return _worth(*columns, votes=votes)


def _may_vote(model: str, judge: str, pool: Pool) -> bool:
    is_cheap = pool.costs[model].sum() <= _CHEAP_SHARE * pool.costs[judge].sum()
    return is_cheap and pool.scores[model].mean() >= pool.scores[judge].mean() - _BEHIND_MAX


def _with_one_more(order: Order, cheap: Sequence[str]) -> Iterator[Order]:
    vendors = {vendor_of(model) for model in (*order.voters, *order.tie_breakers)}
    for model in cheap:
        if vendor_of(model) not in vendors:
            yield Order(order.voters, (*order.tie_breakers, model), order.judge)
