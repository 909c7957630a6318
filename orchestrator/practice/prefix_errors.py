"""The bodies of errors as Anthropic and Azure send them."""

from http import HTTPStatus

from orchestrator.practice.json_types import JsonObject

_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_ANTHROPIC_TEXTS: dict[int | str, str] = {
    "context_length": "prompt is too long: 240000 tokens > 200000 maximum",
    "content_filter": "Output blocked by content filtering policy",
    "insufficient_quota": (
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade."
    ),
    "output_limit": "max_tokens: 90000 > 64000, which is the maximum allowed number of output tokens for {model}",
    "unknown_model": "model: {model}",
    "no_key": "x-api-key header is required",
    "wrong_key": "invalid x-api-key",
    401: "invalid x-api-key",
    429: "This request would exceed the rate limit of your organization.",
    500: "Internal server error",
    529: "Overloaded",
}
_AZURE_TEXTS: dict[int | str, tuple[str, str]] = {
    "context_length": (
        "context_length_exceeded",
        (
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 240000 tokens. "
            "Please reduce the length of the messages."
        ),
    ),
    "content_filter": (
        "content_filter",
        (
            "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
            "Please modify your prompt and retry."
        ),
    ),
    "insufficient_quota": ("insufficient_quota", "You exceeded your current quota."),
    "output_limit": (
        "invalid_value",
        "max_tokens is too large: 90000. This model supports at most 16384 completion tokens.",
    ),
    "unknown_model": ("DeploymentNotFound", "The API deployment for this resource does not exist."),
    "wrong_key": (
        "401",
        (
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key "
            "for an active subscription."
        ),
    ),
    429: (
        "429",
        "Requests to the ChatCompletions_Create Operation have exceeded the rate limit of your tier.",
    ),
}
_FILTERED: JsonObject = {
    "code": "ResponsibleAIPolicyViolation",
    "content_filter_result": {"violence": {"filtered": True, "severity": "high"}},
}


def anthropic_error(status: int, reason: str | None, message: str | None, *, model: str) -> JsonObject:
    """Return Anthropic's body of an error."""
    fallback = _phrase(status)
    text = message or _ANTHROPIC_TEXTS.get(reason or "") or _ANTHROPIC_TEXTS.get(status) or fallback
    kind = _ANTHROPIC_TYPES.get(status, "api_error")
    error = {"type": kind, "message": text.replace("{model}", model)}
    return {"type": "error", "error": error, "request_id": "req_practice"}


def azure_error(status: int, reason: str | None, message: str | None) -> JsonObject:
    """Return Azure's body of an error."""
    reason = "wrong_key" if status == HTTPStatus.UNAUTHORIZED else reason
    code, text = _AZURE_TEXTS.get(reason or "") or _AZURE_TEXTS.get(status) or (str(status), _phrase(status))
    error: JsonObject = {"code": code, "message": message or text}
    if reason == "content_filter":
        error |= {"param": "prompt", "type": None, "status": status, "innererror": _FILTERED}
    return {"error": error}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP {status}"
