"""Tokens and money as providers count them: believed as a whole, or not at all.

A count that is negative, null, no number or larger than any context makes the usage an estimate. Counts that
contradict each other (more cached tokens than prompt, more reasoning than completion, a total above its
parts) are read the dearer way, and the answer says so.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.core.money import ZERO_NUSD, NanoUsd, nano_usd
from orchestrator.core.reply import Usage

COUNTED_TOKENS_MAX = 1_000_000_000
"""More than any context; a larger count is a mistake of the provider's."""
CONTRADICTION = "the provider's token counts contradict each other; the dearer reading is booked"


@dataclass(frozen=True, slots=True)
class CountedUsage:
    """What a provider says that an answer used."""

    usage: Usage
    reported_cost_nusd: NanoUsd | None = None
    is_byok: bool = False
    contradicts: bool = False


UNKNOWN_USAGE = CountedUsage(Usage(estimated=True))
"""The provider did not say, or said nonsense."""


class _NonsenseError(ValueError):
    """A count that no ledger can hold."""


def read_openai_usage(raw: Any, *, reports_cost: bool) -> CountedUsage:
    """Return the `usage` object of OpenAI's format; its cost where this provider reports one."""
    if not isinstance(raw, Mapping):
        return UNKNOWN_USAGE
    is_byok = raw.get("is_byok") is True
    upstream = _mapping(raw.get("cost_details")).get("upstream_inference_cost")
    cost = openrouter_cost(raw.get("cost"), upstream, is_byok=raw.get("is_byok")) if reports_cost else None
    try:
        counted = _openai_counts(raw)
    except _NonsenseError:
        return CountedUsage(Usage(estimated=True), cost, is_byok)
    return CountedUsage(counted.usage, cost, is_byok, counted.contradicts)


def read_gemini_usage(raw: Any) -> CountedUsage:
    """Return the `usageMetadata` object of Gemini's format, where thoughts are counted beside the answer."""
    if not isinstance(raw, Mapping):
        return UNKNOWN_USAGE
    try:
        prompt = _required(raw, "promptTokenCount") + _count(raw, "toolUsePromptTokenCount")
        candidates = _count(raw, "candidatesTokenCount")
        thoughts = _count(raw, "thoughtsTokenCount")
        total = _count(raw, "totalTokenCount")
        # Some models count the thoughts among the candidates' tokens: the total tells.
        inside = bool(thoughts) and prompt + candidates == total and thoughts <= candidates
        counts = _Counts(
            input_tokens=prompt,
            output_tokens=candidates if inside else candidates + thoughts,
            cached_tokens=_count(raw, "cachedContentTokenCount"),
            reasoning_tokens=thoughts,
            total_tokens=total,
            audio_input_tokens=_modality(raw.get("promptTokensDetails"), "AUDIO"),
            image_input_tokens=_modality(raw.get("promptTokensDetails"), "IMAGE"),
            audio_output_tokens=_modality(raw.get("candidatesTokensDetails"), "AUDIO"),
            image_output_tokens=_modality(raw.get("candidatesTokensDetails"), "IMAGE"),
        )
    except _NonsenseError:
        return UNKNOWN_USAGE
    return _settled(counts)


def read_responses_usage(raw: Any) -> CountedUsage:
    """Return the `usage` object of OpenAI's Responses API, whose input has the cached tokens in it."""
    try:
        counts = _Counts(
            input_tokens=_required(raw, "input_tokens"),
            output_tokens=_required(raw, "output_tokens"),
            cached_tokens=_count(_mapping(raw.get("input_tokens_details")), "cached_tokens"),
            reasoning_tokens=_count(_mapping(raw.get("output_tokens_details")), "reasoning_tokens"),
            total_tokens=_count(raw, "total_tokens"),
        )
    except _NonsenseError:
        return UNKNOWN_USAGE
    return _settled(counts)


def read_anthropic_usage(raw: Any) -> CountedUsage:
    """Return the `usage` object of Anthropic's format, where cached tokens are counted beside the input."""
    try:
        cached, written = _count(raw, "cache_read_input_tokens"), _count(raw, "cache_creation_input_tokens")
        counts = _Counts(
            input_tokens=_required(raw, "input_tokens") + cached + written,
            output_tokens=_required(raw, "output_tokens"),
            cached_tokens=cached,
            cache_write_tokens=written,
        )
    except _NonsenseError:
        return UNKNOWN_USAGE
    return _settled(counts)


def read_bedrock_usage(raw: Any) -> CountedUsage:
    """Return the `usage` object of Bedrock's Converse API, which counts as Anthropic does."""
    try:
        cached, written = _count(raw, "cacheReadInputTokens"), _count(raw, "cacheWriteInputTokens")
        counts = _Counts(
            input_tokens=_required(raw, "inputTokens") + cached + written,
            output_tokens=_required(raw, "outputTokens"),
            cached_tokens=cached,
            cache_write_tokens=written,
        )
    except _NonsenseError:
        return UNKNOWN_USAGE
    return _settled(counts)


@dataclass(frozen=True, slots=True)
class _Counts:
    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int = 0
    audio_input_tokens: int = 0
    image_input_tokens: int = 0
    audio_output_tokens: int = 0
    image_output_tokens: int = 0


def _openai_counts(raw: Mapping[str, Any]) -> CountedUsage:
    prompt_details = _mapping(raw.get("prompt_tokens_details"))
    completion_details = _mapping(raw.get("completion_tokens_details"))
    # DeepSeek and Anthropic's compatible servers say it one level up.
    cached = _first(prompt_details, "cached_tokens", raw, "prompt_cache_hit_tokens")
    written = _first(prompt_details, "cache_write_tokens", raw, "cache_creation_input_tokens")
    counts = _Counts(
        input_tokens=_required(raw, "prompt_tokens"),
        output_tokens=_required(raw, "completion_tokens"),
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=_count(completion_details, "reasoning_tokens"),
        total_tokens=_count(raw, "total_tokens"),
        audio_input_tokens=_count(prompt_details, "audio_tokens"),
        image_input_tokens=_count(prompt_details, "image_tokens"),
        audio_output_tokens=_count(completion_details, "audio_tokens"),
        image_output_tokens=_count(completion_details, "image_tokens"),
    )
    return _settled(counts)


def _settled(counts: _Counts) -> CountedUsage:
    """Return counts as a usage; where they contradict each other, the dearer reading."""
    tokens_in, tokens_out = counts.input_tokens, counts.output_tokens
    cached = counts.cached_tokens
    contradicts = False
    if cached + counts.cache_write_tokens > tokens_in:
        tokens_in, cached, contradicts = max(tokens_in, cached + counts.cache_write_tokens), 0, True
    media_in = counts.audio_input_tokens + counts.image_input_tokens
    media_out = counts.audio_output_tokens + counts.image_output_tokens
    if media_in > tokens_in or media_out > tokens_out:
        tokens_in, tokens_out, contradicts = max(tokens_in, media_in), max(tokens_out, media_out), True
    if counts.reasoning_tokens > tokens_out:
        tokens_out, contradicts = tokens_out + counts.reasoning_tokens, True
    if counts.total_tokens > tokens_in + tokens_out:
        tokens_out, contradicts = counts.total_tokens - tokens_in, True
    # No prompt is without tokens: a 0 there stands for a count that got lost.
    if tokens_in <= 0 or max(tokens_in, tokens_out) > COUNTED_TOKENS_MAX:
        return UNKNOWN_USAGE
    usage = Usage(
        tokens_in,
        tokens_out,
        cached,
        counts.cache_write_tokens,
        counts.reasoning_tokens,
        audio_input_tokens=counts.audio_input_tokens,
        image_input_tokens=counts.image_input_tokens,
        audio_output_tokens=counts.audio_output_tokens,
        image_output_tokens=counts.image_output_tokens,
    )
    return CountedUsage(usage, contradicts=contradicts)


def openrouter_cost(fee: Any, upstream: Any, *, is_byok: Any) -> NanoUsd | None:
    """Return what OpenRouter says that it cost, from dollars as it writes them; None where it does not say.

    With a key of the customer's own its fee and what that key was charged come together. Without one
    `upstream_inference_cost` says the same money once more; where it is not said which, the dearer counts:
    https://openrouter.ai/docs/use-cases/usage-accounting.
    """
    fee_nusd, upstream_nusd = _dollars(fee), _dollars(upstream)
    if fee_nusd is None:
        return None
    if is_byok is not True:
        return fee_nusd if is_byok is False else max(fee_nusd, upstream_nusd or ZERO_NUSD)
    # A fee without the rest is no cost: better none than one that is too low.
    return None if upstream_nusd is None else NanoUsd(fee_nusd + upstream_nusd)


def _dollars(value: Any) -> NanoUsd | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return nano_usd(value)
    except ValueError:
        return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _first(details: Mapping[str, Any], name: str, raw: Mapping[str, Any], name_above: str) -> int:
    return _count(details, name) if details.get(name) is not None else _count(raw, name_above)


def _required(raw: Mapping[str, Any], name: str) -> int:
    if raw.get(name) is None:
        raise _NonsenseError
    return _count(raw, name)


def _count(raw: Mapping[str, Any], name: str) -> int:
    """Return a count, 0 where it is not said.

    Raises:
        _NonsenseError: it is negative, no whole number, or larger than any context.
    """
    value = raw.get(name)
    if value is None:
        return 0
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value <= COUNTED_TOKENS_MAX:
        raise _NonsenseError
    return value


def _modality(details: Any, modality: str) -> int:
    listed = details if isinstance(details, list) else []
    return sum(
        _count(each, "tokenCount")
        for each in listed
        if isinstance(each, Mapping) and each.get("modality") == modality
    )
