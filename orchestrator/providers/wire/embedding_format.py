"""Embeddings in OpenAI's format and in Gemini's: what is sent for them, and the vectors that come back.

https://platform.openai.com/docs/api-reference/embeddings, which OpenRouter, Ollama, vLLM and llama.cpp speak
too, and https://ai.google.dev/api/embeddings. A vector is believed only when all are there, each with as many
numbers as it should have, and every number finite.
"""

import base64
import binascii
import math
import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import quote

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.embedding import Vector
from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import ProviderAnswer, UnreadableAnswerError, stated_name
from orchestrator.providers.openrouter import token_costs_only
from orchestrator.providers.wire.answer_checks import unreadable
from orchestrator.providers.wire.error_bodies import error_in
from orchestrator.providers.wire.failures import failure_of_error
from orchestrator.providers.wire.outbound import OutboundRequest, is_openai_itself
from orchestrator.providers.wire.usage_reading import CountedUsage, read_gemini_usage, read_openai_usage
from orchestrator.providers.wire.wire_json import index_of, read_object

EMBEDDING_BYTES_MAX = 64 * 1024 * 1024
"""Of an answer: two million numbers, written out."""
_OPENAI_PATH = "embeddings"
_ALPHABET_OF_ADDRESSES = str.maketrans("-_", "+/")


class _BrokenVectorError(ValueError):
    """What stands in the place of a vector is none; says why, and quotes nothing."""


@dataclass(frozen=True, slots=True)
class EmbeddingFormat:
    """How one vendor writes questions for vectors, and its answers."""

    path: Callable[[OutboundRequest], str]
    """Of the method, below the address of the API."""
    body: Callable[[OutboundRequest], dict[str, Any]]
    """Asks for a vector of each text."""
    listed: Callable[[Mapping[str, Any]], list[Any]]
    """The vectors of an answer as they came, in the order of the texts."""
    usage: Callable[[Mapping[str, Any]], CountedUsage]


def openai_embedding_format(*, reports_cost: bool) -> EmbeddingFormat:
    """Return OpenAI's format, of a vendor whose answers say what they cost, or do not."""
    usage = partial(_openai_usage, reports_cost=reports_cost)
    return EmbeddingFormat(lambda _: _OPENAI_PATH, _openai_body, _listed_by_openai, usage)


def gemini_embedding_format() -> EmbeddingFormat:
    """Return Gemini's format."""
    return EmbeddingFormat(_gemini_path, _gemini_body, _listed_by_gemini, _gemini_usage)


def _gemini_path(outbound: OutboundRequest) -> str:
    return f"{quote(_gemini_name(outbound), safe='/-._~@')}:batchEmbedContents"


def _gemini_body(outbound: OutboundRequest) -> dict[str, Any]:
    shorter = {} if outbound.shorten_to is None else {"outputDimensionality": outbound.shorten_to}
    name = _gemini_name(outbound)
    return {
        "requests": [
            {"model": name, "content": {"parts": [{"text": message["content"]}]}, **shorter}
            for message in outbound.messages
        ]
    }


def _openai_body(outbound: OutboundRequest) -> dict[str, Any]:
    texts = [message["content"] for message in outbound.messages]
    body: dict[str, Any] = {"model": outbound.upstream, "input": texts}
    if outbound.shorten_to is not None:
        body["dimensions"] = outbound.shorten_to
    if is_openai_itself(outbound.kind, outbound.base_url):
        # A quarter of the bytes; other servers may not know it.
        body["encoding_format"] = "base64"
    if outbound.kind is ProviderKind.OPENROUTER and outbound.price_cap is not None:
        body["provider"] = token_costs_only(outbound.price_cap)["provider"]
    return body


def read_embeddings(body: bytes, outbound: OutboundRequest, form: EmbeddingFormat) -> ProviderAnswer:
    """Return the answer in a body of a format, with a vector for each text of `outbound`.

    Raises:
        UnreadableAnswerError: it is an error, or a vector is missing or not whole; what it used comes along.
    """
    data = read_object(body)
    counted = form.usage(data)
    bare = ProviderAnswer(
        text="",
        tool_calls=(),
        finish_reason="stop",
        usage=counted.usage,
        reported_cost_nusd=counted.reported_cost_nusd,
        upstream_id=stated_name(data.get("id")),
        served_model=stated_name(data.get("model")),
        fee_nusd=counted.fee_nusd,
    )
    error = error_in(data, answers=bool(data.get("data") or data.get("embeddings")))
    if error is not None:
        raise UnreadableAnswerError(failure_of_error(error), bare, detail="the body is an error")
    try:
        vectors = _vectors(form.listed(data), outbound)
    except _BrokenVectorError as exc:
        raise unreadable(FailureKind.MALFORMED, str(exc), answer=bare) from None
    return replace(bare, vectors=vectors)


def _listed_by_openai(data: Mapping[str, Any]) -> list[Any]:
    entries = data.get("data")
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise _BrokenVectorError("'data' is no list of objects")
    indexes = [entry.get("index") for entry in entries]
    places = [place if index is None else index_of(index) for place, index in enumerate(indexes)]
    if sorted(place for place in places if place is not None) != list(range(len(entries))):
        raise _BrokenVectorError("the indexes of 'data' are not those of the texts")
    by_place = {place: entry.get("embedding") for place, entry in zip(places, entries, strict=True)}
    return [by_place[place] for place in range(len(entries))]


def _listed_by_gemini(data: Mapping[str, Any]) -> list[Any]:
    entries = data.get("embeddings")
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise _BrokenVectorError("'embeddings' is no list of objects")
    return [entry.get("values") for entry in entries]


def _vectors(listed: Sequence[Any], outbound: OutboundRequest) -> tuple[Vector, ...]:
    texts = len(outbound.messages)
    if len(listed) != texts:
        raise _BrokenVectorError(f"{len(listed)} vectors came for {texts} texts")
    return tuple(_vector(raw, place, outbound.vector_size) for place, raw in enumerate(listed))


def _vector(raw: Any, place: int, size: int | None) -> Vector:
    numbers = _from_base64(raw, place) if isinstance(raw, str) else _from_list(raw, place)
    if len(numbers) != size:
        raise _BrokenVectorError(f"vector {place} has {len(numbers)} numbers and not {size}")
    # One number that is not finite makes the sum so.
    if not math.isfinite(sum(numbers)):
        raise _BrokenVectorError(f"vector {place} holds a number that is not finite")
    if not any(numbers):
        # It is like no text at all: what searches by it divides by its length.
        raise _BrokenVectorError(f"vector {place} is zeros alone")
    return tuple(numbers)


def _from_list(raw: Any, place: int) -> "array[float]":
    if not isinstance(raw, list) or not set(map(type, raw)) <= {int, float}:
        raise _BrokenVectorError(f"vector {place} is no list of numbers")
    try:
        return array("d", raw)
    except OverflowError:
        raise _BrokenVectorError(f"vector {place} is no list of numbers") from None


def _from_base64(raw: str, place: int) -> "array[float]":
    """Return numbers of single precision, the lowest byte first, however their base64 is laid out."""
    numbers = array("f")
    # In lines, in the alphabet of addresses, without what fills up the end: each names the same bytes.
    text = "".join(raw.split()).translate(_ALPHABET_OF_ADDRESSES).rstrip("=")
    try:
        numbers.frombytes(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (binascii.Error, ValueError):
        raise _BrokenVectorError(f"vector {place} is no base64 of numbers") from None
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _openai_usage(data: Mapping[str, Any], *, reports_cost: bool) -> CountedUsage:
    usage = _with_prompt(data.get("usage"), "prompt_tokens", "total_tokens")
    if usage.get("completion_tokens") is None:
        usage["completion_tokens"] = 0
    return _input_alone(read_openai_usage(usage, reports_cost=reports_cost))


def _gemini_usage(data: Mapping[str, Any]) -> CountedUsage:
    usage = _with_prompt(data.get("usageMetadata"), "promptTokenCount", "totalTokenCount")
    return _input_alone(read_gemini_usage(usage))


def _with_prompt(raw: Any, prompt: str, total: str) -> dict[str, Any]:
    """Return the counts with the total as the prompt's where that is not said, or lost."""
    usage = dict(raw) if isinstance(raw, Mapping) else {}
    is_lost = usage.get(prompt) is None or (type(usage[prompt]) is int and usage[prompt] == 0)
    return {**usage, prompt: usage.get(total)} if is_lost else usage


def _input_alone(counted: CountedUsage) -> CountedUsage:
    """Return what was counted with all tokens in the input: there is no output, which would cost nothing."""
    usage = counted.usage
    if usage.estimated:
        return counted
    tokens = usage.input_tokens + usage.output_tokens
    alone = replace(
        usage,
        input_tokens=tokens,
        output_tokens=0,
        reasoning_tokens=0,
        audio_output_tokens=0,
        image_output_tokens=0,
    )
    return replace(counted, usage=alone)


def _gemini_name(outbound: OutboundRequest) -> str:
    return outbound.upstream if "/" in outbound.upstream else f"models/{outbound.upstream}"
