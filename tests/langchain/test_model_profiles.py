"""A profile is that of the model which is asked first, by whatever name it is called."""

import pytest

from orchestrator import Orchestrator
from orchestrator.langchain.model_profiles import profile_of


@pytest.mark.parametrize("model", ["gpt-6-luna", "openai/gpt-6-luna"])
def test_a_model_and_its_deployment_have_one_profile(practised: Orchestrator, model: str) -> None:
    profile = profile_of(practised, use_case=None, model=model)
    assert profile is not None
    assert profile["max_input_tokens"] == practised.config.catalog.models["gpt-6-luna"].context_tokens


def test_a_name_that_leads_nowhere_has_none(practised: Orchestrator) -> None:
    assert profile_of(practised, use_case=None, model="nobody") is None
