"""The body in Gemini's format, by Google's own description of it."""

import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.providers.wire.gemini_request import CACHE_CONTROL_NOT_FOR_GOOGLE
from orchestrator.providers.wire.outbound import UnsendableError
from tests.providers.wire.outbound_requests import HELLO, WEATHER_TOOL, body_of, notices_of

GOOGLE = ProviderKind.GOOGLE


def config_of(**changes):
    return body_of(GOOGLE, **changes)["generationConfig"]


def test_a_plain_request_is_contents_and_a_limit() -> None:
    contents = [{"role": "user", "parts": [{"text": "Xin chào"}]}]
    assert body_of(GOOGLE) == {"contents": contents, "generationConfig": {"maxOutputTokens": 100}}


def test_sampling_has_googles_names() -> None:
    config = config_of(upstream="gemini-2.5-pro", temperature=0.1, top_p=0.2, stop=("a",), seed=3, presence_penalty=0.4, frequency_penalty=0.5)  # fmt: skip
    assert config == {
        "maxOutputTokens": 100, "temperature": 0.1, "topP": 0.2, "stopSequences": ["a"], "seed": 3,
        "presencePenalty": 0.4, "frequencyPenalty": 0.5,
    }  # fmt: skip


def test_what_a_model_of_google_does_not_take_is_left_out_and_said() -> None:
    changes = {"presence_penalty": 0.4, "parallel_tool_calls": False, "tools": (WEATHER_TOOL,)}
    assert config_of(**changes) == {"maxOutputTokens": 100}
    assert [notice.split("'")[1] for notice in notices_of(GOOGLE, **changes)] == [
        "presence_penalty",
        "parallel_tool_calls",
    ]


@pytest.mark.parametrize(
    ("response_format", "config"),
    [
        ({"type": "text"}, {}),
        ({"type": "json_object"}, {"responseMimeType": "application/json"}),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": {"type": "object", "additionalProperties": False}}},
            {"responseMimeType": "application/json", "responseJsonSchema": {"type": "object", "additionalProperties": False}},
        ),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, {"responseMimeType": "application/json"}),
    ],
)  # fmt: skip
def test_a_format_of_the_answer_is_a_mime_type_and_a_json_schema(response_format, config) -> None:
    assert config_of(response_format=response_format) == {"maxOutputTokens": 100, **config}


def test_a_format_that_google_does_not_know_is_refused() -> None:
    with pytest.raises(UnsendableError, match="'response_format' of type 'grammar'"):
        config_of(response_format={"type": "grammar"})


def test_tools_are_function_declarations_with_a_json_schema() -> None:
    bare = {"type": "function", "function": {"name": "now"}}
    empty = {
        "type": "function",
        "function": {"name": "noon", "parameters": {"type": "object", "properties": {}}},
    }
    tools = body_of(GOOGLE, tools=(WEATHER_TOOL, bare, empty))["tools"]
    function = WEATHER_TOOL["function"]
    weather = {
        "name": "weather",
        "description": function["description"],
        "parametersJsonSchema": function["parameters"],
    }
    assert tools == [{"functionDeclarations": [weather, {"name": "now"}, {"name": "noon"}]}]


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (
            {"type": "function", "function": {"name": "weather"}},
            {"mode": "ANY", "allowedFunctionNames": ["weather"]},
        ),
    ],
)
def test_a_tool_choice_is_a_mode(choice, config) -> None:
    assert body_of(GOOGLE, tools=(WEATHER_TOOL,), tool_choice=choice)["toolConfig"] == {
        "functionCallingConfig": config
    }


@pytest.mark.parametrize("choice", ["weather", {"type": "allowed_tools"}])
def test_a_tool_choice_that_google_does_not_know_is_refused(choice) -> None:
    with pytest.raises(UnsendableError, match="'tool_choice' must be"):
        body_of(GOOGLE, tools=(WEATHER_TOOL,), tool_choice=choice)


@pytest.mark.parametrize(
    ("upstream", "effort", "thinking"),
    [
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0, "includeThoughts": False}),
        ("gemini-2.5-flash", "medium", {"thinkingBudget": 8192, "includeThoughts": True}),
        ("gemini-3.8-flash", "minimal", {"thinkingLevel": "minimal", "includeThoughts": True}),
        ("gemini-3.8-flash", "none", {"thinkingLevel": "minimal", "includeThoughts": False}),
        ("gemini-4-argon", "none", {"thinkingLevel": "low", "includeThoughts": False}),
        ("gemini-4-argon", "xhigh", {"thinkingLevel": "high", "includeThoughts": True}),
    ],
)
def test_how_much_to_think_is_a_budget_or_a_level(upstream, effort, thinking) -> None:
    assert config_of(upstream=upstream, reasoning_effort=effort)["thinkingConfig"] == thinking


def test_an_effort_that_google_does_not_know_is_refused() -> None:
    with pytest.raises(UnsendableError, match="'reasoning_effort' must be one of"):
        config_of(reasoning_effort="huge")


@pytest.mark.parametrize(
    "marked",
    [
        {**HELLO, "cache_control": {}},
        {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {}}]},
    ],
)
def test_cache_marks_are_not_sent_to_google_and_that_is_said_once(marked) -> None:
    assert "cache_control" not in str(body_of(GOOGLE, marked, marked))
    assert notices_of(GOOGLE, marked, marked) == (CACHE_CONTROL_NOT_FOR_GOOGLE,)


def test_a_mark_in_the_function_of_a_tool_is_left_out_and_said_too() -> None:
    function = {**WEATHER_TOOL["function"], "cache_control": {"type": "ephemeral"}}
    assert notices_of(GOOGLE, tools=({**WEATHER_TOOL, "function": function},)) == (
        CACHE_CONTROL_NOT_FOR_GOOGLE,
    )
