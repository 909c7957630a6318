"""What a caller may set on a vendor's own client; `test_langchain_clients` shows it on real ones."""

import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.errors import InvalidRequestError
from orchestrator.metering.native_parameters import check_called_with, check_made_with


@pytest.mark.parametrize("kind", ProviderKind)
def test_what_shapes_an_answer_is_taken_and_what_leads_elsewhere_is_not(kind: ProviderKind) -> None:
    for check in (check_made_with, check_called_with):
        check(kind, {"temperature": 0, "max_tokens": 5, "tools": [], "stop": ["."]})
        with pytest.raises(InvalidRequestError, match="'base_url' is not taken"):
            check(kind, {"temperature": 0, "base_url": "http://a"})


def test_a_parameter_of_the_other_vendor_is_not_taken() -> None:
    with pytest.raises(InvalidRequestError, match="'top_k'"):
        check_made_with(ProviderKind.OPENAI, {"top_k": 3})
    with pytest.raises(InvalidRequestError, match="'logit_bias'"):
        check_called_with(ProviderKind.GOOGLE, {"logit_bias": {}})


@pytest.mark.parametrize("name", ["response_schema", "strict", "stop_sequences"])
def test_what_the_vendors_client_does_not_take_in_a_call_is_not_taken_here(name: str) -> None:
    """It was let through, and told as an argument of a function of the vendor's that nobody had called."""
    with pytest.raises(InvalidRequestError, match=f"'{name}' is not taken"):
        check_called_with(ProviderKind.OPENAI, {name: ["."]})
    check_called_with(ProviderKind.GOOGLE, {name: ["."]})
    check_made_with(ProviderKind.OPENAI, {"stop_sequences": ["."]})


def test_what_leads_to_the_responses_api_is_for_openai_alone() -> None:
    """At OpenRouter it was an error about `provider`, which nobody had given."""
    check_made_with(ProviderKind.OPENAI, {"reasoning": {"effort": "low"}})
    with pytest.raises(InvalidRequestError, match=r"'reasoning' is not taken.*reasoning_effort"):
        check_called_with(ProviderKind.OPENROUTER, {"reasoning": {"effort": "low"}})


@pytest.mark.parametrize("kind", [ProviderKind.OPENAI, ProviderKind.GOOGLE])
@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("temperature", float("nan"), "'temperature' must be a number from 0 to 2"),
        ("timeout", -1, "'timeout' must be seconds"),
        ("top_p", 2, "'top_p' must be a number from 0 to 1"),
        ("max_tokens", 0, "'max_tokens' must be a whole number from 1"),
        ("stop", [""], "'stop' must be a text or a list of texts"),
        ("n", 0, "'n' must be a whole number from 1"),
    ],
)
def test_a_value_outside_its_range_is_told_in_our_words(kind, name, value, says) -> None:
    for check in (check_made_with, check_called_with):
        with pytest.raises(InvalidRequestError, match=says):
            check(kind, {name: value})


def test_a_value_inside_of_googles_configuration_has_its_range_too() -> None:
    with pytest.raises(InvalidRequestError, match="'top_k' must be"):
        check_called_with(ProviderKind.GOOGLE, {"generation_config": {"top_k": -1}})
