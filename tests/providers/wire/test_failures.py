"""What a refusal means, by status, code, type and only then words; how long it asks to wait."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from orchestrator.core.failures import FailureKind
from orchestrator.practice.wire_errors import TOO_LARGE_FOR_A_MINUTE, Refusal, error_body
from orchestrator.providers.wire.failures import (
    BY_CODE,
    ERROR_BYTES_MAX,
    failure_of_error,
    failure_of_late_error,
    failure_of_reply,
)

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
K = FailureKind


def failure(
    status: int, error: Any = None, headers: dict[str, str] | None = None, *, raw: bytes | None = None
):
    body = raw if raw is not None else orjson.dumps({"error": error})
    return failure_of_reply(status, headers or {}, body, now=lambda: NOW)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"message": "bad", "type": "invalid_request_error", "code": None}, K.BAD_REQUEST),
        (400, {"message": "Input is too long for requested model."}, K.CONTEXT_OVERFLOW),
        (400, {"message": "The maximum tokens you requested exceeds the model limit of 8192."}, K.OUTPUT_LIMIT),
        (400, {"message": "The provided model identifier is invalid."}, K.MODEL_NOT_FOUND),
        (400, {"message": "Invocation of model ID a.b with on-demand throughput isn't supported."}, K.MODEL_NOT_FOUND),
        (403, {"message": "You don't have access to the model with the specified model ID."}, K.MODEL_NOT_FOUND),
        (403, {"message": "The security token included in the request is invalid."}, K.UNAUTHORIZED),
        (424, {"message": "The model failed."}, K.SERVER_ERROR),
        (400, {"message": "x", "code": "context_length_exceeded"}, K.CONTEXT_OVERFLOW),
        (400, {"message": "x", "type": "exceed_context_size_error", "code": 400}, K.CONTEXT_OVERFLOW),
        (400, {"message": "This endpoint's maximum context length is 8192 tokens.", "code": 400}, K.CONTEXT_OVERFLOW),
        (400, {"message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", "status": "INVALID_ARGUMENT"}, K.CONTEXT_OVERFLOW),
        (400, {"message": "max_tokens is too large: 90000. This model supports at most 16384 completion tokens.", "param": "max_tokens"}, K.OUTPUT_LIMIT),
        (400, {"message": "Unable to submit request because it has a maxOutputTokens value of 90000"}, K.OUTPUT_LIMIT),
        (400, {"message": "x", "code": "integer_above_max_value", "param": "max_completion_tokens"}, K.OUTPUT_LIMIT),
        (400, {"message": "'max_tokens' is too large: 9000. This model's maximum context length is 8192 tokens"}, K.CONTEXT_OVERFLOW),
        (400, {"message": "too large", "param": "max_completion_tokens"}, K.OUTPUT_LIMIT),
        (400, {"message": "x", "code": "content_policy_violation"}, K.CONTENT_FILTERED),
        (400, {"message": "x", "code": "invalid_prompt"}, K.CONTENT_FILTERED),
        (400, {"message": "Your request was rejected as a result of our safety system."}, K.CONTENT_FILTERED),
        (400, {"message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}, K.UNAUTHORIZED),
        (400, {"message": "x", "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}, K.UNAUTHORIZED),
        (400, {"message": "User location is not supported for the API use.", "status": "FAILED_PRECONDITION"}, K.UNAUTHORIZED),
        (400, {"message": "Please enable billing on your project.", "status": "FAILED_PRECONDITION"}, K.UNAUTHORIZED),
        (400, {"message": "Your organization must be verified to stream this model.", "param": "stream", "code": "unsupported_value"}, K.MODEL_NOT_FOUND),
        (429, {"message": "Your prepayment credits are depleted.", "status": "RESOURCE_EXHAUSTED"}, K.NO_CREDIT),
        (429, {"message": "Rate limit reached: slow down, moderation is on", "code": "rate_limit_exceeded"}, K.RATE_LIMITED),
        (400, {"message": "The model has been deprecated"}, K.MODEL_NOT_FOUND),
        (400, {"message": "gone", "code": "model_decommissioned"}, K.MODEL_NOT_FOUND),
        (400, {"message": "x is not a valid model ID", "code": 400}, K.MODEL_NOT_FOUND),
        (400, {"message": "Provider returned error", "code": 400, "metadata": {"raw": '{"error":"prompt is too long"}'}}, K.CONTEXT_OVERFLOW),
        (401, {"message": "no", "code": "invalid_api_key"}, K.UNAUTHORIZED),
        (402, {"message": "Insufficient credits", "code": 402}, K.NO_CREDIT),
        (403, {"message": "no"}, K.UNAUTHORIZED),
        (403, {"message": "x", "code": 403, "metadata": {"reasons": ["violence"], "flagged_input": "..."}}, K.CONTENT_FILTERED),
        (403, {"message": "Your input was flagged by moderation.", "code": 403}, K.CONTENT_FILTERED),
        (403, {"message": "Key limit exceeded (total limit)", "code": 403}, K.NO_CREDIT),
        (403, {"message": "Country not supported", "code": "unsupported_country_region_territory"}, K.UNAUTHORIZED),
        (404, {"message": "No endpoints found", "code": 404}, K.MODEL_NOT_FOUND),
        (404, {"message": "x", "status": "NOT_FOUND"}, K.MODEL_NOT_FOUND),
        (405, {"message": "x"}, K.MODEL_NOT_FOUND),
        (408, {"message": "x"}, K.TIMEOUT),
        (409, {"message": "conflict"}, K.UNAVAILABLE),
        (410, {"message": "x"}, K.MODEL_NOT_FOUND),
        (413, {"message": "x"}, K.CONTEXT_OVERFLOW),
        (422, {"message": "bad"}, K.BAD_REQUEST),
        (422, {"message": "x", "code": "content_filter"}, K.CONTENT_FILTERED),
        (429, {"message": "x", "code": "rate_limit_exceeded"}, K.RATE_LIMITED),
        (429, {"message": "x", "type": "insufficient_quota", "code": "insufficient_quota"}, K.NO_CREDIT),
        (429, {"message": "x", "status": "RESOURCE_EXHAUSTED"}, K.RATE_LIMITED),
        (429, {"message": "this model's context length and moderation", "code": 429}, K.RATE_LIMITED),
        (451, {"message": "x"}, K.UNAUTHORIZED),
        (499, {"message": "x", "status": "CANCELLED"}, K.UNAVAILABLE),
        (500, {"message": "x"}, K.SERVER_ERROR),
        (500, {"message": "the request exceeds", "type": "exceed_context_size_error"}, K.CONTEXT_OVERFLOW),
        (500, {"message": "context length moderation api key not valid"}, K.SERVER_ERROR),
        (501, {"message": "x"}, K.SERVER_ERROR),
        (502, {"message": "x", "code": 502}, K.SERVER_ERROR),
        (503, {"message": "x", "type": "unavailable_error"}, K.UNAVAILABLE),
        (504, {"message": "x", "status": "DEADLINE_EXCEEDED"}, K.UNAVAILABLE),
        (529, {"message": "x", "type": "overloaded_error"}, K.UNAVAILABLE),
        (418, {"message": "x"}, K.SERVER_ERROR),
        (424, {"message": "Failed Dependency"}, K.SERVER_ERROR),
        (431, {"message": "x"}, K.SERVER_ERROR),
        (403, {"message": "This prompt was flagged by moderation"}, K.CONTENT_FILTERED),
        (400, {"message": "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}, K.CONTEXT_OVERFLOW),
        (400, {"message": "You have reached your specified API usage limits."}, K.NO_CREDIT),
        (400, {"message": "Content Exists Risk", "code": "invalid_request_error"}, K.CONTENT_FILTERED),
        (400, {"message": "x", "code": "BadRequest", "innererror": {"code": "ResponsibleAIPolicyViolation"}}, K.CONTENT_FILTERED),
        (400, {"message": "Invalid model: x", "type": "invalid_model", "code": "1500"}, K.MODEL_NOT_FOUND),
        (400, {"message": "Failed to generate JSON.", "code": "json_validate_failed"}, K.MALFORMED),
        (400, {"message": "'temperature' does not support 0.2 with this model.", "code": "unsupported_value"}, K.UNSUPPORTED),
        (400, {"message": "On-demand isn’t supported here"}, K.UNSUPPORTED),
        (400, {"message": "Function calling is not enabled for models/gemma-3-27b-it", "status": "INVALID_ARGUMENT"}, K.UNSUPPORTED),
        (400, {"message": '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'}, K.UNSUPPORTED),
        (400, {"message": "Reasoning is mandatory for this endpoint and cannot be disabled."}, K.UNSUPPORTED),
        (400, {"message": "parallel_tool_calls: Extra inputs are not permitted"}, K.UNSUPPORTED),
        (429, {"message": "Your team has reached its monthly spending limit."}, K.NO_CREDIT),
        (429, {"message": TOO_LARGE_FOR_A_MINUTE, "code": "rate_limit_exceeded"}, K.UNSUPPORTED),
        (413, {"message": "on tokens per minute (TPM): Limit 6000, Requested 12000", "type": "tokens"}, K.UNSUPPORTED),
        (429, {"message": "Rate limit reached on TPM: Limit 30000, Used 29000, Requested 1500."}, K.RATE_LIMITED),
        (429, {"message": "Rate limit reached on TPM: Limit 30000, Used 0, Requested 40000."}, K.UNSUPPORTED),
        (400, "a text", K.BAD_REQUEST),
        (400, "maximum context length is 8192", K.CONTEXT_OVERFLOW),
    ],
)  # fmt: skip
def test_a_refusal_is_told_by_status_code_type_and_only_then_by_words(status, error, kind) -> None:
    reason = failure(status, error)
    assert (reason.kind, reason.status) == (kind, status)


@pytest.mark.parametrize(
    ("status", "raw", "kind"),
    [
        (400, '{"error":{"type":"overloaded_error","message":"Overloaded"}}', K.UNAVAILABLE),
        (400, '{"error":{"code":"json_validate_failed","message":"x"}}', K.MALFORMED),
        (429, TOO_LARGE_FOR_A_MINUTE, K.UNSUPPORTED),
        (400, {"error": {"code": "context_length_exceeded"}}, K.CONTEXT_OVERFLOW),
        (400, "messages: must be non-empty", K.BAD_REQUEST),
        (400, "<html>502 Bad Gateway</html>", K.SERVER_ERROR),
        (400, "ERROR", K.SERVER_ERROR),
        (400, "", K.SERVER_ERROR),
        # The router's own key and account, and no other model of the router's has them.
        (401, '{"error":{"code":"invalid_api_key"}}', K.MODEL_NOT_FOUND),
        (400, '{"error":{"message":"Incorrect API key provided: x"}}', K.MODEL_NOT_FOUND),
        (429, '{"error":{"code":"insufficient_quota"}}', K.MODEL_NOT_FOUND),
        (429, "x is temporarily rate-limited upstream", K.RATE_LIMITED),
    ],
)  # fmt: skip
def test_a_host_behind_a_router_is_heard_before_the_router(status: int, raw: object, kind: K) -> None:
    error = {"message": "Provider returned error", "code": status, "metadata": {"raw": raw}}
    assert failure(status, error).kind is kind
    if status != 401:
        assert failure_of_error(error).kind is kind, "in a 200"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ThrottlingException", K.RATE_LIMITED),
        ("UnrecognizedClientException:http://internal.amazon.com/coral/", K.UNAUTHORIZED),
        ("ServiceQuotaExceededException", K.RATE_LIMITED),
        ("ValidationException", K.BAD_REQUEST),
    ],
)
def test_amazons_name_of_an_error_is_read_from_its_header_and_its_body(name: str, kind: K) -> None:
    words = {"message": "No."}
    told = failure(400, raw=orjson.dumps(words), headers={"x-amzn-errortype": name})
    assert told.kind is kind
    assert failure(400, raw=orjson.dumps({**words, "__type": f"com.amazon#{name}"})).kind is kind


@pytest.mark.parametrize("raw", [b"", b"<html><h1>400 Bad Request</h1></html>", b"{}", b"null", b"[]"])
def test_a_400_that_the_api_did_not_write_is_no_word_on_the_request(raw) -> None:
    assert failure(400, raw=raw).kind is K.SERVER_ERROR


@pytest.mark.parametrize(
    "raw",
    [
        b'{"detail":[{"msg":"bad"}]}',
        b'{"detail":"bad"}',
        b'{"message":"bad","code":400}',
        b'{"object":"error","message":"bad"}',
        b'[{"error":{"code":400}}]',
    ],
)
def test_other_shapes_of_a_400_are_refusals_all_the_same(raw) -> None:
    assert failure(400, raw=raw).kind is K.BAD_REQUEST


@pytest.mark.parametrize(
    "raw", [b"", b"<html><h1>504 Gateway Time-out</h1></html>", b"upstream request timeout"]
)
@pytest.mark.parametrize("status", [504, 524])
def test_a_gateway_that_waited_no_longer_leaves_a_request_that_may_be_billed(status, raw) -> None:
    """What is behind it has the request, and works on: 0 was booked."""
    reason = failure(status, raw=raw)
    assert (reason.kind, reason.status, reason.policy.billing) == (K.TIMEOUT, status, "maybe")


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 308])
def test_a_redirect_and_other_statuses_are_no_answer_and_may_have_been_billed(status) -> None:
    reason = failure(status, raw=b"")
    assert (reason.kind, reason.status, reason.policy.billing) == (K.MALFORMED, status, "maybe")


def test_of_a_huge_error_no_more_is_read_than_its_bound() -> None:
    raw = b'{"error":{"message":"' + b"a" * ERROR_BYTES_MAX + b' maximum context length"}}'
    assert failure(500, raw=raw).kind is K.SERVER_ERROR


@pytest.mark.parametrize(
    ("headers", "error", "wait_s"),
    [
        ({"retry-after": "17"}, {}, 17),
        ({"retry-after": "0.5"}, {}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "2"}, {}, 1.5),
        ({"retry-after": "Mon, 23 Nov 2026 09:00:30 GMT"}, {}, 30),
        ({"retry-after": "Mon, 23 Nov 2026 09:00:30 -0000"}, {}, 30),
        ({"retry-after": "Mon, 23 Nov 2026 08:00:00 GMT"}, {}, 0),
        ({"retry-after": "-4"}, {}, 0),
        ({"retry-after": "inf"}, {}, None),
        ({"retry-after": "soon"}, {}, None),
        ({"retry-after-ms": "soon", "retry-after": "3"}, {}, 3),
        ({}, {"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17.5s"}]}, 17.5),
        ({}, {"details": [{"retryDelay": "soon"}, {"retryDelay": 4}, 7]}, None),
        # OpenRouter's free models: headers in the body, and the moment of 09:00:20 in milliseconds.
        ({}, {"metadata": {"headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795424420000"}}}, 20),
        ({}, {"metadata": {"headers": {"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "1795424420000"}}}, None),
        ({}, {"metadata": {"headers": "X-RateLimit-Reset"}}, None),
        ({}, {}, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_comes_from_the_headers_or_from_the_body(status, headers, error, wait_s) -> None:
    assert failure(status, {"message": "x", **error}, headers).retry_after_s == wait_s


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({"code": 429}, K.RATE_LIMITED, 429),
        ({"code": "503"}, K.UNAVAILABLE, 503),
        ({"code": "context_length_exceeded"}, K.CONTEXT_OVERFLOW, None),
        ({"status": "INTERNAL"}, K.SERVER_ERROR, None),
        ({"code": 200}, K.MALFORMED, None),
        ({"code": 400, "message": "flagged"}, K.CONTENT_FILTERED, 400),
        ("text", K.MALFORMED, None),
        (True, K.MALFORMED, None),
        ([], K.MALFORMED, None),
    ],
)
def test_an_error_in_a_200_has_its_status_in_itself(error, kind, status) -> None:
    reason = failure_of_error(error)
    assert (reason.kind, reason.status) == (kind, status)


def test_an_error_after_the_first_words_is_a_broken_answer_that_may_be_billed() -> None:
    reason = failure_of_late_error({"code": 429}, begun=True)
    assert (reason.kind, reason.status, reason.policy.billing) == (K.INTERRUPTED, 429, "maybe")
    assert failure_of_late_error({"code": 429}, begun=False).kind is K.RATE_LIMITED


def test_every_code_of_the_table_is_written_as_it_is_looked_up() -> None:
    assert [code for code in BY_CODE if code != code.lower()] == []


@pytest.mark.parametrize("provider", ["openrouter", "openai", "google"])
@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "context_length", K.CONTEXT_OVERFLOW),
        (400, "content_filter", K.CONTENT_FILTERED),
        (400, "output_limit", K.OUTPUT_LIMIT),
        (400, "location", K.UNAUTHORIZED),
        (400, "deprecated_model", K.MODEL_NOT_FOUND),
        (401, "wrong_key", K.UNAUTHORIZED),
        (404, "unknown_model", K.MODEL_NOT_FOUND),
        (429, None, K.RATE_LIMITED),
        (500, None, K.SERVER_ERROR),
        (503, None, K.UNAVAILABLE),
    ],
)
def test_the_practice_providers_errors_mean_what_they_practise(provider, status, reason, kind) -> None:
    body = error_body(provider, Refusal(status, reason=reason, model="m"))
    assert failure(status, raw=orjson.dumps(body)).kind is kind
