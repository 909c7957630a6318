"""The providers' prompt caches: the beginning of a long prompt that was seen before is cheaper.

As OpenAI does it: from 1,024 tokens on, in steps of 128; here by whole messages, and one cache
for each provider and model. Anthropic caches what is marked for it, and charges for storing it.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

import orjson

from orchestrator.practice.answers import PracticeRequest
from orchestrator.practice.tokens import TOKENS_PER_MESSAGE, count_tokens, message_bytes

CACHED_TOKENS_MIN = 1024
CACHED_TOKENS_STEP = 128


MARKED_ALONE = frozenset({"anthropic", "bedrock"})
"""Who caches nothing that is not marked with `cache_control`."""


@dataclass(frozen=True, slots=True)
class PromptCacheUse:
    """How many input tokens were read from the cache, and how many were stored in it at a price."""

    read_tokens: int = 0
    written_tokens: int = 0


class PromptCache:
    """Remembers the beginnings of the last prompts; to be used from one thread."""

    def __init__(self, *, kept: int = 4096) -> None:
        """Remember up to `kept` beginnings."""
        self._kept = kept
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def used(self, request: PracticeRequest, *, input_tokens: int) -> PromptCacheUse:
        """Return what this request reads from the cache or stores in it, and remember it."""
        marks = request.provider in MARKED_ALONE
        if marks and b'"cache_control"' not in orjson.dumps(request.messages):
            return PromptCacheUse()
        read = self.cached_tokens(request, input_tokens=input_tokens)
        stores = marks and not read and input_tokens >= CACHED_TOKENS_MIN
        return PromptCacheUse(read, input_tokens if stores else 0)

    def cached_tokens(self, request: PracticeRequest, *, input_tokens: int) -> int:
        """Return how many input tokens of this request were seen before, and remember the request."""
        if input_tokens < CACHED_TOKENS_MIN:
            return 0
        digest = hashlib.blake2b(f"{request.provider}\0{request.model}\0".encode(), digest_size=16)
        digest.update(orjson.dumps(request.tools))
        tokens = matched_tokens = 0
        for message in request.messages:
            digest.update(orjson.dumps(message))
            tokens += count_tokens(message_bytes(message)) + TOKENS_PER_MESSAGE
            if self._knew(digest.copy().digest()):
                matched_tokens = min(tokens, input_tokens)
        if matched_tokens < CACHED_TOKENS_MIN:
            return 0
        return matched_tokens - matched_tokens % CACHED_TOKENS_STEP

    def _knew(self, key: bytes) -> bool:
        known = key in self._seen
        self._seen[key] = None
        self._seen.move_to_end(key)
        if len(self._seen) > self._kept:
            self._seen.popitem(last=False)
        return known
