"""LiteLLM's Router, built from the catalogue and led along a walk.

Of the Router we use what was measured to work: its provider transforms and its walk over
per-request fallbacks, with our gate between the hops and our guard at every attempt. Its own
retries, cooldowns, budgets, caches and money are switched off (docs/why/litellm.md).
"""

import asyncio
import contextlib
import importlib
import logging
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.catalog.catalog import Catalog, Deployment, ProviderKind
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.on_break import OnBreak
from orchestrator.core.provider_answer import ProviderAnswer, UnreadableAnswerError
from orchestrator.core.request import ChatRequest, Message
from orchestrator.dispatch.attempt import Target
from orchestrator.dispatch.dispatcher import Walk
from orchestrator.providers.litellm.error_mapping import failure_of
from orchestrator.providers.litellm.responses import StreamedAnswer, check_answered, read_answer
from orchestrator.providers.local.model import LocalModel
from orchestrator.streaming.stream_writer import StreamWriter, TakeDelta

_PREFIX: Mapping[ProviderKind, str] = {
    ProviderKind.OPENROUTER: "openrouter",
    ProviderKind.GOOGLE: "gemini",
    ProviderKind.OPENAI: "openai",
    ProviderKind.LOCAL: "openai",
}
_HOPS_MAX = 1_000
"""Above any plan's length: the plan and the deadline limit the hops, not LiteLLM's count."""

LOADED_LATE = (
    "litellm.litellm_core_utils.default_encoding",
    "litellm.litellm_core_utils.streaming_chunk_builder_utils",
    "litellm.llms.vertex_ai.context_caching.vertex_ai_context_caching",
    "litellm.proxy.guardrails.exception_utils",
    "litellm.proxy.openai_files_endpoints.common_utils",
    "openai.resources",
    "openai.resources.chat",
    "fastapi.exceptions",
    "anyio._backends._asyncio",
)
"""What LiteLLM would import with the first call of each kind and with the first failure: together more than a
second of CPU on the event loop, in which every request under way would wait."""


class Connections:
    """The HTTP client of one event loop, shared by the gateways of all configurations."""

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


class Gateway:
    """The way to every provider, for one configuration, on one event loop."""

    def __init__(self, catalog: Catalog, *, local_model: LocalModel, connections: "Connections") -> None:
        """Remember what to build the Router from; LiteLLM is loaded with the first call."""
        self._catalog = catalog
        self._local_model = local_model
        self._connections = connections
        self._router: Any = None

    async def run(self, walk: Walk, *, emit: TakeDelta | None = None) -> ProviderAnswer:
        """Lead `walk` to an answer; with `emit`, stream its pieces there.

        Raises:
            OrchestratorError: nobody answered; the walk's verdict.
            StreamInterruptedError: a stream broke off after its first piece, and nobody could finish it.
        """
        # LiteLLM's callback base class takes seconds to import, hence not at the head.
        load_litellm()
        from orchestrator.providers.litellm.hooks import Trip, on_trip  # noqa: PLC0415

        delivery = None if emit is None else StreamWriter(walk.terms.request, emit)
        try:
            with on_trip(Trip(walk, self._local_model, self._connections.client())):
                return await self._lead(walk, delivery)
        finally:
            if delivery is not None:
                walk.delivered = delivery.text

    @property
    def is_ready(self) -> bool:
        """Return whether LiteLLM is loaded and the Router built."""
        return self._router is not None

    async def get_ready(self) -> None:
        """Load LiteLLM and build the Router, in a thread."""
        await asyncio.get_running_loop().run_in_executor(None, self._built)

    async def _lead(self, walk: Walk, delivery: StreamWriter | None) -> ProviderAnswer:
        while (step := await walk.next()) is not None:
            answer = await self._try(walk, step.name, delivery)
            if answer is not None:
                if delivery is not None:
                    _tell(walk, delivery)
                walk.succeed(answer)
                return answer if delivery is None else replace(answer, text=delivery.text)
            if delivery is not None and delivery.begun:
                _go_on(walk, delivery)
        verdict = walk.verdict()
        raise delivery.interrupted(verdict) if delivery is not None and delivery.begun else verdict

    async def _try(self, walk: Walk, name: str, delivery: StreamWriter | None) -> ProviderAnswer | None:
        """Let the Router go from `name` on; None when the walk has to choose again."""
        request = walk.terms.request if delivery is None else delivery.request_for(name)
        # With a begun answer each deployment is asked in its own words, so the Router makes no hops.
        rest = [] if delivery is not None and delivery.begun else walk.rest()
        try:
            router = self._built()
            async with asyncio.timeout(None) as timer:
                walk.timer = timer
                try:
                    response = await router.acompletion(
                        **_arguments(request, name, rest, stream=delivery is not None)
                    )
                    check_answered(response)
                    if delivery is None:
                        return read_answer(response, reports_cost=_kind_of(walk) is ProviderKind.OPENROUTER)
                    return await _read_stream(response, walk, delivery)
                finally:
                    walk.timer = None
        except TimeoutError:
            walk.fail(Failure(FailureKind.TIMEOUT))
        except UnreadableAnswerError as exc:
            walk.fail(exc.failure, billed=exc.answer)
        except Exception as exc:  # noqa: BLE001 -- LiteLLM raises anything; failure_of names it or says unknown
            walk.fail(failure_of(exc))
        finally:
            walk.stream_began = False
        return None

    def _built(self) -> Any:
        if self._router is not None:
            return self._router
        with _LOADING:
            if self._router is None:
                self._router = self._build(load_litellm())
        return self._router

    def _build(self, litellm: Any) -> Any:
        router = litellm.Router(
            model_list=[_model_entry(one) for one in self._catalog.deployments.values()],
            num_retries=0,
            max_fallbacks=_HOPS_MAX,
            disable_cooldowns=True,
            fallback_budget_check=_gate,
            set_verbose=False,
        )
        # Takes the Router's own callbacks out of LiteLLM's lists: they count usage and cooldowns that
        # nobody reads here, cost a tenth of a call, and would outlive this configuration.
        router.discard()
        return router


def load_litellm() -> Any:
    """Import LiteLLM once, kept from the network and from its own ideas of money and logging."""
    with _LOADING:
        return _litellm if _litellm is not None else _load_litellm()


def _load_litellm() -> Any:
    global _litellm  # noqa: PLW0603 -- an import is process-wide, and so is its configuration
    # Without these the import fetches a price map and tiktoken a vocabulary from the network.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_LOG", "ERROR")
    import litellm  # noqa: PLC0415 -- takes seconds

    os.environ.setdefault(
        "TIKTOKEN_CACHE_DIR", str(Path(litellm.__file__).parent / "litellm_core_utils" / "tokenizers")
    )
    for name in LOADED_LATE:
        # What has moved is imported by whoever needs it, as before.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    litellm.disable_hf_tokenizer_download = True
    litellm.suppress_debug_info = True
    litellm.expose_router_debug_in_errors = False
    litellm.telemetry = False
    litellm.drop_params = True
    from orchestrator.providers.litellm.hooks import GUARD  # noqa: PLC0415 -- needs LiteLLM's base class

    litellm.callbacks.append(GUARD)
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        # Their lines quote prompts, replies and providers' error bodies; ours say what happened.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    _litellm = litellm
    return litellm


_litellm: Any = None
_LOADING = threading.RLock()
"""Two first requests at once must not put the guard into LiteLLM's list twice."""


async def _gate(*, model: str, request_kwargs: Mapping[str, Any], **_: Any) -> bool:  # noqa: ARG001 -- LiteLLM's names
    from orchestrator.providers.litellm.hooks import CURRENT_TRIP  # noqa: PLC0415 -- needs LiteLLM's base class

    trip = CURRENT_TRIP.get()
    if trip is None:
        return True
    error = sys.exception()
    if trip.walk.open is not None and error is not None:
        # LiteLLM tells no hook of a stream that breaks before its first words.
        trip.walk.fail(failure_of(error))
    return await trip.walk.gate(model)


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
    # An id that stays the same: LiteLLM would make one of all parameters, and keep an entry of its price map for
    # each that it ever made. It is no name of that map, so that nothing there is mistaken for it.
    return {
        "model_name": deployment.name,
        "litellm_params": params,
        "model_info": {"id": f"deployment {deployment.name}"},
    }


def _arguments(request: ChatRequest, name: str, rest: list[str], *, stream: bool) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "model": name,
        "messages": [_plain(message) for message in request.messages],
        "fallbacks": rest,
        "num_retries": 0,
        # LiteLLM's own logging is not used and costs a fifth of a call.
        "no-log": True,
        **request.sampling.as_wire(),
    }
    if stream:
        arguments["stream"] = True
        # Here and not in the guard: LiteLLM drops the usage it was not asked for by the caller.
        arguments["stream_options"] = {"include_usage": True}
    return arguments


def _plain(message: Message) -> dict[str, Any]:
    return {key: value for key, value in message.items() if value is not None or key == "content"}


async def _read_stream(response: Any, walk: Walk, delivery: StreamWriter) -> ProviderAnswer:
    walk.stream_began = True
    streamed = StreamedAnswer()
    # Not before: the Router may have gone on to another deployment than it was called with.
    delivery.begin(_step_of(walk).name)
    try:
        async for chunk in response:
            delta = streamed.add(chunk)
            walk.identify(streamed.upstream_id)
            if delta is None:
                walk.keep_alive()
            else:
                walk.hear(delta.text)
                delivery.take(delta)
        answer = _whole(response, streamed, _step_of(walk).deployment.provider.kind)
        delivery.finish(answer)
        return answer
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


def _go_on(walk: Walk, delivery: StreamWriter) -> None:
    """Prepare the walk for the next attempt at an answer whose beginning has been read.

    Raises:
        StreamInterruptedError: the caller wants no other attempt.
    """
    last = walk.attempts[-1]
    delivery.broke_off(last.deployment, refused=last.failure == FailureKind.CONTINUATION_REFUSED)
    if walk.terms.request.on_break is OnBreak.ERROR:
        raise delivery.interrupted(None)
    walk.go_on(delivery.request_for(""))


def _tell(walk: Walk, delivery: StreamWriter) -> None:
    """Let the reply say how the answer came about, where more than one attempt brought a part of it."""
    step = _step_of(walk)
    walk.story = delivery.story(step.name)
    most = step.candidate.max_tokens
    planned = next(
        (one.max_tokens for one in walk.terms.plan.candidates if one.deployment == step.name), most
    )
    if most < planned:
        walk.notices.append(f"max_tokens lowered from {planned} to {most} to fit what one request may cost")


def _kind_of(walk: Walk) -> ProviderKind:
    return _step_of(walk).deployment.provider.kind


def _step_of(walk: Walk) -> Target:
    attempt = walk.open
    if attempt is None:
        # A late failure hook closed it: the answer that came after all belongs to nobody.
        raise UnreadableAnswerError(Failure(FailureKind.UNKNOWN))
    return attempt.step
