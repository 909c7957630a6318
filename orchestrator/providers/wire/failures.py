"""What a provider's refusal means: by HTTP status, then `error.code`, `error.type`, and only then words.

No text of the provider's is kept: it may quote the prompt or the key.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.core.clock import SystemClock
from orchestrator.core.failures import Failure, FailureKind, kind_of_status
from orchestrator.providers.retry_after import Now, asked_wait_s, wait_of
from orchestrator.providers.wire.wire_json import read_error_body

ERROR_BYTES_MAX = 64 * 1024
"""Of the body of a refusal; what comes after it is not read."""

_BY_STATUS: Mapping[int, FailureKind] = {
    # Refusals that say more about the provider, or what stands before it, than about the request.
    405: FailureKind.MODEL_NOT_FOUND,
    406: FailureKind.MODEL_NOT_FOUND,
    407: FailureKind.UNREACHABLE,
    409: FailureKind.UNAVAILABLE,
    421: FailureKind.UNAVAILABLE,
    423: FailureKind.UNAVAILABLE,
    425: FailureKind.UNAVAILABLE,
    451: FailureKind.UNAUTHORIZED,
    498: FailureKind.UNAVAILABLE,
    499: FailureKind.UNAVAILABLE,
}

BY_CODE: Mapping[str, FailureKind] = {
    "context_length_exceeded": FailureKind.CONTEXT_OVERFLOW,
    "exceed_context_size_error": FailureKind.CONTEXT_OVERFLOW,
    "string_above_max_length": FailureKind.CONTEXT_OVERFLOW,
    "integer_above_max_value": FailureKind.OUTPUT_LIMIT,
    "request_too_large": FailureKind.CONTEXT_OVERFLOW,
    "content_filter": FailureKind.CONTENT_FILTERED,
    "content_policy_violation": FailureKind.CONTENT_FILTERED,
    "moderation_blocked": FailureKind.CONTENT_FILTERED,
    "responsibleaipolicyviolation": FailureKind.CONTENT_FILTERED,
    "invalid_prompt": FailureKind.CONTENT_FILTERED,
    "insufficient_quota": FailureKind.NO_CREDIT,
    "billing_hard_limit_reached": FailureKind.NO_CREDIT,
    "billing_not_active": FailureKind.NO_CREDIT,
    "billing_error": FailureKind.NO_CREDIT,
    "billing_disabled": FailureKind.NO_CREDIT,
    "invalid_api_key": FailureKind.UNAUTHORIZED,
    "api_key_invalid": FailureKind.UNAUTHORIZED,
    "api_key_expired": FailureKind.UNAUTHORIZED,
    "api_key_service_blocked": FailureKind.UNAUTHORIZED,
    "account_deactivated": FailureKind.UNAUTHORIZED,
    "organization_restricted": FailureKind.UNAUTHORIZED,
    "authentication_error": FailureKind.UNAUTHORIZED,
    "permission_error": FailureKind.UNAUTHORIZED,
    "unsupported_country_region_territory": FailureKind.UNAUTHORIZED,
    "model_not_found": FailureKind.MODEL_NOT_FOUND,
    "model_not_available": FailureKind.MODEL_NOT_FOUND,
    "invalid_model": FailureKind.MODEL_NOT_FOUND,
    "deploymentnotfound": FailureKind.MODEL_NOT_FOUND,
    "operationnotsupported": FailureKind.MODEL_NOT_FOUND,
    "model_decommissioned": FailureKind.MODEL_NOT_FOUND,
    "model_deprecated": FailureKind.MODEL_NOT_FOUND,
    "deprecated_model": FailureKind.MODEL_NOT_FOUND,
    "not_found_error": FailureKind.MODEL_NOT_FOUND,
    "rate_limit_exceeded": FailureKind.RATE_LIMITED,
    "rate_limit_error": FailureKind.RATE_LIMITED,
    "overloaded_error": FailureKind.UNAVAILABLE,
    "unavailable_error": FailureKind.UNAVAILABLE,
    "server_error": FailureKind.SERVER_ERROR,
    "internal_error": FailureKind.SERVER_ERROR,
    # Google's canonical codes, where the HTTP status does not say it already.
    "unauthenticated": FailureKind.UNAUTHORIZED,
    "permission_denied": FailureKind.UNAUTHORIZED,
    "failed_precondition": FailureKind.UNAUTHORIZED,
    "resource_exhausted": FailureKind.RATE_LIMITED,
    "not_found": FailureKind.MODEL_NOT_FOUND,
    "internal": FailureKind.SERVER_ERROR,
    "unavailable": FailureKind.UNAVAILABLE,
    "deadline_exceeded": FailureKind.UNAVAILABLE,
    "aborted": FailureKind.UNAVAILABLE,
    "cancelled": FailureKind.UNAVAILABLE,
    # Amazon's, which says 400 of a key and of a limit too.
    "throttlingexception": FailureKind.RATE_LIMITED,
    "servicequotaexceededexception": FailureKind.RATE_LIMITED,
    "unrecognizedclientexception": FailureKind.UNAUTHORIZED,
    "expiredtokenexception": FailureKind.UNAUTHORIZED,
    "invalidsignatureexception": FailureKind.UNAUTHORIZED,
    "incompletesignatureexception": FailureKind.UNAUTHORIZED,
    "missingauthenticationtokenexception": FailureKind.UNAUTHORIZED,
    "resourcenotfoundexception": FailureKind.MODEL_NOT_FOUND,
    "modelnotreadyexception": FailureKind.UNAVAILABLE,
    "serviceunavailableexception": FailureKind.UNAVAILABLE,
    "modeltimeoutexception": FailureKind.UNAVAILABLE,
    "internalserverexception": FailureKind.SERVER_ERROR,
    "modelstreamerrorexception": FailureKind.SERVER_ERROR,
    # Groq's 400 of a model that wrote no JSON: its answer, and not the request, is wrong.
    "json_validate_failed": FailureKind.MALFORMED,
    "tool_use_failed": FailureKind.MALFORMED,
}
"""Values of `error.code`, `error.type`, `error.status` and the reasons in `error.details`, in lower case."""

_OUTPUT_LIMITS = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens"})
"""A refusal of this parameter: the model writes less than was asked of it, another one may write as much."""

BY_WORDS: tuple[tuple[FailureKind, tuple[str, ...]], ...] = (
    (
        FailureKind.UNAUTHORIZED,
        (
            *("api key not valid", "api key expired", "incorrect api key", "location is not supported"),
            "organization has been disabled",
        ),
    ),
    (
        FailureKind.NO_CREDIT,
        (
            *("key limit exceeded", "insufficient credits", "credit balance is too low", "credits are depleted"),
            *("insufficient balance", "all available credits", "have any credits", "spending limit"),
            "api usage limits",
        ),
    ),
    (
        FailureKind.CONTEXT_OVERFLOW,
        (
            "context length",
            "context_length",
            "context window",
            "context size",
            "context limit",
            "maximum context",
            "maximum number of tokens",
            "prompt is too long",
            "input is too long",
        ),
    ),
    (
        FailureKind.OUTPUT_LIMIT,
        (
            *("max_tokens", "max_completion_tokens", "maximum output tokens", "maxoutputtokens"),
            "max_new_tokens",
            *("completion tokens", "maximum tokens you requested"),
        ),
    ),
    (
        FailureKind.CONTENT_FILTERED,
        (
            "content_filter",
            "content filter",
            "content management policy",
            "safety settings",
            "safety system",
            "moderation",
            "flagged",
            "content exists risk",
        ),
    ),
    (
        FailureKind.MODEL_NOT_FOUND,
        (
            "model not found",
            "is not a valid model",
            "model is deprecated",
            "model has been deprecated",
            "model is no longer",
            "model has been decommissioned",
            "not supported for generatecontent",
            # Bedrock's, of a model that an account has not, or not in this region.
            "model identifier is invalid",
            "have access to the model",
            "on-demand throughput",
            # OpenAI's, of streams of newer models: what an account has not is not the caller's fault.
            "organization must be verified",
            "only for api versions",
        ),
    ),
    # A parameter, a tool, a picture that one model takes and another does not.
    (
        FailureKind.UNSUPPORTED,
        (
            *("not supported", "not support", "unsupported", "isn't supported", "this model only works"),
            # Gemma's, vLLM's, OpenRouter's, and Mistral's and Anthropic's of a field that they do not know.
            *("is not enabled for", "--enable-auto-tool-choice", "cannot be disabled", "extra inputs are not"),
        ),
    ),
)  # fmt: skip
"""Of messages; only read where neither the status nor a code says what is meant."""

_VAGUE = frozenset({400, 403, 422})
"""Statuses that stand for many things."""
_UNSPECIFIC = frozenset({FailureKind.BAD_REQUEST})
_WORDS_MAX = 20_000
_FORBIDDEN = 403
_TOO_MANY = 429
_TOO_LARGE = 413
_HOST_WORDS_MIN = 2
_AMAZONS_NAME = "x-amzn-errortype"
_TOO_LARGE_FOR_A_MINUTE = re.compile(r"limit:? (\d+)\b.{0,80}?\brequested:? (\d+)\b", re.DOTALL)
"""What OpenAI and Groq say of a request that is larger than all of a minute: no wait would help it."""
_OF_A_HOST = {
    FailureKind.UNAUTHORIZED: FailureKind.MODEL_NOT_FOUND,
    FailureKind.NO_CREDIT: FailureKind.MODEL_NOT_FOUND,
}
"""A host that refuses a router's own key or account: that model is not to be had there, and others are."""
_RETRY_DELAY = re.compile(r"^([0-9.]+)s$")


def failure_of_reply(status: int, headers: Mapping[str, str], body: bytes, *, now: Now) -> Failure:
    """Return what an answer with a status of no success means, and how long it asks to wait.

    A redirect is followed nowhere and may have been billed where it points, so it is an answer that cannot
    be read. `body` is what was read of it, at most `ERROR_BYTES_MAX`.
    """
    if status < 400:  # noqa: PLR2004 -- HTTP
        return Failure(FailureKind.MALFORMED, status)
    data = read_error_body(body[:ERROR_BYTES_MAX])
    error = _with_amazons_name(_error_object(data), headers.get(_AMAZONS_NAME))
    kind = _kind(status, error)
    if not data and kind is FailureKind.BAD_REQUEST:
        # A page of HTML, or nothing: that is not the API's word on this request, but of something before it.
        kind = FailureKind.SERVER_ERROR
    wait_s = asked_wait_s(headers, now=now)
    return Failure(kind, status, _retry_in(error or {}, now) if wait_s is None else wait_s)


def failure_of_error(error: Any) -> Failure:
    """Return what an error in the body of a 200 means; its `code` is the status that did not come."""
    described = _error_object(error if isinstance(error, Mapping) else {"error": error}) or {}
    status = _status_in(described)
    if status is None:
        named = _named_kind(described)
        return Failure(named or FailureKind.MALFORMED)
    return replace(
        Failure(_kind(status, described), status), retry_after_s=_retry_in(described, SystemClock().now)
    )


def error_in(data: Mapping[str, Any], *, answers: bool) -> Any:
    """Return the error in a body or an event, None where there is none; `answers` where it has an answer."""
    if data.get("error"):
        return data["error"]
    if isinstance(data.get("errors"), list) and data["errors"]:
        return data["errors"][0]
    if "error" in (data.get("object"), data.get("type"), data.get("status")):
        return data
    return data if not answers and is_bare_error(data) else None


def is_bare_error(data: Mapping[str, Any]) -> bool:
    """Return whether a body or an event without an answer is an error that stands in no field for one.

    What gateways send in the middle of a stream: `{"code": 429, "message": "..."}`, `{"detail": "..."}`.
    """
    codes = [data.get(name) for name in ("code", "error_code", "errorCode", "status_code", "statusCode")]
    if any(code not in _NO_ERROR for code in codes):
        return True
    is_fine = any(code is not None for code in codes)
    words = ("message", "msg", "detail", "error_message", "errorMessage", "error_msg")
    return not is_fine and any(isinstance(data.get(word), str | list) and data[word] for word in words)


_NO_ERROR = (None, 0, 200, "", "0", "200", "ok", "OK", "success")


def failure_of_late_error(error: Any, *, begun: bool) -> Failure:
    """Return what an error in a stream means: after its first words the answer broke off, maybe billed."""
    failure = failure_of_error(error)
    return Failure(FailureKind.INTERRUPTED, failure.status) if begun else failure


def _kind(status: int, error: Mapping[str, Any] | None) -> FailureKind:
    by_status = _BY_STATUS.get(status) or kind_of_status(status)
    if error is None:
        return by_status
    host = _error_of_host(error)
    kind_at_host = None if host is None else _told_kind(status, by_status, host)
    kind = kind_at_host or _told_kind(status, by_status, error) or by_status
    if host is None:
        return kind
    if kind is FailureKind.BAD_REQUEST and _says_nothing(host):
        # Nobody has said that the request is wrong.
        return FailureKind.SERVER_ERROR
    return _OF_A_HOST.get(kind, kind)


def _told_kind(status: int, by_status: FailureKind, error: Mapping[str, Any]) -> FailureKind | None:
    """Return what an error says that it is, None where its status says as much or more."""
    if status in {_TOO_MANY, _TOO_LARGE} and _is_above_a_minute(_words_of(error)):
        return FailureKind.UNSUPPORTED
    is_vague = by_status in _UNSPECIFIC or status in _VAGUE
    named = _named_kind(error)
    if named is not None and (is_vague or named in _OVERRULING):
        return named
    by_words = _kind_by_words(error) if is_vague or status == _TOO_MANY else None
    # Google tells an empty account with a 429, which no wait would end.
    return by_words if is_vague or by_words is FailureKind.NO_CREDIT else None


def _is_above_a_minute(words: str) -> bool:
    sizes = _TOO_LARGE_FOR_A_MINUTE.search(words)
    if sizes is None:
        return words.startswith("request too large for")
    return int(sizes[2]) > int(sizes[1])


def _error_of_host(error: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what the host behind OpenRouter said itself, None where that is not told."""
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    if isinstance(raw, str):
        inner = _error_object(read_error_body(raw.encode()))
        return {"message": raw} if inner is None else inner
    return _error_object(raw) if isinstance(raw, Mapping) else None


def _says_nothing(host: Mapping[str, Any]) -> bool:
    """Return whether what a host said is nothing, a page of HTML or a single word."""
    words = _words_of(host).split()
    return host.keys() == {"message"} and (len(words) < _HOST_WORDS_MIN or words[0].startswith("<"))


def _with_amazons_name(error: Mapping[str, Any] | None, name: str | None) -> Mapping[str, Any] | None:
    """Return an error with what Amazon calls it, in a header of the response or in a field of the body."""
    written = name or (error or {}).get("__type")
    if not isinstance(written, str):
        return error
    return {**(error or {}), "type": written.partition(":")[0].rpartition("#")[2]}


_OVERRULING = frozenset({FailureKind.CONTEXT_OVERFLOW, FailureKind.CONTENT_FILTERED, FailureKind.NO_CREDIT})
"""A code of these kinds says more than any status: OpenAI's 429 `insufficient_quota` is no rate limit."""


def _named_kind(error: Mapping[str, Any]) -> FailureKind | None:
    for name in _names_in(error):
        if name in BY_CODE:
            return BY_CODE[name]
    return FailureKind.OUTPUT_LIMIT if error.get("param") in _OUTPUT_LIMITS else None


def _names_in(error: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names that an error gives itself, the most telling first."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, Mapping) and isinstance(detail.get("reason"), str):
            yield detail["reason"].lower()
    metadata = error.get("metadata")
    if isinstance(metadata, Mapping) and (metadata.get("flagged_input") or metadata.get("reasons")):
        # OpenRouter's shape of a moderated prompt.
        yield "content_filter"
    inner = error.get("innererror")
    for holder, key in ((inner, "code"), (error, "code"), (error, "type"), (error, "status")):
        if isinstance(holder, Mapping) and isinstance(holder.get(key), str):
            yield holder[key].lower()


def _kind_by_words(error: Mapping[str, Any]) -> FailureKind | None:
    message = _words_of(error)
    return next((kind for kind, words in BY_WORDS if any(word in message for word in words)), None)


def _words_of(error: Mapping[str, Any]) -> str:
    return str(error.get("message") or "")[:_WORDS_MAX].lower().replace("’", "'")


def _error_object(data: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return the error in a body: `error` as an object or a text, or the body itself where it is flat."""
    if not data:
        return None
    error = data.get("error", data)
    if isinstance(error, str):
        return {**data, "message": error}
    if isinstance(error, Mapping):
        return error
    return data if "message" in data or "code" in data else None


def _status_in(error: Mapping[str, Any]) -> int | None:
    code = error.get("code")
    if isinstance(code, str) and code.isdecimal():
        code = int(code[:4])
    return code if type(code) is int and 400 <= code < 600 else None  # noqa: PLR2004 -- HTTP


def _retry_in(error: Mapping[str, Any], now: Now) -> float | None:
    """Return the wait of Google's `google.rpc.RetryInfo` or of OpenRouter's headers in the body, if any."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, Mapping) else None
        match = _RETRY_DELAY.match(delay) if isinstance(delay, str) else None
        if match:
            return wait_of(match[1])
    metadata = error.get("metadata")
    inner = metadata.get("headers") if isinstance(metadata, Mapping) else None
    if not isinstance(inner, Mapping):
        return None
    return asked_wait_s({str(name).lower(): value for name, value in inner.items()}, now=now)
