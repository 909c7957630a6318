"""Embeddings as OpenAI, OpenRouter and Gemini write them; the vectors are made of the words of the texts.

The same text always has the same vector, of length 1, and texts that share words are near each other, which
is enough to try a search. It is no model of any language.
"""

import base64
import math
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import shake_256

from orchestrator.core.money import to_usd
from orchestrator.practice.answers import PracticeRequest
from orchestrator.practice.fault_kinds import VectorFault
from orchestrator.practice.json_types import JsonObject, JsonValue
from orchestrator.practice.wire import Envelope, WireOutcome
from orchestrator.practice.wire_errors import Refusal

OPENAI_TEXTS_MAX, GOOGLE_TEXTS_MAX = 2048, 100
_DIMENSIONS = {
    "text-embedding-3-large": 3072,
    "gemini-embedding-001": 3072,
    "gemini-embedding-2": 3072,
}
_OTHER_DIMENSIONS = 1536
_WORD = re.compile(r"\w+")
_MIDDLE = 127.5


@dataclass(frozen=True, slots=True)
class Vectors:
    """A request for vectors as it was read from the wire."""

    texts: tuple[str, ...]
    dimensions: int
    base64: bool = False
    """As text, single precision, where the caller asks for it."""


def read_openai_embedding(body: JsonObject, *, provider: str) -> tuple[PracticeRequest, Vectors]:
    """Return the request in a decoded body.

    Raises:
        Refusal: 400, when it has no model or input, or more texts than one request may have.
    """
    model = body.get("model")
    if not isinstance(model, str):
        raise Refusal(400, "you must provide a model parameter")
    raw = body.get("input")
    texts = [raw] if isinstance(raw, str) else raw
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refusal(400, "practice providers embed texts: 'input' is a text or a list of texts")
    if not all(texts) or not 0 < len(texts) <= OPENAI_TEXTS_MAX:
        raise Refusal(400, f"'$.input' is invalid: 1 to {OPENAI_TEXTS_MAX} texts, none of them empty")
    form = body.get("encoding_format") or "float"
    if form not in {"float", "base64"}:
        raise Refusal(400, "Invalid value for 'encoding_format': expected 'float' or 'base64'.")
    size = _dimensions(model, body.get("dimensions"))
    return _request(provider, model, texts), Vectors(tuple(texts), size, base64=form == "base64")


def read_gemini_embedding(body: JsonObject, *, model: str) -> tuple[PracticeRequest, Vectors]:
    """Return the request in a decoded body of `batchEmbedContents`.

    Raises:
        Refusal: 400, when it has no requests, too many, or one without text or of another model.
    """
    requests = body.get("requests")
    if not isinstance(requests, list) or not 0 < len(requests) <= GOOGLE_TEXTS_MAX:
        raise Refusal(
            400,
            f"* BatchEmbedContentsRequest.requests: at most {GOOGLE_TEXTS_MAX} requests can be in one batch",
        )
    if any(each.get("model") != f"models/{model}" for each in requests):
        raise Refusal(400, "* BatchEmbedContentsRequest.requests[0].model: must match the batch request")
    texts = [_gemini_text(each) for each in requests]
    if not all(texts):
        raise Refusal(400, "* EmbedContentRequest.content: contains an empty Part.")
    size = _dimensions(model, requests[0].get("outputDimensionality"))
    return _request("google", model, texts), Vectors(tuple(texts), size)


def openai_embeddings(envelope: Envelope, outcome: WireOutcome, vectors: Vectors) -> JsonObject:
    """Return the body of an answer; OpenRouter's has an id and the cost in dollars."""
    data = [
        {"object": "embedding", "index": place, "embedding": _written(vector, as_base64=vectors.base64)}
        for place, vector in enumerate(_answered(vectors, outcome.vector_fault))
    ]
    tokens = outcome.usage.input_tokens
    usage: JsonObject = {"prompt_tokens": tokens, "total_tokens": tokens}
    reply: JsonObject = {"object": "list", "data": data, "model": envelope.model, "usage": usage}
    if envelope.provider == "openrouter":
        usage["cost"] = float(to_usd(outcome.cost_nusd))
        reply["id"] = envelope.reply_id
    return reply


def gemini_embeddings(_envelope: Envelope, outcome: WireOutcome, vectors: Vectors) -> JsonObject:
    """Return the body of an answer."""
    listed = [{"values": _written(vector)} for vector in _answered(vectors, outcome.vector_fault)]
    return {"embeddings": listed, "usageMetadata": {"promptTokenCount": outcome.usage.input_tokens}}


def vector_of(text: str, dimensions: int) -> tuple[float, ...]:
    """Return the vector of a text: the sum of those of its words, at length 1, in single precision."""
    sums = [0.0] * dimensions
    for word in _WORD.findall(text.casefold()) or [text]:
        sums = [total + number for total, number in zip(sums, _of_word(word, dimensions), strict=True)]
    length = math.sqrt(sum(number * number for number in sums))
    return tuple(array("f", (number / length for number in sums)))


@lru_cache(maxsize=1024)
def _of_word(word: str, dimensions: int) -> tuple[float, ...]:
    return tuple(byte - _MIDDLE for byte in shake_256(word.encode()).digest(dimensions))


def _answered(vectors: Vectors, fault: VectorFault | None) -> list[list[float]]:
    """Return the vectors, or what a fault makes of them."""
    listed = [list(vector_of(text, vectors.dimensions)) for text in vectors.texts]
    if fault is VectorFault.MISSING:
        return listed[1:]
    if fault is VectorFault.EXTRA:
        return [*listed, listed[0]]
    if fault is VectorFault.SHORT:
        return [listed[0][:-1], *listed[1:]]
    if fault is VectorFault.NAN:
        return [[math.nan, *listed[0][1:]], *listed[1:]]
    return listed


def _written(vector: Sequence[float], *, as_base64: bool = False) -> JsonValue:
    return base64.b64encode(array("f", vector).tobytes()).decode() if as_base64 else list(vector)


def _dimensions(model: str, asked_for: JsonValue) -> int:
    own = _DIMENSIONS.get(model.rpartition("/")[2], _OTHER_DIMENSIONS)
    if asked_for is None:
        return own
    if type(asked_for) is not int or not 0 < asked_for <= own:
        raise Refusal(400, f"Invalid value for 'dimensions': must be from 1 to {own}.")
    return asked_for


def _request(provider: str, model: str, texts: Sequence[str]) -> PracticeRequest:
    messages = tuple({"role": "user", "content": text} for text in texts)
    return PracticeRequest(provider=provider, model=model, messages=messages)


def _gemini_text(request: JsonObject) -> str:
    parts = (request.get("content") or {}).get("parts") or []
    return "".join(part.get("text", "") for part in parts)
