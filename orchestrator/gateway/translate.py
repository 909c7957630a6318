"""LiteLLM's exceptions, as our failures: kind, status and Retry-After, and never a text of theirs.

Their texts may hold the prompt, the reply or the key.
"""

import asyncio
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

from orchestrator.clock import SystemClock
from orchestrator.gateway.answers import UnreadableAnswerError
from orchestrator.policy.failures import Failure, FailureKind, kind_of_status

KINDS: Mapping[str, FailureKind | None] = {
    "APIConnectionError": None,  # by its cause
    "APIError": None,  # by its status
    "APIResponseValidationError": FailureKind.MALFORMED,
    "AuthenticationError": FailureKind.UNAUTHORIZED,
    "BadGatewayError": FailureKind.SERVER_ERROR,
    "BadRequestError": FailureKind.BAD_REQUEST,
    "BlockedPiiEntityError": FailureKind.CONTENT_FILTERED,
    "BudgetExceededError": FailureKind.VETOED,
    "ContentPolicyViolationError": FailureKind.CONTENT_FILTERED,
    "ContextWindowExceededError": FailureKind.CONTEXT_OVERFLOW,
    "GuardrailInterventionNormalStringError": FailureKind.CONTENT_FILTERED,
    "GuardrailRaisedException": FailureKind.CONTENT_FILTERED,
    "ImageFetchError": FailureKind.BAD_REQUEST,
    "InternalServerError": FailureKind.SERVER_ERROR,
    "InvalidRequestError": FailureKind.BAD_REQUEST,
    "JSONSchemaValidationError": FailureKind.MALFORMED,
    "LiteLLMUnknownProvider": FailureKind.BAD_REQUEST,
    "MidStreamFallbackError": None,  # by what it wraps
    "MockException": FailureKind.UNKNOWN,
    "NotFoundError": FailureKind.MODEL_NOT_FOUND,
    "OpenAIError": None,
    "PermissionDeniedError": FailureKind.UNAUTHORIZED,
    "RateLimitError": FailureKind.RATE_LIMITED,
    "RejectedRequestError": FailureKind.BAD_REQUEST,
    "RouterRateLimitError": FailureKind.VETOED,
    "ServiceUnavailableError": FailureKind.UNAVAILABLE,
    "Timeout": FailureKind.TIMEOUT,
    "UnprocessableEntityError": FailureKind.BAD_REQUEST,
    "UnsupportedParamsError": FailureKind.BAD_REQUEST,
}
"""Every exception of LiteLLM by its class name; None is decided by status or cause."""

_TELLING = frozenset({"ContextWindowExceededError", "ContentPolicyViolationError", "AttemptVetoedError"})
"""Exceptions whose class says more than their HTTP status."""

_CAUSES: Mapping[str, FailureKind] = {
    # httpx, aiohttp and the operating system, by class name: the nearest cause that is known decides
    "ConnectError": FailureKind.UNREACHABLE,
    "ConnectTimeout": FailureKind.UNREACHABLE,
    "ClientConnectorError": FailureKind.UNREACHABLE,
    "ClientConnectorDNSError": FailureKind.UNREACHABLE,
    "ClientConnectorCertificateError": FailureKind.UNREACHABLE,
    "ConnectionRefusedError": FailureKind.UNREACHABLE,
    "gaierror": FailureKind.UNREACHABLE,
    "ReadError": FailureKind.DISCONNECTED,
    "WriteError": FailureKind.DISCONNECTED,
    "RemoteProtocolError": FailureKind.DISCONNECTED,
    "ServerDisconnectedError": FailureKind.DISCONNECTED,
    "ClientOSError": FailureKind.DISCONNECTED,
    "ClientPayloadError": FailureKind.DISCONNECTED,
    "ConnectionResetError": FailureKind.DISCONNECTED,
    "ReadTimeout": FailureKind.TIMEOUT,
    "PoolTimeout": FailureKind.TIMEOUT,
    "TimeoutError": FailureKind.TIMEOUT,
    "JSONDecodeError": FailureKind.MALFORMED,
    "UnicodeDecodeError": FailureKind.MALFORMED,
    "LocalModelError": FailureKind.UNREACHABLE,
    "AttemptVetoedError": FailureKind.VETOED,
}

_CAUSE_DEPTH_MAX = 12
_BAD_REQUEST = 400
_CONTEXT_WORDS = (
    "context length",
    "context_length",
    "exceed_context_size",
    "context window",
    "maximum context",
)
_FILTER_WORDS = (
    "content_filter",
    "content filter",
    "content management policy",
    "safety settings",
    "moderation",
)


def failure_of(error: BaseException) -> Failure:
    """Return what an exception from LiteLLM, httpx, aiohttp or ourselves means."""
    if isinstance(error, UnreadableAnswerError):
        return error.failure
    if isinstance(error, asyncio.CancelledError):
        return Failure(FailureKind.CANCELLED)
    chain = tuple(_causes(error))
    status = _http_status(chain)
    return Failure(_kind(chain, status), status, _retry_after_s(chain))


def _kind(chain: tuple[BaseException, ...], status: int | None) -> FailureKind:
    names = [type(one).__name__ for one in chain]
    telling = next((KINDS[name] for name in names if name in _TELLING), None)
    if telling is not None:
        return telling
    if status is not None:
        return _kind_of_refusal(chain[0]) if status == _BAD_REQUEST else kind_of_status(status)
    # The deepest cause that is known: httpx says ConnectError of a connection that was reset.
    cause = next((_CAUSES[name] for name in reversed(names) if name in _CAUSES), None)
    if cause is not None:
        return cause
    claimed = next((found for one in chain if (found := _claimed_status(one)) is not None), None)
    if claimed is not None and claimed >= 500:  # noqa: PLR2004 -- HTTP
        return kind_of_status(claimed)
    # A status under 500 that no HTTP answer carried is LiteLLM's word for an answer it could not read.
    return FailureKind.MALFORMED if names[0] in KINDS else FailureKind.UNKNOWN


def _kind_of_refusal(error: BaseException) -> FailureKind:
    """Return what a 400 is about; LiteLLM recognises the words of some providers only."""
    text = str(error).lower()
    if any(words in text for words in _CONTEXT_WORDS):
        return FailureKind.CONTEXT_OVERFLOW
    if any(words in text for words in _FILTER_WORDS):
        return FailureKind.CONTENT_FILTERED
    return FailureKind.BAD_REQUEST


def _http_status(chain: tuple[BaseException, ...]) -> int | None:
    """Return the status that the provider really sent; LiteLLM turns a 503 into a 500 and more."""
    for one in reversed(chain):
        # Only these carry the provider's own answer; the classes above them make up a response.
        if type(one).__name__ in {"HTTPStatusError", "MaskedHTTPStatusError"}:
            found = getattr(getattr(one, "response", None), "status_code", None)
            if isinstance(found, int) and found >= 400:  # noqa: PLR2004 -- HTTP
                return found
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    for _ in range(_CAUSE_DEPTH_MAX):
        if current is None:
            return
        yield current
        wrapped = getattr(current, "original_exception", None)
        current = (
            current.__cause__
            or (wrapped if isinstance(wrapped, BaseException) else None)
            or current.__context__
        )


def _claimed_status(error: BaseException) -> int | None:
    try:
        status = int(getattr(error, "status_code", None) or 0)
    except (TypeError, ValueError):
        return None
    return status if 100 <= status < 600 else None  # noqa: PLR2004 -- HTTP


def _retry_after_s(chain: tuple[BaseException, ...]) -> float | None:
    for cause in chain:
        response = getattr(cause, "response", None)
        for headers in (getattr(cause, "litellm_response_headers", None), getattr(response, "headers", None)):
            value = headers.get("retry-after") if headers is not None and hasattr(headers, "get") else None
            if value:
                return _seconds(str(value))
    return None


def _seconds(value: str) -> float | None:
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment - SystemClock().now()).total_seconds())
