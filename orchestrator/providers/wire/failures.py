"""What a provider's refusal means: by HTTP status, then `error.code`, `error.type`, and only then words.

No text of the provider's is kept: it may quote the prompt or the key.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from orchestrator.core.clock import SystemClock
from orchestrator.core.failures import Failure, FailureKind, kind_of_status
from orchestrator.providers.retry_after import Now, asked_wait_s, wait_of
from orchestrator.providers.wire.error_bodies import ToldError, host_of, told_in
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
    "overloaded": FailureKind.UNAVAILABLE,
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
    # Alibaba's.
    "data_inspection_failed": FailureKind.CONTENT_FILTERED,
    "datainspectionfailed": FailureKind.CONTENT_FILTERED,
    "arrearage": FailureKind.NO_CREDIT,
    "invalidapikey": FailureKind.UNAUTHORIZED,
    # Moonshot's.
    "exceeded_current_quota_error": FailureKind.NO_CREDIT,
    "invalid_authentication_error": FailureKind.UNAUTHORIZED,
    # Volcengine's.
    "sensitivecontentdetected": FailureKind.CONTENT_FILTERED,
    "inputtextsensitivecontentdetected": FailureKind.CONTENT_FILTERED,
    "outputtextsensitivecontentdetected": FailureKind.CONTENT_FILTERED,
    "accountoverdueerror": FailureKind.NO_CREDIT,
    # Zhipu's number.
    "1113": FailureKind.NO_CREDIT,
    # MiniMax's, which come with status 200.
    "base_resp 1000": FailureKind.SERVER_ERROR,
    "base_resp 1001": FailureKind.UNAVAILABLE,
    "base_resp 1013": FailureKind.SERVER_ERROR,
    "base_resp 2013": FailureKind.UNSUPPORTED,
    "base_resp 1002": FailureKind.RATE_LIMITED,
    "base_resp 1039": FailureKind.RATE_LIMITED,
    "base_resp 1004": FailureKind.UNAUTHORIZED,
    "base_resp 2049": FailureKind.UNAUTHORIZED,
    "base_resp 1008": FailureKind.NO_CREDIT,
    "base_resp 1026": FailureKind.CONTENT_FILTERED,
    "base_resp 1027": FailureKind.CONTENT_FILTERED,
    "serviceunavailableexception": FailureKind.UNAVAILABLE,
    "modeltimeoutexception": FailureKind.UNAVAILABLE,
    "internalserverexception": FailureKind.SERVER_ERROR,
    "modelstreamerrorexception": FailureKind.SERVER_ERROR,
    # Groq's 400 of a model that wrote no JSON: its answer, and not the request, is wrong.
    "json_validate_failed": FailureKind.MALFORMED,
    "tool_use_failed": FailureKind.MALFORMED,
}
"""Values of `error.code`, `error.type`, `error.status` and the reasons in `error.details`, in lower case."""

_BY_LATE_CODE: Mapping[str, FailureKind] = {
    # OpenAI's and Alibaba's of a parameter.
    "unsupported_parameter": FailureKind.UNSUPPORTED,
    "unsupported_value": FailureKind.UNSUPPORTED,
    "unknown_parameter": FailureKind.UNSUPPORTED,
    "invalid_json_schema": FailureKind.UNSUPPORTED,
    "invalid_function_parameters": FailureKind.UNSUPPORTED,
    "invalid_parameter_error": FailureKind.UNSUPPORTED,
    "invalidparameter": FailureKind.UNSUPPORTED,
    # Zhipu's numbers, which may mean something else at others.
    "1210": FailureKind.UNSUPPORTED,
    "1214": FailureKind.UNSUPPORTED,
    "1211": FailureKind.MODEL_NOT_FOUND,
    "1220": FailureKind.MODEL_NOT_FOUND,
    "1261": FailureKind.CONTEXT_OVERFLOW,
    "1301": FailureKind.CONTENT_FILTERED,
}
"""Of codes that say less than words do; only read where neither a status nor words say what is meant."""

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
            *("api usage limits", "account is in good standing"),
        ),
    ),
    (
        FailureKind.CONTEXT_OVERFLOW,
        (
            "context length",
            "context_length",
            "context window",
            *("context size", "contextwindowexceeded"),
            "context limit",
            "maximum context",
            "maximum number of tokens",
            "prompt is too long",
            "input is too long",
            # TGI's, Cohere's and Alibaba's.
            *("`inputs` must have less than", "too many tokens", "range of input length"),
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
            *("contentpolicyviolation", "content exists risk", "inappropriate content", "considered high risk"),
        ),
    ),
    (
        FailureKind.MODEL_NOT_FOUND,
        (
            *("model not found", "no such model"),
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
            # Servers of one model, whose template, grammar or schema takes less than others do.
            *("requires --jinja", "is not a multimodal model", "may be provided in one", "roles must alternate"),
            *("failed to deserialize", "unknown field", "unknown variant", "unknown parameter", "unknown name"),
            *("unrecognized request argument", "supported values are", "schema", "grammar"),
            *("only support", "must be set to", "image exceeds"),
        ),
    ),
)  # fmt: skip
"""Of messages; only read where neither the status nor a code says what is meant."""

_VAGUE = frozenset({400, 403, 422})
"""Statuses that stand for many things."""
_OF_MESSAGES = re.compile(r"messages\b|input\b|prompt\b|contents?\b")
_TOO_MANY = 429
_TOO_LARGE = 413
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
    kind = _kind(status, data or _plain_text(body), name=headers.get(_AMAZONS_NAME))
    if not data and kind is FailureKind.BAD_REQUEST:
        # A page of HTML, or nothing: that is not the API's word on this request, but of something before it.
        kind = FailureKind.SERVER_ERROR
    if is_of_a_gateway(status, data):
        kind = FailureKind.TIMEOUT
    wait_s = asked_wait_s(headers, now=now)
    return Failure(kind, status, _retry_in(data or {}, now) if wait_s is None else wait_s)


def is_of_a_gateway(status: int, data: Any) -> bool:
    """Return whether a gateway waited no longer: a 504 without JSON. What is behind it works on and bills."""
    return status == HTTPStatus.GATEWAY_TIMEOUT and not data


def failure_of_error(error: Any) -> Failure:
    """Return what an error in the body of a 200 means; its `code` is the status that did not come."""
    fault = told_in(error)
    if fault is None:
        return Failure(FailureKind.MALFORMED)
    if fault.status is None:
        return Failure(
            _named_kind(fault) or kind_of_words(fault.words) or _late_kind(fault) or FailureKind.MALFORMED
        )
    wait_s = _retry_in(error, SystemClock().now) if isinstance(error, Mapping) else None
    return Failure(_kind(fault.status, error), fault.status, wait_s)


def failure_of_late_error(error: Any, *, begun: bool) -> Failure:
    """Return what an error in a stream means: after its first words the answer broke off, maybe billed."""
    failure = failure_of_error(error)
    return Failure(FailureKind.INTERRUPTED, failure.status) if begun else failure


def kind_of_words(words: str) -> FailureKind | None:
    """Return what a message in lower case is about, None where that is not known."""
    return next((kind for kind, known in BY_WORDS if any(word in words for word in known)), None)


def _kind(status: int, body: Any, *, name: str | None = None) -> FailureKind:
    fault = told_in(body, name=name)
    if fault is not None and status in _VAGUE and fault.status is not None:
        # What stands before the model says 400 of whatever it heard, and repeats the status in its words.
        status = fault.status
    by_status = _BY_STATUS.get(status) or kind_of_status(status)
    if fault is None:
        return by_status
    raw = host_of(body)
    if raw is None:
        return _told_kind(status, by_status, fault) or by_status
    host = told_in((read_error_body(raw.encode()) or raw) if isinstance(raw, str) else raw)
    kind = host and _told_kind(status, by_status, host)
    kind = kind or _told_kind(status, by_status, fault) or by_status
    if kind is FailureKind.BAD_REQUEST and (host is None or host.says_nothing):
        # Nobody has said that the request is wrong.
        return FailureKind.SERVER_ERROR
    return _OF_A_HOST.get(kind, kind)


def _told_kind(status: int, by_status: FailureKind, fault: ToldError) -> FailureKind | None:
    """Return what an error says that it is, None where its status says as much or more."""
    if status in {_TOO_MANY, _TOO_LARGE} and _is_above_a_minute(fault.words):
        return FailureKind.UNSUPPORTED
    is_vague = by_status is FailureKind.BAD_REQUEST or status in _VAGUE
    named = _named_kind(fault)
    if named is not None and (is_vague or named in _OVERRULING):
        return named
    by_words = kind_of_words(fault.words) if is_vague or status == _TOO_MANY else None
    if is_vague:
        return by_words or _late_kind(fault)
    # Google tells an empty account with a 429, which no wait would end.
    return by_words if by_words is FailureKind.NO_CREDIT else None


def _is_above_a_minute(words: str) -> bool:
    sizes = _TOO_LARGE_FOR_A_MINUTE.search(words)
    if sizes is None:
        return words.startswith("request too large for")
    return int(sizes[2]) > int(sizes[1])


_OVERRULING = frozenset({FailureKind.CONTEXT_OVERFLOW, FailureKind.CONTENT_FILTERED, FailureKind.NO_CREDIT})
"""A code of these kinds says more than any status: OpenAI's 429 `insufficient_quota` is no rate limit."""


def _named_kind(fault: ToldError) -> FailureKind | None:
    named = next((BY_CODE[name] for name in fault.names if name in BY_CODE), None)
    return named or (FailureKind.OUTPUT_LIMIT if fault.param in _OUTPUT_LIMITS else None)


def _late_kind(fault: ToldError) -> FailureKind | None:
    """Return what a parameter's name or a code tells of a refusal whose words tell nothing.

    Messages are checked before they leave; of any parameter else models differ in what they take. What lies
    outside a server's own schema (`body`) is not taken by that server.
    """
    coded = next((_BY_LATE_CODE[name] for name in fault.names if name in _BY_LATE_CODE), None)
    if coded is not None:
        return coded
    if fault.param is None or _OF_MESSAGES.match(fault.param):
        return None
    return FailureKind.MODEL_NOT_FOUND if fault.param == "model" else FailureKind.UNSUPPORTED


def _plain_text(body: bytes) -> str | None:
    """Return a refusal that is plain text, None of a page of HTML: servers in Rust write no JSON there."""
    text = body[:ERROR_BYTES_MAX].decode(errors="replace").strip()
    return None if not text or text.startswith("<") else text


def _retry_in(data: Mapping[str, Any], now: Now) -> float | None:
    """Return the wait of Google's `google.rpc.RetryInfo` or of OpenRouter's headers in the body, if any."""
    inner = data.get("error")
    error: Mapping[str, Any] = inner if isinstance(inner, Mapping) else data
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, Mapping) else None
        match = _RETRY_DELAY.match(delay) if isinstance(delay, str) else None
        if match:
            return wait_of(match[1])
    metadata = error.get("metadata")
    headers = metadata.get("headers") if isinstance(metadata, Mapping) else None
    if not isinstance(headers, Mapping):
        return None
    return asked_wait_s({str(name).lower(): value for name, value in headers.items()}, now=now)
