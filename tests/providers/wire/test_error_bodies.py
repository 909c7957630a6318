"""Where vendors write what went wrong: each shape is read to the same meaning, and quotes are not read."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from orchestrator.core.failures import FailureKind
from orchestrator.providers.wire.error_bodies import error_in, is_bare_error, told_in
from orchestrator.providers.wire.failures import failure_of_error, failure_of_reply

K = FailureKind
TEXT = "Tool use is not supported by this model"


def kind_of(status: int, body: Any) -> FailureKind:
    raw = body.encode() if isinstance(body, str) else orjson.dumps(body)
    return failure_of_reply(status, {}, raw, now=lambda: datetime(2026, 11, 23, tzinfo=UTC)).kind


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": TEXT, "type": "invalid_request_error", "param": None, "code": None}},
        {"error": TEXT},
        {"error": TEXT, "error_type": "validation"},
        {"error": [TEXT], "warnings": []},
        {"error": [{"code": 5006, "message": TEXT}], "success": False},
        {"errors": [{"code": 5006, "message": TEXT}], "success": False, "result": None, "messages": []},
        {"errors": [TEXT]},
        {"detail": TEXT},
        {"detail": [{"type": "value_error", "loc": [], "msg": TEXT}]},
        {"detail": {"error": TEXT}},
        {"message": "Validation failed", "detail": TEXT},
        {"object": "error", "message": TEXT, "type": "BadRequestError", "param": None, "code": 400},
        {"object": "error", "message": {"detail": [{"msg": TEXT}]}, "raw_status_code": 422},
        {"Message": TEXT},
        {"title": "Bad Request", "status": 400, "detail": TEXT},
        {"error_code": "BAD_REQUEST", "message": TEXT},
        {"error_code": 336003, "error_msg": TEXT},
        {"Response": {"Error": {"Code": "FailedOperation", "Message": TEXT}}},
        {"fault": {"faultstring": TEXT, "detail": {"errorcode": "policies.Failed"}}},
        {"code": "Client specified an invalid argument", "error": TEXT},
        [{"error": {"message": TEXT, "code": 400}}],
        TEXT,
    ],
)
def test_the_words_are_read_wherever_a_vendor_writes_them(status: int, body: object) -> None:
    assert kind_of(status, body) is K.UNSUPPORTED


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        # FastAPI's schema of one server, which is narrower than the format: another takes the request.
        (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}, K.UNSUPPORTED),
        (422, {"detail": [{"type": "string_type", "loc": ["body", "messages", 0, "content"], "msg": "Input should be a valid string"}]}, K.UNSUPPORTED),
        (422, {"detail": [{"type": "less_than", "loc": ["body", "max_tokens"], "msg": "Input should be less than 4096"}]}, K.OUTPUT_LIMIT),
        # OpenAI's subset of JSON schema, and a value that one model has and another has not.
        (400, {"error": {"message": "Invalid schema for response_format 'x'", "param": "text.format.schema", "code": "invalid_json_schema"}}, K.UNSUPPORTED),
        (400, {"error": {"message": "Invalid schema for function 'f'", "param": "tools[0].function.parameters", "code": "invalid_function_parameters"}}, K.UNSUPPORTED),
        (400, {"error": {"message": "Invalid value: 'minimal'. Supported values are: 'low' and 'high'.", "param": "reasoning_effort", "code": "invalid_value"}}, K.UNSUPPORTED),
        (400, {"error": {"message": "Too many.", "param": "tools", "code": "array_above_max_length"}}, K.UNSUPPORTED),
        (400, {"error": {"message": "No.", "param": "model", "code": None}}, K.MODEL_NOT_FOUND),
        (400, {"error": {"message": "No.", "param": "messages[0].content", "code": None}}, K.BAD_REQUEST),
        (400, {"error": {"message": 'Unknown name "x" at \'generation_config\': Cannot find field.', "status": "INVALID_ARGUMENT"}}, K.UNSUPPORTED),
        # Rust's servers say it in plain text; a proxy's plain text is no word on the request.
        (422, "Failed to deserialize the JSON body into the target type: unknown variant `developer`", K.UNSUPPORTED),
        (400, "Bad Request", K.SERVER_ERROR),
        (400, "upstream said something odd", K.SERVER_ERROR),
        (400, {"errors": [{"message": "AiError: No such model @cf/x or task", "code": 5007}], "success": False}, K.MODEL_NOT_FOUND),
        (400, {"error": {"code": "invalid_parameter_error", "param": None, "message": "This model only support stream mode"}}, K.UNSUPPORTED),
        (400, {"error": {"code": "invalid_parameter_error", "param": None, "message": "x"}}, K.UNSUPPORTED),
        (400, {"error": {"code": "invalid_parameter_error", "message": "Range of input length should be [1, 30720]"}}, K.CONTEXT_OVERFLOW),
        (400, {"error": {"code": "1210", "message": "x"}}, K.UNSUPPORTED),
        (400, {"error": {"code": "unknown_parameter", "message": "x"}}, K.UNSUPPORTED),
        (400, {"error": {"message": "litellm.ContextWindowExceededError: x", "code": "400"}}, K.CONTEXT_OVERFLOW),
        (400, {"error": {"message": "messages.0.content.1.image: image exceeds 5 MB maximum"}}, K.UNSUPPORTED),
        # Content filters.
        (400, {"error": {"code": "1301", "message": "x"}}, K.CONTENT_FILTERED),
        (400, {"code": "DataInspectionFailed", "message": "Input data may contain inappropriate content."}, K.CONTENT_FILTERED),
        (400, {"error": {"code": "data_inspection_failed", "type": "data_inspection_failed"}}, K.CONTENT_FILTERED),
        (400, {"error": {"type": "content_filter", "message": "The request was considered high risk"}}, K.CONTENT_FILTERED),
        (400, {"error": {"code": "InputTextSensitiveContentDetected", "type": "BadRequest"}}, K.CONTENT_FILTERED),
        # A number of one vendor's says nothing against another's status.
        (429, {"object": "error", "type": "rate_limited", "code": "1301", "message": "x"}, K.RATE_LIMITED),
        # Accounts, prompts.
        (400, {"code": "Arrearage", "message": "Access denied"}, K.NO_CREDIT),
        (429, {"error": {"code": "1113", "message": "x"}}, K.NO_CREDIT),
        (400, {"error": {"code": "1261", "message": "Prompt x"}}, K.CONTEXT_OVERFLOW),
        (422, {"error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000", "error_type": "validation"}, K.CONTEXT_OVERFLOW),
        (400, {"message": "too many tokens: total number of tokens in this prompt cannot exceed 4081"}, K.CONTEXT_OVERFLOW),
        # The status that did not come.
        (400, {"error": {"code": "503", "message": "x"}}, K.UNAVAILABLE),
        (400, {"error": {"code": 429, "message": "x"}}, K.RATE_LIMITED),
        (400, {"statusCode": 401, "message": "x"}, K.UNAUTHORIZED),
        (403, {"status": 500, "title": "x"}, K.SERVER_ERROR),
        (400, {"error": {"code": "400", "message": "x"}}, K.BAD_REQUEST),
        (500, {"error": {"code": 400, "message": "x"}}, K.SERVER_ERROR),
    ],
)  # fmt: skip
def test_a_vendors_own_shape_means_what_it_says(status: int, body: object, kind: FailureKind) -> None:
    assert kind_of(status, body) is kind


def test_what_a_server_quotes_of_the_request_is_not_read() -> None:
    quoted = {"type": "x", "msg": "no", "input": "is not supported", "ctx": {"error": "moderation"}}
    assert kind_of(422, {"detail": [quoted]}) is K.BAD_REQUEST


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (1002, K.RATE_LIMITED),
        (1004, K.UNAUTHORIZED),
        (1008, K.NO_CREDIT),
        (1026, K.CONTENT_FILTERED),
        (1027, K.CONTENT_FILTERED),
        (2013, K.UNSUPPORTED),
        (9999, K.MALFORMED),
    ],
)
def test_an_error_of_minimax_stands_beside_its_answer(number: int, kind: FailureKind) -> None:
    error = error_in({"base_resp": {"status_code": number, "status_msg": "x"}}, answers=True)
    assert failure_of_error(error).kind is kind
    assert error_in({"base_resp": {"status_code": 0, "status_msg": "success"}}, answers=False) is None


def test_an_error_of_a_stream_without_a_status_is_read_by_its_words() -> None:
    assert failure_of_error({"error": TEXT, "error_type": "validation"}).kind is K.UNSUPPORTED
    assert failure_of_error("the connection to the model was lost").kind is K.MALFORMED


@pytest.mark.parametrize(
    "body", [None, 7, True, [], {}, {"usage": {"code": "x"}}, {"input": "context length"}]
)
def test_what_is_no_error_tells_nothing(body: object) -> None:
    assert told_in(body) is None


def test_a_body_that_nests_without_end_is_read_to_a_depth() -> None:
    body: Any = {"message": TEXT}
    for _ in range(500):
        body = {"detail": [body, body]} if len(str(body)) < 2_000 else {"detail": body}
    assert told_in(body) is None


def test_a_code_that_says_all_is_well_is_no_error() -> None:
    assert not is_bare_error({"code": 200, "message": "success"})
    assert is_bare_error({"code": 429, "message": "slow down"})
