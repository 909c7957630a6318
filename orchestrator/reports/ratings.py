"""What people thought of the answers of some days: the feedback on them, by model, use case and tenant."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce

from orchestrator.ledger.feedback import SCORE_MAX, FeedbackSum

NONE = FeedbackSum("", "", "", answers=0, scored=0, score_sum=0, corrected=0)
"""No feedback."""


@dataclass(frozen=True, slots=True)
class Ratings:
    """The feedback on the answers of a report."""

    total: FeedbackSum = NONE
    """Of all of them, as below: named by the key, and not by its own fields."""
    models: Mapping[str, FeedbackSum] = field(default_factory=dict)
    """By model, the lowest average first."""
    use_cases: Mapping[str, FeedbackSum] = field(default_factory=dict)
    tenants: Mapping[str, FeedbackSum] = field(default_factory=dict)

    def named(self, group: str, name: str) -> FeedbackSum:
        """Return the feedback on one `model`, `use_case` or `tenant`; nothing is known of other groups."""
        groups = {"model": self.models, "use_case": self.use_cases, "tenant": self.tenants}
        return groups.get(group, {}).get(name, NONE)


def ratings_of(sums: Iterable[FeedbackSum]) -> Ratings:
    """Return the feedback of some days, added up."""
    rows = tuple(sums)
    return Ratings(
        _added(rows),
        _added_by(rows, lambda row: row.model),
        _added_by(rows, lambda row: row.use_case),
        _added_by(rows, lambda row: row.tenant),
    )


def _added(rows: Iterable[FeedbackSum]) -> FeedbackSum:
    return reduce(
        lambda total, row: replace(
            total,
            answers=total.answers + row.answers,
            scored=total.scored + row.scored,
            score_sum=total.score_sum + row.score_sum,
            corrected=total.corrected + row.corrected,
        ),
        rows,
        NONE,
    )


def _added_by(
    rows: Iterable[FeedbackSum], name_of_row: Callable[[FeedbackSum], str]
) -> Mapping[str, FeedbackSum]:
    by_name: defaultdict[str, list[FeedbackSum]] = defaultdict(list)
    for row in rows:
        by_name[name_of_row(row)].append(row)
    by_name.pop("", None)
    return dict(sorted(((name, _added(group)) for name, group in by_name.items()), key=_lowest_first))


def _lowest_first(named: tuple[str, FeedbackSum]) -> tuple[float, str]:
    name, rating = named
    average = rating.average_score
    return (SCORE_MAX + 1 if average is None else average, name)
