"""A parameter is in the range that every vendor takes, or the error names that range."""

import pytest

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.parameter_ranges import check_parameters
from orchestrator.core.request import ChatRequest

NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("temperature", (99, -0.1, 2.01, NAN, INFINITY, True, "1", [1]), "a number from 0 to 2"),
        ("top_p", (2, -1, NAN, "0.5"), "a number from 0 to 1"),
        ("presence_penalty", (-2.1, 3, -INFINITY), "a number from -2 to 2"),
        ("frequency_penalty", (-3, 2.5, NAN), "a number from -2 to 2"),
        ("seed", (-1, 2**31, 1.0, True), "a whole number from 0 to 2147483647"),
        ("stop", ("", ("",), ("a", 7), ("a", None)), "none of them empty"),
        ("stop", (["x"] * 50, ["x"] * 5), "at most 4 texts"),
        ("reasoning_effort", ("extreme", "", 3, ["low"]), "one of none, minimal, low, medium, high, xhigh"),
        ("parallel_tool_calls", (1, "yes"), "must be true or false"),
    ],
)
def test_a_value_that_some_vendor_refuses_names_the_range(name, values, says):
    for value in values:
        with pytest.raises(InvalidRequestError, match=f"'{name}' .*{says}"):
            ChatRequest.of("Xin chào", use_case="customer_service", **{name: value})


@pytest.mark.parametrize(
    "parameters",
    [
        {"temperature": 0, "top_p": 0.0, "presence_penalty": -2, "frequency_penalty": 2.0, "seed": 0},
        {"temperature": 2, "top_p": 1, "seed": 2**31 - 1, "stop": ["\n", "a", "b", "c"], "max_tokens": 1},
        {"temperature": None, "stop": None, "timeout": None, "reasoning_effort": "low"},
        {"timeout": 0.5, "request_timeout": 86_400, "thinking_budget": -1, "unknown": object()},
    ],
)
def test_the_edges_of_each_range_are_taken(parameters):
    check_parameters(parameters)


@pytest.mark.parametrize("name", ["timeout", "request_timeout", "stream_chunk_timeout"])
@pytest.mark.parametrize("value", [-1, 0, NAN, INFINITY, True, "30s", 86_401, 10**400])
def test_a_time_is_seconds_above_zero(name, value):
    with pytest.raises(InvalidRequestError, match=f"'{name}'"):
        check_parameters({name: value})
