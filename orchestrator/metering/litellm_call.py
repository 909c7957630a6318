"""A call of LiteLLM's `completion` as the guard reads it: what it buys, and how it gets a bound."""

import asyncio
import atexit
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any
from weakref import WeakKeyDictionary

import litellm
from litellm.exceptions import BadRequestError
from litellm.llms.custom_httpx.http_handler import HTTPHandler
from pydantic import BaseModel

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.errors import InvalidRequestError, PriceUnknownError
from orchestrator.core.request import Message
from orchestrator.metering.media_addresses import check_addresses
from orchestrator.metering.meter import DEFAULT_MAX_TOKENS
from orchestrator.providers.litellm.http_client import SendOnceClient

METADATA_KEY = "orchestrator"
"""Where a call says who pays: `metadata={"orchestrator": {"tenant": ...}}`."""

_KINDS: Mapping[str, ProviderKind] = {
    "openrouter": ProviderKind.OPENROUTER,
    "gemini": ProviderKind.GOOGLE,
    "openai": ProviderKind.OPENAI,
}
"""LiteLLM's names of the providers whose prices are known here."""

_NOT_TAKEN = frozenset(
    {
        # A second model behind the same hold.
        *("fallbacks", "context_window_fallback_dict", "model_list", "models", "route", "deployment_id"),
        # Whatever is in it goes to the provider unread.
        "extra_body",
        # Billed by other things than tokens, or at other prices.
        *("audio", "modalities", "plugins", "prediction", "service_tier", "web_search_options"),
    }
)
"""Arguments with which no bound can be given: they change the model, the price or the number of sends."""

_LIMITS = ("max_tokens", "max_completion_tokens")
_DECLARED = ("tools", "functions", "response_format")


@dataclass(frozen=True, slots=True)
class MeteredCall:
    """What a call buys."""

    kind: ProviderKind
    upstream: str
    address: str | None
    payer: Any
    """What the call says of who pays; None when it says nothing."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large the answers of a call can be, and what is sent along with its messages."""

    messages: list[Message]
    max_tokens: int
    answers: int
    declared: list[Any]


def named(original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return all arguments of a call by name."""
    if not args:
        return dict(kwargs)
    return {**inspect.signature(original).bind_partial(*args).arguments, **kwargs}


def metered_call_of(kwargs: Mapping[str, Any]) -> MeteredCall:
    """Return what a call buys.

    Raises:
        PriceUnknownError: its provider is not one whose prices are known.
    """
    address = kwargs.get("api_base") or kwargs.get("base_url")
    model = str(kwargs.get("model"))
    try:
        upstream, provider, _, _ = litellm.get_llm_provider(
            model, custom_llm_provider=kwargs.get("custom_llm_provider"), api_base=address
        )
    except BadRequestError as error:
        raise PriceUnknownError(f"no price for '{model}': LiteLLM knows no such model") from error
    if provider not in _KINDS:
        known = ", ".join(f"{name}/..." for name in _KINDS)
        raise PriceUnknownError(f"no price for '{model}' of {provider}; the guard lets {known} pass")
    metadata = kwargs.get("metadata")
    payer = metadata.get(METADATA_KEY) if isinstance(metadata, Mapping) else None
    return MeteredCall(_KINDS[provider], upstream, address, payer)


def bounded(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with an output limit, and with the usage asked for at the end of a stream.

    Raises:
        InvalidRequestError: an argument takes the bound away.
    """
    taken = next((name for name in _NOT_TAKEN if kwargs.get(name)), None)
    if taken is not None:
        raise InvalidRequestError(
            f"'{taken}' is not taken by a guarded call: it may change the model, the price or the number "
            "of sends, so nothing could be held for it. Fallbacks belong to litellm.Router."
        )
    whole = dict(kwargs)
    if not any(kwargs.get(name) for name in _LIMITS):
        whole["max_tokens"] = DEFAULT_MAX_TOKENS
    if kwargs.get("stream"):
        whole["stream_options"] = {**(kwargs.get("stream_options") or {}), "include_usage": True}
    return whole


def sent_once(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments without LiteLLM's and the SDK's own retries: they send again under one hold."""
    arguments.pop("retry_policy", None)
    arguments["max_retries"] = 0
    metadata = arguments.get("metadata")
    if not (isinstance(metadata, Mapping) and "model_group" in metadata):
        # The Router takes this number for its own; what it retries, it sends through here again.
        arguments["num_retries"] = 0
    return arguments


def sync_client(kind: ProviderKind, client: Any) -> Any:
    """Return the client of a synchronous call: one that sends once, and follows no redirect.

    Raises:
        InvalidRequestError: `litellm.num_retries` is set, which no argument of a call undoes, or the client
            is the caller's own where LiteLLM's would follow redirects.
    """
    if litellm.num_retries:
        raise InvalidRequestError(
            "litellm.num_retries makes LiteLLM send again unasked; set it to None and num_retries on the Router"
        )
    if kind is ProviderKind.OPENAI:
        return _sends_once(client)
    if client is not None:
        raise InvalidRequestError("'client' is not taken by a guarded call: it may follow redirects")
    return _sync_client()


def async_client(kind: ProviderKind, client: Any) -> Any:
    """Return the client of an asynchronous call: one that sends once, and follows no redirect.

    Raises:
        InvalidRequestError: the caller's own client would send again when a connection breaks.
    """
    if kind is ProviderKind.OPENAI:
        return _sends_once(client)
    if client is not None and not isinstance(client, SendOnceClient):
        raise InvalidRequestError("'client' is not taken by a guarded call: LiteLLM's sends twice unasked")
    loop = asyncio.get_running_loop()
    if loop not in _CLIENTS:
        _CLIENTS[loop] = SendOnceClient()
    return _CLIENTS[loop]


def to_one_address(open_client: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that opens httpx clients as `open_client` does, which follow no redirect."""

    @wraps(open_client)
    def opened(*args: Any, **kwargs: Any) -> Any:
        client = open_client(*args, **kwargs)
        client.follow_redirects = False
        return client

    return opened


def _sends_once(client: Any) -> Any:
    """Return the openai SDK's client of a call without retries and redirects; None leaves it to LiteLLM."""
    if not hasattr(client, "with_options"):
        return client
    # The copy shares its connections with the caller's own client.
    client._client.follow_redirects = False  # noqa: SLF001 -- the SDK takes it from its HTTP client alone
    return client.with_options(max_retries=0)


@cache
def _sync_client() -> HTTPHandler:
    return HTTPHandler(follow_redirects=False)


def size_of(kind: ProviderKind, arguments: Mapping[str, Any]) -> Size:
    """Return what bounds the cost of a call.

    Raises:
        InvalidRequestError: a number of tokens or answers is not a whole number, or LiteLLM would open the
            address of a picture itself.
    """
    messages = [_plain(message) for message in arguments.get("messages") or ()]
    if kind is ProviderKind.GOOGLE:
        check_addresses(message.get("content") for message in messages)
    return Size(
        messages=messages,
        max_tokens=max(_whole(arguments, name) for name in _LIMITS),
        answers=_whole(arguments, "n") or 1,
        declared=[_schema(arguments[name]) for name in _DECLARED if arguments.get(name)],
    )


def _whole(arguments: Mapping[str, Any], name: str) -> int:
    value = arguments.get(name) or 0
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidRequestError(f"'{name}' must be a whole number greater than 0, got {value!r}")
    return value


def _plain(message: Any) -> Message:
    """Return a message as a mapping; LiteLLM also takes its own objects."""
    plain: Message = message.model_dump(exclude_none=True) if isinstance(message, BaseModel) else message
    return plain


def _schema(declared: Any) -> Any:
    """Return what is sent for a tool or a format; LiteLLM also takes a Pydantic class."""
    is_class = isinstance(declared, type) and issubclass(declared, BaseModel)
    return declared.model_json_schema() if is_class else declared


_CLIENTS: "WeakKeyDictionary[asyncio.AbstractEventLoop, SendOnceClient]" = WeakKeyDictionary()
"""One for each event loop that calls."""
# LiteLLM's client closes itself quietly when it goes, unless the interpreter is half gone by then.
atexit.register(_CLIENTS.clear)
