"""The providers' prompt caches."""

from orchestrator.practice.answers import PracticeRequest
from orchestrator.practice.prompt_cache import PromptCache
from orchestrator.practice.tokens import input_tokens


def _cached(cache: PromptCache, *texts: str, model: str = "m") -> int:
    request = PracticeRequest("openai", model, tuple({"role": "user", "content": text} for text in texts))
    return cache.cached_tokens(request, input_tokens=input_tokens(request))


def test_the_beginning_of_a_long_prompt_is_cached_from_the_second_time_on():
    """In steps of 128, by whole messages, for each model by itself."""
    cache, long = PromptCache(), "x" * 8000
    assert _cached(cache, long, "one") == 0
    assert _cached(cache, long, "two") == 1920
    assert _cached(cache, long, "two", model="other") == 0
    assert _cached(cache, "y" + long, "two") == 0


def test_short_prompts_are_never_cached():
    """Under 1,024 tokens there is no discount."""
    cache = PromptCache()
    assert [_cached(cache, "hello") for _ in range(3)] == [0, 0, 0]


def test_the_oldest_beginning_is_forgotten():
    """The memory is bounded."""
    cache = PromptCache(kept=1)
    _cached(cache, "x" * 8000)
    _cached(cache, "y" * 8000)
    assert _cached(cache, "x" * 8000) == 0
