"""When an answer is accepted because models agree, and who is asked next while they do not; pure decisions.

Two cheap models of different vendors seldom make the same mistake, so what both say is accepted. Else the
tie-breakers are asked, one after the other, until two of all agree; then the judge, whose answer counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.core.decision import AcceptedFor

QUORUM = 2
"""So many equal answers are accepted."""


@dataclass(frozen=True, slots=True)
class Order:
    """Whom an agreement asks, by name, in the order in which they are asked."""

    voters: tuple[str, ...]
    tie_breakers: tuple[str, ...]
    judge: str


@dataclass(frozen=True, slots=True)
class Ballot:
    """What became of one model that was asked."""

    name: str
    value: str | None
    """What it answered, in one spelling; None where it failed or its answer has no such value."""
    is_plain: bool = True
    """The value stands in the answer as such, and was not worked out from other words."""
    answered: bool = True
    """Whether there is an answer at all, with a value or without."""


@dataclass(frozen=True, slots=True)
class Ask:
    """These are asked next; their answers do not hang on each other."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accept:
    """This answer counts."""

    name: str
    reason: AcceptedFor


def decide(order: Order, ballots: Sequence[Ballot]) -> Ask | Accept | None:
    """Return whom to ask next, or whose answer counts; None where nobody is left to ask and none answered.

    `ballots` are of those asked so far, in any order.
    """
    cast = {ballot.name: ballot for ballot in ballots}
    agreed = _agreed(order, cast)
    if agreed is not None:
        return Accept(agreed.name, AcceptedFor.AGREED)
    waiting = tuple(name for name in order.voters if name not in cast)
    if waiting:
        return Ask(waiting)
    for name in (*order.tie_breakers, order.judge):
        if name not in cast:
            return Ask((name,))
    judged = cast[order.judge]
    if judged.value is not None:
        # Another may have said the same in the form that was asked for.
        return Accept(_clearest([judged, *_votes(order, cast)], judged).name, AcceptedFor.JUDGED)
    return _unconfirmed(order, cast, judged)


def _votes(order: Order, cast: Mapping[str, Ballot]) -> list[Ballot]:
    """Return the votes in the order of the policy; the judge has none."""
    return [cast[name] for name in (*order.voters, *order.tie_breakers) if name in cast]


def _agreed(order: Order, cast: Mapping[str, Ballot]) -> Ballot | None:
    """Return the first that gave a value which enough others gave too."""
    votes = _votes(order, cast)
    values = [each.value for each in votes if each.value is not None]
    first = next((each for each in votes if each.value and values.count(each.value) >= QUORUM), None)
    return None if first is None else _clearest(votes, first)


def _clearest(votes: Sequence[Ballot], chosen: Ballot) -> Ballot:
    """Return who said the same as `chosen` in plain words first; `chosen` where nobody did."""
    same = (each for each in votes if each.value is not None and each.value == chosen.value)
    return next((each for each in same if each.is_plain), chosen)


def _unconfirmed(order: Order, cast: Mapping[str, Ballot], judged: Ballot) -> Accept | None:
    """Return the first vote that has a value; where there is none, whatever was answered, the judge first."""
    votes = _votes(order, cast)
    answered = [each for each in (judged, *votes) if each.answered]
    best = next((each for each in votes if each.value is not None), answered[0] if answered else None)
    if best is None:
        return None
    return Accept(best.name, AcceptedFor.JUDGED if best is judged else AcceptedFor.UNCONFIRMED)
