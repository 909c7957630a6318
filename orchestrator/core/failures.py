"""What a failure means: what to try next, whose health it counts against, and whether it may be billed.

The gateway turns a provider's error into a `Failure`; everything that decides on failures reads
`FAILURE_POLICIES`, and docs/reference/failures.md is written from it. A retry is on the same deployment, a
fallback on another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


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
    OUTPUT_LIMIT = "output_limit"
    UNSUPPORTED = "unsupported"
    CONTENT_FILTERED = "content_filtered"
    BAD_REQUEST = "bad_request"
    MALFORMED = "malformed"
    EMPTY = "empty"
    INTERRUPTED = "interrupted"
    ENDLESS = "endless"
    CONTINUATION_REFUSED = "continuation_refused"
    NOT_JOINABLE = "not_joinable"
    CANCELLED = "cancelled"
    VETOED = "vetoed"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class Billing(StrEnum):
    """Whether a failed attempt may appear on the provider's bill."""

    NO = "no"
    MAYBE = "maybe"


class HealthScope(StrEnum):
    """Against whose health a failure counts."""

    NONE = "none"
    DEPLOYMENT = "deployment"
    EITHER = "either"
    """The deployment's, and the provider's too once two of its deployments have it."""
    PROVIDER = "provider"
    """The deployment's and its provider's, whichever deployment had it."""


class FallbackScope(StrEnum):
    """Which other deployments may be asked after a failure."""

    ANY = "any"
    LARGER_CONTEXT = "a larger context"
    OTHER_MODEL = "another model"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """What to do about a kind of failure."""

    fallback_scope: FallbackScope
    """Which other deployments are worth a try."""
    health_scope: HealthScope
    """Whose health it counts against."""
    billing: Billing
    description: str
    """What happened, in words for people."""
    symptoms: str
    """What a provider sends, or does not send, when it happens."""
    passes: bool = False
    """It may be over within seconds: the same deployment is worth asking again when no other is left."""

    @property
    def fall_back(self) -> bool:
        """Return whether another deployment is worth a try."""
        return self.fallback_scope is not FallbackScope.NONE

    @property
    def unhealthy(self) -> bool:
        """Return whether it counts against the health of a deployment or provider."""
        return self.health_scope is not HealthScope.NONE


_ANY, _NONE = FallbackScope.ANY, FallbackScope.NONE
_NO, _MAYBE = Billing.NO, Billing.MAYBE

FAILURE_POLICIES: Mapping[FailureKind, FailurePolicy] = {
    FailureKind.RATE_LIMITED: FailurePolicy(
        _ANY,
        HealthScope.NONE,
        _NO,
        "rate limited (HTTP 429)",
        "429, with or without Retry-After",
        passes=True,
    ),
    FailureKind.SERVER_ERROR: FailurePolicy(
        _ANY,
        HealthScope.EITHER,
        _NO,
        "server error",
        "500, 502, an unknown 4xx or 5xx; 400 that is HTML or empty; an error of that status in a 200, which may be billed",
        passes=True,
    ),
    FailureKind.UNAVAILABLE: FailurePolicy(
        _ANY,
        HealthScope.EITHER,
        _NO,
        "service unavailable",
        "503, 529; 504 in an API's own words; an error of that status in a 200, which may be billed",
        passes=True,
    ),
    FailureKind.UNREACHABLE: FailurePolicy(
        _ANY,
        HealthScope.PROVIDER,
        _NO,
        "no connection",
        "refused connection, DNS, TLS; the local model does not start",
        passes=True,
    ),
    FailureKind.DISCONNECTED: FailurePolicy(
        _ANY,
        HealthScope.EITHER,
        _MAYBE,
        "connection broke before the answer",
        "reset connection; an answer or stream cut before its first words",
        passes=True,
    ),
    FailureKind.TIMEOUT: FailurePolicy(
        _ANY,
        HealthScope.EITHER,
        _MAYBE,
        "no answer in time",
        "silence, slow first token, stall, drip; 408; 524, or a 504 without JSON, of a gateway that waited no longer",
        passes=True,
    ),
    FailureKind.UNAUTHORIZED: FailurePolicy(
        _ANY, HealthScope.PROVIDER, _NO, "key refused (HTTP 401 or 403)", "401, 403; Google's 400 about a key"
    ),
    FailureKind.NO_CREDIT: FailurePolicy(
        _ANY, HealthScope.PROVIDER, _NO, "account without credit (HTTP 402)", "402"
    ),
    FailureKind.MODEL_NOT_FOUND: FailurePolicy(
        _ANY, HealthScope.DEPLOYMENT, _NO, "model not offered (HTTP 404)", "404, 410"
    ),
    FailureKind.CONTEXT_OVERFLOW: FailurePolicy(
        FallbackScope.LARGER_CONTEXT,
        HealthScope.NONE,
        _NO,
        "prompt too long for this model",
        "413; 400 that speaks of the context",
    ),
    FailureKind.OUTPUT_LIMIT: FailurePolicy(
        _ANY,
        HealthScope.NONE,
        _NO,
        "more output asked for than this model writes",
        "400 about `max_tokens`",
    ),
    FailureKind.UNSUPPORTED: FailurePolicy(
        _ANY,
        HealthScope.NONE,
        _NO,
        "not taken by this model or account",
        "400 or 422 about a parameter, a tool, a schema or a picture that the model does not take; 429 or 413 of a request that is larger than all of a minute; no JSON of the emergency model where JSON was asked for",
    ),
    FailureKind.CONTENT_FILTERED: FailurePolicy(
        FallbackScope.OTHER_MODEL,
        HealthScope.NONE,
        _MAYBE,
        "blocked by the provider's content filter",
        "400 or 403 that speaks of a filter; finish reason `content_filter` without text",
    ),
    FailureKind.BAD_REQUEST: FailurePolicy(
        _NONE, HealthScope.NONE, _NO, "request refused (HTTP 400 or 422)", "400, 422, and nothing else"
    ),
    FailureKind.MALFORMED: FailurePolicy(
        _ANY,
        HealthScope.DEPLOYMENT,
        _MAYBE,
        "answer could not be read",
        "HTML, truncated JSON, wrong types, no choices; a body above the limit",
        passes=True,
    ),
    FailureKind.EMPTY: FailurePolicy(
        _ANY,
        HealthScope.DEPLOYMENT,
        _MAYBE,
        "answer was empty",
        "no content with finish reason `stop`",
        passes=True,
    ),
    FailureKind.INTERRUPTED: FailurePolicy(
        _ANY,
        HealthScope.EITHER,
        _MAYBE,
        "stream broke off",
        "a stream cut, in error or without its end after its first words",
        passes=True,
    ),
    FailureKind.ENDLESS: FailurePolicy(
        _ANY,
        HealthScope.DEPLOYMENT,
        _MAYBE,
        "wrote on far beyond its limit of output",
        "a stream of more than 16 bytes, or two pieces, for each token that it may write, or of a megabyte of thoughts",
    ),
    FailureKind.CONTINUATION_REFUSED: FailurePolicy(
        _ANY, HealthScope.NONE, _NO, "would not go on with a begun answer", "400 or 422 to a rescue"
    ),
    FailureKind.NOT_JOINABLE: FailurePolicy(
        _ANY,
        HealthScope.NONE,
        _MAYBE,
        "answered otherwise than the answer had begun",
        "a rescue in other words",
    ),
    FailureKind.CANCELLED: FailurePolicy(
        _NONE, HealthScope.NONE, _MAYBE, "cancelled by the caller", "the caller left"
    ),
    FailureKind.VETOED: FailurePolicy(
        _ANY, HealthScope.NONE, _NO, "stopped before it was sent", "our own guard: no money was held"
    ),
    FailureKind.NOT_SENT: FailurePolicy(
        _ANY,
        HealthScope.NONE,
        _NO,
        "could not be written for this provider",
        "a message part that its wire has no word for, a header or a key that cannot be sent",
    ),
    FailureKind.UNKNOWN: FailurePolicy(
        _ANY, HealthScope.DEPLOYMENT, _MAYBE, "unexpected error", "anything else"
    ),
}

_BY_STATUS: Mapping[int, FailureKind] = {
    400: FailureKind.BAD_REQUEST,
    401: FailureKind.UNAUTHORIZED,
    402: FailureKind.NO_CREDIT,
    403: FailureKind.UNAUTHORIZED,
    404: FailureKind.MODEL_NOT_FOUND,
    410: FailureKind.MODEL_NOT_FOUND,
    408: FailureKind.TIMEOUT,
    413: FailureKind.CONTEXT_OVERFLOW,
    422: FailureKind.BAD_REQUEST,
    429: FailureKind.RATE_LIMITED,
    500: FailureKind.SERVER_ERROR,
    502: FailureKind.SERVER_ERROR,
    503: FailureKind.UNAVAILABLE,
    504: FailureKind.UNAVAILABLE,
    524: FailureKind.TIMEOUT,  # Cloudflare's: the request has arrived, and is worked on behind it
    529: FailureKind.UNAVAILABLE,
}


def kind_of_status(status: int) -> FailureKind:
    """Return what an HTTP status means; of an unknown one nothing says that the request is wrong."""
    return _BY_STATUS.get(status, FailureKind.SERVER_ERROR)


OF_THE_REQUEST = frozenset(
    {
        *(FailureKind.BAD_REQUEST, FailureKind.CONTEXT_OVERFLOW, FailureKind.CONTENT_FILTERED),
        *(FailureKind.CANCELLED, FailureKind.NOT_SENT),
    }
)
"""What a request brings with it, or its caller's leaving: no provider is ill, and nobody has to be woken."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt's failure, without anything a log may not hold."""

    kind: FailureKind
    status: int | None = None
    retry_after_s: float | None = None

    @property
    def policy(self) -> FailurePolicy:
        """Return what to do about it."""
        return FAILURE_POLICIES[self.kind]

    def __str__(self) -> str:
        """Return the failure for people, with its HTTP status."""
        description = self.policy.description
        return (
            f"{description}, HTTP {self.status}" if self.status and "HTTP" not in description else description
        )
