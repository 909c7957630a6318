"""The bodies of errors as Anthropic, Azure and Bedrock send them."""

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
_BEDROCK_TYPES = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
_BEDROCK_IN_STREAM = {
    400: "validationException",
    424: "modelStreamErrorException",
    429: "throttlingException",
    500: "internalServerException",
    503: "serviceUnavailableException",
}
_BEDROCK_TEXTS: dict[int | str, str] = {
    "context_length": "Input is too long for requested model.",
    "content_filter": "Output blocked by content filtering policy",
    "insufficient_quota": "Too many tokens per day, please wait before trying again.",
    "output_limit": (
        "The maximum tokens you requested exceeds the model limit of 8192. Try again with a maximum tokens value "
        "that is lower than 8192."
    ),
    "unknown_model": "The provided model identifier is invalid.",
    "no_key": "Missing Authentication Token",
    "wrong_key": "The security token included in the request is invalid.",
    401: "The security token included in the request is invalid.",
    403: "You don't have access to the model with the specified model ID.",
    429: "Too many requests, please wait before trying again.",
    500: "The system encountered an unexpected error during processing. Try your request again.",
    503: "Bedrock is unable to process your request.",
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


def bedrock_error(status: int, reason: str | None, message: str | None) -> JsonObject:
    """Return Bedrock's body of an error; its kind is a header."""
    text = message or _BEDROCK_TEXTS.get(reason or "") or _BEDROCK_TEXTS.get(status) or _phrase(status)
    return {"message": text}


def bedrock_error_type(status: int, *, in_stream: bool = False) -> str:
    """Return what Bedrock calls an error, in a header of its response or of a frame of its stream."""
    kinds = _BEDROCK_IN_STREAM if in_stream else _BEDROCK_TYPES
    return kinds.get(status, kinds[500])


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP {status}"
