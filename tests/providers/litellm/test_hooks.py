"""The guard stops what was not admitted, and LiteLLM calls it the way we think it does."""

import inspect

import pytest
from litellm.integrations.custom_logger import CustomLogger
from litellm.types.utils import CallTypes

from orchestrator import CacheUse, Orchestrator
from orchestrator.practice import PracticeServer
from orchestrator.providers.litellm.hooks import GUARD, AttemptGuard, AttemptVetoedError
from orchestrator.providers.litellm.http_client import SendOnceClient
from orchestrator.providers.litellm.loading import load_litellm
from orchestrator.providers.litellm.sending import Means, Sending, in_this_task
from orchestrator.providers.local.model import LocalModel, LocalModelSettings


@pytest.mark.parametrize(
    "hook", ["async_pre_call_deployment_hook", "async_post_call_failure_deployment_hook"]
)
def test_our_hooks_have_the_parameters_that_litellm_passes_by_name(hook: str) -> None:
    """A renamed parameter raises a TypeError that LiteLLM swallows, and the record is lost in silence."""
    theirs = list(inspect.signature(getattr(CustomLogger, hook)).parameters)
    ours = list(inspect.signature(getattr(AttemptGuard, hook)).parameters)
    assert ours == theirs


def test_the_guard_is_in_litellms_list_once() -> None:
    litellm = load_litellm()
    load_litellm()
    assert litellm.callbacks.count(GUARD) == 1


async def test_without_a_sending_of_ours_the_guard_lets_others_pass() -> None:
    """Code that uses LiteLLM for itself is not ours to stop."""
    assert await GUARD.async_pre_call_deployment_hook({"model": "gpt"}, CallTypes.acompletion) is None


class NoAttempts:
    """A source that has admitted nothing."""

    current = None
    streams = False


async def test_a_send_that_was_not_admitted_is_vetoed() -> None:
    """No money held, no send; the veto's status makes LiteLLM go on at once."""
    sending = Sending(NoAttempts(), Means(LocalModel(LocalModelSettings()), SendOnceClient()))  # type: ignore[arg-type]
    with in_this_task(sending), pytest.raises(AttemptVetoedError, match="not admitted") as caught:
        await GUARD.async_pre_call_deployment_hook(
            {"metadata": {"model_group": "a/b"}}, CallTypes.acompletion
        )
    assert caught.value.status_code == 400


async def test_where_a_wire_of_ours_sends_litellm_may_send_nothing() -> None:
    """The Router only walks: whatever it would send by itself has no money held for it."""
    with in_this_task(Sending(NoAttempts())), pytest.raises(AttemptVetoedError, match="not sent by LiteLLM"):  # type: ignore[arg-type]
        await GUARD.async_pre_call_deployment_hook(
            {"metadata": {"model_group": "a/b"}}, CallTypes.acompletion
        )


def test_the_guard_sets_the_output_limit_that_was_paid_for(
    practised: Orchestrator, practice: PracticeServer
) -> None:
    """What reaches the provider is the max_tokens of the reservation, without a word of the caller."""
    practised.complete("Xin chào", cache=CacheUse.OFF)
    assert (
        practice.requests[-1].body["max_tokens"]
        == practised.config.settings.use_cases["customer_service"].max_tokens
    )


@pytest.fixture
def failures_logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models of the failed calls for which LiteLLM writes a traceback and a payload."""
    from litellm.litellm_core_utils.litellm_logging import Logging

    logged: list[str] = []
    writes = Logging.failure_handler

    def write(self: Logging, *args, **kwargs) -> object:
        logged.append(self.model)
        return writes(self, *args, **kwargs)

    monkeypatch.setattr(Logging, "failure_handler", write)
    return logged


async def test_litellm_logs_the_failures_of_the_programs_own_calls_and_none_of_ours(
    practised: Orchestrator, practice: PracticeServer, failures_logged: list[str]
) -> None:
    """Ours are in the ledger, and logged they cost a third of a failed-over call."""
    practice.faults.add("openrouter:status=503,times=2")
    assert len((await practised.acomplete("Xin chào", cache=CacheUse.OFF)).attempts) > 1
    practice.faults.add("openrouter:status=503,times=2")
    stream = practised.stream("Xin chào", cache=CacheUse.OFF)
    assert "".join([delta.text async for delta in stream])
    assert len(stream.reply.attempts) > 1
    assert failures_logged == []
    practice.faults.add("openai:status=503,times=1")
    own = {"api_base": practice.base_url("openai"), "api_key": "practice", "num_retries": 0}
    litellm = load_litellm()
    with pytest.raises(litellm.ServiceUnavailableError):
        await litellm.acompletion("openai/gpt-6-luna", [{"role": "user", "content": "Hello"}], **own)
    assert failures_logged == ["gpt-6-luna"]
