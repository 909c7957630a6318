"""What LiteLLM hands to an HTTP client, checked at the last moment against what is held for it.

Between the hold and the send LiteLLM runs other hooks and reads settings of the whole process: they may name
another model, a larger limit or a longer prompt, and it may write a small schema out into a large one. So a
request leaves only when it is for the model and the host that were priced, names nothing without a bound,
costs no more than is held, and is the first.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.request import Message
from orchestrator.metering.response_items import BodySize, responses_size
from orchestrator.metering.vendor_answers import AskedAnswer, VendorAnswer
from orchestrator.metering.vendor_bodies import (
    check_chat,
    check_google,
    check_responses,
    documented,
    google_parts,
    inline_part,
)
from orchestrator.providers.litellm.free_errors import origin_of
from orchestrator.providers.litellm.heard_streams import Ear, hear
from orchestrator.providers.wire.answer_checks import is_success
from orchestrator.providers.wire.wire_json import json_text

Covers = Callable[..., bool]
"""`MeteredSend.covers`: whether what is held is enough for a request of this size."""

_REFUSED_UNBILLED = 422
"""LiteLLM answers OpenAI's by leaving parameters out and asking again."""
_LIMITS = ("max_tokens", "max_completion_tokens")
_GOOGLE_LIMITS = ("max_output_tokens", "maxOutputTokens")
_GOOGLE_ANSWERS = ("candidate_count", "candidateCount")
_GOOGLE_SCHEMAS = ("response_schema", "responseSchema", "response_json_schema", "responseJsonSchema")
_RESPONSES = "/responses"
_OPENAI_PATHS = ("/chat/completions", _RESPONSES)
_GOOGLE_STREAM = ":streamGenerateContent"
_GOOGLE_METHODS = (":generateContent", _GOOGLE_STREAM)
_WAITS = ("connect", "read", "write", "pool")
_OPENROUTERS_OWN = "openrouter/"
"""LiteLLM writes it before the names of some models of OpenRouter's."""
_SIGNATURES = frozenset({"thoughtSignature"})
_FILLERS = (" ", ".")


@dataclass(slots=True)
class Leave:
    """The leave of one metered send: one request to one model, within what is held."""

    kind: ProviderKind
    upstream: str
    address: str
    """Where it was priced: what stands before the name of an API."""
    covers: Covers
    is_asked: bool = False
    """Whether the client of the call asks before each request; then nothing has left that did not ask."""
    waits_s: float | None = None
    """How long the call waits for each byte; LiteLLM forgets it for Gemini's streams."""
    is_used: bool = False
    last_status: int | None = None
    refusal: InvalidRequestError | None = None
    """Why a request did not leave."""
    answer: VendorAnswer | None = None
    """What came back, by the provider's own bytes; None where they could not be heard."""
    _expected: VendorAnswer | None = None

    def use(self, request: httpx.Request) -> None:
        """Let a request leave.

        Raises:
            InvalidRequestError: nothing is held for it; it does not leave.
        """
        fault = self._fault_of(request)
        if fault is not None:
            self.refusal = InvalidRequestError(
                f"{fault}, so nothing was sent: a hook in litellm.callbacks, a setting of LiteLLM's or a schema "
                "that it writes out has changed the call after money was held for it"
            )
            raise self.refusal
        self.is_used = True
        # What comes packed cannot be heard on its way.
        request.headers["accept-encoding"] = "identity"
        if self.waits_s is not None:
            limits = request.extensions.get("timeout", {})
            shortest = {name: min(limits.get(name) or self.waits_s, self.waits_s) for name in _WAITS}
            request.extensions["timeout"] = {**limits, **shortest}

    def hear(self, response: httpx.Response) -> None:
        """Note a response, and hear its bytes as they are read."""
        self.last_status = response.status_code
        expected = self._expected
        self.answer = expected if is_success(response.status_code) else None
        if expected is not None:
            # A refusal is bounded too.
            hear(response, Ear(expected))

    def _fault_of(self, request: httpx.Request) -> str | None:
        if self.is_used and self.last_status != _REFUSED_UNBILLED:
            return "LiteLLM would send a second request for one call"
        try:
            body = orjson.loads(request.content)
        except (orjson.JSONDecodeError, httpx.RequestNotRead):
            body = None
        if not isinstance(body, dict):
            return "LiteLLM would send something that is no request for an answer"
        fault = self._fault_of_address(request.url, body)
        if fault is not None:
            return fault
        try:
            size = self._size_of(request.url.path, body)
        except InvalidRequestError as error:
            return f"LiteLLM would send what no bound is known of: {error}"
        if not self._is_covered(*size):
            return "LiteLLM would send more than money is held for"
        in_pieces = body.get("stream") is True or request.url.path.endswith(_GOOGLE_STREAM)
        order = AskedAnswer(max(size.limits), max(size.answers, default=1), in_pieces)
        self._expected = VendorAnswer(self.kind, order, path=request.url.path, clock=SystemClock())
        return None

    def _size_of(self, path: str, body: Mapping[str, Any]) -> BodySize:
        if self.kind is ProviderKind.GOOGLE:
            check_google(_as_documented(body))
            return _google_size(body)
        if path.endswith(_RESPONSES):
            check_responses(body)
            return responses_size(body)
        check_chat(body)
        return _openai_size(body)

    def _fault_of_address(self, url: httpx.URL, body: Mapping[str, Any]) -> str | None:
        """Return what is wrong with where a request goes: another path of a host may have other prices."""
        priced = httpx.URL(self.address)
        if origin_of(url) != origin_of(priced):
            return f"LiteLLM would send it to another host than '{origin_of(priced)}'"
        is_google = self.kind is ProviderKind.GOOGLE
        ends = (
            [f"/models/{self.upstream}{method}" for method in _GOOGLE_METHODS] if is_google else _OPENAI_PATHS
        )
        own = (self.upstream, _OPENROUTERS_OWN + self.upstream)
        end = next((end for end in ends if url.path.endswith(end)), None)
        if end is None or not (is_google or body.get("model") in own):
            return f"LiteLLM would not ask '{self.upstream}' for a chat answer"
        if url.path.removesuffix(end).rstrip("/") != priced.path.removesuffix(end).rstrip("/"):
            return f"LiteLLM would send it to another address than '{origin_of(priced)}{priced.path}'"
        return None

    def _is_covered(
        self, messages: list[Message], declared: list[Any], limits: list[Any], answers: list[Any]
    ) -> bool:
        if not limits or not all(type(number) is int and number > 0 for number in (*limits, *answers)):
            return False
        written = [json_text(declared)] if declared else []
        return self.covers(
            messages, max_tokens=max(limits), answers=max(answers, default=1), declared=written
        )


def _openai_size(body: Mapping[str, Any]) -> BodySize:
    return BodySize(
        list(body.get("messages") or ()),
        list(_values(body, "tools", "functions", "response_format")),
        list(_values(body, *_LIMITS)),
        list(_values(body, "n")),
    )


def _google_size(body: Mapping[str, Any]) -> BodySize:
    generation = body.get("generationConfig") or body.get("generation_config")
    config = generation if isinstance(generation, Mapping) else {}
    system = [
        part
        for content in _values(body, "system_instruction", "systemInstruction")
        for part in _parts(content)
    ]
    contents = [_without_filler(list(_parts(content))) for content in body.get("contents") or ()]
    if [] in contents:
        # LiteLLM's own, where no user speaks first.
        contents.remove([])
    # What the system says is a message to us, and beside the messages to Google: it joins the first one.
    prompt = [[*system, *contents[0]], *contents[1:]] if contents else [system]
    return BodySize(
        [{"role": "user", "content": parts} for parts in prompt],
        list(_values(body, "tools")) + list(_values(config, *_GOOGLE_SCHEMAS)),
        list(_values(config, *_GOOGLE_LIMITS)),
        list(_values(config, *_GOOGLE_ANSWERS)),
    )


def _as_documented(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return Google's body with its names as they are documented; Google takes them in both spellings."""
    named = documented(body)
    for name in ("generationConfig", "toolConfig"):
        if isinstance(named.get(name), Mapping):
            named[name] = documented(named[name])
    tools = named.get("tools")
    if isinstance(tools, list):
        named["tools"] = [documented(tool) if isinstance(tool, Mapping) else tool for tool in tools]
    return named


def _without_filler(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the parts without the one that LiteLLM puts in where nobody says a word."""
    filler = next((part for part in parts if part.get("text") in _FILLERS), None)
    return [part for part in parts if part is not filler]


def _values(holder: Mapping[str, Any], *names: str) -> Iterator[Any]:
    return (holder[name] for name in names if holder.get(name) is not None)


def _parts(content: Any) -> Iterator[dict[str, Any]]:
    """Return the parts of one of Gemini's contents as parts of a message, by what a model reads of them."""
    for part in google_parts(content):
        readable = {name: value for name, value in part.items() if name not in _SIGNATURES}
        data = readable.get("inlineData")
        if isinstance(data, Mapping):
            data = documented(data)
            yield inline_part(str(data.get("mimeType")), data.get("data"))
        elif readable.get("fileData"):
            yield {"type": "file", "file": {}}
        else:
            yield {"type": "text", "text": _text_of(readable)}


def _text_of(part: Mapping[str, Any]) -> str:
    if isinstance(part.get("text"), str) and part.keys() <= {"text", "thought"}:
        return str(part["text"])
    returned = part.get("functionResponse")
    response = returned.get("response") if isinstance(returned, Mapping) else None
    if isinstance(response, Mapping) and len(part) == 1:
        # The name stands in the call that it answers.
        only = next(iter(response.values())) if len(response) == 1 else None
        return only if isinstance(only, str) else json_text(response)
    return json_text(next(iter(part.values())) if len(part) == 1 else part)
