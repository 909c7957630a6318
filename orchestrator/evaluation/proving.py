"""What an evaluation proves of a cheaper model: that it is not inferior to the first one that was named.

Models are tested in the order in which they were named, each where all before it have passed. Of hypotheses
in a fixed order each may be tested in full (W. Maurer et al., 1995), so one that is worse passes in at most
one of forty evaluations, however many are named.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.config.loader import Config
from orchestrator.core.errors import UnknownNameError
from orchestrator.core.money import NanoUsd
from orchestrator.evaluation.calibration import CONFIRM_MIN
from orchestrator.evaluation.case import EvaluationError, ScoredRow
from orchestrator.evaluation.intervals import MeanInterval, paired


@dataclass(frozen=True, slots=True)
class Proven:
    """A deployment beside the reference, over the rows on which both have a score."""

    reference: str
    deployment: str
    margin: float
    rows: int
    compared: int
    difference: MeanInterval
    share: float
    """Its cost as a part of the reference's."""

    @property
    def is_not_inferior(self) -> bool:
        """Return whether the lower end of the interval is within the margin."""
        return self.compared >= CONFIRM_MIN and self.difference.low >= -self.margin

    @property
    def text(self) -> str:
        """Return that for people."""
        points = " to ".join(f"{100 * end:+.1f}" for end in (self.difference.low, self.difference.high))
        is_proven = "is no worse than" if self.is_not_inferior else "is not proven to be as good as"
        few = f" (at least {CONFIRM_MIN} are needed)" if self.compared < CONFIRM_MIN else ""
        return (
            f"{self.deployment} {is_proven} {self.reference} on {self.compared:,} rows{few}: {points} points of 100, "
            f"margin {100 * self.margin:g}, at {100 * self.share:.1f} % of its cost"
        )


def check_subjects(config: Config, models: Sequence[str]) -> None:
    """Check that something can be proven of what is to be asked: the reference, and models after it.

    Raises:
        EvaluationError: fewer than two are named, or one of them is no single deployment.
    """
    if len(models) < 2:  # noqa: PLR2004 -- the reference, and another
        raise EvaluationError("--policy compares models: name the reference first, then others, with --model")
    for model in models:
        _deployment(config, model)


def proven(
    config: Config, results: Sequence[ScoredRow], models: Sequence[str], *, margin: float
) -> tuple[Proven, ...]:
    """Return what was tested, in the order of `models`; the last one may not have passed."""
    by_subject = {name: [row for row in results if row.subject == name] for name in models}
    reference, *others = models
    tested: list[Proven] = []
    for name in others:
        tested.append(_beside(config, by_subject, reference, name, margin))
        if not tested[-1].is_not_inferior:
            break
    return tuple(tested)


def cheapest(tested: Sequence[Proven]) -> Proven | None:
    """Return the cheapest that is not inferior and costs less than the reference, None without one."""
    passed = [each for each in tested if each.is_not_inferior and each.share < 1]
    return min(passed, key=lambda each: each.share, default=None)


def _beside(
    config: Config, by_subject: dict[str, list[ScoredRow]], reference: str, name: str, margin: float
) -> Proven:
    ours, theirs = by_subject[name], by_subject[reference]
    pairs = [
        (mine.value, other.value)
        for mine, other in zip(ours, theirs, strict=True)
        if mine.value is not None and other.value is not None
    ]
    difference = paired([mine for mine, _ in pairs], [other for _, other in pairs]) if pairs else _UNKNOWN
    cost, most = (NanoUsd(sum(row.answer.cost_nusd for row in rows)) for rows in (ours, theirs))
    first, second = (_deployment(config, model) for model in (reference, name))
    return Proven(first, second, margin, len(ours), len(pairs), difference, cost / most if most else 1.0)


_UNKNOWN = MeanInterval(0.0, -1.0, 1.0)
"""Of no pair nothing is known."""


def _deployment(config: Config, model: str) -> str:
    try:
        named = config.catalog.named(model)
    except UnknownNameError as error:
        raise EvaluationError(f"--policy: {error}") from None
    if len(named) != 1:
        places = ", ".join(deployment.name for deployment in named)
        raise EvaluationError(f"--policy: '{model}' is at several providers; name one of {places}")
    return named[0].name
