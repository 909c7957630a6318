"""A call of LiteLLM's `completion` as the guard reads it: what it buys, and how it gets a bound."""

import asyncio
import atexit
import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial, wraps
from typing import Any
from weakref import WeakKeyDictionary

import httpx
import litellm
from litellm.exceptions import BadRequestError
from litellm.llms.custom_httpx.http_handler import HTTPHandler
from litellm.secret_managers.main import get_secret_str
from pydantic import BaseModel

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.catalog.openrouter_names import fault_of_name, fault_of_search
from orchestrator.core.errors import InvalidRequestError, PriceUnknownError
from orchestrator.metering.first_byte import note_first_byte, watch_leaving, watch_requests
from orchestrator.metering.litellm_size import LIMITS
from orchestrator.metering.meter import DEFAULT_MAX_TOKENS
from orchestrator.providers.litellm.http_client import SendOnceClient
from orchestrator.providers.litellm.sse_check import checked_in_thread
from orchestrator.providers.wire.gemini_request import CACHE_CONTROL_NOT_FOR_GOOGLE
from orchestrator.providers.wire.outbound import DEFAULT_URLS, OPENAI_URL, PINNED_TIER, is_openai_itself

logger = logging.getLogger("orchestrator.metering")

METADATA_KEY = "orchestrator"
"""Where a call says who pays: `metadata={"orchestrator": {"tenant": ...}}`."""

_KINDS: Mapping[str, ProviderKind] = {
    "openrouter": ProviderKind.OPENROUTER,
    "gemini": ProviderKind.GOOGLE,
    "openai": ProviderKind.OPENAI,
}
"""LiteLLM's names of the providers whose prices are known here."""

_ADDRESS_VARIABLES: Mapping[ProviderKind, tuple[str, ...]] = {
    ProviderKind.OPENROUTER: ("OPENROUTER_API_BASE",),
    ProviderKind.GOOGLE: ("GEMINI_API_BASE",),
    ProviderKind.OPENAI: ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
}
"""Where LiteLLM looks for an address that no call states, the first before the next."""

_SENT = frozenset(
    {
        *("model", "messages", "temperature", "top_p", "n", "stream", "stream_options", "stop", "seed"),
        *("max_tokens", "max_completion_tokens", "presence_penalty", "frequency_penalty", "logit_bias"),
        *("user", "logprobs", "top_logprobs", "response_format", "tools", "tool_choice", "functions"),
        *("function_call", "parallel_tool_calls", "reasoning_effort", "verbosity", "thinking", "store"),
        *("safety_identifier", "prompt_cache_key", "safety_settings", "extra_headers", "headers"),
    }
)
"""Arguments that go to the provider, and of which a bound is known."""
_KEPT_HERE = frozenset(
    {
        *("api_key", "api_base", "base_url", "api_version", "organization", "custom_llm_provider", "client"),
        *("timeout", "request_timeout", "stream_timeout", "num_retries", "max_retries", "retry_policy"),
        *("metadata", "model_info", "caching", "cache", "no-log", "drop_params", "verbose", "logger_fn"),
        *("shared_session", "merge_reasoning_content_in_choices", "allow_client_keepalive_override"),
        *("use_in_pass_through", "use_litellm_proxy", "use_xai_oauth", "_context_compaction_state"),
        *("fallback_depth", "max_fallbacks", "litellm_trace_id", "litellm_call_id", "litellm_metadata"),
        *("attempted_targets", "include_fallback_errors", "_retry_skipped_deployment_ids"),
        *("original_function", "weight", "order", "cooldown_time", "max_parallel_requests"),
        *("input_cost_per_token", "output_cost_per_token", "litellm_logging_obj", "litellm_session_id"),
        *("id", "rpm", "tpm", "tags"),
    }
)
"""Arguments that LiteLLM, or its Router, reads and does not pass on."""
_MAPPINGS = (
    "metadata",
    "litellm_metadata",
    "model_info",
    "cache",
    "stream_options",
    "extra_headers",
    "headers",
)
"""Arguments that LiteLLM takes for mappings without a look, one of them behind an answer that is billed."""


class _WatchedClient(SendOnceClient):
    """A client that tells a metered send when its first byte leaves."""

    def create_client(self, *args: Any, **kwargs: Any) -> Any:
        client = super().create_client(*args, **kwargs)
        watch_leaving(client)
        return client

    def note_first_byte(self) -> None:
        note_first_byte()


@dataclass(frozen=True, slots=True)
class MeteredCall:
    """What a call buys."""

    kind: ProviderKind
    upstream: str
    address: str | None
    payer: Any
    """What the call says of who pays; None when it says nothing."""


def named(original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return all arguments of a call by name."""
    if not args:
        return dict(kwargs)
    return {**inspect.signature(original).bind_partial(*args).arguments, **kwargs}


def metered_call_of(kwargs: Mapping[str, Any]) -> MeteredCall:
    """Return what a call buys.

    Raises:
        PriceUnknownError: its provider is not one whose prices are known, or it buys more than tokens.
    """
    stated = kwargs.get("api_base") or kwargs.get("base_url")
    model = str(kwargs.get("model"))
    try:
        upstream, provider, _, _ = litellm.get_llm_provider(
            model, custom_llm_provider=kwargs.get("custom_llm_provider"), api_base=stated
        )
    except BadRequestError as error:
        raise PriceUnknownError(f"no price for '{model}': LiteLLM knows no such model") from error
    if provider not in _KINDS:
        known = ", ".join(f"{name}/..." for name in _KINDS)
        raise PriceUnknownError(
            f"no price for '{model}' of {provider}; the guard lets {known} pass. Ask for others through the "
            f"Orchestrator, with 'kind: litellm' and 'prefix: {provider}' in config.yaml"
        )
    kind = _KINDS[provider]
    is_openrouter = kind is ProviderKind.OPENROUTER
    fault = (fault_of_name(upstream) if is_openrouter else None) or fault_of_search(upstream)
    if fault is not None:
        raise PriceUnknownError(fault)
    metadata = kwargs.get("metadata")
    payer = metadata.get(METADATA_KEY) if isinstance(metadata, Mapping) else None
    return MeteredCall(kind, upstream, _address_of(kind, stated, kwargs.get("client")), payer)


def _address_of(kind: ProviderKind, stated: str | None, client: Any) -> str | None:
    """Return where LiteLLM sends a call, and who bills it; None is the vendor's own address.

    It looks into its settings and the environment too, and a client of the openai SDK has its own address.
    """
    if kind is ProviderKind.OPENAI and getattr(client, "base_url", None):
        return str(client.base_url)
    known = (get_secret_str(name) for name in _ADDRESS_VARIABLES[kind])
    return stated or litellm.api_base or next((address for address in known if address), None)


def bounded(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with an output limit, past any cache, and with the usage asked for in a stream.

    Raises:
        InvalidRequestError: an argument takes the bound away.
    """
    known = _SENT | _KEPT_HERE
    # An empty value asks for something too: `web_search_options={}` is a search.
    taken = next((name for name, value in kwargs.items() if name not in known and value is not None), None)
    if taken is not None:
        raise InvalidRequestError(
            f"'{taken}' is not taken by a guarded call: it may change the model, the price or the number "
            "of sends, so nothing could be held for it. A limit is called max_tokens; fallbacks belong to "
            "litellm.Router."
        )
    for name in _MAPPINGS:
        if not isinstance(kwargs.get(name), Mapping | None):
            raise InvalidRequestError(f"'{name}' must be a mapping")
    functions = [{"type": "function", "function": function} for function in kwargs.get("functions") or ()]
    if not all(_is_function(tool) for tool in (*(kwargs.get("tools") or ()), *functions)):
        raise InvalidRequestError(
            "'tools' of another type than function are not taken by a guarded call: they are billed by use"
        )
    if litellm.model_fallbacks:
        raise InvalidRequestError(
            "litellm.model_fallbacks makes LiteLLM ask other models within one call, without an end; set it to "
            "None and fallbacks on litellm.Router"
        )
    # `litellm.cache` knows no tenants, and what came out of it would be booked like a send.
    whole = {**kwargs, "caching": False, "cache": {"no-cache": True, "no-store": True}}
    if not any(kwargs.get(name) for name in LIMITS):
        whole["max_tokens"] = DEFAULT_MAX_TOKENS
    if kwargs.get("stream"):
        whole["stream_options"] = {**(kwargs.get("stream_options") or {}), "include_usage": True}
    return whole


def _is_function(tool: Any) -> bool:
    function = tool.get("function") if isinstance(tool, Mapping) and tool.get("type") == "function" else None
    return isinstance(function, Mapping) and isinstance(function.get("name"), str)


def for_provider(arguments: dict[str, Any], call: MeteredCall) -> dict[str, Any]:
    """Return the arguments with what this provider must be told, and without what it must not."""
    if call.kind is ProviderKind.GOOGLE:
        return _without_cache_control(arguments)
    if is_openai_itself(call.kind, call.address or OPENAI_URL):
        # Else the project's settings may choose a dearer one than money is held for.
        arguments["service_tier"] = PINNED_TIER
    return arguments


def priced_at(call: MeteredCall) -> str:
    """Return the address that a call is sent to, and at whose prices."""
    return call.address or DEFAULT_URLS[call.kind]


def waits_s(arguments: Mapping[str, Any]) -> float | None:
    """Return how long a call waits for each byte of its answer; None where it does not say."""
    stated = arguments.get("timeout") or arguments.get("request_timeout")
    limit = stated.read if isinstance(stated, httpx.Timeout) else stated
    try:
        return float(limit) if limit else None
    except (TypeError, ValueError):
        # LiteLLM says what is wrong with it.
        return None


def _without_cache_control(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call to Google without marks of `cache_control`, which is said once.

    For each mark LiteLLM makes a cache at Google: two more requests, and storage that nobody books.
    """
    marked = {name: arguments[name] for name in ("messages", "tools") if _is_marked(arguments.get(name))}
    if not marked:
        return arguments
    _tell_once()
    return {**arguments, **{name: _unmarked(value) for name, value in marked.items()}}


@cache
def _tell_once() -> None:
    logger.warning("%s", CACHE_CONTROL_NOT_FOR_GOOGLE)


def _is_marked(value: Any) -> bool:
    if isinstance(value, BaseModel):
        return _is_marked(value.model_dump(exclude_none=True))
    if isinstance(value, Mapping):
        return "cache_control" in value or any(_is_marked(item) for item in value.values())
    return isinstance(value, list | tuple) and any(_is_marked(item) for item in value)


def _unmarked(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _unmarked(value.model_dump(exclude_none=True))
    if isinstance(value, Mapping):
        return {name: _unmarked(item) for name, item in value.items() if name != "cache_control"}
    return [_unmarked(item) for item in value] if isinstance(value, list | tuple) else value


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
    return own_client(asynchronous=True)


def own_client(*, asynchronous: bool) -> Any:
    """Return the client for what LiteLLM sends through its own: one that sends once, and is measured."""
    if not asynchronous:
        return _sync_client()
    loop = asyncio.get_running_loop()
    if loop not in _CLIENTS:
        _CLIENTS[loop] = _WatchedClient()
    return _CLIENTS[loop]


def is_watched(client: Any, *, asynchronous: bool) -> bool:
    """Return whether a call's client tells when the first byte leaves; None is the one that LiteLLM makes."""
    return asynchronous and (client is None or isinstance(client, _WatchedClient))


def asks_leave(client: Any) -> bool:
    """Return whether a call's client asks for leave before each request; None is one of LiteLLM's."""
    return (
        client is None or isinstance(client, _WatchedClient | _SyncClient) or hasattr(client, "with_options")
    )


def to_one_address(open_client: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that opens httpx clients as `open_client` does: they follow no redirect, and tell."""

    @wraps(open_client)
    def opened(*args: Any, **kwargs: Any) -> Any:
        client = open_client(*args, **kwargs)
        client.follow_redirects = False
        watch_requests(client)
        return client

    return opened


def _sends_once(client: Any) -> Any:
    """Return the openai SDK's client of a call without retries and redirects; None leaves it to LiteLLM.

    Raises:
        InvalidRequestError: it is no such client, so that nobody knows how often it sends.
    """
    if client is None:
        return None
    if not hasattr(client, "with_options"):
        raise InvalidRequestError("'client' must be one of the openai SDK, such as AsyncOpenAI")
    # The copy shares its connections with the caller's own client.
    http = client._client  # noqa: SLF001 -- the SDK follows redirects where its HTTP client does
    http.follow_redirects = False
    watch_requests(http)
    return client.with_options(max_retries=0)


class _SyncClient(HTTPHandler):
    """A client for threads that lets no broken stream pass: LiteLLM leaves out what it cannot read."""

    def post(self, *args: Any, **kwargs: Any) -> Any:
        response = super().post(*args, **kwargs)
        if kwargs.get("stream"):
            response.iter_lines = partial(_lines_to_the_end, response, response.iter_lines)
        return response


def _lines_to_the_end(response: httpx.Response, lines: Callable[[], Iterator[str]]) -> Iterator[str]:
    """Yield the lines of a stream, whose connection ends with it: behind the end mark it may stay open."""
    try:
        yield from checked_in_thread(lines())
    finally:
        response.close()


@cache
def _sync_client() -> HTTPHandler:
    handler = _SyncClient(follow_redirects=False)
    watch_requests(handler.client)
    return handler


_CLIENTS: "WeakKeyDictionary[asyncio.AbstractEventLoop, SendOnceClient]" = WeakKeyDictionary()
"""One for each event loop that calls."""
# LiteLLM's client closes itself quietly when it goes, unless the interpreter is half gone by then.
atexit.register(_CLIENTS.clear)
