"""The guard in LiteLLM's own hooks: nothing is sent without held money, and every failure is told.

LiteLLM calls the hooks by keyword and swallows a TypeError of a renamed parameter, so a record
would be lost in silence; `tests/providers/litellm/test_hooks.py` fails on the day a signature changes.
"""

from typing import Any

import litellm
from litellm.integrations.custom_logger import CustomLogger
from litellm.types.utils import CallTypes

from orchestrator.catalog.catalog import Deployment, ProviderKind
from orchestrator.catalog.litellm_prefixes import CLIENTS
from orchestrator.core.errors import LocalModelError
from orchestrator.core.failures import FailureKind
from orchestrator.core.reasoning import REASONING_VENDOR
from orchestrator.dispatch.attempt import InFlightAttempt, NotAdmittedError
from orchestrator.providers.litellm.destination import Destination
from orchestrator.providers.litellm.prefix_request import Reader, prefix_request
from orchestrator.providers.litellm.provider_words import ProviderWords
from orchestrator.providers.litellm.sending import CURRENT_SENDING, Means, Sending
from orchestrator.providers.openrouter import NOT_OFFERED, token_costs_only
from orchestrator.providers.wire.outbound import UnsendableError

_OWN_CLIENT_KINDS = frozenset({ProviderKind.OPENROUTER, ProviderKind.GOOGLE})
"""The others go through the openai SDK, which keeps to `max_retries`."""


class AttemptVetoedError(Exception):
    """An attempt was stopped before it was sent.

    The status 400 makes LiteLLM go to the next step at once; it retries other errors with sleeps.
    """

    status_code = 400


_BRIDGES = frozenset({CallTypes.aresponses})
"""Calls that LiteLLM makes inside an attempt to carry it to another API of the same provider."""


class AttemptGuard(CustomLogger):
    """Lets an attempt leave that was admitted, once, and tells it of its failure."""

    async def async_pre_call_deployment_hook(
        self, kwargs: dict[str, Any], call_type: CallTypes | None
    ) -> dict[str, Any] | None:
        """Stop what was not admitted; give an attempt its own copies of what is sent, and its limits.

        Raises:
            AttemptVetoedError: no money is held for this send.
        """
        sending = CURRENT_SENDING.get()
        if sending is None:
            return None
        group = str((kwargs.get("metadata") or {}).get("model_group"))
        if sending.means is None:
            raise AttemptVetoedError(f"'{group}' is not sent by LiteLLM")
        attempt = sending.source.current
        is_bridge = attempt is not None and attempt.has_started and call_type in _BRIDGES
        if attempt is not None and is_bridge and sending.bridged != attempt.number:
            sending.bridged = attempt.number
            # The same attempt on its way to another API of its provider: its hold and its limits are over
            # both.
            return {**kwargs, "client": sending.means.client}
        if attempt is None or attempt.name != group:
            raise AttemptVetoedError(f"'{group}' was not admitted")
        sending.heard = None
        try:
            attempt.start()
        except NotAdmittedError as exc:
            raise AttemptVetoedError(str(exc)) from exc
        if attempt.target.deployment.provider.kind is ProviderKind.LITELLM:
            return _for_prefix(kwargs, attempt, sending)
        sending.words, sending.asked_for = None, {}
        changed = await _changed(kwargs, attempt, sending.means)
        sending.destination = Destination.of(attempt.target.deployment, changed)
        return changed

    async def async_post_call_failure_deployment_hook(
        self,
        request_data: Any,  # noqa: ARG002 -- LiteLLM calls by keyword
        exception: Exception,
        call_type: Any,  # noqa: ARG002
        fallback_depth: int | None = None,  # noqa: ARG002
    ) -> None:
        """Tell the attempt that it failed."""
        sending = CURRENT_SENDING.get()
        attempt = None if sending is None else sending.source.current
        if sending is None or attempt is None:
            return
        failure = sending.failure_of(exception)
        is_openrouter = attempt.target.deployment.provider.kind is ProviderKind.OPENROUTER
        if is_openrouter and failure.kind is FailureKind.MODEL_NOT_FOUND:
            attempt.remark(NOT_OFFERED)
        attempt.fail(failure)


def _for_prefix(kwargs: dict[str, Any], attempt: InFlightAttempt, sending: Sending) -> dict[str, Any]:
    """Return a call of a provider that LiteLLM alone reaches, to be sent through a client of ours.

    Raises:
        AttemptVetoedError: the model does not take what is asked for.
    """
    deployment, outbound = attempt.target.deployment, attempt.outbound()
    prefix = deployment.provider.prefix or ""
    try:
        asked = prefix_request(Reader.at(deployment), outbound, taken=_taken(deployment))
    except UnsendableError as exc:
        attempt.remark(str(exc))
        raise AttemptVetoedError(str(exc)) from exc
    sending.words, sending.notices = ProviderWords(), list(asked.notices)
    sending.asked_for = asked.parameters
    sending.last_status = sending.refusal = None
    sending.destination = Destination.of(deployment, kwargs)
    means = sending.means
    return {
        **{name: value for name, value in kwargs.items() if name not in outbound.parameters},
        "messages": asked.messages,
        **asked.parameters,
        "max_tokens": outbound.max_tokens,
        "client": None if means is None else means.client.of(CLIENTS[prefix], kwargs),
    }


def _taken(deployment: Deployment) -> frozenset[str]:
    """Return the parameters that LiteLLM writes for a model; it leaves all others out without a word."""
    named = litellm.get_supported_openai_params(
        model=deployment.upstream, custom_llm_provider=deployment.provider.prefix
    )
    return frozenset(named or ())


async def _changed(kwargs: dict[str, Any], attempt: InFlightAttempt, means: Means) -> dict[str, Any]:
    outbound, kind = attempt.outbound(), attempt.target.deployment.provider.kind
    # The timeout stays that of the deployment: LiteLLM keeps a client for each value it has seen, and the
    # attempt's own timer ends it.
    changed = {
        **kwargs,
        "messages": [_without_note(message) for message in outbound.messages],
        **outbound.parameters,
        "max_tokens": outbound.max_tokens,
    }
    if kind is ProviderKind.OPENROUTER:
        changed["extra_body"] = token_costs_only(outbound.rates, attempt.target.deployment.preferences)
    if kind is ProviderKind.LOCAL:
        changed["api_base"] = await _local_address(attempt, means)
        changed["api_key"] = means.local_model.api_key or changed.get("api_key")
    if kind in _OWN_CLIENT_KINDS:
        changed["client"] = means.client
    else:
        changed["client"] = means.client.sdk(
            base_url=changed.get("api_base"), api_key=str(changed.get("api_key") or "none")
        )
    return changed


def _without_note(message: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != REASONING_VENDOR}


async def _local_address(attempt: InFlightAttempt, means: Means) -> str:
    try:
        return await means.local_model.base_url()
    except LocalModelError as exc:
        attempt.remark(str(exc))
        raise AttemptVetoedError(str(exc)) from exc


GUARD = AttemptGuard()
"""One guard serves every dispatch of the process: the attempt comes with the task."""


def keep_guard() -> None:
    """Be among LiteLLM's callbacks: a program that sets its own (`litellm.callbacks = [x]`) takes us out."""
    if GUARD not in litellm.callbacks:
        litellm.callbacks = [*litellm.callbacks, GUARD]
