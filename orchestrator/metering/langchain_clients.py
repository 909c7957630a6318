"""The providers' own LangChain clients, metered: for parameters that only they know.

`Orchestrator.native("openai/gpt-6-luna", tenant="acme")` is a `ChatOpenAI`, for a Google deployment
a `ChatGoogleGenerativeAI`, with the key and address of config.yaml, on the same ledger and under
the same budgets. It has no fallbacks, no cache and no retries of its own: one call, one send, one
attempt in the ledger.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import httpx
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.utils import convert_to_openai_messages
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr, SecretStr

from orchestrator.catalog.catalog import Deployment, ProviderKind
from orchestrator.core.clock import Clock
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.payer import Payer
from orchestrator.core.quiet_logs import quiet_libraries
from orchestrator.core.reply import Usage
from orchestrator.core.request import Message
from orchestrator.langchain.tracing import LangChainSettings, follow_config
from orchestrator.ledger.ledger import Ledger
from orchestrator.metering.media_addresses import check_addresses
from orchestrator.metering.meter import DEFAULT_MAX_TOKENS, Meter, Offer
from orchestrator.metering.native_parameters import check_called_with, check_made_with
from orchestrator.providers.openrouter import max_price
from orchestrator.providers.wire.outbound import DEFAULT_URLS

_FETCHING = frozenset({ProviderKind.GOOGLE, ProviderKind.LOCAL})
"""Whose client, or server on this machine, opens the address of a picture itself."""
_UNOPENED = frozenset({"file_uri", "file_id"})
"""What LangChain hands to Google as it is."""
_NO_REDIRECTS = {"follow_redirects": False, "allow_redirects": False}
"""For httpx, which Google's client uses in synchronous calls, and for aiohttp, which it uses in others."""


class _Metered:
    """Puts a meter around the four ways a LangChain chat model sends."""

    _meter: Meter = PrivateAttr()
    _kind: ProviderKind = PrivateAttr()

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        with self._meter.send(self._wire(messages), **self._size(kwargs)) as sending:
            result: ChatResult = super()._generate(messages, stop, run_manager, **kwargs)  # type: ignore[misc]
            sending.usage = _usage_of([generation.message for generation in result.generations])
            return result

    async def _agenerate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        with self._meter.send(self._wire(messages), **self._size(kwargs)) as sending:
            result: ChatResult = await super()._agenerate(messages, stop, run_manager, **kwargs)  # type: ignore[misc]
            sending.usage = _usage_of([generation.message for generation in result.generations])
            return result

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        with self._meter.send(self._wire(messages), **self._size(kwargs)) as sending:
            received: list[BaseMessage] = []
            for chunk in super()._stream(messages, stop, run_manager, **kwargs):  # type: ignore[misc]
                received.append(chunk.message)
                yield chunk
            sending.usage = _usage_of(received)

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        with self._meter.send(self._wire(messages), **self._size(kwargs)) as sending:
            received: list[BaseMessage] = []
            async for chunk in super()._astream(messages, stop, run_manager, **kwargs):  # type: ignore[misc]
                received.append(chunk.message)
                yield chunk
            sending.usage = _usage_of(received)

    def _size(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return how large a call may be; the clients name it differently.

        Raises:
            InvalidRequestError: the call names what a client may not change.
        """
        check_called_with(self._kind, kwargs)
        names = ("max_completion_tokens", "max_output_tokens", "max_tokens")
        limits = [kwargs.get(name) for name in names] + [getattr(self, name, None) for name in names]
        limit = next((int(value) for value in limits if value), DEFAULT_MAX_TOKENS)
        declared = [kwargs.get(name) for name in ("tools", "functions", "response_format", "response_schema")]
        return {
            "max_tokens": limit,
            "answers": int(kwargs.get("n") or getattr(self, "n", None) or 1),
            "declared": [value for value in declared if value],
        }

    def _wire(self, messages: Sequence[BaseMessage]) -> list[Message]:
        """Return messages in OpenAI's shape.

        Raises:
            InvalidRequestError: a picture's address would be opened from this machine.
        """
        if self._kind in _FETCHING:
            check_addresses((message.content for message in messages), unopened=_UNOPENED)
        return list(convert_to_openai_messages(list(messages)))


class MeteredChatOpenAI(_Metered, ChatOpenAI):
    """`ChatOpenAI` on the orchestrator's ledger; also for OpenRouter and the local model."""


class MeteredChatGoogle(_Metered, ChatGoogleGenerativeAI):
    """`ChatGoogleGenerativeAI` on the orchestrator's ledger."""


def native_client(  # noqa: PLR0913 -- one keyword for each independent thing
    deployment: Deployment,
    payer: Payer,
    *,
    ledger: Ledger,
    clock: Clock,
    overrides: Mapping[str, Any],
    address: str | None = None,
    local_key: str = "",
    tracing: LangChainSettings | None = None,
) -> MeteredChatOpenAI | MeteredChatGoogle:
    """Return the provider's own client for a deployment, metered for `payer`; `overrides` are its parameters.

    It sends to `address`, without one to its provider's own; `local_key` is the key of our own server there.

    Raises:
        InvalidRequestError: `overrides` names what config.yaml decides, such as key, address, headers,
            model or retries, or the environment leads Google's client elsewhere.
    """
    provider = deployment.provider
    check_made_with(provider.kind, overrides)
    quiet_libraries()
    follow_config(tracing or LangChainSettings())
    # Never None: the vendors' clients would take an address from the environment.
    address = address or provider.base_url or DEFAULT_URLS.get(provider.kind, "")
    common: dict[str, Any] = {
        "model": deployment.upstream,
        "api_key": SecretStr(local_key) if local_key else provider.api_key or SecretStr("none"),
        "max_retries": 0,
        "timeout": provider.timeout_s,
        **overrides,
    }
    of_kind = _google_client if provider.kind is ProviderKind.GOOGLE else _openai_client
    client = of_kind(deployment, address, common)
    client._meter = Meter(Offer.of(deployment), payer, ledger=ledger, clock=clock)  # noqa: SLF001 -- private attributes of pydantic, set by their own module
    client._kind = provider.kind  # noqa: SLF001
    return client


def _google_client(deployment: Deployment, address: str, common: dict[str, Any]) -> MeteredChatGoogle:
    common.setdefault("max_output_tokens", DEFAULT_MAX_TOKENS)
    # Google's client adds the version itself.
    host = address.removesuffix("/").removesuffix("/v1beta")
    client = MeteredChatGoogle(base_url=host, vertexai=False, client_args=_NO_REDIRECTS, **common)
    if client.client is None or client.client.vertexai:
        raise InvalidRequestError(
            f"GOOGLE_GENAI_USE_VERTEXAI or GOOGLE_GENAI_USE_ENTERPRISE in the environment sends what is meant for "
            f"'{deployment.name}' to another service of Google's; unset it"
        )
    return client


def _openai_client(deployment: Deployment, address: str, common: dict[str, Any]) -> MeteredChatOpenAI:
    provider = deployment.provider
    if "max_tokens" not in common:
        common.setdefault("max_completion_tokens", DEFAULT_MAX_TOKENS)
    if provider.kind is ProviderKind.OPENROUTER:
        common["extra_body"] = max_price(deployment.price.dearest)
    common |= {
        "base_url": address,
        "default_headers": dict(provider.headers) or None,
        # That of the environment is not meant for this provider.
        "openai_proxy": None,
        "http_client": _sync_http(),
        # One for each client: its connections belong to the event loop that opened them.
        "http_async_client": httpx.AsyncClient(follow_redirects=False),
    }
    return MeteredChatOpenAI(stream_usage=True, **common)


@cache
def _sync_http() -> httpx.Client:
    return httpx.Client(follow_redirects=False)


def _usage_of(messages: Sequence[BaseMessage]) -> Usage | None:
    """Return the tokens that LangChain's messages count together, None where no message counts any."""
    counts = [
        message.usage_metadata
        for message in messages
        if isinstance(message, AIMessage) and message.usage_metadata
    ]
    if not counts:
        return None
    return Usage(
        input_tokens=sum(count["input_tokens"] for count in counts),
        output_tokens=sum(count["output_tokens"] for count in counts),
        cached_input_tokens=sum(
            (count.get("input_token_details") or {}).get("cache_read", 0) for count in counts
        ),
        cache_write_tokens=sum(
            (count.get("input_token_details") or {}).get("cache_creation", 0) for count in counts
        ),
        reasoning_tokens=sum(
            (count.get("output_token_details") or {}).get("reasoning", 0) for count in counts
        ),
    )
