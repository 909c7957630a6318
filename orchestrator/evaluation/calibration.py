"""The cheapest policy that is proven not worse than the reference, or the reference.

One third of the rows, by a hash of their ids, chooses two policies: the surest and the cheapest of those
whose loss there is within the margin, one standard error included. The other two thirds have chosen
nothing, and test them in this order: the surest first, the cheapest only where that has passed. Passed
is who has the lower end of its paired 95 % interval within the margin. Of hypotheses in a fixed order
each may be tested in full (W. Maurer et al., 1995), so however many policies are tried, one that is
worse passes in at most one of forty calibrations.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from zlib import crc32

from orchestrator.evaluation.candidates import Replayed, replayed_policy
from orchestrator.evaluation.intervals import (
    MeanInterval,
    bootstrap,
    paired,
    rows_needed,
    rows_without_a_loss,
)
from orchestrator.evaluation.outcomes import Outcomes
from orchestrator.policies.settings import PolicySettings

MARGIN = 0.01
"""One point of a hundred."""
CHOOSE_MIN, CONFIRM_MIN = 20, 40
"""With fewer rows on either side nothing is chosen."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A policy beside the reference, on the rows that did not choose it."""

    replayed: Replayed
    quality: MeanInterval
    difference: MeanInterval
    share: float
    """Its cost as a part of the reference's; infinite where that is free."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is proposed, and how sure that is."""

    reference: str
    margin: float
    rows: int
    chosen_on: int
    confirmed_on: int
    proposed: Measured | None = None
    """None keeps the reference."""
    tried: Measured | None = None
    """The policy that was tested last; None where none was chosen."""
    all_replayed: tuple[Replayed, ...] = ()
    """Every policy on the confirming rows, for the plot alone: nothing is chosen by it."""
    reason: str = ""
    missing_rows: int | None = None
    """About how many more rows it would take; None where that is not the matter."""
    unsure: tuple[str, ...] = ()


def choose_policy(
    outcomes: Outcomes, policies: Sequence[PolicySettings], *, reference: str, margin: float = MARGIN
) -> Calibration:
    """Return the cheapest policy that is not inferior within the margin, or why the reference stays."""
    choose, confirm = _split(outcomes)
    begin = Calibration(reference, margin, len(outcomes.rows), len(choose), len(confirm))
    if len(choose) < CHOOSE_MIN or len(confirm) < CONFIRM_MIN:
        missing = max(least_rows(margin) - begin.rows, 5)
        few = "1 row is" if begin.rows == 1 else f"{begin.rows} rows are"
        reason = f"{few} too few to choose by: about {missing} more are missing"
        return replace(begin, reason=reason, missing_rows=missing, unsure=outcomes.notes)
    rest = outcomes.part(confirm)
    tested: list[Measured] = []
    for policy in _chosen(outcomes.part(choose), policies, reference, margin):
        tested.append(_measured(replayed_policy(policy, rest), rest, reference))
        if tested[-1].difference.low < -margin:
            break
    passed = [each for each in tested if each.difference.low >= -margin]
    proposed, tried = (passed[-1] if passed else None), (tested[-1] if tested else None)
    reason, missing_rows = _why(proposed, tried, rest, begin)
    return replace(
        begin, proposed=proposed, tried=tried, reason=reason, missing_rows=missing_rows,
        all_replayed=tuple(replayed_policy(policy, rest) for policy in policies),
        unsure=_unsure(outcomes, proposed or tried, rest, reference),
    )  # fmt: skip


def least_rows(margin: float) -> int:
    """Return about how many rows a margin takes, to choose and to confirm, even if no answer is worse."""
    # A hash seldom cuts exactly at a third, so some more than the fewest are asked for.
    fewest = 1.2 * max(3 * CHOOSE_MIN, 1.5 * CONFIRM_MIN)
    return math.ceil(max(fewest, rows_without_a_loss(margin) * 1.5))


def _split(outcomes: Outcomes) -> tuple[list[int], list[int]]:
    """Return the places that choose and those that confirm."""
    choose: list[int] = []
    confirm: list[int] = []
    for place, row in enumerate(outcomes.rows):
        (choose if crc32(row.id.encode()) % 3 == 0 else confirm).append(place)
    return choose, confirm


def _chosen(
    part: Outcomes, policies: Sequence[PolicySettings], reference: str, margin: float
) -> list[PolicySettings]:
    """Return the policies that are to be tested, in their order; none where no cheaper one will do."""
    theirs, most = part.scores[reference], part.cost_of(reference)
    suitable: list[tuple[float, int, PolicySettings]] = []
    for policy in policies:
        replayed = replayed_policy(policy, part)
        differences = [ours - other for ours, other in zip(replayed.scores, theirs, strict=True)]
        mean = math.fsum(differences) / len(differences)
        error = math.sqrt(math.fsum((each - mean) ** 2 for each in differences)) / len(differences)
        if mean - error >= -margin and replayed.cost_nusd < most:
            suitable.append((mean - error, replayed.cost_nusd, policy))
    if not suitable:
        return []
    surest = max(suitable, key=lambda each: (each[0], -each[1]))
    cheapest = min(suitable, key=lambda each: each[1])
    return [surest[2]] if surest[1] <= cheapest[1] else [surest[2], cheapest[2]]


def _measured(replayed: Replayed, part: Outcomes, reference: str) -> Measured:
    cost = part.cost_of(reference)
    return Measured(
        replayed,
        bootstrap(replayed.scores),
        paired(replayed.scores, part.scores[reference]),
        replayed.cost_nusd / cost if cost else math.inf,
    )


def _why(
    proposed: Measured | None, tried: Measured | None, rest: Outcomes, begin: Calibration
) -> tuple[str, int | None]:
    """Return the reason for what is proposed, and how many rows are missing where more would tell."""
    if proposed is not None:
        share = f"at {proposed.share:.2f} of its cost"
        return f"{_beside(proposed)} beside {begin.reference}, {share}", None
    if tried is None:
        return "no cheaper policy came within the margin on the rows that choose", None
    theirs = rest.scores[begin.reference]
    differences = [ours - other for ours, other in zip(tried.replayed.scores, theirs, strict=True)]
    needed = rows_needed(differences, begin.margin)
    failed = f"not confirmed: {_beside(tried)} beside {begin.reference}"
    if needed is None:
        return f"{failed}; it is worse by more than the margin, and more rows would not mend that", None
    missing = max(math.ceil(needed * 3 / 2) - begin.rows, 1)
    return f"{failed}; about {missing} more rows are missing to prove it or to refute it", missing


def _beside(measured: Measured) -> str:
    mean, low, high = (
        100 * each for each in (measured.difference.mean, measured.difference.low, measured.difference.high)
    )
    return f"{measured.replayed.name}: {mean:+.1f} points [{low:+.1f}, {high:+.1f}]"


def _unsure(outcomes: Outcomes, tried: Measured | None, rest: Outcomes, reference: str) -> tuple[str, ...]:
    notes = [
        "one answer of each model a row was looked at: a second one may differ",
        "rows that are not like the traffic prove nothing of the traffic",
        *outcomes.notes,
        *_labels_nobody_gave(outcomes),
    ]
    if tried is not None:
        pairs = list(zip(tried.replayed.scores, rest.scores[reference], strict=True))
        losses, gains = sum(ours < other for ours, other in pairs), sum(ours > other for ours, other in pairs)
        notes.insert(
            0, f"{losses} rows came out worse than the reference and {gains} better, of {len(rest.rows)}"
        )
    return tuple(notes)


def _labels_nobody_gave(outcomes: Outcomes) -> list[str]:
    """Return what is expected several times and that no model was ever right about."""
    best: dict[str, float] = {}
    lines: dict[str, list[int]] = {}
    for place, row in enumerate(outcomes.rows):
        if isinstance(row.expected, str):
            score = max(scores[place] for scores in outcomes.scores.values())
            best[row.expected] = max(best.get(row.expected, 0.0), score)
            lines.setdefault(row.expected, []).append(row.line)
    return [
        f"no model was ever right where '{expected[:60]}' is expected (line {lines[expected][0]} and "
        f"{len(lines[expected]) - 1} more): is it in the prompt, and spelt so?"
        for expected, score in best.items()
        if score == 0 and len(lines[expected]) > 1
    ]
