"""Vectors that were paid for, kept for each text of a tenant: what is asked again costs nothing.

The key is made of the tenant, the model with the names that its providers have for it, the dimensions and the
text. The use case is not in it: a vector is the same for all. One of another tenant is never read.
"""

import asyncio
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TypeVar

import orjson

from orchestrator.cache.response_cache import ReplyCache
from orchestrator.catalog.models import ModelSettings
from orchestrator.core.embedding import EmbeddingReply, EmbeddingRequest, Vector, messages_with
from orchestrator.core.errors import InvalidRequestError, PromptTooLargeError
from orchestrator.core.reply import CacheState, ChatReply, Usage
from orchestrator.core.request import CacheUse
from orchestrator.pipeline.call import Call, Step
from orchestrator.routing.estimate import expected_tokens

T = TypeVar("T")

_AT_ONCE = 32
"""More vectors are read and written beside the event loop."""


@dataclass(frozen=True, slots=True)
class KeptVector:
    """A vector, and who made it."""

    vector: Vector
    deployment: str
    provider: str


@dataclass(frozen=True, slots=True)
class KeptVectors:
    """The vectors of one tenant and one model in the cache."""

    cache: ReplyCache
    space: tuple[object, ...]
    """What has to be equal for two vectors to be comparable, and the tenant."""
    dimensions: int
    use: CacheUse
    ttl_s: float
    """0 keeps nothing."""

    @classmethod
    def of(cls, call: Call) -> "KeptVectors":
        """Return those of a call."""
        request, model_name = request_of(call), model_name_of(call)
        settings, cache = call.snapshot.config.settings, call.snapshot.cache
        # A model that is pointed at another upstream makes other vectors under the same name.
        upstreams = sorted(
            {place.upstream for place in settings.deployments.values() if place.model == model_name}
        )
        dimensions = request.dimensions or settings.models[model_name].dimensions or 0
        ttl_s = cache.settings.ttl_s if call.use_case.cache_ttl_s is None else call.use_case.cache_ttl_s
        space = (call.payer.tenant, model_name, upstreams, dimensions)
        return cls(cache, space, dimensions, request.cache, ttl_s if cache.settings.enabled else 0.0)

    async def get(self, texts: Iterable[str]) -> dict[str, KeptVector]:
        """Return the vectors that are kept, by their texts."""
        if self.use is not CacheUse.USE or not self.ttl_s:
            return {}
        keys = {self._key(text): text for text in texts}
        packed = await _beside(len(keys), lambda: self.cache.get_many(keys))
        unpacked = ((keys[key], _unpacked(stored)) for key, stored in packed.items())
        return {
            text: kept for text, kept in unpacked if kept is not None and len(kept.vector) == self.dimensions
        }

    async def put(self, vectors: Mapping[str, Vector], *, deployment: str, provider: str) -> None:
        """Keep vectors, by their texts."""
        if self.use is CacheUse.OFF or not self.ttl_s:
            return

        def write() -> None:
            entries = {
                self._key(text): _packed(KeptVector(vector, deployment, provider))
                for text, vector in vectors.items()
            }
            self.cache.put_many(entries, ttl_s=self.ttl_s)

        await _beside(len(vectors), write)

    def _key(self, text: str) -> str:
        return sha256(orjson.dumps(("embedding", self.space, text))).hexdigest()


def request_of(call: Call) -> EmbeddingRequest:
    """Return the request of a call on the way of embeddings."""
    if not isinstance(call.request, EmbeddingRequest):
        msg = "the steps of embeddings are passed by embedding requests alone"
        raise TypeError(msg)
    return call.request


def model_name_of(call: Call) -> str:
    """Return the one model whose vectors a call gets."""
    return call.snapshot.config.catalog.model_of(call.request.model or call.use_case.primary.deployment)


class EmbeddingCache:
    """Answers the texts that are kept, and has the others asked, each once; it keeps nothing itself."""

    def __init__(self, following: Step) -> None:
        """Stand around `following`."""
        self._following = following

    async def __call__(self, call: Call) -> ChatReply:
        """Return a vector for each text of a call.

        Raises:
            InvalidRequestError: the model does not make vectors of so many dimensions.
            PromptTooLargeError: a text is longer than the model takes.
            OrchestratorError: what the following step raised.
        """
        request, model_name = request_of(call), model_name_of(call)
        _check_fits(request, model_name, call.snapshot.config.settings.models[model_name])
        kept = await KeptVectors.of(call).get(dict.fromkeys(request.texts))
        missing = tuple(text for text in dict.fromkeys(request.texts) if text not in kept)
        if not missing:
            return _from_cache(call, request, model_name, kept)
        asking = replace(call, request=replace(request, messages=messages_with(missing)))
        reply = await self._following(asking)
        if not isinstance(reply, EmbeddingReply):
            msg = "the step behind the cache of vectors makes vectors"
            raise TypeError(msg)
        new = dict(zip(missing, reply.vectors, strict=True))
        cached_texts = sum(text in kept for text in request.texts)
        note = (f"{cached_texts} of {len(request.texts)} texts had their vectors in the cache",)
        return replace(
            reply,
            vectors=tuple(new[text] if text in new else kept[text].vector for text in request.texts),
            cached_texts=cached_texts,
            notices=(*reply.notices, *(note if cached_texts else ())),
        )


def _check_fits(request: EmbeddingRequest, model_name: str, model: ModelSettings) -> None:
    asked_for, own = request.dimensions, model.dimensions or 0
    if asked_for is not None and asked_for != own and (asked_for > own or not model.shortens):
        fewer = "it makes that many or fewer" if model.shortens else "it makes no other"
        raise InvalidRequestError(
            f"'{model_name}' makes vectors of {own} dimensions, not of {asked_for}; {fewer}"
        )
    for place, text in enumerate(request.texts):
        # A character is four bytes at most, and a token at least one: most texts need no closer look.
        if len(text) <= model.context_tokens // 4:
            continue
        needed = expected_tokens(text)
        if needed > model.context_tokens:
            raise PromptTooLargeError(
                f"text {place} takes about {needed:,} tokens, and '{model_name}' reads {model.context_tokens:,} "
                "of one text; split it"
            )


def _from_cache(
    call: Call, request: EmbeddingRequest, model_name: str, kept: Mapping[str, KeptVector]
) -> EmbeddingReply:
    first = kept[request.texts[0]]
    return EmbeddingReply(
        request_id=call.id,
        text="",
        model=model_name,
        deployment=first.deployment,
        provider=first.provider,
        usage=Usage(),
        cost_nusd=call.trace.spent_nusd,
        finish_reason="stop",
        cached=CacheState.HIT,
        latency_s=call.deadline.elapsed_s(),
        created_at=call.started_at,
        vectors=tuple(kept[text].vector for text in request.texts),
        cached_texts=len(request.texts),
    )


async def _beside(count: int, work: Callable[[], T]) -> T:
    """Do a little work here, and much of it on another thread."""
    return work() if count <= _AT_ONCE else await asyncio.to_thread(work)


def _packed(kept: KeptVector) -> bytes:
    """Return a vector as bytes: in single precision where it has no more, as most providers send it."""
    numbers = array("f", kept.vector)
    if tuple(numbers) != kept.vector:
        numbers = array("d", kept.vector)
    header = orjson.dumps((numbers.typecode, kept.deployment, kept.provider))
    return header + b"\n" + numbers.tobytes()


def _unpacked(packed: bytes) -> KeptVector | None:
    """Return a vector that was kept; None where it is damaged, which is a miss."""
    header, _, body = packed.partition(b"\n")
    try:
        typecode, deployment, provider = orjson.loads(header)
        numbers = array({"f": "f", "d": "d"}[typecode])
        numbers.frombytes(body)
        return KeptVector(tuple(numbers), str(deployment), str(provider))
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
