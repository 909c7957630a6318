"""What a look at a range of days returns: which rows are meant, and their sums, streamed group by group.

A look may take the sums of a day that `LedgerStore.sum_day` kept; they are those of its rows, so nothing that
is said here depends on it but the time that it takes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from orchestrator.core.money import NanoUsd

StoredTable = tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]
"""Its columns, and its rows as they are stored, one after the other."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows of some days; what is None is not looked at."""

    since: str
    """The first day, `2026-11-01`, as the ledger counts days."""
    until: str
    """The last day, itself meant too."""
    tenant: str | None = None
    use_case: str | None = None
    user: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class RequestGroup:
    """Requests that are alike, of whichever tenant."""

    day: str
    own: str
    """The tenant of what is our own (`core.payer.is_own`); empty of everybody else's."""
    use_case: str
    outcome: str
    cached: str
    degraded: int
    """1 where they are, 0 where not."""
    error: str | None
    requests: int
    latency_ms: int
    """Together."""


@dataclass(frozen=True, slots=True)
class SendGroup:
    """Sends that are alike, of whichever tenant; cost has its corrections in it."""

    day: str
    own: str
    """The tenant of what is our own (`core.payer.is_own`); empty of everybody else's."""
    use_case: str
    """Empty where a send has none."""
    provider: str
    deployment: str
    model: str
    outcome: str
    cost_source: str
    sends: int
    sends_paid: int
    """Those that cost something."""
    cost_nusd: NanoUsd
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    output_tokens_max: int
    latency_ms: int
    """Together."""


@dataclass(frozen=True, slots=True)
class RefusalGroup:
    """Requests of a tenant that a budget refused on a day."""

    day: str
    tenant: str
    requests: int


@dataclass(frozen=True, slots=True)
class SpendingGroup:
    """What a tenant's use case cost on a day, on one model."""

    day: str
    tenant: str
    use_case: str
    model: str
    cost_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class NameGroup:
    """What one tenant, user or tag of a range comes to; users and tags without how our probes ended."""

    kind: str
    """`tenant`, one of our own among them, `user` or `tag`."""
    name: str
    requests: int
    succeeded: int
    failed: int
    latency_ms: int
    """Of those that succeeded, together."""
    cost_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class BookedDay:
    """What was booked into a day, with its corrections."""

    day: str
    requests: int
    """Without the shadows of experiments, whose cost is in."""
    cost_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class RepeatGroup:
    """Answered requests of a day and use case whose prompts have fingerprints; a model was asked for each."""

    day: str
    use_case: str
    requests: int
    hourly: int
    """Of them: asked again within the same hour of the clock."""
    hourly_nusd: NanoUsd
    """What these cost; of equal ones the dearest is not among them."""
    daily: int
    """Asked again on the same day, those of the same hour among them."""
    daily_nusd: NanoUsd


@dataclass(frozen=True, slots=True)
class BeginningGroup:
    """Answered sends of a day, use case and deployment whose prompts have a beginning of some length."""

    day: str
    use_case: str
    deployment: str
    length_bytes: int
    """Of the beginning: one of `prompt_prints.BEGINNINGS_BYTES`."""
    sends: int
    alike: int
    """Of them: those whose beginning had been sent within the same ten minutes of the clock."""
    uncached_tokens: int
    """Tokens of the beginnings of these that the provider did not read from its cache."""


@dataclass(frozen=True, slots=True)
class WaitingGroup:
    """Answered sends of a day, use case and deployment for which nobody waited."""

    day: str
    use_case: str
    deployment: str
    sends: int
    cost_nusd: NanoUsd


class Duration(StrEnum):
    """A time that the ledger keeps, of what succeeded."""

    REQUEST = "request"
    """From the caller's question to its answer."""
    SEND = "send"
    FIRST_TOKEN = "first_token"  # noqa: S105 -- the first token of a stream


@dataclass(frozen=True, slots=True)
class DurationCount:
    """How often something took so many milliseconds."""

    model: str
    """Empty for requests, which may have asked several."""
    duration_ms: int
    """Exact below 200; above, to the nearest of steps that are half a percent off at most."""
    count: int


class UsageView(Protocol):
    """What is asked of a range of days; a part of `ledger.store.LedgerView`."""

    def request_groups(self, selection: Selection) -> Iterator[RequestGroup]:
        """Yield the requests of some days, those that are alike together."""

    def send_groups(self, selection: Selection) -> Iterator[SendGroup]:
        """Yield the sends booked into some days, those that are alike together."""

    def tenant_groups(self, selection: Selection) -> Iterator[NameGroup]:
        """Yield what each tenant comes to, once each."""

    def refusal_groups(self, selection: Selection) -> Iterator[RefusalGroup]:
        """Yield how many requests of each tenant a budget refused, by day."""

    def spending_groups(self, selection: Selection) -> Iterator[SpendingGroup]:
        """Yield what each tenant's use case cost on each model, by day: there may be very many."""

    def name_groups(self, selection: Selection) -> Iterator[NameGroup]:
        """Yield what each user and each tag comes to, once each."""

    def day_totals(self, selection: Selection) -> Iterator[BookedDay]:
        """Yield requests and cost of each day on which something was booked."""

    def durations(self, selection: Selection, duration: Duration) -> Iterator[DurationCount]:
        """Yield how often what succeeded took how long, by model, without our own; the shortest first."""

    def repeat_groups(self, selection: Selection) -> Iterator[RepeatGroup]:
        """Yield how often prompts were asked again of a model, by day and use case."""

    def beginning_groups(self, selection: Selection) -> Iterator[BeginningGroup]:
        """Yield how often prompts began alike, by day, use case, deployment and length."""

    def waiting_groups(self, selection: Selection) -> Iterator[WaitingGroup]:
        """Yield the sends for which nobody waited, by day, use case and deployment."""

    def unsummed_days(self, *, since: str, before: str) -> tuple[str, ...]:
        """Return the days with rows, from one on and before another, whose sums could be kept and are not."""

    def differing_days(self) -> tuple[str, ...]:
        """Return the days whose kept sums are not those of their rows: every row is read again."""
