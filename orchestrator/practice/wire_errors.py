"""The bodies and headers of errors as OpenRouter, OpenAI and Gemini send them."""

from dataclasses import dataclass, replace
from http import HTTPStatus

from orchestrator.practice.json_types import JsonObject
from orchestrator.practice.prefix_errors import (
    anthropic_error,
    azure_error,
    bedrock_error,
    bedrock_error_type,
)

HTML_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"

GOOGLES = frozenset({"google", "vertex_ai"})
"""Who speaks Gemini's format, and refuses in it."""
_OTHER_SCHEMA = (
    b'{"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted"}]}'
)
"""What a FastAPI server says of a field that its own schema has not."""
_RATE_LIMITED = 429
_HUGE_BYTES = 4_000_000


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818 -- what the provider says, not a failure of ours
    """An HTTP error that a practice provider answers with."""

    status: int
    message: str | None = None
    """None: what the provider says for this status and reason."""
    reason: str | None = None
    """One of `fault_kinds.REASONS`, or unknown_model, no_key, wrong_key, or a code of the Responses API."""
    model: str = ""
    retry_after_s: float | None = None


_USUAL_REASON = {
    ("openrouter", 401): "wrong_key",
    ("openai", 401): "wrong_key",
    ("openai", 404): "unknown_model",
    ("google", 404): "unknown_model",
    ("bedrock", 404): "unknown_model",
}
"""What a status means when no reason is given."""

TOO_LARGE_FOR_A_MINUTE = (
    "Request too large for {model} in organization org-practice on tokens per min (TPM): Limit 30000, Requested "
    "50000. The input or output tokens must be reduced in order to run successfully."
)
"""What is larger than all of a minute passes at no time."""

_OPENROUTER_TEXTS: dict[int | str, str] = {
    "context_length": (
        "This endpoint's maximum context length is 128000 tokens. However, you requested about 240000 tokens "
        '(240000 of text input). Please reduce the length of either one, or use the "middle-out" transform '
        "to compress your prompt automatically."
    ),
    "content_filter": "Your input was flagged by the provider's moderation.",
    "insufficient_quota": (
        "This request requires more credits, or fewer max_tokens. To increase, visit "
        "https://openrouter.ai/settings/credits and add more credits"
    ),
    "output_limit": "max_tokens: 90000 > 16384, which is the maximum allowed number of output tokens for {model}",
    "request_too_large": TOO_LARGE_FOR_A_MINUTE,
    "location": "The request is prohibited: this model's location is not supported.",
    "deprecated_model": "{model} is no longer available, the model has been deprecated.",
    "unknown_model": "{model} is not a valid model ID",
    404: "No endpoints found for {model}.",
    "no_key": "No auth credentials found",
    "wrong_key": "User not found.",
    402: "Insufficient credits. Add more using https://openrouter.ai/settings/credits",
    403: "Access denied by the key's guardrails",
    408: "Request timed out",
}
_OPENAI_TEXTS: dict[int | str, tuple[str, str, str | None]] = {
    "context_length": (
        (
            "This model's maximum context length is 128000 tokens. However, your messages resulted in "
            "240000 tokens. Please reduce the length of the messages."
        ),
        "invalid_request_error",
        "context_length_exceeded",
    ),
    "content_filter": (
        "Your request was rejected as a result of our safety system.",
        "invalid_request_error",
        "content_policy_violation",
    ),
    "output_limit": (
        "max_tokens is too large: 90000. This model supports at most 16384 completion tokens.",
        "invalid_request_error",
        "invalid_value",
    ),
    "request_too_large": (TOO_LARGE_FOR_A_MINUTE, "tokens", "rate_limit_exceeded"),
    "location": (
        "Country, region, or territory not supported",
        "request_forbidden",
        "unsupported_country_region_territory",
    ),
    "deprecated_model": (
        "The model `{model}` has been deprecated, learn more here: https://platform.openai.com/docs/deprecations",
        "invalid_request_error",
        "model_not_found",
    ),
    "unknown_parameter": ("Unknown parameter.", "invalid_request_error", "unknown_parameter"),
    "previous_response_not_found": (
        "Previous response not found.",
        "invalid_request_error",
        "previous_response_not_found",
    ),
    "insufficient_quota": (
        (
            "You exceeded your current quota, please check your plan and billing details. For more "
            "information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors."
        ),
        "insufficient_quota",
        "insufficient_quota",
    ),
    "unknown_model": (
        "The model `{model}` does not exist or you do not have access to it.",
        "invalid_request_error",
        "model_not_found",
    ),
    "no_key": (
        (
            "You didn't provide an API key. You need to provide your API key in an Authorization header "
            "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
        ),
        "invalid_request_error",
        None,
    ),
    "wrong_key": (
        "Incorrect API key provided: ****. You can find your API key at https://platform.openai.com/account/api-keys.",
        "invalid_request_error",
        "invalid_api_key",
    ),
    429: (
        (
            "Rate limit reached for {model} in organization org-practice on requests per min (RPM): "
            "Limit 500, Used 500, Requested 1. Please try again shortly."
        ),
        "requests",
        "rate_limit_exceeded",
    ),
    500: ("The server had an error while processing your request. Sorry about that!", "server_error", None),
    503: ("The engine is currently overloaded, please try again later", "server_error", None),
}
_GOOGLE_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_GOOGLE_TEXTS: dict[int | str, str] = {
    "context_length": (
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
    ),
    "content_filter": "The request was blocked by safety settings.",
    "insufficient_quota": "You exceeded your current quota, please check your plan and billing details.",
    "output_limit": (
        "Unable to submit request because it has a maxOutputTokens value of 90000 but the supported range is "
        "from 1 (inclusive) to 65537 (exclusive). Update the value and try again."
    ),
    "request_too_large": TOO_LARGE_FOR_A_MINUTE,
    "location": "User location is not supported for the API use.",
    "deprecated_model": "models/{model} is no longer available: the model is deprecated.",
    "unknown_model": (
        "models/{model} is not found for API version v1beta, or is not supported for generateContent. "
        "Call ListModels to see the list of available models and their supported methods."
    ),
    "no_key": (
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API consumer identity to call this API."
    ),
    "wrong_key": "API key not valid. Please pass a valid API key.",
    429: "Resource has been exhausted (e.g. check quota).",
    500: "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting",
    503: "The model is overloaded. Please try again later.",
    504: "Deadline expired before operation could complete.",
}


def error_body(provider: str, refusal: Refusal) -> JsonObject:
    """Return the JSON body that the provider sends with this error."""
    usual = _USUAL_REASON.get((provider, refusal.status))
    if usual and refusal.reason is None and refusal.message is None:
        refusal = replace(refusal, reason=usual)
    if provider == "openrouter":
        return _openrouter(refusal)
    if provider == "anthropic":
        return anthropic_error(refusal.status, refusal.reason, refusal.message, model=refusal.model)
    if provider == "azure":
        return azure_error(refusal.status, refusal.reason, refusal.message)
    if provider == "bedrock":
        return bedrock_error(refusal.status, refusal.reason, refusal.message)
    return _google(refusal) if provider in GOOGLES else _openai(refusal)


def odd_error(refusal: Refusal) -> bytes | None:
    """Return the body of an error that is not the provider's own, None where it is."""
    if refusal.reason == "html":
        return HTML_PAGE
    if refusal.reason == "huge":
        return b'{"error":{"message":"' + b"a" * _HUGE_BYTES + b'"}}'
    if refusal.reason == "schema":
        return _OTHER_SCHEMA
    return b"" if refusal.reason == "empty" else None


def error_headers(provider: str, refusal: Refusal) -> dict[str, str]:
    """Return the extra headers of the error; Google says its delay in the body only."""
    headers = {"x-amzn-ErrorType": bedrock_error_type(refusal.status)} if provider == "bedrock" else {}
    if refusal.retry_after_s is None or provider in GOOGLES:
        return headers
    headers["Retry-After"] = f"{refusal.retry_after_s:g}"
    if provider == "openai":
        headers["retry-after-ms"] = f"{refusal.retry_after_s * 1000:.0f}"
    return headers


def key_refusal(provider: str, *, has_key: bool) -> Refusal:
    """Return the error for a missing or a wrong key: Google's 403 and 400, Bedrock's 403, the others' 401."""
    reason = "wrong_key" if has_key else "no_key"
    if provider == "bedrock":
        return Refusal(403, reason=reason)
    if provider == "google":
        return Refusal(400 if has_key else 403, reason=reason)
    return Refusal(401, reason=reason)


def unknown_model(provider: str, model: str) -> Refusal:
    """Return the error for a model that does not exist; OpenRouter and Bedrock answer 400, the others 404."""
    return Refusal(400 if provider in {"openrouter", "bedrock"} else 404, reason="unknown_model", model=model)


def _text(refusal: Refusal, texts: dict[int | str, str], fallback: str) -> str:
    if refusal.message is not None:
        return refusal.message
    text = texts.get(refusal.reason or "") or texts.get(refusal.status) or fallback
    return text.replace("{model}", refusal.model)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP {status}"


def _openrouter(refusal: Refusal) -> JsonObject:
    error: JsonObject = {
        "message": _text(refusal, _OPENROUTER_TEXTS, "Provider returned error"),
        "code": refusal.status,
    }
    if error["message"] == "Provider returned error":
        raw = _phrase(refusal.status)
        if refusal.status == _RATE_LIMITED:
            raw = f"{refusal.model} is temporarily rate-limited upstream. Please retry shortly."
        error["metadata"] = {"raw": raw, "provider_name": "Practice"}
    elif refusal.reason == "content_filter":
        error["metadata"] = {"reasons": ["practice"], "flagged_input": "…", "provider_name": "Practice"}
    return {"error": error, "user_id": "user_practice"}


def _openai(refusal: Refusal) -> JsonObject:
    fallback = (
        _phrase(refusal.status),
        "server_error" if refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error",
        None,
    )
    message, kind, code = (
        _OPENAI_TEXTS.get(refusal.reason or "") or _OPENAI_TEXTS.get(refusal.status) or fallback
    )
    text = refusal.message if refusal.message is not None else message.replace("{model}", refusal.model)
    return {"error": {"message": text, "type": kind, "param": None, "code": code}}


def _google(refusal: Refusal) -> JsonObject:
    status = _GOOGLE_STATUS.get(refusal.status, "UNKNOWN")
    if refusal.reason == "location":
        status = "FAILED_PRECONDITION"
    text = _text(refusal, _GOOGLE_TEXTS, _phrase(refusal.status))
    error: JsonObject = {"code": refusal.status, "message": text, "status": status}
    details = _google_details(refusal)
    if details:
        error["details"] = details
    return {"error": error}


def _google_details(refusal: Refusal) -> list[JsonObject]:
    prefix = "type.googleapis.com/google.rpc."
    details: list[JsonObject] = []
    if refusal.reason == "wrong_key":
        service = {"service": "generativelanguage.googleapis.com"}
        details.append(
            {
                "@type": f"{prefix}ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": service,
            }
        )
    if refusal.status == _RATE_LIMITED:
        violation = {"quotaMetric": "generativelanguage.googleapis.com/generate_content_requests"}
        details.append({"@type": f"{prefix}QuotaFailure", "violations": [violation]})
    if refusal.retry_after_s is not None:
        details.append({"@type": f"{prefix}RetryInfo", "retryDelay": f"{refusal.retry_after_s:g}s"})
    return details
