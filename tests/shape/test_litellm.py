"""The library below us has the shape we built on: a new exception or a renamed hook fails here, and not in silence."""

import inspect
from typing import Any

import pytest

from orchestrator.providers.litellm import error_mapping as translate
from orchestrator.providers.litellm.loading import load_litellm

NEVER_RAISED_TO_US = {
    "BlockedPiiEntityError": "guardrails of LiteLLM's proxy",
    "BudgetExceededError": "LiteLLM's own budgets, which are off",
    "GuardrailRaisedException": "guardrails of LiteLLM's proxy",
    "MockException": "LiteLLM's own tests",
    "ModelNotMappedError": "its price table, which we do not ask",
    "ModifyResponseException": "guardrails of LiteLLM's proxy",
    "RejectedRequestError": "hooks of LiteLLM's proxy",
    "SensitiveDataRouteException": "guardrails of LiteLLM's proxy",
    "VectorStoreSearchError": "vector stores, which we do not use",
}
"""With the part of LiteLLM that raises them; should one come all the same, it is an unknown failure."""


@pytest.fixture(scope="module")
def litellm() -> Any:
    return load_litellm()


def exceptions_of(module: Any) -> set[str]:
    return {
        name
        for name, one in vars(module).items()
        if inspect.isclass(one) and issubclass(one, BaseException) and not name.startswith("_")
    }


def test_every_exception_of_litellm_has_been_thought_about(litellm):
    known = translate.TELLING.keys() | translate.BY_STATUS_OR_CAUSE | NEVER_RAISED_TO_US.keys()
    found = exceptions_of(litellm.exceptions)
    assert found - known == set(), (
        "LiteLLM grew an exception: give it a place in providers/litellm/error_mapping.py"
    )
    # InvalidRequestError and a few others exist only in some versions; a name that no version has is a slip.
    assert known - found == set(), "LiteLLM lost an exception: take its name away"


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


@pytest.mark.parametrize(
    "hook", ["async_pre_call_deployment_hook", "async_post_call_failure_deployment_hook"]
)
def test_the_hooks_that_we_override_take_what_litellm_hands_them(litellm, hook):
    """LiteLLM calls by keyword and swallows the TypeError of a parameter it has renamed."""
    from litellm.integrations.custom_logger import CustomLogger

    from orchestrator.providers.litellm.hooks import AttemptGuard

    theirs, ours = getattr(CustomLogger, hook), getattr(AttemptGuard, hook)
    assert ours is not theirs
    assert parameters(ours) == parameters(theirs)
    assert inspect.iscoroutinefunction(theirs)


def test_every_method_of_our_guard_is_a_hook_that_litellm_knows(litellm):
    """A hook that was renamed would never be called."""
    from litellm.integrations.custom_logger import CustomLogger

    from orchestrator.providers.litellm.hooks import AttemptGuard

    own = {name for name in vars(AttemptGuard) if not name.startswith("_")}
    assert own
    assert own <= set(dir(CustomLogger))


@pytest.mark.parametrize(
    "name", ["num_retries", "max_fallbacks", "disable_cooldowns", "fallback_budget_check", "set_verbose"]
)
def test_the_router_has_the_settings_that_we_use(litellm, name):
    assert name in parameters(litellm.Router.__init__)


@pytest.mark.parametrize(
    "name", ["disable_hf_tokenizer_download", "suppress_debug_info", "telemetry", "drop_params", "callbacks"]
)
def test_the_switches_that_we_set_exist(litellm, name):
    """A setting that was renamed would be set to nothing's effect."""
    assert hasattr(litellm, name)


def test_litellm_is_kept_from_the_network_and_from_telemetry(litellm):
    assert litellm.telemetry is False
    assert litellm.drop_params is True
    assert litellm.suppress_debug_info is True
