"""The providers' desks: which path means what, and in which wire format it is answered."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from orchestrator.core.money import nano_usd
from orchestrator.practice import (
    wire_accounts,
    wire_anthropic,
    wire_azure,
    wire_bedrock,
    wire_embeddings,
    wire_gemini,
    wire_openai,
    wire_responses,
    wire_vertex,
)
from orchestrator.practice.answers import PracticeRequest
from orchestrator.practice.bill import DEFAULT_PRICE, Bill, PracticePrices
from orchestrator.practice.json_types import JsonObject
from orchestrator.practice.responses_request import read_responses_request
from orchestrator.practice.tokens import input_tokens
from orchestrator.practice.wire import Envelope, WireCall, WireOutcome, WireStream
from orchestrator.practice.wire_embeddings import Vectors
from orchestrator.practice.wire_errors import Refusal, unknown_model

logger = logging.getLogger("orchestrator.practice")

PREFIXES = {
    "openrouter": "/openrouter/api/v1/",
    "openai": "/openai/v1/",
    "google": "/google/v1beta/",
    "anthropic": "/anthropic/",
    "azure": "/azure/",
    "bedrock": "/bedrock/",
    "vertex_ai": "/v1/projects/",
    "compatible": "/compatible/",
}
"""Where each provider is; `compatible` is any that speaks OpenAI's format, such as DeepSeek."""
AT_ROOT = frozenset({"vertex_ai"})
"""Whose clients are given the address of the server alone: they write the whole path themselves."""
ROUTER = "openrouter/auto"
"""It is no model, and chooses one."""
DEFAULT_MODELS = {
    "openrouter": ("openai/gpt-4o-mini", "anthropic/claude-sonnet-4.5", "google/gemini-2.5-flash"),
    "openai": ("gpt-4o-mini", "gpt-4o"),
    "google": ("gemini-2.5-flash", "gemini-2.5-pro"),
    "anthropic": ("claude-haiku-4-5", "claude-sonnet-4-5"),
    "azure": ("gpt-4o-mini",),
    "bedrock": ("anthropic.claude-haiku-4-5-20251001-v1:0",),
    "vertex_ai": ("gemini-2.5-flash",),
    "compatible": ("deepseek-chat",),
}


@dataclass(frozen=True, slots=True)
class Chat:
    """A request for an answer, be it of vectors, and how to write it."""

    call: WireCall
    whole: Callable[[Envelope, WireOutcome], JsonObject]
    stream: Callable[[Envelope], WireStream]
    id_prefix: str


@dataclass(frozen=True, slots=True)
class Desk:
    """Reads what comes in for a provider."""

    prices: PracticePrices
    bill: Bill
    models: Mapping[str, Collection[str]] | None
    """The models of each provider; None: any name is served."""

    def read(
        self, provider: str, *, method: str, path: str, query: Mapping[str, str], body: bytes
    ) -> Chat | JsonObject:
        """Return a request for an answer, or the JSON that answers any other request at once.

        `path` is what follows the provider's prefix.

        Raises:
            Refusal: the path, the model or the body is wrong.
        """
        chat = self._chat(provider, path=path, query=query, body=body) if method == "POST" else None
        if isinstance(chat, Chat):
            self._check_model(provider, chat.call.request.model)
        if chat is not None:
            return chat
        listing = self._listing(provider, path=path, query=query) if method == "GET" else None
        if listing is None:
            raise Refusal(404, message=f"Unknown request URL: {method} {PREFIXES[provider]}{path}")
        return listing

    def _chat(
        self, provider: str, *, path: str, query: Mapping[str, str], body: bytes
    ) -> Chat | JsonObject | None:
        if provider == "google":
            return self._gemini(path, query=query, body=body)
        if provider == "azure":
            return _azure(path, query, body)
        reads = _BY_PATH.get(provider) or _BY_PATH.get(f"{provider}/{path}")
        if reads is not None:
            return reads(path, body)
        if path == "embeddings":
            request, vectors = wire_embeddings.read_openai_embedding(decoded(body), provider=provider)
            if provider == "openrouter":
                self._check_max_price(request.model, decoded(body))
            return _embedding(request, vectors, wire_embeddings.openai_embeddings)
        # Of those that speak the format some have a version before it in their paths.
        asks = path.endswith("chat/completions") if provider == "compatible" else path == "chat/completions"
        if not asks:
            return None
        fields = decoded(body)
        call = wire_openai.read_openai_request(fields, provider=provider)
        if provider == "openrouter":
            self._check_max_price(self.served_model(provider, call.request.model), fields)
        prefix = "gen-" if provider == "openrouter" else "chatcmpl-"
        return Chat(call, wire_openai.openai_reply, wire_openai.ChatStream, prefix)

    def _gemini(self, path: str, *, query: Mapping[str, str], body: bytes) -> Chat | JsonObject | None:
        model, colon, verb = path.removeprefix("models/").rpartition(":")
        if verb == "batchEmbedContents":
            request, vectors = wire_embeddings.read_gemini_embedding(decoded(body), model=model)
            return _embedding(request, vectors, wire_embeddings.gemini_embeddings)
        if not colon or verb not in {"generateContent", "streamGenerateContent", "countTokens"}:
            return None
        if verb == "streamGenerateContent" and query.get("alt") != "sse":
            raise Refusal(400, message="practice providers stream with alt=sse only")
        fields = decoded(body)
        counted = fields.get("generateContentRequest", fields)
        call = wire_gemini.read_gemini_request(counted, model=model, stream=verb == "streamGenerateContent")
        if verb == "countTokens":
            self._check_model("google", model)
            return {"totalTokens": input_tokens(call.request)}
        return Chat(call, wire_gemini.gemini_reply, wire_gemini.GeminiStream, "")

    def _check_model(self, provider: str, model: str) -> None:
        if self.models is not None and model not in self.models.get(provider, ()):
            raise unknown_model(provider, model)

    def _check_max_price(self, model: str, fields: JsonObject) -> None:
        preferences = fields.get("provider")
        most = preferences.get("max_price") if isinstance(preferences, dict) else None
        price = self.prices.price_of("openrouter", model)
        for name, listed in (("prompt", price.input), ("completion", price.output)):
            if isinstance(most, dict) and name in most and nano_usd(most[name]) < listed:
                message = f"No endpoints found for {model} within the requested max_price."
                raise Refusal(404, message=message + self._price_is_a_guess(model))

    def _price_is_a_guess(self, model: str) -> str:
        """Return what is to be said where nobody gave a price, of `model` or of all; it is logged too."""
        if ("openrouter", model) in self.prices.prices or self.prices.default is not DEFAULT_PRICE:
            return ""
        words = (
            f"This practice server was given no price of {model}, and takes one price for all: "
            "orchestrator.drill.rehearsal.practice_server() has the prices of config.yaml."
        )
        logger.warning("%s", words)
        return f" {words}"

    def _listing(self, provider: str, *, path: str, query: Mapping[str, str]) -> JsonObject | None:
        if provider == "openrouter":
            return self._openrouter(path, query)
        if provider == "vertex_ai":
            return {"token": query.get("token", "")} if path == wire_vertex.SUBJECT_PATH else None
        names, is_google = self._names(provider), provider == "google"
        listed = wire_accounts.gemini_models if is_google else wire_accounts.openai_models
        if path == "models":
            return listed(names)
        if not path.startswith("models/"):
            return None
        name = path.removeprefix("models/")
        self._check_model(provider, name)
        return wire_accounts.gemini_model(name) if is_google else wire_accounts.openai_model(name)

    def _openrouter(self, path: str, query: Mapping[str, str]) -> JsonObject | None:
        if path == "models":
            names = self._names("openrouter")
            return wire_accounts.openrouter_models(
                (name, self.prices.price_of("openrouter", name)) for name in names
            )
        if path.startswith("models/") and path.endswith("/endpoints"):
            name = path.removeprefix("models/").removesuffix("/endpoints")
            self._check_model("openrouter", name)
            return wire_accounts.openrouter_endpoints(name, self.prices.price_of("openrouter", name))
        if path in {"key", "auth/key"}:
            return wire_accounts.openrouter_key(self.bill.total_nusd("openrouter"))
        if path == "credits":
            return wire_accounts.openrouter_credits(self.bill.total_nusd("openrouter"))
        if path == "generation":
            charge = self.bill.find(query.get("id", ""))
            if charge is None or charge.provider != "openrouter":
                raise Refusal(404, message=f"Generation {query.get('id', '')} not found")
            return wire_accounts.openrouter_generation(charge)
        return None

    def served_model(self, provider: str, model: str) -> str:
        """Return the model that answers: of a router the one with the cheapest output, else itself."""
        if provider != "openrouter" or model != ROUTER:
            return model
        choice = (name for name in self._names(provider) if name != ROUTER)
        return min(
            choice, key=lambda name: (self.prices.price_of(provider, name).output, name), default=model
        )

    def _names(self, provider: str) -> list[str]:
        if self.models is not None:
            return sorted(self.models.get(provider, ()))
        priced = [model for owner, model in self.prices.prices if owner == provider]
        return priced or list(DEFAULT_MODELS[provider])


def _embedding(
    request: PracticeRequest,
    vectors: Vectors,
    render: Callable[[Envelope, WireOutcome, Vectors], JsonObject],
) -> Chat:
    call = WireCall(request, stream=False, embeds=True)
    prefix = "gen-" if request.provider == "openrouter" else "emb-"

    def whole(envelope: Envelope, outcome: WireOutcome) -> JsonObject:
        return render(envelope, outcome, vectors)

    return Chat(call, whole, wire_openai.ChatStream, prefix)


def _anthropic(path: str, body: bytes) -> Chat | None:
    if path != "v1/messages":
        return None
    call = wire_anthropic.read_anthropic_request(decoded(body))
    return Chat(call, wire_anthropic.anthropic_reply, wire_anthropic.AnthropicStream, "msg_")


def _vertex(path: str, body: bytes) -> Chat | JsonObject | None:
    if path == wire_vertex.TOKEN_PATH:
        return wire_vertex.token_for(body)
    target = wire_vertex.target_at(path)
    if target is None:
        return None
    call = wire_vertex.read_vertex_request(target, decoded(body))
    if target.is_claude:
        return Chat(call, wire_anthropic.anthropic_reply, wire_anthropic.AnthropicStream, "msg_vrtx_")
    return Chat(call, wire_gemini.gemini_reply, wire_gemini.GeminiStream, "")


def _bedrock(path: str, body: bytes) -> Chat | None:
    call = wire_bedrock.read_bedrock_request(path, decoded(body))
    if call is None:
        return None
    return Chat(call, wire_bedrock.bedrock_reply, wire_bedrock.BedrockStream, "br-")


def _responses(_: str, body: bytes) -> Chat:
    read = read_responses_request(decoded(body))
    whole = partial(wire_responses.responses_reply, echo=read.echo)
    stream = partial(wire_responses.ResponsesStream, echo=read.echo)
    return Chat(read.call, whole, stream, "resp_")


_BY_PATH: Mapping[str, Callable[[str, bytes], Chat | JsonObject | None]] = {
    "anthropic": _anthropic,
    "bedrock": _bedrock,
    "openai/responses": _responses,
    "vertex_ai": _vertex,
}
"""Who reads the requests of a provider, or those to one of its paths."""


def _azure(path: str, query: Mapping[str, str], body: bytes) -> Chat | None:
    name = wire_azure.deployment_of(path)
    if name is None or not query.get("api-version"):
        return None
    call = wire_openai.read_openai_request({**decoded(body), "model": name}, provider="azure")
    return Chat(call, wire_azure.azure_reply, wire_azure.AzureStream, "chatcmpl-")


def decoded(body: bytes) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        Refusal: 400, when the body is anything else.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise Refusal(400, message="We could not parse the JSON body of your request.")
    return value
