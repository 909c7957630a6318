"""Errors in each provider's own shape."""

import pytest

from orchestrator.practice.wire_errors import Refusal, error_body, error_headers, key_refusal, unknown_model


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 418, 429, 500, 502, 503, 504, 529, 599])
@pytest.mark.parametrize("reason", [None, "context_length", "content_filter", "insufficient_quota"])
def test_every_status_has_a_body_in_the_providers_shape(status, reason):
    """Even a status that HTTP does not define."""
    refusal = Refusal(status, reason=reason, model="acme/m")
    assert error_body("openrouter", refusal)["error"]["code"] == status
    assert error_body("openrouter", refusal)["error"]["message"]
    assert error_body("openai", refusal)["error"].keys() == {"message", "type", "param", "code"}
    google = error_body("google", refusal)["error"]
    assert google["code"] == status
    assert google["status"].isupper()


def test_particular_errors_carry_the_codes_that_clients_look_for():
    """OpenAI's codes, Google's status and details."""
    assert (
        error_body("openai", Refusal(400, reason="context_length"))["error"]["code"]
        == "context_length_exceeded"
    )
    assert (
        error_body("openai", Refusal(429, reason="insufficient_quota"))["error"]["code"]
        == "insufficient_quota"
    )
    assert error_body("openai", Refusal(401))["error"]["code"] == "invalid_api_key"
    assert error_body("openai", unknown_model("openai", "x"))["error"]["code"] == "model_not_found"
    google = error_body("google", key_refusal("google", has_key=True))["error"]
    assert (google["code"], google["details"][0]["reason"]) == (400, "API_KEY_INVALID")
    assert error_body("google", Refusal(429))["error"]["status"] == "RESOURCE_EXHAUSTED"


def test_a_delay_is_told_where_the_provider_tells_it():
    """A header for OpenAI and OpenRouter, RetryInfo in the body for Google."""
    refusal = Refusal(429, retry_after_s=2.5)
    assert error_headers("openrouter", refusal) == {"Retry-After": "2.5"}
    assert error_headers("openai", refusal) == {"Retry-After": "2.5", "retry-after-ms": "2500"}
    assert error_headers("google", refusal) == {}
    assert error_body("google", refusal)["error"]["details"][-1]["retryDelay"] == "2.5s"
