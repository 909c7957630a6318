"""What one of LiteLLM's prefixes is asked: the caller's request, without what would not arrive as meant."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from orchestrator.catalog.catalog import Deployment
from orchestrator.catalog.litellm_prefixes import TAKES_NO_ADDRESS_OF_MEDIA
from orchestrator.core.reasoning import REASONING_VENDOR, signed_thinking_block
from orchestrator.dispatch.attempt import Outbound
from orchestrator.providers.wire.openai_request import CACHE_CONTROL_LEFT_OUT
from orchestrator.providers.wire.outbound import UnsendableError
from orchestrator.providers.wire.reasoning_turns import REASONING_LEFT_OUT, returned_reasoning
from orchestrator.providers.wire.thought_signatures import without_signature

_REASONING_FIELDS = frozenset(
    {"reasoning", "reasoning_content", "reasoning_details", "thinking_blocks", REASONING_VENDOR}
)
_OTHERS_FIELDS = _REASONING_FIELDS | {"extra_content", "annotations", "images"}
"""Of messages: notes of other providers, and reasoning, which goes back as its vendor takes it."""
_TAKES_REASONING_BACK = frozenset({"dashscope", "deepseek", "hosted_vllm", "moonshot", "zai"})
"""As `reasoning_content`, by their documentation; elsewhere an unknown field is refused."""
_OPENAIS = frozenset({"azure"})
_NEVER_LEFT_OUT = ("tools", "response_format")
"""An answer without them is no answer to the request."""
_CACHE_MARK = "cache_control"
_MARKED = frozenset({"anthropic", "bedrock"})
_MARKED_FOR_CLAUDE = frozenset({"vertex_ai", "azure_ai"})


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a request: a model under a prefix, at a provider of config.yaml."""

    prefix: str
    upstream: str
    provider: str

    @classmethod
    def at(cls, deployment: Deployment) -> Self:
        """Return the reader of what a deployment of kind litellm is asked."""
        return cls(deployment.provider.prefix or "", deployment.upstream, deployment.provider_name)

    @property
    def is_claude(self) -> bool:
        """Return whether it is a model of Anthropic's, whose API or whichever cloud carries it."""
        of_clouds = self.prefix in _MARKED | _MARKED_FOR_CLAUDE and "claude" in self.upstream
        return self.prefix == "anthropic" or of_clouds

    @property
    def vendor(self) -> str:
        """Return who reads again what the model has thought."""
        if self.is_claude:
            return "anthropic"
        if self.prefix == "vertex_ai":
            return "google"
        return "openai" if self.prefix in _OPENAIS else self.provider


@dataclass(frozen=True, slots=True)
class PrefixRequest:
    """What an attempt sends under a prefix."""

    messages: list[dict[str, Any]]
    parameters: dict[str, Any]
    notices: tuple[str, ...]
    """What was left out, for people."""


def prefix_request(reader: Reader, outbound: Outbound, *, taken: frozenset[str]) -> PrefixRequest:
    """Return an attempt's request as LiteLLM gets it; `taken` are the parameters that it sends for the model.

    Raises:
        UnsendableError: the model takes no tools, no form of answer or no address; the message says which.
    """
    prefix, upstream = reader.prefix, reader.upstream
    if prefix in TAKES_NO_ADDRESS_OF_MEDIA and any(map(_is_address, _addresses(outbound.messages))):
        raise UnsendableError(
            f"LiteLLM would open the address of a picture itself for '{prefix}'; send its data"
        )
    left_out = [name for name in outbound.parameters if name not in taken]
    lost = next((name for name in _NEVER_LEFT_OUT if name in left_out), None)
    if lost is not None:
        raise UnsendableError(f"'{lost}' is not taken by {upstream}, by what LiteLLM knows of it")
    parameters = {name: value for name, value in outbound.parameters.items() if name in taken}
    notices = [f"'{name}' is not taken by {upstream} and was left out" for name in left_out]
    messages = [_message(message, reader, notices) for message in outbound.messages]
    takes_marks = prefix in _MARKED or reader.is_claude
    for part in _marked([messages, parameters]):
        if takes_marks:
            # A longer time costs more to store than the price book holds money for.
            part[_CACHE_MARK] = {"type": "ephemeral"}
        else:
            del part[_CACHE_MARK]
            notices.append(CACHE_CONTROL_LEFT_OUT)
    return PrefixRequest(messages, parameters, tuple(dict.fromkeys(notices)))


def _message(message: Mapping[str, Any], reader: Reader, notices: list[str]) -> dict[str, Any]:
    plain = {name: value for name, value in message.items() if name not in _OTHERS_FIELDS}
    plain |= _reasoning(message, reader, notices)
    if reader.prefix == "vertex_ai":
        # LiteLLM keeps Gemini's signatures in the ids as we do.
        return plain
    if isinstance(plain.get("tool_call_id"), str):
        plain["tool_call_id"] = without_signature(plain["tool_call_id"])
    for call in plain.get("tool_calls") or ():
        if isinstance(call.get("id"), str):
            call["id"] = without_signature(call["id"])
    return plain


def _reasoning(message: Mapping[str, Any], reader: Reader, notices: list[str]) -> dict[str, Any]:
    """Return the fields of a message with its reasoning, as the model's vendor takes it back."""
    if not any(message.get(name) for name in _REASONING_FIELDS):
        return {}
    text, blocks, is_anothers = returned_reasoning(message, reader.vendor)
    if is_anothers:
        notices.append(REASONING_LEFT_OUT)
    if reader.is_claude:
        # A thought without its signature is refused.
        signed = [thought for block in blocks if (thought := signed_thinking_block(block)) is not None]
        return {"thinking_blocks": signed} if signed else {}
    if reader.prefix in _TAKES_REASONING_BACK:
        return {"reasoning_content": text} if text else {}
    if (text or blocks) and reader.vendor != "google":
        # Google's signatures are in the ids of its calls.
        notices.append(
            f"the reasoning of an earlier turn is not taken back by {reader.upstream} and was left out"
        )
    return {}


def _marked(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every part of messages and tools that is to be cached."""
    if isinstance(value, dict):
        inner = list(value.values())
        if isinstance(value.get(_CACHE_MARK), Mapping):
            yield value
    else:
        inner = value if isinstance(value, list) else []
    for item in inner:
        yield from _marked(item)


def _addresses(messages: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the addresses in the parts of messages."""
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            picture = part.get("image_url")
            held = picture.get("url") if isinstance(picture, Mapping) else picture
            document = part.get("file")
            held_too = document.get("file_id") if isinstance(document, Mapping) else None
            yield from (text for text in (held, held_too) if isinstance(text, str))


def _is_address(text: str) -> bool:
    return text.startswith(("http:", "https:"))
