"""What is bought under a name at OpenRouter: tokens, or more than a price of tokens can state."""

import pytest

from orchestrator.catalog.openrouter_names import TOKEN_VARIANTS, fault_of_name, fault_of_search


@pytest.mark.parametrize(
    "name", ["openai/gpt-6-luna", *(f"openai/gpt-6-luna:{each}" for each in TOKEN_VARIANTS)]
)
def test_a_model_and_its_variants_of_tokens_are_taken(name):
    assert fault_of_name(name) is None


@pytest.mark.parametrize(
    "name", ["openai/gpt-6-luna:online", "openai/gpt-6-luna:free:online", "a/b:of_next_year"]
)
def test_a_variant_that_may_buy_more_is_named_with_what_to_write(name):
    fault = fault_of_name(name)
    assert fault is not None
    assert f"':{name.partition(':')[2]}'" in fault
    assert f"name '{name.partition(':')[0]}'" in fault


@pytest.mark.parametrize("name", ["@preset/search", "openai/gpt-6-luna@preset/search"])
def test_a_preset_may_add_anything(name):
    assert "name a model" in (fault_of_name(name) or "")


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o-search-preview",
        "openai/gpt-4o-mini-search-preview",
        "gpt-5-search-api",
        "openai/o3-deep-research",
        "perplexity/sonar",
        "perplexity/sonar-pro",
        "sonar-reasoning:free",
        "llama-3.1-sonar-small-128k-online",
        "gpt-6-luna:online",
        "groq/compound",
        "compound-beta-mini",
    ],
)
def test_a_model_that_searches_by_itself_is_refused_whoever_hosts_it(name):
    assert "billed beside its tokens" in (fault_of_search(name) or "")


@pytest.mark.parametrize(
    "name",
    [
        "gpt-6-luna",
        "openai/gpt-6-luna",
        "acme/sonara-7b",
        "acme/research-1",
        "acme/compounder",
        "acme/onliner",
    ],
)
def test_a_model_that_answers_is_no_search(name):
    assert fault_of_search(name) is None
