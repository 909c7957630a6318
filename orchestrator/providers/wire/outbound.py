"""What goes out: a request in our own words, and the HTTP request that it becomes.

Nothing here sends anything. What a format cannot carry raises `UnsendableError` before there is a connection.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from orchestrator.catalog.catalog import Deployment, ProviderKind
from orchestrator.catalog.openrouter_preferences import NO_PREFERENCES, OpenRouterPreferences
from orchestrator.catalog.rates import Rates
from orchestrator.catalog.vendors import is_openai_host
from orchestrator.core.embedding import EmbeddingRequest
from orchestrator.core.http_text import fault_of_header, fault_of_header_name
from orchestrator.core.request import ChatRequest, Message
from orchestrator.core.sampling import Sampling
from orchestrator.core.secret_values import SecretText, secret_text
from orchestrator.providers.wire.parameter_rules import needs_responses_api
from orchestrator.providers.wire.reasoning_turns import vendor_at

OPENAI_URL = "https://api.openai.com/v1"
GOOGLE_URL = "https://generativelanguage.googleapis.com/v1beta"
OPENROUTER_URL = "https://openrouter.ai/api/v1"

DEFAULT_URLS: Mapping[ProviderKind, str] = {
    ProviderKind.OPENAI: OPENAI_URL,
    ProviderKind.GOOGLE: GOOGLE_URL,
    ProviderKind.OPENROUTER: OPENROUTER_URL,
}
"""Where a provider is whose configuration names no address: never what a library finds in the environment."""
_BEARER = ("authorization", "Bearer ")
_KEY_HEADERS: Mapping[ProviderKind, tuple[str, str]] = {
    ProviderKind.OPENROUTER: _BEARER,
    ProviderKind.OPENAI: _BEARER,
    ProviderKind.LOCAL: _BEARER,
    ProviderKind.GOOGLE: ("x-goog-api-key", ""),
}
"""The header that holds the key, and what stands before it."""
PINNED_TIER = "default"
"""OpenAI's class of service that the price book knows; the settings of a project may choose another."""
_USER_AGENT = "nextflow-orchestrator"


class UnsendableError(Exception):
    """The request cannot be written in the provider's format: nothing was sent, no deployment is to blame."""


@dataclass(frozen=True, slots=True)
class OutboundRequest:
    """One question to one deployment."""

    kind: ProviderKind
    """Which format is spoken."""
    upstream: str
    """The provider's own name of the model."""
    messages: tuple[Message, ...]
    """In OpenAI's shape; they are read and never changed."""
    max_tokens: int
    base_url: str
    api_key: SecretText | None = None
    """Without one no key is sent."""
    headers: Mapping[str, SecretText] = field(default_factory=dict, repr=False)
    """Those of the provider's configuration; they win over ours."""
    sampling: Sampling = field(default_factory=Sampling)
    stream: bool = False
    price_cap: Rates | None = None
    """The most that OpenRouter's hosts may charge; the others are not told."""
    preferences: OpenRouterPreferences = NO_PREFERENCES
    """Which of OpenRouter's hosts may serve; the others are not told."""
    service_tier: str | None = None
    """OpenAI's class of service; None leaves it to the settings of the project that the key belongs to."""
    vector_size: int | None = None
    """Vectors of so many numbers are asked for, of each message's text; None asks for words."""
    shorten_to: int | None = None
    """The provider is told so many numbers, because its model makes more unasked."""
    provider_name: str = ""
    """What config.yaml calls the provider."""

    @property
    def vendor(self) -> str:
        """Return who reads the reasoning of earlier turns here."""
        is_openai = is_openai_itself(self.kind, self.base_url)
        return vendor_at(self.kind, self.upstream, is_openai=is_openai, provider_name=self.provider_name)

    @classmethod
    def to(
        cls,
        deployment: Deployment,
        request: ChatRequest,
        *,
        max_tokens: int,
        stream: bool = False,
        price_cap: Rates | None = None,
        base_url: str | None = None,
    ) -> "OutboundRequest":
        """Return `request` as it goes to a deployment; `base_url` is where its provider is, if elsewhere.

        Raises:
            UnsendableError: the provider has no address.
        """
        provider, model = deployment.provider, deployment.model
        dimensions = request.dimensions if isinstance(request, EmbeddingRequest) else None
        address = address_of_provider(deployment, base_url)
        return cls(
            kind=provider.kind,
            upstream=deployment.upstream,
            messages=request.messages,
            max_tokens=max_tokens,
            base_url=address,
            api_key=provider.api_key,
            headers=provider.headers,
            sampling=request.sampling,
            stream=stream,
            price_cap=price_cap,
            preferences=deployment.preferences,
            # Else the project's settings may choose a dearer tier than the one that money is held for.
            service_tier=PINNED_TIER if is_openai_itself(provider.kind, address) else None,
            vector_size=dimensions or model.dimensions,
            shorten_to=None if dimensions == model.dimensions else dimensions,
            provider_name=deployment.provider_name,
        )


@dataclass(frozen=True, slots=True)
class WireRequest:
    """An HTTP request, ready to be sent."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    notices: tuple[str, ...] = ()
    """What was left out on the way, for people."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Parameters that this model knows under another name."""
    method: str = "POST"


def is_openai_itself(kind: ProviderKind, address: str) -> bool:
    """Return whether an address is OpenAI's own, or one of its regions', and not that of another server."""
    return kind is ProviderKind.OPENAI and is_openai_host(address)


def address_of_provider(deployment: Deployment, base_url: str | None = None) -> str:
    """Return where a deployment's provider is: at `base_url`, by its configuration, or at its vendor's.

    Raises:
        UnsendableError: nobody knows.
    """
    provider = deployment.provider
    address = base_url or provider.base_url or DEFAULT_URLS.get(provider.kind)
    if address is None:
        raise UnsendableError(f"provider '{deployment.provider_name}' has no base_url")
    return address


def is_carried(outbound: OutboundRequest) -> bool:
    """Return whether this wire speaks the API that a request needs; LiteLLM's bridge carries the others."""
    if not is_openai_itself(outbound.kind, outbound.base_url):
        return True
    return not needs_responses_api(outbound.upstream, outbound.sampling.as_wire())


def headers_of(outbound: OutboundRequest) -> dict[str, str]:
    """Return the headers of a request, with the key in one of them at most.

    Raises:
        UnsendableError: a header cannot stand in HTTP; the message names it and not its value.
    """
    _check_headers(outbound)
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream" if outbound.stream else "application/json",
        # A compressed answer of a few kilobytes saves nothing and costs the loop its unfolding.
        "accept-encoding": "identity",
        "user-agent": _USER_AGENT,
    }
    if outbound.api_key:
        name, prefix = _KEY_HEADERS[outbound.kind]
        headers[name] = prefix + secret_text(outbound.api_key)
    for name, value in outbound.headers.items():
        headers[name.lower()] = secret_text(value)
    return headers


def _check_headers(outbound: OutboundRequest) -> None:
    """Raise for what cannot stand in a header; no variable of this frame holds the text of a secret."""
    part = "the API key" if outbound.api_key and fault_of_header(secret_text(outbound.api_key)) else None
    for name, value in outbound.headers.items():
        if fault_of_header_name(name) or fault_of_header(secret_text(value)):
            part = part or f"header '{name}'"
    if part is not None:
        raise UnsendableError(f"{part} holds a character that cannot stand in an HTTP header")


def address_of(outbound: OutboundRequest, path: str) -> str:
    """Return where `path` of the provider's API is.

    Raises:
        UnsendableError: the address is none of HTTP.
    """
    address = urlsplit(outbound.base_url)
    if address.scheme not in {"http", "https"} or not address.hostname:
        raise UnsendableError("the provider's base_url is no address that begins with http:// or https://")
    return f"{outbound.base_url.rstrip('/')}/{path}"


def parameters_of(outbound: OutboundRequest) -> dict[str, Any]:
    """Return the parameters of a request by OpenAI's names."""
    return {"max_tokens": outbound.max_tokens, **outbound.sampling.as_wire()}
