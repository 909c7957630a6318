"""What LiteLLM drops is told by the body that leaves; the bodies here are those of version 1.106.2."""

from typing import Any

import pytest

from orchestrator.providers.litellm.left_out import left_out

NAMED = {"type": "function", "function": {"name": "f"}}
ASKED = {
    "temperature": 0.3,
    "top_p": 0.9,
    "stop": ["END"],
    "tool_choice": NAMED,
    "parallel_tool_calls": False,
    "reasoning_effort": "low",
}
CLAUDE: dict[str, Any] = {
    "stop_sequences": ["END"],
    "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "low"},
    "messages": [{"role": "user", "content": [{"type": "text", "temperature": 1}]}],
}
BEDROCK: dict[str, Any] = {
    "inferenceConfig": {"temperature": 0.3, "topP": 0.9, "stopSequences": ["END"]},
    "additionalModelRequestFields": {
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tool_choice": {"disable_parallel_tool_use": True},
    },
    "toolConfig": {"tools": [{"toolSpec": {"name": "tool_choice"}}], "toolChoice": {"auto": {}}},
}
MISTRAL: dict[str, Any] = {"temperature": 0.3, "top_p": 0.9, "stop": ["END"], "parallel_tool_calls": False}
GEMINI: dict[str, Any] = {
    "generationConfig": {"temperature": 0.3, "topP": 0.9, "stopSequences": ["END"], "thinkingConfig": {}},
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowed_function_names": ["f"]}},
}


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        (CLAUDE, ["temperature", "top_p"]),
        (BEDROCK, ["tool_choice"]),
        (MISTRAL, ["tool_choice", "reasoning_effort"]),
        (GEMINI, ["parallel_tool_calls"]),
        (dict(ASKED), []),
        ({}, list(ASKED)),
        (None, list(ASKED)),
    ],
)
def test_what_is_not_in_the_body_is_named(body, missing) -> None:
    assert left_out(body, ASKED) == missing


def test_what_means_the_same_without_it_is_not_missed() -> None:
    asked = {"tool_choice": "auto", "parallel_tool_calls": True, "temperature": None, "tools": [1]}
    assert left_out({}, asked) == []
    assert left_out({}, {"tool_choice": "none"}) == ["tool_choice"]
    assert left_out({"tool_choice": {"type": "none"}}, {"tool_choice": "none"}) == []
    assert left_out({"toolChoice": {"any": {}}}, {"tool_choice": "required"}) == []
