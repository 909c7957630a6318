"""What models do not take, by their vendors' documentation."""

import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.providers.wire.parameter_rules import (
    TAKES_ALL,
    TAKES_NO_CACHE_KEY,
    documented_rules,
    gemini_major,
    needs_responses_api,
)

ALL = {"max_tokens": 9, "temperature": 0.2, "top_p": 0.5, "stop": ["a"], "presence_penalty": 1, "seed": 1}


@pytest.mark.parametrize(
    "upstream", ["o1", "o3-mini", "gpt-5", "gpt-5.4-mini", "gpt-6-luna", "gpt-6.1-sol", "ft/gpt-5"]
)
def test_reasoning_models_of_openai_take_no_sampling_and_call_their_limit_otherwise(upstream) -> None:
    rules = documented_rules(ProviderKind.OPENAI, upstream, ALL)
    assert rules.dropped & ALL.keys() == {"temperature", "top_p", "stop", "presence_penalty"}
    assert rules.renamed == {"max_tokens": "max_completion_tokens"}


@pytest.mark.parametrize("upstream", ["deepseek-chat", "qwen3", "oracle", "openai/gpt-oss-120b"])
def test_other_models_of_the_format_take_all(upstream) -> None:
    assert documented_rules(ProviderKind.OPENAI, upstream, ALL) == TAKES_ALL


@pytest.mark.parametrize("upstream", ["gpt-4o-mini", "gpt-4.1", "gpt-5-chat-latest"])
def test_models_of_openai_that_do_not_reason_take_no_effort(upstream) -> None:
    assert documented_rules(ProviderKind.OPENAI, upstream, ALL).dropped == {"reasoning_effort"}


def test_gemini_models_without_thoughts_take_no_effort() -> None:
    assert "reasoning_effort" in documented_rules(ProviderKind.GOOGLE, "gemini-2.0-flash", ALL).dropped
    assert "reasoning_effort" not in documented_rules(ProviderKind.GOOGLE, "gemini-2.5-flash", ALL).dropped


def test_a_reasoning_model_that_does_not_reason_takes_sampling_and_the_usual_temperature_always() -> None:
    rules = documented_rules(ProviderKind.OPENAI, "gpt-6-luna", {**ALL, "reasoning_effort": "none"})
    assert {"temperature", "top_p"} & rules.dropped == set()
    assert (
        "temperature" not in documented_rules(ProviderKind.OPENAI, "gpt-6-luna", {"temperature": 1}).dropped
    )


def test_local_servers_take_all_but_openai_s_cache_key() -> None:
    assert documented_rules(ProviderKind.LOCAL, "gpt-6-luna", ALL) == TAKES_NO_CACHE_KEY


@pytest.mark.parametrize(
    ("upstream", "ignored"),
    [
        ("openai/gpt-6-luna", {"temperature", "top_p", "stop", "presence_penalty"}),
        ("google/gemini-3.8-flash", {"presence_penalty"}),
        ("anthropic/claude-sonnet-5.5", set()),
    ],
)
def test_openrouter_leaves_out_what_the_vendor_s_model_does_not_take(upstream, ignored) -> None:
    rules = documented_rules(ProviderKind.OPENROUTER, upstream, ALL)
    assert (rules.dropped, rules.ignored & ALL.keys()) == ({"prompt_cache_key"}, ignored)


def test_newer_gemini_models_take_no_penalties() -> None:
    assert "presence_penalty" in documented_rules(ProviderKind.GOOGLE, "gemini-3.8-flash", ALL).dropped
    assert "presence_penalty" not in documented_rules(ProviderKind.GOOGLE, "gemini-2.5-flash", ALL).dropped


@pytest.mark.parametrize(
    ("upstream", "major"),
    [("gemini-2.5-pro", 2), ("gemini-3.8-flash", 3), ("gemini-4-argon", 4), ("models/gemini-10", 10),
     ("gemini-flash-latest", 3), ("gemini-flash-lite-latest", 3), ("gemini-pro", 0), ("gemma-3-27b", 0), ("", 0)],
)  # fmt: skip
def test_the_generation_of_a_gemini_model_stands_in_its_name(upstream, major) -> None:
    assert gemini_major(upstream) == major


@pytest.mark.parametrize(
    ("upstream", "parameters", "needed"),
    [
        ("gpt-5.4", {"tools": [1]}, True),
        ("gpt-6-luna", {"tools": [1], "reasoning_effort": "low"}, True),
        ("gpt-6-luna", {"tools": [1], "reasoning_effort": "none"}, False),
        ("gpt-6-luna", {}, False),
        ("gpt-5.3", {"tools": [1]}, False),
        ("gpt-4o-mini", {"tools": [1]}, False),
        ("o3", {"tools": [1]}, False),
    ],
)
def test_newer_models_take_tools_beside_reasoning_in_another_api_alone(upstream, parameters, needed) -> None:
    assert needs_responses_api(upstream, parameters) is needed
