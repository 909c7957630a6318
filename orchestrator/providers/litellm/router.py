"""LiteLLM's Router, built from the catalogue: the registry of deployments, and what walks the fallbacks.

Of the Router we use what was measured to work: its walk over per-request fallbacks. Between the hops it asks
whether the next deployment may be tried. Its own retries, cooldowns, budgets, caches and money are switched
off (docs/why/litellm.md).
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from orchestrator.catalog.catalog import Catalog, Deployment, ProviderKind
from orchestrator.catalog.litellm_prefixes import ADDRESSES
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.secret_values import secret_text, secret_texts
from orchestrator.dispatch.transport import AttemptSource
from orchestrator.providers.litellm.loading import ENTRY_ID, LOADING, load_for, load_litellm
from orchestrator.providers.litellm.registering import registered_once
from orchestrator.providers.litellm.sending import CURRENT_SENDING, Sending, in_this_task
from orchestrator.providers.wire.outbound import DEFAULT_URLS

_PREFIX: Mapping[ProviderKind, str] = {
    ProviderKind.OPENROUTER: "openrouter",
    ProviderKind.GOOGLE: "gemini",
    ProviderKind.OPENAI: "openai",
    ProviderKind.LOCAL: "openai",
}
_HOPS_MAX = 1_000
"""Above any plan's length: the plan and the deadline limit the hops, not LiteLLM's count."""


class HopFailedError(Exception):
    """An attempt of ours has failed and was told so; the Router may go on.

    The status 400 makes LiteLLM go to the next deployment at once; it retries other errors with sleeps.
    """

    status_code = 400


class CatalogRouter:
    """The Router of one configuration, built with the first call."""

    def __init__(self, catalog: Catalog) -> None:
        """Remember what to build the Router from; LiteLLM is loaded with the first call."""
        self._catalog = catalog
        self._router: Any = None

    @property
    def is_ready(self) -> bool:
        """Return whether LiteLLM is loaded and the Router built."""
        return self._router is not None

    async def get_ready(self) -> None:
        """Load LiteLLM and build the Router, in a thread."""
        await asyncio.get_running_loop().run_in_executor(None, self.built)

    def built(self) -> Any:
        """Return LiteLLM's Router."""
        if self._router is not None:
            return self._router
        with LOADING:
            if self._router is None:
                self._router = self._build(load_litellm())
        return self._router

    async def walk(self, failed: str, source: AttemptSource, ask: Callable[[str], Awaitable[bool]]) -> None:
        """Go on from a deployment whose attempt failed through the source's fallbacks, until one is answered.

        `ask` makes the attempt of a deployment, tells it of its failure, and returns whether it was answered.
        """
        router, sending = self.built(), Sending(source)

        async def original_function(*, model: str, **_: Any) -> None:
            # LiteLLM passes None on untouched; into any other answer it writes headers of its own.
            try:
                if model != failed and (await ask(model) or not source.upcoming()):
                    return
            except Exception as exc:  # noqa: BLE001 -- LiteLLM would swallow it; it is raised once that gives up
                sending.error = exc
            raise HopFailedError

        with in_this_task(sending):
            try:
                await router.async_function_with_fallbacks(
                    original_function=original_function,
                    model=failed,
                    fallbacks=list(source.upcoming()),
                    num_retries=0,
                    metadata={"model_group": failed},
                )
            except HopFailedError:
                if sending.error is not None:
                    raise sending.error from None
            finally:
                sending.outer_error = None

    def _build(self, litellm: Any) -> Any:
        for prefix in {each.provider.prefix for each in self._catalog.deployments.values()} - {None}:
            load_for(str(prefix))
        with registered_once(litellm):
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
    if sending.error is not None:
        # It ends the walk, and the attempt in flight is booked by who raises it.
        return False
    error = sys.exception()
    if error is not None:
        # LiteLLM tells no hook of a stream that breaks before its first words.
        sending.fail(error)
    try:
        admitted = await sending.source.admit(model)
    except OrchestratorError as exc:
        # LiteLLM would swallow it and go on to the next; it is raised once LiteLLM has given up.
        sending.error = exc
        return False
    if admitted:
        sending.outer_error = error
    return admitted


def _model_entry(deployment: Deployment) -> dict[str, Any]:
    provider = deployment.provider
    key = secret_text(provider.api_key)
    params: dict[str, Any] = {
        "model": f"{provider.prefix or _PREFIX[provider.kind]}/{deployment.upstream}",
        "api_key": key or "none",
        "max_retries": 0,
        "num_retries": 0,
        "timeout": provider.timeout_s,
        **provider.parameters.as_arguments(),
    }
    if not key and provider.prefix is not None:
        # What stands in its place is among the parameters.
        del params["api_key"]
    if not key and provider.prefix == "bedrock":
        # An empty one: without any LiteLLM would take AWS_BEARER_TOKEN_BEDROCK.
        params["api_key"] = ""
    address = provider.base_url or DEFAULT_URLS.get(provider.kind) or ADDRESSES.get(provider.prefix or "")
    if address:
        # Without one LiteLLM takes what OPENAI_BASE_URL and others of its own variables name.
        params["api_base"] = address
        if provider.prefix == "bedrock":
            # Else AWS_BEDROCK_RUNTIME_ENDPOINT would go before it.
            params["aws_bedrock_runtime_endpoint"] = address
    if provider.headers:
        params["extra_headers"] = secret_texts(provider.headers)
    # An id that stays the same: LiteLLM would make one of all parameters, and keep an entry of its price map
    # for each that it ever made. It is no name of that map, so that nothing there is mistaken for it.
    return {
        "model_name": deployment.name,
        "litellm_params": params,
        "model_info": {"id": f"{ENTRY_ID}{deployment.name}"},
    }
