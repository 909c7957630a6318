"""The providers' own LangChain clients, metered: for parameters that only they know.

`Orchestrator.native("openai/gpt-6-luna", tenant="acme")` is a `ChatOpenAI`, for a Google deployment
a `ChatGoogleGenerativeAI`, with the key and address of config.yaml, on the same ledger and under
the same budgets. It has no fallbacks, no cache and no retries of its own: one call, one send, one
attempt in the ledger.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

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
from orchestrator.core.reply import Usage
from orchestrator.core.request import Message
from orchestrator.ledger.ledger import Ledger
from orchestrator.metering.meter import DEFAULT_MAX_TOKENS, Meter, Offer
from orchestrator.providers.openrouter import max_price
from orchestrator.providers.wire.usage_reading import UNKNOWN_USAGE, CountedUsage

_NOT_TAKEN = frozenset(
    {
        *(
            "api_key",
            "openai_api_key",
            "google_api_key",
            "credentials",
            "organization",
            "openai_organization",
        ),
        *(
            "base_url",
            "openai_api_base",
            "openai_proxy",
            "proxies",
            "client_options",
            "transport",
            "location",
        ),
        *("default_headers", "default_query", "additional_headers", "extra_headers", "http_client"),
        *("http_async_client", "client", "async_client", "root_client", "root_async_client"),
        *("model", "model_name", "model_kwargs", "extra_body", "max_retries", "use_responses_api"),
    }
)
"""What config.yaml decides, and what would change the model, the amount or the number of sends in secret."""


class _Metered:
    """Puts a meter around the four ways a LangChain chat model sends."""

    _meter: Meter = PrivateAttr()

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        with self._meter.send(_wire(messages), **self._size(kwargs)) as sending:
            result: ChatResult = super()._generate(messages, stop, run_manager, **kwargs)  # type: ignore[misc]
            sending.counted = _counted([generation.message for generation in result.generations])
            return result

    async def _agenerate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        with self._meter.send(_wire(messages), **self._size(kwargs)) as sending:
            result: ChatResult = await super()._agenerate(messages, stop, run_manager, **kwargs)  # type: ignore[misc]
            sending.counted = _counted([generation.message for generation in result.generations])
            return result

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        with self._meter.send(_wire(messages), **self._size(kwargs)) as sending:
            received: list[BaseMessage] = []
            for chunk in super()._stream(messages, stop, run_manager, **kwargs):  # type: ignore[misc]
                received.append(chunk.message)
                yield chunk
            sending.counted = _counted(received)

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        with self._meter.send(_wire(messages), **self._size(kwargs)) as sending:
            received: list[BaseMessage] = []
            async for chunk in super()._astream(messages, stop, run_manager, **kwargs):  # type: ignore[misc]
                received.append(chunk.message)
                yield chunk
            sending.counted = _counted(received)

    def _size(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return how large a call may be; the clients name it differently.

        Raises:
            InvalidRequestError: the call names what a client may not change.
        """
        _refuse(kwargs)
        names = ("max_completion_tokens", "max_output_tokens", "max_tokens")
        limits = [kwargs.get(name) for name in names] + [getattr(self, name, None) for name in names]
        limit = next((int(value) for value in limits if value), DEFAULT_MAX_TOKENS)
        declared = [kwargs.get(name) for name in ("tools", "functions", "response_format", "response_schema")]
        return {
            "max_tokens": limit,
            "answers": int(kwargs.get("n") or getattr(self, "n", None) or 1),
            "declared": [value for value in declared if value],
        }


class MeteredChatOpenAI(_Metered, ChatOpenAI):
    """`ChatOpenAI` on the orchestrator's ledger; also for OpenRouter and the local model."""


class MeteredChatGoogle(_Metered, ChatGoogleGenerativeAI):
    """`ChatGoogleGenerativeAI` on the orchestrator's ledger."""


def native_client(
    deployment: Deployment,
    payer: Payer,
    *,
    ledger: Ledger,
    clock: Clock,
    overrides: Mapping[str, Any],
    address: str | None = None,
) -> MeteredChatOpenAI | MeteredChatGoogle:
    """Return the provider's own client for a deployment, metered for `payer`; `overrides` are its parameters.

    It sends to `address`, without one to its provider's own.

    Raises:
        InvalidRequestError: `overrides` names what config.yaml decides: key, address, headers, model,
            retries.
    """
    _refuse(overrides)
    provider = deployment.provider
    address = address or provider.base_url
    key = provider.api_key or SecretStr("none")
    common: dict[str, Any] = {
        "model": deployment.upstream,
        "max_retries": 0,
        "timeout": provider.timeout_s,
        **overrides,
    }
    client: MeteredChatOpenAI | MeteredChatGoogle
    if provider.kind is ProviderKind.GOOGLE:
        common.setdefault("max_output_tokens", DEFAULT_MAX_TOKENS)
        # Google's client adds the version itself.
        host = (address or "").removesuffix("/").removesuffix("/v1beta")
        client = MeteredChatGoogle(google_api_key=key, base_url=host or None, **common)
    else:
        if "max_tokens" not in common:
            common.setdefault("max_completion_tokens", DEFAULT_MAX_TOKENS)
        common.update(api_key=key, base_url=address, default_headers=dict(provider.headers) or None)
        if provider.kind is ProviderKind.OPENROUTER:
            common["extra_body"] = max_price(deployment.price.dearest)
        client = MeteredChatOpenAI(stream_usage=True, **common)
    client._meter = Meter(Offer.of(deployment), payer, ledger=ledger, clock=clock)  # noqa: SLF001 -- a private attribute of pydantic, set by its own module
    return client


def _refuse(overrides: Mapping[str, Any]) -> None:
    for name in overrides:
        if name in _NOT_TAKEN:
            msg = f"'{name}' is not taken by a metered client: it comes from config.yaml alone"
            raise InvalidRequestError(msg)


def _wire(messages: Sequence[BaseMessage]) -> list[Message]:
    return list(convert_to_openai_messages(list(messages)))


def _counted(messages: Sequence[BaseMessage]) -> CountedUsage:
    """Return the tokens that LangChain's messages count together."""
    counts = [
        message.usage_metadata
        for message in messages
        if isinstance(message, AIMessage) and message.usage_metadata
    ]
    if not counts:
        return UNKNOWN_USAGE
    return CountedUsage(
        Usage(
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
    )
