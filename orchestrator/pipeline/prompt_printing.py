"""Makes the fingerprints of a call's prompt, in some microseconds: what is looked at has a bound."""

from collections.abc import Iterator, Mapping
from hashlib import blake2b

import orjson

from orchestrator.core.embedding import EmbeddingRequest
from orchestrator.core.request import ChatRequest
from orchestrator.ledger.prompt_prints import BEGINNINGS_BYTES, PromptPrint
from orchestrator.pipeline.cache_lookup import cache_key_of
from orchestrator.pipeline.call import Call

_WHOLE_MAX_BYTES = 262_144
"""A longer prompt is compared by its beginning alone, unless the cache has its key already."""
_LOOKED_AT_BYTES = BEGINNINGS_BYTES[-1]


def prompt_print(call: Call) -> PromptPrint | None:
    """Return the fingerprints of a prompt that was sent; None of one with files, and of embeddings.

    Files are in no proportion to the tokens that they take; embeddings are not cached by providers.
    """
    size = call.trace.size
    if (
        size is None
        or size.has_files
        or not call.trace.attempts
        or isinstance(call.request, EmbeddingRequest)
    ):
        return None
    is_long = size.input_bound_tokens > _WHOLE_MAX_BYTES
    key = call.cache_key or ("" if is_long else cache_key_of(call))
    length, beginning = 0, b""
    if size.input_bound_tokens >= BEGINNINGS_BYTES[0]:
        length, beginning = _measured(call.request)
    return PromptPrint(key.encode(), _prints_of(beginning), length, call.profile.background)


def _measured(request: ChatRequest) -> tuple[int, bytes]:
    """Return a prompt's length in bytes, and the first of them as a provider reads: tools, then messages."""
    length, pieces, kept = 0, [], 0
    for piece in _pieces(request):
        length += len(piece)
        if kept < _LOOKED_AT_BYTES:
            pieces.append(piece[: _LOOKED_AT_BYTES - kept])
            kept += len(pieces[-1])
    return length, b"".join(pieces)


def _pieces(request: ChatRequest) -> Iterator[bytes]:
    if request.sampling.tools:
        yield _written(list(request.sampling.tools))
    for message in request.messages:
        content = message.get("content")
        if isinstance(content, str):
            yield str(message.get("role")).encode()
            yield content.encode()
            others = {name: value for name, value in message.items() if name not in {"role", "content"}}
            if others:
                yield _written(others)
        else:
            yield _written(dict(message))


def _written(value: object) -> bytes:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _prints_of(beginning: bytes) -> tuple[bytes, ...]:
    """Return the print of each beginning that the prompt is long enough for, in one pass over its bytes."""
    prints, running, done = [], blake2b(digest_size=16), 0
    for bytes_ in BEGINNINGS_BYTES:
        if bytes_ > len(beginning):
            break
        running.update(beginning[done:bytes_])
        prints.append(running.digest())
        done = bytes_
    return tuple(prints)
