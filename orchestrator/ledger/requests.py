"""Requests that are looked for, and what the ledger says of them."""

from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.money import NanoUsd
from orchestrator.core.names import name_of
from orchestrator.core.plain_data import kind_in_words
from orchestrator.core.reply import CacheState, CostSource, Outcome
from orchestrator.ledger.kept_plan import KeptPlan

LIMIT_MAX = 1000
"""Requests in one answer; `RequestQuery.before` leads on."""
_ID_DIGITS = 32
_HEXADECIMAL = frozenset("0123456789abcdef")


class RequestOrder(StrEnum):
    """Which requests come first."""

    NEWEST = "newest"
    DEAREST = "dearest"
    SLOWEST = "slowest"


@dataclass(frozen=True, slots=True)
class RequestQuery:
    """Which requests are looked for: all that is stated holds at once."""

    order: RequestOrder = RequestOrder.NEWEST
    failed: bool = False
    """Only what got no answer: failed, refused or cancelled."""
    degraded: bool = False
    """Only what was answered otherwise than the plan's first choice would have."""
    tenant: str | None = None
    user: str | None = None
    tag: str | None = None
    use_case: str | None = None
    model: str | None = None
    """A model or deployment that answered, or that was asked by a request without an answer."""
    since: datetime | None = None
    until: datetime | None = None
    """The first moment that does not belong any more."""
    before: str | None = None
    """The id of a request; only older ones. The last one of a page leads to the next page."""
    limit: int = 20

    def __post_init__(self) -> None:
        """Refuse what cannot be looked for.

        Raises:
            InvalidRequestError: it says which part, and what it may be.
        """
        object.__setattr__(self, "order", _order_of(self.order))
        if type(self.limit) is not int or not 1 <= self.limit <= LIMIT_MAX:
            raise InvalidRequestError(f"'limit' is a number from 1 to {LIMIT_MAX}, got {self.limit!r}")
        for name in ("tenant", "user", "tag", "use_case", "model"):
            object.__setattr__(self, name, _name_of(getattr(self, name), name))
        for name in ("since", "until"):
            moment = getattr(self, name)
            if moment is not None and (not isinstance(moment, datetime) or moment.tzinfo is None):
                raise InvalidRequestError(f"'{name}' is a moment with a time zone, got {moment!r}")
        if self.since is not None and self.until is not None and self.until <= self.since:
            raise InvalidRequestError(
                f"the range ends before it begins: since {self.since.isoformat()} until {self.until.isoformat()}; "
                "exchange them"
            )
        if self.before is not None:
            object.__setattr__(self, "before", request_id_of(self.before))
            if self.order is not RequestOrder.NEWEST:
                raise InvalidRequestError("'before' goes with the newest first, and with no other order")


def _name_of(value: Any, field: str) -> str | None:
    """Return a name as the ledger counts it."""
    if value is not None and not isinstance(value, str):
        raise InvalidRequestError(f"'{field}' is a text, got {kind_in_words(value)}")
    return name_of(value, field) if value else value


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One request that has ended."""

    id: str
    started_at: datetime
    tenant: str
    use_case: str
    user: str | None
    tags: tuple[str, ...]
    outcome: Outcome
    error: str | None
    """The type of the error that it ended with."""
    cached: CacheState
    degraded: str | None
    deployment: str | None
    provider: str | None
    model: str | None
    attempts: int
    input_tokens: int
    output_tokens: int
    cost_nusd: NanoUsd
    """With corrections."""
    latency_s: float


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One send of a request."""

    number: int
    deployment: str
    provider: str
    model: str
    outcome: Outcome
    failure: str | None
    status: int | None
    started_at: datetime
    latency_s: float
    first_token_s: float | None
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int
    tokens_estimated: bool
    held_nusd: NanoUsd
    cost_nusd: NanoUsd
    """As it was booked, without corrections."""
    cost_source: CostSource
    price_version: str
    upstream_id: str | None


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """What was booked of an attempt later."""

    attempt: int
    cost_nusd: int
    """The difference; below 0 where it cost less."""
    source: CostSource
    corrected_at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """What somebody thought of an answer."""

    source: str
    score: int | None
    """1 to 5."""
    corrected: bool
    """Somebody wrote a better answer."""
    given_at: datetime


@dataclass(frozen=True, slots=True)
class RequestDetail:
    """One request with all that the ledger keeps of it."""

    request: RequestRow
    attempts: tuple[AttemptRow, ...]
    corrections: tuple[CorrectionRow, ...] = ()
    plan: KeptPlan | None = None
    """None where it was answered without a plan, or none was kept."""
    feedback: tuple[FeedbackRow, ...] = ()


def query_of(**parts: Any) -> RequestQuery:
    """Return a query of its parts.

    Raises:
        InvalidRequestError: an unknown part, or one that cannot be looked for.
    """
    known = tuple(part.name for part in fields(RequestQuery))
    unknown = next((name for name in parts if name not in known), None)
    if unknown is not None:
        raise InvalidRequestError(f"requests cannot be looked for by '{unknown}'; known: {', '.join(known)}")
    return RequestQuery(**parts)


def request_id_of(text: str) -> str:
    """Return the id of a request, or the beginning of one, as the ledger writes it.

    Raises:
        InvalidRequestError: it is neither.
    """
    digits = str(text).strip().lower().replace("-", "")
    if not 1 <= len(digits) <= _ID_DIGITS or not _HEXADECIMAL.issuperset(digits):
        raise InvalidRequestError(
            f"{str(text)[:60]!r} is no request id: that is {_ID_DIGITS} hexadecimal digits, or the first of them, "
            "as 'orchestrator requests' and a reply's request_id name it"
        )
    return digits


def is_whole_id(digits: str) -> bool:
    """Return whether the digits that `request_id_of` returned are a whole id, and no beginning of one."""
    return len(digits) == _ID_DIGITS


def _order_of(order: str) -> RequestOrder:
    try:
        return RequestOrder(order)
    except ValueError:
        raise InvalidRequestError(
            f"'order' must be one of {', '.join(RequestOrder)}, got {order!r}"
        ) from None
