"""The providers' own LangChain clients, metered: for parameters that only they know.

`Orchestrator.native("openai/gpt-6-luna", tenant="acme")` is a `ChatOpenAI`, for a Google deployment
a `ChatGoogleGenerativeAI`, with the key and address of config.yaml, on the same ledger and under
the same budgets. It has no fallbacks, no cache and no retries of its own: one call, one send, one
attempt in the ledger.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from orchestrator.catalog.catalog import Deployment, ProviderKind
from orchestrator.core.errors import InvalidRequestError, OrchestratorError
from orchestrator.metering.meter import DEFAULT_MAX_TOKENS, Meter
from orchestrator.metering.metered_http import MeteredHttp, VendorAddress
from orchestrator.providers.openrouter import max_price
from orchestrator.providers.wire.outbound import PINNED_TIER, address_of_provider, is_openai_itself

_COMMON = frozenset(
    {
        *("temperature", "top_p", "n", "stop", "seed", "presence_penalty", "frequency_penalty"),
        *("max_tokens", "timeout", "logprobs", "reasoning_effort", "tool_choice", "tools"),
    }
)
_OPENAI_NAMES = _COMMON | {
    *("max_completion_tokens", "logit_bias", "top_logprobs", "verbosity", "reasoning", "response_format"),
    *("parallel_tool_calls", "functions", "function_call", "strict", "user", "stream", "stream_usage"),
}
_GOOGLE_NAMES = _COMMON | {
    *("max_output_tokens", "top_k", "candidate_count", "stop_sequences", "response_mime_type"),
    *("response_schema", "response_json_schema", "thinking_budget", "thinking_level", "thinking_config"),
    *(
        "include_thoughts",
        "safety_settings",
        "media_resolution",
        "generation_config",
        "tool_config",
        "functions",
    ),
}
_CLIENT_NAMES = frozenset(
    {
        *("request_timeout", "streaming", "disable_streaming", "stop_sequences", "output_version"),
        *("stream_chunk_timeout", "include_response_headers", "convert_system_message_to_human"),
        *("callbacks", "tags", "metadata", "name", "verbose", "rate_limiter", "profile"),
    }
)
"""Of the constructor alone: they shape what the client does here, and nothing that is sent."""


class _Metered:
    """Checks what a call of a LangChain chat model names, and raises our errors as they were."""

    _call_names: frozenset[str]

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        with _Told(kwargs, self._call_names):
            return super()._generate(messages, stop, run_manager, **kwargs)  # type: ignore[misc, no-any-return]

    async def _agenerate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        with _Told(kwargs, self._call_names):
            return await super()._agenerate(messages, stop, run_manager, **kwargs)  # type: ignore[misc, no-any-return]

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        with _Told(kwargs, self._call_names):
            yield from super()._stream(messages, stop, run_manager, **kwargs)  # type: ignore[misc]

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        with _Told(kwargs, self._call_names):
            async for chunk in super()._astream(messages, stop, run_manager, **kwargs):  # type: ignore[misc]
                yield chunk


class _Told:
    """A call: what it names is checked first, and what we raise inside of it comes out as it is."""

    def __init__(self, kwargs: Mapping[str, Any], names: frozenset[str]) -> None:
        self._kwargs = kwargs
        self._names = names

    def __enter__(self) -> None:
        _refuse(self._kwargs, self._names)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        below = error
        while below is not None:
            if isinstance(below, OrchestratorError) and below is not error:
                raise below from None
            below = below.__cause__ or below.__context__


class MeteredChatOpenAI(_Metered, ChatOpenAI):
    """`ChatOpenAI` on the orchestrator's ledger; also for OpenRouter and the local model."""

    _call_names = _OPENAI_NAMES


class MeteredChatGoogle(_Metered, ChatGoogleGenerativeAI):
    """`ChatGoogleGenerativeAI` on the orchestrator's ledger."""

    _call_names = _GOOGLE_NAMES


def native_client(
    deployment: Deployment, meter: Meter, *, overrides: Mapping[str, Any], address: str | None = None
) -> MeteredChatOpenAI | MeteredChatGoogle:
    """Return the provider's own client for a deployment, metered; `overrides` are its parameters.

    It sends to `address`, without one to its provider's own.

    Raises:
        InvalidRequestError: `overrides` names what config.yaml decides, or what no bound is known for.
    """
    provider = deployment.provider
    is_google = provider.kind is ProviderKind.GOOGLE
    _refuse(overrides, (_GOOGLE_NAMES if is_google else _OPENAI_NAMES) | _CLIENT_NAMES)
    url = address_of_provider(deployment, address)
    transport = MeteredHttp(VendorAddress(provider.kind, deployment.upstream, url), meter)
    common: dict[str, Any] = {
        "model": deployment.upstream,
        "max_retries": 0,
        "timeout": provider.timeout_s,
        **overrides,
    }
    build = _google_client if is_google else _openai_client
    return build(deployment, url, transport, common)


def _google_client(
    deployment: Deployment, url: str, transport: MeteredHttp, common: dict[str, Any]
) -> MeteredChatGoogle:
    if "max_tokens" not in common:
        common.setdefault("max_output_tokens", DEFAULT_MAX_TOKENS)
    # Google's client adds the version itself.
    host = url.removesuffix("/").removesuffix("/v1beta")
    return MeteredChatGoogle(
        google_api_key=deployment.provider.api_key or SecretStr("none"),
        base_url=host,
        additional_headers=dict(deployment.provider.headers) or None,
        client_args={"transport": transport, "follow_redirects": False},
        vertexai=False,
        **common,
    )


def _openai_client(
    deployment: Deployment, url: str, transport: MeteredHttp, common: dict[str, Any]
) -> MeteredChatOpenAI:
    provider = deployment.provider
    if "max_tokens" not in common:
        common.setdefault("max_completion_tokens", DEFAULT_MAX_TOKENS)
    if provider.kind is ProviderKind.OPENROUTER:
        common["extra_body"] = max_price(deployment.price.dearest)
    common["stream_usage"] = True
    if is_openai_itself(provider.kind, url):
        common["service_tier"] = PINNED_TIER
    common |= {"api_key": provider.api_key or SecretStr("none"), "base_url": url}
    return MeteredChatOpenAI(
        default_headers=dict(provider.headers) or None,
        http_client=httpx.Client(transport=transport, follow_redirects=False),
        http_async_client=httpx.AsyncClient(transport=transport, follow_redirects=False),
        **common,
    )


def _refuse(named: Mapping[str, Any], known: frozenset[str]) -> None:
    for name, value in named.items():
        if name not in known and value is not None:
            raise InvalidRequestError(
                f"'{name}' is not taken by a metered client: addresses, keys, headers, models and retries come "
                f"from config.yaml alone, and what no bound is known for is not sent; known: {', '.join(sorted(known))}"
            )
