"""LiteLLM's exceptions, as our failures: kind, status and Retry-After, and never a text of theirs.

Their texts may hold the prompt, the reply or the key.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.core.clock import SystemClock
from orchestrator.core.failures import Failure, FailureKind, kind_of_status
from orchestrator.core.provider_answer import AttemptFailedError
from orchestrator.providers.retry_after import asked_wait_s, wait_of
from orchestrator.providers.wire.failures import ERROR_BYTES_MAX, is_of_a_gateway, kind_of_words
from orchestrator.providers.wire.wire_json import read_error_body

TELLING: Mapping[str, FailureKind] = {
    "ContentPolicyViolationError": FailureKind.CONTENT_FILTERED,
    "ContextWindowExceededError": FailureKind.CONTEXT_OVERFLOW,
    # Raised by LiteLLM itself, before anything is sent.
    "ImageFetchError": FailureKind.BAD_REQUEST,
    "LiteLLMUnknownProvider": FailureKind.BAD_REQUEST,
    "UnsupportedParamsError": FailureKind.BAD_REQUEST,
}
"""Exceptions of LiteLLM whose class says more than a status or a cause, by class name."""

BY_STATUS_OR_CAUSE = frozenset(
    {
        "APIConnectionError",
        "APIError",
        "APIResponseValidationError",
        "AuthenticationError",
        "BadGatewayError",
        "BadRequestError",
        "InternalServerError",
        "InvalidRequestError",
        "JSONSchemaValidationError",
        "MidStreamFallbackError",
        "NotFoundError",
        "OpenAIError",
        "PaymentRequiredError",
        "PermissionDeniedError",
        "RateLimitError",
        "ServiceUnavailableError",
        "Timeout",
        "UnprocessableEntityError",
    }
)
"""Exceptions of LiteLLM that the provider's own status, or what lies behind them, tells better."""

_CAUSES: Mapping[str, FailureKind] = {
    # httpx, aiohttp and the operating system, by class name: the nearest cause that is known decides
    "ConnectError": FailureKind.UNREACHABLE,
    "ConnectTimeout": FailureKind.UNREACHABLE,
    "ClientConnectorError": FailureKind.UNREACHABLE,
    "ClientConnectorDNSError": FailureKind.UNREACHABLE,
    "ClientConnectorCertificateError": FailureKind.UNREACHABLE,
    "ClientConnectorSSLError": FailureKind.UNREACHABLE,
    "SSLCertVerificationError": FailureKind.UNREACHABLE,
    "SSLError": FailureKind.UNREACHABLE,
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
    # aiohttp's, of what is no HTTP.
    "ClientResponseError": FailureKind.MALFORMED,
    "BodyTooLargeError": FailureKind.MALFORMED,
    "BrokenFrameError": FailureKind.MALFORMED,
    "ValidationError": FailureKind.MALFORMED,
    "UnicodeDecodeError": FailureKind.MALFORMED,
    "MalformedEventError": FailureKind.MALFORMED,
    "DecodingError": FailureKind.MALFORMED,
    "ProviderFailedError": FailureKind.MALFORMED,
    "NoAnswerError": FailureKind.MALFORMED,
    "EndedEarlyError": FailureKind.INTERRUPTED,
    "LocalModelError": FailureKind.UNREACHABLE,
    "AttemptVetoedError": FailureKind.VETOED,
    # What an HTTP client will not write: a line break in a header, letters beyond its code, an address of
    # nowhere.
    "LocalProtocolError": FailureKind.NOT_SENT,
    "UnsendableHeaderError": FailureKind.NOT_SENT,
    "UnboundedRequestError": FailureKind.NOT_SENT,
    "MisdirectedRequestError": FailureKind.NOT_SENT,
    "UnsendableError": FailureKind.NOT_SENT,
    "UnicodeEncodeError": FailureKind.NOT_SENT,
    "InvalidURL": FailureKind.NOT_SENT,
    "UnsupportedProtocol": FailureKind.NOT_SENT,
}

_OURS = frozenset({"LocalModelError", "AttemptVetoedError", "TimeoutError"})
"""Causes that keep an attempt from being sent and speak for themselves."""

_CAUSE_DEPTH_MAX = 12
_ANSWERED = frozenset({"HTTPStatusError", "MaskedHTTPStatusError"})
"""Only these carry the provider's own answer; the classes above them make up a response."""
_BAD_REQUEST = 400
_UNREADABLE_WORDS = (
    "invalid response from LLM endpoint",
    "BodyTooLargeError",
    "object has no attribute",
)
"""LiteLLM says HTTP 500 of a page of HTML that came with 200, and of streams whose types it trips over."""
_RETRY_DELAY = re.compile(r'"retryDelay":\s*"([0-9.]+)s"')
"""Gemini says it in the body, as google.rpc.RetryInfo, and sends no header."""


def failure_of(error: BaseException, *, outer: BaseException | None = None, was_sent: bool = True) -> Failure:
    """Return what an exception from LiteLLM, httpx, aiohttp or ourselves means.

    `outer` was being handled when the attempt began, so it and what lies behind it belong to another attempt.
    `was_sent` says whether a byte may have left; where none has, no status is the provider's word.
    """
    if isinstance(error, AttemptFailedError):
        return error.failure
    if not isinstance(error, Exception):
        # A cancelled task, a generator that is closed, Ctrl-C: the caller left.
        return Failure(FailureKind.CANCELLED)
    chain = tuple(_causes(error, outer))
    if not chain:
        return Failure(FailureKind.UNKNOWN if was_sent else FailureKind.NOT_SENT)
    if not was_sent:
        return Failure(_kind_of_unsent(chain))
    status = _http_status(chain)
    return Failure(_kind(chain, status), status, _retry_after_s(chain))


def _kind_of_unsent(chain: tuple[BaseException, ...]) -> FailureKind:
    """Return what kept an attempt from being sent: something of ours, or what LiteLLM would not write."""
    names = [type(error).__name__ for error in chain]
    telling = next((TELLING[name] for name in names if name in TELLING), None)
    ours = next((_CAUSES[name] for name in reversed(names) if name in _OURS), None)
    return telling or ours or FailureKind.NOT_SENT


def _kind(chain: tuple[BaseException, ...], status: int | None) -> FailureKind:
    names = [type(link).__name__ for link in chain]
    telling = next((TELLING[name] for name in names if name in TELLING), None)
    if telling is not None:
        return telling
    if status is not None:
        return FailureKind.TIMEOUT if _is_of_a_gateway(chain, status) else _kind_of_answer(chain[0], status)
    # The deepest cause that is known: httpx says ConnectError of a connection that was reset.
    cause = next((_CAUSES[name] for name in reversed(names) if name in _CAUSES), None)
    if cause is not None:
        return cause
    if any(words in str(link) for link in chain for words in _UNREADABLE_WORDS):
        return FailureKind.MALFORMED
    claimed = next((match for link in chain if (match := _claimed_status(link)) is not None), None)
    if claimed is not None and claimed >= 500:  # noqa: PLR2004 -- HTTP
        return kind_of_status(claimed)
    # A status under 500 that no HTTP answer carried is LiteLLM's word for an answer it could not read.
    return FailureKind.MALFORMED if names[0] in BY_STATUS_OR_CAUSE else FailureKind.UNKNOWN


def _kind_of_answer(error: BaseException, status: int) -> FailureKind:
    if status < _BAD_REQUEST:
        # A redirect, which is followed nowhere and may have been billed where it points.
        return FailureKind.MALFORMED
    return _kind_of_refusal(error) if status == _BAD_REQUEST else kind_of_status(status)


def _is_of_a_gateway(chain: tuple[BaseException, ...], status: int) -> bool:
    answered = (getattr(link, "response", None) for link in chain if type(link).__name__ in _ANSWERED)
    response = next((response for response in answered if getattr(response, "is_closed", False)), None)
    if response is None:
        return False
    return is_of_a_gateway(status, read_error_body(response.content[:ERROR_BYTES_MAX]))


def _kind_of_refusal(error: BaseException) -> FailureKind:
    """Return what a 400 is about; LiteLLM recognises the words of some providers only."""
    return kind_of_words(str(error).lower()) or FailureKind.BAD_REQUEST


def _http_status(chain: tuple[BaseException, ...]) -> int | None:
    """Return the status that the provider really sent; LiteLLM turns a 503 into a 500 and more."""
    for link in reversed(chain):
        if type(link).__name__ in _ANSWERED:
            match = getattr(getattr(link, "response", None), "status_code", None)
            if isinstance(match, int) and match >= 300:  # noqa: PLR2004 -- HTTP
                return match
    return None


def _causes(error: BaseException, outer: BaseException | None) -> Iterator[BaseException]:
    current: BaseException | None = error
    # Of a stream that broke, LiteLLM's wrapper and the error in it name each other as their cause.
    seen: list[BaseException] = []
    while current is not None and current is not outer and len(seen) < _CAUSE_DEPTH_MAX:
        yield current
        seen.append(current)
        behind = (current.__cause__, getattr(current, "original_exception", None), current.__context__)
        current = next(
            (link for link in behind if isinstance(link, BaseException) and link not in seen), None
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
            asked_s = (
                asked_wait_s(headers, now=SystemClock().now)
                if headers is not None and hasattr(headers, "get")
                else None
            )
            if asked_s is not None:
                return asked_s
        if type(cause).__name__ in _ANSWERED and (match := _RETRY_DELAY.search(_body(response))):
            return wait_of(match[1])
    return None


def _body(response: Any) -> str:
    try:
        return str(response.text)
    except RuntimeError:  # httpx: a stream that nobody has read
        return ""
