"""Which parameters of a call a caller may set, and what reaches a provider."""

from typing import Any

from orchestrator.core.request import ChatRequest
from orchestrator.core.sampling import SAMPLING_NAMES, Sampling

TOOL = {"type": "function", "function": {"name": "find_order"}}


def of(**parameters: Any) -> ChatRequest:
    return ChatRequest.of("Xin chào", use_case="customer_service", **parameters)


def test_only_sampling_parameters_of_the_allow_list_reach_the_wire():
    """A new name on this list is a decision: none may lead a configured key to another address."""
    assert set(SAMPLING_NAMES) == {
        "temperature", "top_p", "stop", "seed", "presence_penalty", "frequency_penalty", "reasoning_effort",
        "response_format", "tools", "tool_choice", "parallel_tool_calls", "prompt_cache_key",
    }  # fmt: skip
    wire = of(temperature=0.2, stop="END", tools=[TOOL], max_tokens=5).sampling.as_wire()
    assert wire == {"temperature": 0.2, "stop": ["END"], "tools": [TOOL]}


def test_a_zero_is_a_value_and_not_left_out():
    assert of(temperature=0, seed=0).sampling.as_wire() == {"temperature": 0, "seed": 0}


def test_sampling_has_no_value_of_its_own():
    assert Sampling().as_wire() == {}
