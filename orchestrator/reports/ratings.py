"""What people thought of the answers of some days: the feedback on them, by model, use case and tenant."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.ledger.feedback import FeedbackSum


@dataclass(frozen=True, slots=True)
class Rating:
    """The feedback on some answers; one of several sources of a request counts like another."""

    words: int = 0
    """How many pieces of feedback there are."""
    scored: int = 0
    """How many of them have a score."""
    score_sum: int = 0
    corrected: int = 0
    """How many say that somebody wrote a better answer."""

    @property
    def average(self) -> float | None:
        """Return the average score, 1 (useless) to 5 (perfect), None without any."""
        return self.score_sum / self.scored if self.scored else None

    def with_more(self, more: FeedbackSum) -> "Rating":
        """Return it with more feedback."""
        return Rating(
            self.words + more.answers,
            self.scored + more.scored,
            self.score_sum + more.score_sum,
            self.corrected + more.corrected,
        )


@dataclass(frozen=True, slots=True)
class Ratings:
    """The feedback on the answers of a report."""

    total: Rating = Rating()
    models: Mapping[str, Rating] = field(default_factory=dict)
    """By model, the lowest average first."""
    use_cases: Mapping[str, Rating] = field(default_factory=dict)
    tenants: Mapping[str, Rating] = field(default_factory=dict)

    def named(self, group: str, name: str) -> Rating:
        """Return the feedback on one `model`, `use_case` or `tenant`; nothing is known of other groups."""
        groups = {"model": self.models, "use_case": self.use_cases, "tenant": self.tenants}
        return groups.get(group, {}).get(name, Rating())


def ratings_of(sums: Iterable[FeedbackSum]) -> Ratings:
    """Return the feedback of some days, added up."""
    rows = tuple(sums)
    total = Rating()
    for row in rows:
        total = total.with_more(row)
    return Ratings(
        total,
        _added(rows, lambda row: row.model),
        _added(rows, lambda row: row.use_case),
        _added(rows, lambda row: row.tenant),
    )


def _added(rows: Iterable[FeedbackSum], name_of_row: Callable[[FeedbackSum], str]) -> Mapping[str, Rating]:
    ratings: dict[str, Rating] = {}
    for row in rows:
        name = name_of_row(row)
        if name:
            ratings[name] = ratings.get(name, Rating()).with_more(row)
    return dict(sorted(ratings.items(), key=_lowest_first))


def _lowest_first(named: tuple[str, Rating]) -> tuple[float, str]:
    name, rating = named
    return (6.0 if rating.average is None else rating.average, name)
