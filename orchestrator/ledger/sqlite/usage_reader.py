"""What reports ask of a range of days, read from one look at a ledger file."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import date
from typing import Any, TypeVar, get_type_hints

import orjson

from orchestrator.core.errors import LedgerError
from orchestrator.core.names import ARM_TAG
from orchestrator.ledger.sqlite import day_sums, prompts, usage_queries
from orchestrator.ledger.usage import (
    BeginningGroup,
    BookedDay,
    Duration,
    DurationCount,
    NameGroup,
    RefusalGroup,
    RepeatGroup,
    RequestGroup,
    Selection,
    SendGroup,
    SpendingGroup,
    WaitingGroup,
)

T = TypeVar("T")


class UsageReader(ABC):
    """The looks of `UsageView`; a day is read from its sums where they are right, else from its rows."""

    _gathered: Selection | None = None
    """Of which the rows without sums are in the temporary tables of this look."""
    _picked: Selection | None = None
    """Of which user or tag the rows are in the temporary tables of this look."""
    _keeps_sums = True
    """Whether the file has tables for sums; one of an older schema has none."""

    @abstractmethod
    def _each(self, query: str, values: Any = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query, all of one moment."""

    @abstractmethod
    def _explained(self, error: Exception) -> LedgerError:
        """Return why the ledger cannot be read, and what to do."""

    def request_groups(self, selection: Selection) -> Iterator[RequestGroup]:
        """Yield the requests of some days, those that are alike together."""
        return self._gathered_as(RequestGroup, selection, usage_queries.REQUEST_GROUPS)

    def send_groups(self, selection: Selection) -> Iterator[SendGroup]:
        """Yield the sends booked into some days, those that are alike together."""
        return self._gathered_as(SendGroup, selection, usage_queries.SEND_GROUPS)

    def tenant_groups(self, selection: Selection) -> Iterator[NameGroup]:
        """Yield what each tenant comes to, once each."""
        return self._gathered_as(NameGroup, selection, usage_queries.TENANT_GROUPS)

    def refusal_groups(self, selection: Selection) -> Iterator[RefusalGroup]:
        """Yield how many requests of each tenant a budget refused, by day."""
        return self._gathered_as(RefusalGroup, selection, usage_queries.REFUSAL_GROUPS)

    def spending_groups(self, selection: Selection) -> Iterator[SpendingGroup]:
        """Yield what each tenant's use case cost on each model, by day: there may be very many."""
        return self._gathered_as(SpendingGroup, selection, usage_queries.SPENDING_GROUPS)

    def name_groups(self, selection: Selection) -> Iterator[NameGroup]:
        """Yield what each user and each tag comes to, once each."""
        return self._rows_as(NameGroup, selection, usage_queries.NAME_GROUPS)

    def day_totals(self, selection: Selection) -> Iterator[BookedDay]:
        """Yield requests and cost of each day on which something was booked."""
        return self._rows_as(BookedDay, selection, usage_queries.DAY_TOTALS)

    def durations(self, selection: Selection, duration: Duration) -> Iterator[DurationCount]:
        """Yield how often what succeeded took how long, by model, without our own; the shortest first."""
        return self._rows_as(DurationCount, selection, usage_queries.DURATIONS[duration])

    def repeat_groups(self, selection: Selection) -> Iterator[RepeatGroup]:
        """Yield how often prompts were asked again of a model, by day and use case."""
        return self._rows_as(RepeatGroup, selection, prompts.REPEATS)

    def beginning_groups(self, selection: Selection) -> Iterator[BeginningGroup]:
        """Yield how often prompts began alike, by day, use case, deployment and length."""
        return self._rows_as(BeginningGroup, selection, prompts.BEGINNINGS)

    def waiting_groups(self, selection: Selection) -> Iterator[WaitingGroup]:
        """Yield the sends for which nobody waited, by day, use case and deployment."""
        return self._rows_as(WaitingGroup, selection, prompts.WAITED)

    def unsummed_days(self, *, since: str, before: str) -> tuple[str, ...]:
        """Return the days with rows, from one on and before another, whose sums could be kept and are not."""
        if not self._keeps_sums:
            return ()
        summed, booked = self._days(Selection(since, before))
        return tuple(day for day in booked if day < before and day not in summed)

    def differing_days(self) -> tuple[str, ...]:
        """Return the days whose kept sums are not those of their rows: every row is read again."""
        summed, _ = self._days(Selection("", "~"))
        return tuple(day for day in summed if day_sums.differing(self._each, day))

    def day_rows(self, day: str) -> day_sums.Sums:
        """Return what the rows of a day come to, as `keep_sums` takes it."""
        return day_sums.reckon(self._each, day)

    def _gathered_as(self, make: type[T], selection: Selection, query: str) -> Iterator[T]:
        """Yield what a query says that reads the temporary tables; the rows are summed into them first."""
        if self._gathered != selection:
            self._gathered = None
            self._make(usage_queries.GATHER, selection)
            self._gathered = selection
        yield from self._rows_as(make, selection, query)

    def _rows_as(self, make: type[T], selection: Selection, query: str) -> Iterator[T]:
        """Yield what a query says of some days, or that it is damage: no sum of text, no name of bytes."""
        kinds = _kinds_of(make)
        for row in self._each(self._read_by(query, selection), asdict(selection) | self._sources(selection)):
            if not all(map(isinstance, row, kinds)):
                raise self._explained(ValueError(f"it has damaged rows, which come to {row}"))
            yield make(*row)

    def _read_by(self, query: str, selection: Selection) -> str:
        """Return a query as it is asked: of one user or tag it reads temporary tables, made at the first."""
        if selection.user is None and selection.tag is None:
            return query
        if self._picked != selection:
            self._picked = None
            values = asdict(selection) | {"open": orjson.dumps(self._days_with_name(selection)).decode()}
            for statement in usage_queries.PICK:
                tuple(self._each(statement, values))
            self._picked = selection
        return usage_queries.of_picked(query)

    def _make(self, statements: Iterable[str], selection: Selection) -> None:
        """Make temporary tables of a selection."""
        values = asdict(selection) | self._sources(selection)
        for statement in statements:
            # It yields nothing, and is done when that is known.
            tuple(self._each(self._read_by(statement, selection), values))

    def _sources(self, selection: Selection) -> dict[str, str]:
        """Return which days are read from their sums, and which from their rows, as statements take them."""
        summed, booked = self._days(selection)
        if selection.user is not None or selection.tag is not None:
            # Which user's tags what cost is, is in the rows alone.
            summed = ()
        rest = [day for day in booked if day not in set(summed)]
        return {"open": orjson.dumps(rest).decode(), "closed": orjson.dumps(summed).decode()}

    def _days_with_name(self, selection: Selection) -> list[str]:
        """Return the days on which a user or a tag may have rows: their sums have it, or they have none."""
        kind, name = ("tag", selection.tag) if selection.user is None else ("user", selection.user)
        named = {day for (day,) in self._each(usage_queries.DAYS_WITH_NAME, {"kind": kind, "name": name})}
        summed, booked = self._days(selection)
        if kind == "tag" and str(name).startswith(ARM_TAG):
            # Sides of experiments are in no sum.
            summed = ()
        return [day for day in booked if day in named or day not in set(summed)]

    def _days(self, selection: Selection) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the days of a range whose sums are right, and all that have rows."""
        values = {"since": selection.since, "until": selection.until}
        summed, booked = (
            tuple(day for (day,) in self._each(query, values))
            for query in (usage_queries.SUMMED, usage_queries.BOOKED)
        )
        for day in booked:
            if not is_day(day):
                raise self._explained(ValueError(f"it has rows of a day {day!r}, which is none"))
        return summed, booked


def _kinds_of(make: type) -> tuple[Any, ...]:
    """Return of which types the fields of a dataclass are; a `NewType` is what it stands for."""
    kinds = get_type_hints(make).values()
    return tuple(getattr(kind, "__supertype__", kind) for kind in kinds)


def is_day(value: object) -> bool:
    """Return whether a value of a row is a day, as the ledger writes it."""
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
