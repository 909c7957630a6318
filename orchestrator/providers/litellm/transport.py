"""The way out through LiteLLM: its Router, built from the catalogue, walks the fallbacks over our attempts.

Of the Router we use what was measured to work: its provider transforms and its walk over per-request
fallbacks. Between the hops it asks whether the next deployment may be tried, and the guard in its hooks lets
nothing leave that holds no money. Its own retries, cooldowns, budgets, caches and money are switched off
(docs/why/litellm.md).
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Any

from orchestrator.catalog.catalog import Catalog, Deployment, ProviderKind
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import AttemptFailedError, ProviderAnswer, UnreadableAnswerError
from orchestrator.dispatch.attempt import InFlightAttempt
from orchestrator.dispatch.transport import AttemptSource, in_flight
from orchestrator.providers.litellm.loading import LOADING, load_litellm
from orchestrator.providers.litellm.responses import StreamedAnswer, check_answered, read_answer
from orchestrator.providers.litellm.sending import CURRENT_SENDING, Sending, in_this_task
from orchestrator.providers.local.model import LocalModel

_PREFIX: Mapping[ProviderKind, str] = {
    ProviderKind.OPENROUTER: "openrouter",
    ProviderKind.GOOGLE: "gemini",
    ProviderKind.OPENAI: "openai",
    ProviderKind.LOCAL: "openai",
}
_HOPS_MAX = 1_000
"""Above any plan's length: the plan and the deadline limit the hops, not LiteLLM's count."""


class Connections:
    """The HTTP client of one event loop, shared by the transports of all configurations."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._client: Any = None
        self._made_in = 0

    def client(self) -> Any:
        """Return the client, made with its first use on the loop that will use it; a fork makes its own."""
        if self._client is None or self._made_in != os.getpid():
            from orchestrator.providers.litellm.http_client import SendOnceClient  # noqa: PLC0415 -- needs LiteLLM

            self._client = SendOnceClient()
            self._made_in = os.getpid()
        return self._client

    async def close(self) -> None:
        """Close the connections that are kept open."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


class LiteLLMTransport:
    """The way to every provider, for one configuration, on one event loop."""

    def __init__(self, catalog: Catalog, *, local_model: LocalModel, connections: Connections) -> None:
        """Remember what to build the Router from; LiteLLM is loaded with the first call."""
        self._catalog = catalog
        self._local_model = local_model
        self._connections = connections
        self._router: Any = None

    @property
    def is_ready(self) -> bool:
        """Return whether LiteLLM is loaded and the Router built."""
        return self._router is not None

    async def get_ready(self) -> None:
        """Load LiteLLM and build the Router, in a thread."""
        await asyncio.get_running_loop().run_in_executor(None, self._built)

    async def send(self, source: AttemptSource) -> ProviderAnswer | None:
        """Let the Router go from the source's current attempt on; None when the source has to choose again.

        Raises:
            AttemptFailedError: what came is no answer.
        """
        sending = Sending(source, self._local_model)
        try:
            return await self._ask(sending)
        except AttemptFailedError:
            raise
        except Exception as exc:  # noqa: BLE001 -- LiteLLM raises anything; failure_of names it or says unknown
            sending.fail(exc)
            if sending.error is not None:
                raise sending.error from None
            return None
        finally:
            # An error holds the frames that it passed, and with them what it is held by.
            sending.outer_error = None

    async def _ask(self, sending: Sending) -> ProviderAnswer:
        router = self._built()
        # LiteLLM's own context variable, which takes seconds to import, hence not at the head.
        from litellm._internal_context import is_internal_call  # noqa: PLC0415

        sending.client = self._connections.client()
        # LiteLLM marks with it the calls that it makes for another call's sake, which is what an attempt
        # is. It then writes no traceback and no payload for log callbacks; the ledger has the record.
        unlogged = is_internal_call.set(True)
        try:
            with in_this_task(sending):
                return await self._answer(router, sending)
        finally:
            is_internal_call.reset(unlogged)

    async def _answer(self, router: Any, sending: Sending) -> ProviderAnswer:
        response = await router.acompletion(**_arguments(in_flight(sending.source), sending.source))
        if sending.source.streams:
            return await _read_stream(response, sending.source)
        check_answered(response)
        kind = in_flight(sending.source).target.deployment.provider.kind
        return read_answer(response, reports_cost=kind is ProviderKind.OPENROUTER)

    def _built(self) -> Any:
        if self._router is not None:
            return self._router
        with LOADING:
            if self._router is None:
                self._router = self._build(load_litellm())
        return self._router

    def _build(self, litellm: Any) -> Any:
        router = litellm.Router(
            model_list=[_model_entry(deployment) for deployment in self._catalog.deployments.values()],
            num_retries=0,
            max_fallbacks=_HOPS_MAX,
            disable_cooldowns=True,
            fallback_budget_check=_may_fall_back,
            set_verbose=False,
        )
        # Takes the Router's own callbacks out of LiteLLM's lists: they count usage and cooldowns that
        # are not read here, cost a tenth of a call, and would outlive this configuration.
        router.discard()
        return router


async def _may_fall_back(*, model: str, request_kwargs: Mapping[str, Any], **_: Any) -> bool:  # noqa: ARG001 -- LiteLLM's names
    """Return whether the Router may go on to a deployment: its hook before each hop."""
    sending = CURRENT_SENDING.get()
    if sending is None:
        return True
    error = sys.exception()
    if error is not None:
        # LiteLLM tells no hook of a stream that breaks before its first words.
        sending.fail(error)
    if sending.error is not None:
        return False
    try:
        admitted = await sending.source.admit(model)
    except OrchestratorError as exc:
        # LiteLLM would swallow it and go on to the next; `send` raises it once LiteLLM has given up.
        sending.error = exc
        return False
    if admitted:
        sending.outer_error = error
    return admitted


def _model_entry(deployment: Deployment) -> dict[str, Any]:
    provider = deployment.provider
    key = provider.api_key.get_secret_value() if provider.api_key else "none"
    params: dict[str, Any] = {
        "model": f"{_PREFIX[provider.kind]}/{deployment.upstream}",
        "api_key": key or "none",
        "max_retries": 0,
        "num_retries": 0,
        "timeout": provider.timeout_s,
    }
    if provider.base_url:
        params["api_base"] = provider.base_url
    if provider.headers:
        params["extra_headers"] = dict(provider.headers)
    # An id that stays the same: LiteLLM would make one of all parameters, and keep an entry of its price map
    # for each that it ever made. It is no name of that map, so that nothing there is mistaken for it.
    return {
        "model_name": deployment.name,
        "litellm_params": params,
        "model_info": {"id": f"deployment {deployment.name}"},
    }


def _arguments(attempt: InFlightAttempt, source: AttemptSource) -> dict[str, Any]:
    outbound = attempt.outbound()
    arguments: dict[str, Any] = {
        "model": attempt.name,
        "messages": outbound.messages,
        "fallbacks": list(source.upcoming()),
        "num_retries": 0,
        # LiteLLM's own logging is not used and costs a fifth of a call.
        "no-log": True,
        **outbound.parameters,
    }
    if source.streams:
        arguments["stream"] = True
        # Here and not in the guard: LiteLLM drops the usage it was not asked for by the caller.
        arguments["stream_options"] = {"include_usage": True}
    return arguments


async def _read_stream(response: Any, source: AttemptSource) -> ProviderAnswer:
    # Not before: the Router may have gone on to another deployment than it was called with.
    attempt = in_flight(source)
    check_answered(response)
    attempt.begin_stream()
    streamed = StreamedAnswer()
    try:
        async for chunk in response:
            delta = streamed.add(chunk)
            attempt.identify(streamed.upstream_id)
            attempt.receive(delta)
        return _whole(response, streamed, attempt.target.deployment.provider.kind)
    finally:
        # A stream that is left must not go on, and be billed, until the garbage is collected.
        await response.aclose()


def _whole(response: Any, streamed: StreamedAnswer, kind: ProviderKind) -> ProviderAnswer:
    """Return the answer of a stream that came to its end.

    LiteLLM makes up a finish reason and a usage for a stream that merely ended; among the chunks that came
    from the provider there is one with a reason only when its last one arrived.
    """
    finished = any(chunk.choices and chunk.choices[0].finish_reason for chunk in response.chunks)
    if not finished and streamed.has_content:
        raise UnreadableAnswerError(Failure(FailureKind.INTERRUPTED))
    if not any(getattr(chunk, "usage", None) for chunk in response.chunks):
        streamed.usage = None
    return streamed.whole(reports_cost=kind is ProviderKind.OPENROUTER)
