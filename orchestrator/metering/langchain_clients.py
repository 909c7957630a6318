"""The providers' own LangChain clients, metered: for parameters that only they know.

`Orchestrator.native("openai/gpt-6-luna", tenant="acme")` is a `ChatOpenAI`, for a Google deployment
a `ChatGoogleGenerativeAI`, with the key and address of config.yaml, on the same ledger and under
the same budgets. It has no fallbacks, no cache and no retries of its own: one call, one send, one
attempt in the ledger.
"""

import contextlib
import importlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import httpx
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr, SecretStr, ValidationError

from orchestrator.catalog.catalog import Deployment, ProviderKind
from orchestrator.core.background_loop import BackgroundLoop
from orchestrator.core.clock import Clock
from orchestrator.core.errors import InvalidRequestError, OrchestratorError, UnavailableError
from orchestrator.core.payer import Payer
from orchestrator.core.plain_data import check_depth
from orchestrator.core.quiet_logs import quiet_libraries
from orchestrator.core.secret_values import SecretText, secret_text
from orchestrator.langchain.tracing import LangChainSettings, follow_config
from orchestrator.ledger.ledger import Ledger
from orchestrator.metering.media_addresses import check_addresses
from orchestrator.metering.meter import DEFAULT_MAX_TOKENS, Meter, Offer
from orchestrator.metering.metered_http import CURRENT_SEND, MeteredHttp, SendOfCall, VendorAddress
from orchestrator.metering.native_parameters import check_called_with, check_made_with
from orchestrator.providers.local.model import LocalModel
from orchestrator.providers.openai_sdk import from_no_environment
from orchestrator.providers.openrouter import token_costs_only
from orchestrator.providers.wire.outbound import (
    PINNED_TIER,
    UnsendableError,
    address_of_provider,
    is_openai_itself,
)

_FETCHING = frozenset({ProviderKind.GOOGLE, ProviderKind.LOCAL})
"""Whose client, or server on this machine, opens the address of a picture itself."""
_SHOWN_MAX = 200
_NO_KEY = SecretStr("none")
"""Of the vendors' clients: LangChain writes down what they hold, and their errors hang on to it."""
_UNOPENED = frozenset({"file_uri", "file_id"})
"""What LangChain hands to Google as it is."""

FIRST_CLIENT_LOADS = (
    "openai.resources",
    "openai.resources.chat",
    "h11",
    "h2.connection",
    "anyio._backends._asyncio",
)
"""What the vendors' clients would import with the first one that is made, and with its first call."""


@cache
def load_vendors() -> None:
    """Load what the first client and its first call would, in whichever thread or event loop they are."""
    for name in FIRST_CLIENT_LOADS:
        # What has moved is imported by whatever needs it, as before.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


class _Metered:
    """Checks what a call of a LangChain chat model names, and raises our errors as they were."""

    _kind: ProviderKind = PrivateAttr()
    _tenant: str = PrivateAttr()

    def _get_llm_string(self, stop: Any = None, **kwargs: Any) -> str:
        # What LangChain's cache of the process (`set_llm_cache`) knows a client by; it knows of no tenants.
        same: str = super()._get_llm_string(stop=stop, **kwargs)  # type: ignore[misc]
        return json.dumps([self._tenant, same])

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        kwargs = _given(kwargs)
        with _Told(self._kind, messages, {**kwargs, "stop": stop}):
            return super()._generate(messages, stop, run_manager, **kwargs)  # type: ignore[misc, no-any-return]

    async def _agenerate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        kwargs = _given(kwargs)
        with _Told(self._kind, messages, {**kwargs, "stop": stop}):
            return await super()._agenerate(messages, stop, run_manager, **kwargs)  # type: ignore[misc, no-any-return]

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        kwargs = _given(kwargs)
        with _Told(self._kind, messages, {**kwargs, "stop": stop}):
            yield from super()._stream(messages, stop, run_manager, **kwargs)  # type: ignore[misc]

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        kwargs = _given(kwargs)
        with _Told(self._kind, messages, {**kwargs, "stop": stop}):
            async for chunk in super()._astream(messages, stop, run_manager, **kwargs):  # type: ignore[misc]
                yield chunk


def _given(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that say something: of one that is None Google's client makes an error."""
    return {name: value for name, value in kwargs.items() if value is not None}


class _Told:
    """A call: what it names is checked first, and what we raise inside of it comes out as it is."""

    def __init__(
        self, kind: ProviderKind, messages: Sequence[BaseMessage], kwargs: Mapping[str, Any]
    ) -> None:
        self._kind = kind
        self._messages = messages
        self._kwargs = kwargs
        self._send = SendOfCall()

    def __enter__(self) -> None:
        CURRENT_SEND.set(self._send)
        check_called_with(self._kind, self._kwargs)
        for message in self._messages:
            check_depth([message.content, message.additional_kwargs, getattr(message, "tool_calls", ())])
        if self._kind in _FETCHING:
            check_addresses((message.content for message in self._messages), unopened=_UNOPENED)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        below = error
        while below is not None:
            if isinstance(below, OrchestratorError) and below is not error:
                try:
                    raise below from None
                finally:
                    # What it was raised in has it as its cause: who walks along would never come to an end.
                    below.__context__ = None
            below = below.__cause__ or below.__context__
        if isinstance(error, Exception):
            # A stream that was read halfway hangs on to the error.
            self._send.leave()
        if isinstance(error, _MISTAKES) and not self._send.is_asked_for:
            raise _unusable(error) from error
        if isinstance(error, (*_MISTAKES, RecursionError)):
            # What is sent is neither odd nor so deep; the answer is booked as what it is.
            raise UnavailableError(
                f"the vendor's client cannot read what came ({type(error).__name__}); it is booked"
            ) from None


_MISTAKES = (ValueError, TypeError, AttributeError, KeyError)
"""What the vendors' clients raise of parameters that are none of theirs, pydantic's errors too."""


def _unusable(error: BaseException) -> InvalidRequestError:
    """Return the error for what a vendor's client cannot use; of pydantic's it quotes no value."""
    reasons = [f"{type(error).__name__}: {str(error)[:_SHOWN_MAX]}"]
    if isinstance(error, ValidationError):
        reasons = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
    return InvalidRequestError(
        f"the vendor's client cannot use what it was given, so nothing was sent: {'; '.join(reasons)}"
    )


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
    loop: BackgroundLoop,
    local_model: LocalModel,
    overrides: Mapping[str, Any],
    tracing: LangChainSettings,
) -> MeteredChatOpenAI | MeteredChatGoogle:
    """Return the provider's own client for a deployment, metered; `overrides` are its parameters.

    It sends to `address`, without one to its provider's own; `local_key` is the key of our own server there.

    Raises:
        InvalidRequestError: `overrides` names what config.yaml decides, or what no bound is known for, or the
            environment leads Google's client elsewhere, or names no proxy of HTTP.
    """
    provider = deployment.provider
    if provider.kind is ProviderKind.LITELLM:
        raise InvalidRequestError(
            f"'{deployment.name}' has no native client: its provider is of kind litellm; ask for it with complete or stream"
        )
    loop.check_open()
    # Here, where nothing is under way, and not in the time of the first call.
    load_vendors()
    check_made_with(provider.kind, overrides)
    quiet_libraries()
    follow_config(tracing)
    local_url = loop.run(local_model.base_url()) if deployment.is_local else None
    # Never None: the vendors' clients would take an address from the environment.
    url = address_of_provider(deployment, local_url)
    meter = Meter(Offer.of(deployment), payer, ledger=ledger, clock=clock, check_open=loop.check_open)
    headers = _headers_of(deployment, local_model)
    try:
        transport = MeteredHttp(VendorAddress(provider.kind, deployment.upstream, url, headers), meter)
    except UnsendableError as exc:
        raise InvalidRequestError(f"'{deployment.name}': {exc}") from None
    common: dict[str, Any] = {
        "model": deployment.upstream,
        "api_key": _NO_KEY,
        "max_retries": 0,
        "timeout": provider.timeout_s,
        **overrides,
    }
    build = _google_client if provider.kind is ProviderKind.GOOGLE else _openai_client
    try:
        client = build(deployment, url, transport, common)
    except _MISTAKES as exc:
        raise _unusable(exc) from exc
    # Private attributes of pydantic, set by their own module.
    client._kind, client._tenant = provider.kind, payer.tenant  # noqa: SLF001
    return client


def _headers_of(deployment: Deployment, local_model: LocalModel) -> dict[str, SecretText]:
    """Return the key and what config.yaml states, by names in small letters."""
    provider = deployment.provider
    key = (local_model.api_key if deployment.is_local else "") or secret_text(provider.api_key)
    name, scheme = (
        ("x-goog-api-key", "") if provider.kind is ProviderKind.GOOGLE else ("authorization", "Bearer ")
    )
    own = {name: SecretText(scheme + key)} if key else {}
    return own | {each.lower(): value for each, value in provider.headers.items()}


def _google_client(
    deployment: Deployment, url: str, transport: MeteredHttp, common: dict[str, Any]
) -> MeteredChatGoogle:
    if "max_tokens" not in common:
        common.setdefault("max_output_tokens", DEFAULT_MAX_TOKENS)
    # Google's client adds the version itself.
    host = url.removesuffix("/").removesuffix("/v1beta")
    client = MeteredChatGoogle(
        base_url=host,
        client_args={"transport": transport, "follow_redirects": False},
        vertexai=False,
        **common,
    )
    if client.client is None or client.client.vertexai:
        raise InvalidRequestError(
            f"GOOGLE_GENAI_USE_VERTEXAI or GOOGLE_GENAI_USE_ENTERPRISE in the environment sends what is meant for "
            f"'{deployment.name}' to another service of Google's; unset it"
        )
    return client


def _openai_client(
    deployment: Deployment, url: str, transport: MeteredHttp, common: dict[str, Any]
) -> MeteredChatOpenAI:
    provider = deployment.provider
    if "max_tokens" not in common:
        common.setdefault("max_completion_tokens", DEFAULT_MAX_TOKENS)
    if provider.kind is ProviderKind.OPENROUTER:
        common["extra_body"] = token_costs_only(deployment.price.dearest, deployment.preferences)
    common["stream_usage"] = True
    if is_openai_itself(provider.kind, url):
        common["service_tier"] = PINNED_TIER
    common["base_url"] = url
    client = MeteredChatOpenAI(
        # That of the environment is not meant for this provider.
        openai_proxy=None,
        http_client=httpx.Client(transport=transport, follow_redirects=False),
        http_async_client=httpx.AsyncClient(transport=transport, follow_redirects=False),
        **common,
    )
    for sdk in (client.root_client, client.root_async_client):
        from_no_environment(sdk)
    return client
