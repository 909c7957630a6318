"""What a failure means: try again, try elsewhere, or stop; and may it have been billed?

The gateway turns a provider's error into a `Failure`; everything that decides on failures
reads this table. A retry is on the same deployment, a fallback on another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field, PositiveInt

from orchestrator.settings import Seconds, Settings, Share


class FailureKind(StrEnum):
    """Why an attempt failed."""

    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    UNREACHABLE = "unreachable"
    DISCONNECTED = "disconnected"
    TIMEOUT = "timeout"
    UNAUTHORIZED = "unauthorized"
    NO_CREDIT = "no_credit"
    MODEL_NOT_FOUND = "model_not_found"
    CONTEXT_OVERFLOW = "context_overflow"
    CONTENT_FILTERED = "content_filtered"
    BAD_REQUEST = "bad_request"
    MALFORMED = "malformed"
    EMPTY = "empty"
    INTERRUPTED = "interrupted"
    CONTINUATION_REFUSED = "continuation_refused"
    NOT_JOINABLE = "not_joinable"
    CANCELLED = "cancelled"
    VETOED = "vetoed"
    UNKNOWN = "unknown"


class Billing(StrEnum):
    """Whether a failed attempt may appear on the provider's bill."""

    NO = "no"
    MAYBE = "maybe"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What to do about a kind of failure."""

    fall_back: bool
    """Worth a try on another deployment."""
    unhealthy: bool
    """Counts against the deployment's health."""
    billing: Billing
    says: str
    """For people."""


_NO, _MAYBE = Billing.NO, Billing.MAYBE

MEANINGS: Mapping[FailureKind, Meaning] = {
    FailureKind.RATE_LIMITED: Meaning(True, False, _NO, "rate limited (HTTP 429)"),
    FailureKind.SERVER_ERROR: Meaning(True, True, _NO, "server error"),
    FailureKind.UNAVAILABLE: Meaning(True, True, _NO, "service unavailable"),
    FailureKind.UNREACHABLE: Meaning(True, True, _NO, "no connection"),
    FailureKind.DISCONNECTED: Meaning(True, True, _MAYBE, "connection broke before the answer"),
    FailureKind.TIMEOUT: Meaning(True, True, _MAYBE, "no answer in time"),
    FailureKind.UNAUTHORIZED: Meaning(True, True, _NO, "key refused (HTTP 401 or 403)"),
    FailureKind.NO_CREDIT: Meaning(True, True, _NO, "account without credit (HTTP 402)"),
    FailureKind.MODEL_NOT_FOUND: Meaning(True, True, _NO, "model not offered (HTTP 404)"),
    FailureKind.CONTEXT_OVERFLOW: Meaning(True, False, _NO, "prompt too long for this model"),
    FailureKind.CONTENT_FILTERED: Meaning(True, False, _MAYBE, "blocked by the provider's content filter"),
    FailureKind.BAD_REQUEST: Meaning(False, False, _NO, "request refused (HTTP 400 or 422)"),
    FailureKind.MALFORMED: Meaning(True, True, _MAYBE, "answer could not be read"),
    FailureKind.EMPTY: Meaning(True, True, _MAYBE, "answer was empty"),
    FailureKind.INTERRUPTED: Meaning(True, True, _MAYBE, "stream broke off"),
    FailureKind.CONTINUATION_REFUSED: Meaning(True, False, _NO, "would not go on with a begun answer"),
    FailureKind.NOT_JOINABLE: Meaning(True, False, _MAYBE, "answered otherwise than the answer had begun"),
    FailureKind.CANCELLED: Meaning(False, False, _MAYBE, "cancelled by the caller"),
    FailureKind.VETOED: Meaning(True, False, _NO, "stopped before it was sent"),
    FailureKind.UNKNOWN: Meaning(True, True, _MAYBE, "unexpected error"),
}

_BY_STATUS: Mapping[int, FailureKind] = {
    400: FailureKind.BAD_REQUEST,
    401: FailureKind.UNAUTHORIZED,
    402: FailureKind.NO_CREDIT,
    403: FailureKind.UNAUTHORIZED,
    404: FailureKind.MODEL_NOT_FOUND,
    408: FailureKind.TIMEOUT,
    413: FailureKind.CONTEXT_OVERFLOW,
    422: FailureKind.BAD_REQUEST,
    429: FailureKind.RATE_LIMITED,
    500: FailureKind.SERVER_ERROR,
    502: FailureKind.SERVER_ERROR,
    503: FailureKind.UNAVAILABLE,
    504: FailureKind.UNAVAILABLE,
    529: FailureKind.UNAVAILABLE,
}


def kind_of_status(status: int) -> FailureKind:
    """Return what an HTTP status means; an unknown one by its hundred."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return FailureKind.SERVER_ERROR if status >= 500 else FailureKind.BAD_REQUEST  # noqa: PLR2004 -- HTTP


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt's failure, without anything a log may not hold."""

    kind: FailureKind
    status: int | None = None
    retry_after_s: float | None = None

    @property
    def meaning(self) -> Meaning:
        """Return what to do about it."""
        return MEANINGS[self.kind]

    def __str__(self) -> str:
        """Return the failure for people, with its HTTP status."""
        says = self.meaning.says
        return f"{says}, HTTP {self.status}" if self.status and "HTTP" not in says else says


class RetryProfile(Settings):
    """How patient a request is."""

    deadline_s: Annotated[float, Field(gt=0)]
    """All attempts and all waiting together take no longer."""
    attempts_per_deployment: PositiveInt
    """1 is no retry."""
    retry_delays_s: tuple[Seconds, ...]
    """Waits before the first, second, ... retry on the same deployment; the last one repeats."""
    fallback_delays_s: tuple[Seconds, ...]
    """Waits before the first, second, ... fallback to another deployment; the last one repeats."""
    jitter: Share = 0.2
    """Each wait is stretched by a random part of itself up to this share."""
    retry_on: frozenset[FailureKind] = frozenset({FailureKind.SERVER_ERROR, FailureKind.DISCONNECTED})
    """Failures worth another try on the same deployment; all others fall back."""
    max_retry_after_s: Seconds = 2.0
    """A Retry-After up to this long is waited for on the same deployment; a longer one means fall back."""


def retry_delay_s(profile: RetryProfile, failure: Failure, *, retries_so_far: int) -> float | None:
    """Return how long to wait before a retry on the same deployment, None to go elsewhere at once."""
    if retries_so_far + 1 >= profile.attempts_per_deployment:
        return None
    if failure.kind is FailureKind.RATE_LIMITED and failure.retry_after_s is not None:
        return failure.retry_after_s if failure.retry_after_s <= profile.max_retry_after_s else None
    if failure.kind is FailureKind.CONTINUATION_REFUSED and retries_so_far == 0:
        return 0.0
    if failure.kind not in profile.retry_on:
        return None
    return _at(profile.retry_delays_s, retries_so_far)


def fallback_delay_s(profile: RetryProfile, *, fallbacks_so_far: int) -> float:
    """Return how long to wait before the next fallback."""
    return _at(profile.fallback_delays_s, fallbacks_so_far)


def _at(delays_s: tuple[float, ...], place: int) -> float:
    return delays_s[min(place, len(delays_s) - 1)] if delays_s else 0.0
