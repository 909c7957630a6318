"""The guard in LiteLLM's own hooks: nothing is sent without held money, and every failure is told.

LiteLLM calls the hooks by keyword and swallows a TypeError of a renamed parameter, so a record
would be lost in silence; `tests/providers/litellm/test_hooks.py` fails on the day a signature changes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from litellm._internal_context import is_internal_call
from litellm.integrations.custom_logger import CustomLogger

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.errors import LocalModelError
from orchestrator.core.failures import FailureKind
from orchestrator.dispatch.dispatcher import Walk
from orchestrator.providers.litellm.error_mapping import failure_of
from orchestrator.providers.litellm.http_client import SendOnceClient
from orchestrator.providers.local.model import LocalModel
from orchestrator.providers.openrouter import NOT_OFFERED, max_price


@dataclass(frozen=True, slots=True)
class Trip:
    """A walk under way, with the local model it may come to."""

    walk: Walk
    local_model: LocalModel
    client: SendOnceClient


CURRENT_TRIP: ContextVar[Trip | None] = ContextVar("orchestrator_trip", default=None)
"""The trip of this task; LiteLLM's hooks run in it."""


@contextmanager
def on_trip(trip: Trip) -> Iterator[None]:
    """Let LiteLLM's hooks of this task find `trip`, and keep LiteLLM from logging the calls made on it.

    LiteLLM marks with `is_internal_call` the calls that it makes for another call's sake, which is what
    an attempt is. It then writes no traceback and no payload for log callbacks; the ledger has the record.
    """
    found, unlogged = CURRENT_TRIP.set(trip), is_internal_call.set(True)
    try:
        yield
    finally:
        is_internal_call.reset(unlogged)
        CURRENT_TRIP.reset(found)


_OWN_CLIENT_KINDS = frozenset({ProviderKind.OPENROUTER, ProviderKind.GOOGLE})
"""The others go through the openai SDK, which keeps to `max_retries`."""


class AttemptVetoedError(Exception):
    """An attempt was stopped before it was sent.

    The status 400 makes LiteLLM go to the next step at once; it retries other errors with sleeps.
    """

    status_code = 400


class WalkGuard(CustomLogger):
    """Admits the attempts of a `Walk` and tells it of their failures."""

    async def async_pre_call_deployment_hook(
        self,
        kwargs: dict[str, Any],
        call_type: Any,  # noqa: ARG002 -- LiteLLM calls by keyword
    ) -> dict[str, Any] | None:
        """Stop an attempt that was not admitted; set the limits of one that was.

        Raises:
            AttemptVetoedError: the walk holds no money for this attempt.
        """
        trip = CURRENT_TRIP.get()
        if trip is None:
            return None
        group = (kwargs.get("metadata") or {}).get("model_group")
        try:
            limits = trip.walk.begin(str(group))
        except PermissionError as exc:
            raise AttemptVetoedError(str(exc)) from exc
        # The timeout stays that of the deployment: LiteLLM keeps a client for each value it has seen,
        # and the walk's own timer ends the attempt.
        changed = {**kwargs, "max_tokens": limits.max_tokens}
        if limits.kind is ProviderKind.OPENROUTER:
            changed["extra_body"] = max_price(limits.rates)
        if limits.kind is ProviderKind.LOCAL:
            changed["api_base"] = await _local_address(trip)
        if limits.kind in _OWN_CLIENT_KINDS:
            changed["client"] = trip.client
        else:
            changed["client"] = trip.client.sdk(
                base_url=changed.get("api_base"), api_key=str(changed.get("api_key") or "none")
            )
        return changed

    async def async_post_call_failure_deployment_hook(
        self,
        request_data: Any,  # noqa: ARG002
        exception: Exception,
        call_type: Any,  # noqa: ARG002
        fallback_depth: int | None = None,  # noqa: ARG002
    ) -> None:
        """Tell the walk that its attempt failed."""
        trip = CURRENT_TRIP.get()
        if trip is None:
            return
        failure, attempt = failure_of(exception), trip.walk.open
        of_openrouter = (
            attempt is not None and attempt.step.deployment.provider.kind is ProviderKind.OPENROUTER
        )
        if of_openrouter and failure.kind is FailureKind.MODEL_NOT_FOUND:
            trip.walk.remark(NOT_OFFERED)
        trip.walk.fail(failure)


async def _local_address(trip: Trip) -> str:
    try:
        return await trip.local_model.base_url()
    except LocalModelError as exc:
        trip.walk.remark(str(exc))
        raise AttemptVetoedError(str(exc)) from exc


GUARD = WalkGuard()
"""One guard serves every walk of the process: the walk comes with the task."""
