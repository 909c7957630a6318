"""Errors in the words of Anthropic and Azure."""

from orchestrator.practice.prefix_errors import anthropic_error, azure_error


def test_each_says_its_own_words() -> None:
    assert anthropic_error(529, None, None, model="m")["error"] == {
        "type": "overloaded_error",
        "message": "Overloaded",
    }
    assert anthropic_error(404, "unknown_model", None, model="m")["error"]["message"] == "model: m"
    assert anthropic_error(418, None, "tea", model="m")["error"]["message"] == "tea"
    filtered = azure_error(400, "content_filter", None)["error"]
    assert (filtered["code"], filtered["innererror"]["code"]) == (
        "content_filter",
        "ResponsibleAIPolicyViolation",
    )
    assert azure_error(401, None, None)["error"]["code"] == "401"
