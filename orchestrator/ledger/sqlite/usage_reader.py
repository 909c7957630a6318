"""What reports ask of a range of days, read from one look at a ledger file."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import orjson

from orchestrator.core.money import NanoUsd
from orchestrator.ledger.sqlite import day_sums, prompts, usage_queries
from orchestrator.ledger.usage import (
    BeginningGroup,
    DayCost,
    Duration,
    DurationCount,
    NameGroup,
    RepeatGroup,
    RequestGroup,
    Selection,
    SendGroup,
    WaitingGroup,
)


class UsageReader(ABC):
    """The looks of `UsageView`; a day is read from its sums where they are right, else from its rows."""

    @abstractmethod
    def _each(self, query: str, values: Any = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query, all of one moment."""

    def request_groups(self, selection: Selection) -> Iterator[RequestGroup]:
        """Yield the requests of some days, those that are alike together."""
        for row in self._of(selection, usage_queries.REQUEST_GROUPS):
            day, tenant, use_case, outcome, cached, degraded, *rest = row
            yield RequestGroup(day, tenant, use_case, outcome, cached, bool(degraded), *rest)

    def send_groups(self, selection: Selection) -> Iterator[SendGroup]:
        """Yield the sends booked into some days, those that are alike together."""
        return (SendGroup(*row) for row in self._of(selection, usage_queries.SEND_GROUPS))

    def name_groups(self, selection: Selection) -> Iterator[NameGroup]:
        """Yield what each user and each tag comes to, once each."""
        return (NameGroup(*row) for row in self._of(selection, usage_queries.NAME_GROUPS))

    def day_costs(self, selection: Selection) -> Iterator[DayCost]:
        """Yield the cost of each day on which something was booked."""
        return (DayCost(day, NanoUsd(cost)) for day, cost in self._of(selection, usage_queries.DAY_COSTS))

    def durations(self, selection: Selection, duration: Duration) -> Iterator[DurationCount]:
        """Yield how often what succeeded took how long, by model, the shortest first."""
        return (DurationCount(*row) for row in self._of(selection, usage_queries.DURATIONS[duration]))

    def repeat_groups(self, selection: Selection) -> Iterator[RepeatGroup]:
        """Yield how often prompts were asked again of a model, by day and use case."""
        return (RepeatGroup(*row) for row in self._of(selection, prompts.REPEATS))

    def beginning_groups(self, selection: Selection) -> Iterator[BeginningGroup]:
        """Yield how often prompts began alike, by day, use case, deployment and length."""
        return (BeginningGroup(*row) for row in self._of(selection, prompts.BEGINNINGS))

    def waiting_groups(self, selection: Selection) -> Iterator[WaitingGroup]:
        """Yield the sends for which nobody waited, by day, use case and deployment."""
        return (WaitingGroup(*row) for row in self._of(selection, prompts.WAITED))

    def unsummed_days(self, *, since: str, before: str) -> tuple[str, ...]:
        """Return the days with rows, from one on and before another, whose sums are not kept."""
        summed, booked = self._days(Selection(since, before))
        return tuple(day for day in booked if day < before and day not in summed)

    def differing_days(self) -> tuple[str, ...]:
        """Return the days whose kept sums are not those of their rows: every row is read again."""
        summed, _ = self._days(Selection("", "~"))
        return tuple(day for day in summed if day_sums.differing(self._each, day))

    def day_rows(self, day: str) -> day_sums.Sums:
        """Return what the rows of a day come to, as `day_sums.keep` takes it."""
        return day_sums.reckon(self._each, day)

    def _of(self, selection: Selection, query: str) -> Iterator[tuple[Any, ...]]:
        summed, booked = self._days(selection)
        if selection.user is not None or selection.tag is not None:
            # Which user's tags what cost is, is in the rows alone.
            summed = ()
        rest = [day for day in booked if day not in set(summed)]
        lists = {"open": orjson.dumps(rest).decode(), "closed": orjson.dumps(summed).decode()}
        return self._each(query, asdict(selection) | lists)

    def _days(self, selection: Selection) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the days of a range whose sums are right, and all that have rows."""
        values = {"since": selection.since, "until": selection.until}
        summed, booked = (
            tuple(day for (day,) in self._each(query, values))
            for query in (usage_queries.SUMMED, usage_queries.BOOKED)
        )
        return summed, booked
