"""Tokens and money as providers count them: believed as a whole, or not at all.

A count that is negative, null, no number or larger than any context makes the usage an estimate. Counts that
contradict each other (more cached tokens than prompt, more reasoning than completion, a total above its
parts) are read the dearer way, and the answer says so. No output for an answer that says something is a count
that got lost.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from orchestrator.core.money import PLAIN_NUMBER, ZERO_NUSD, NanoUsd, nano_usd, to_usd
from orchestrator.core.reply import Usage

COUNTED_TOKENS_MAX = 1_000_000_000
"""More than any context; a larger count is a mistake of the provider's."""
CONTRADICTION = "the provider's token counts contradict each other; the dearer reading is booked"


@dataclass(frozen=True, slots=True)
class CountedUsage:
    """What a provider says that an answer used."""

    usage: Usage
    reported_cost_nusd: NanoUsd | None = None
    fee_nusd: NanoUsd = ZERO_NUSD
    """OpenRouter's for a customer's own key, where it does not say what that key was charged: to be added.

    Where it does not say whose key that was, it is the reported cost once more, which may be this fee.
    """
    contradicts: bool = False

    def of(self, answer_says_something: bool) -> "CountedUsage":  # noqa: FBT001 -- its only fact
        """Return it as what an answer used: none has words and no output."""
        is_lost = answer_says_something and self.usage.output_tokens == 0
        return replace(self, usage=Usage(estimated=True)) if is_lost else self


UNKNOWN_USAGE = CountedUsage(Usage(estimated=True))
"""The provider did not say, or said nonsense."""


_UPSTREAM_PARTS = ("prompt", "completions")
_CHEAPER = frozenset({"cached_tokens", "prompt_cache_hit_tokens", "cachedContentTokenCount"})
"""Counts that make a part of the input cheaper; in other formats cached tokens come beside the input."""
_LEFT_OVER = frozenset({"prompt_cache_miss_tokens"})
"""Counts that fall as those grow."""


_MEDIA = ("text_tokens", "audio_tokens", "image_tokens")
_PREDICTED = ("accepted_prediction_tokens", "rejected_prediction_tokens")
_DEEPSEEK_PARTS = ("prompt_cache_hit_tokens", "prompt_cache_miss_tokens")

_CACHED_BESIDE: Mapping[str, tuple[str, ...]] = {
    "input_tokens": ("cache_read_input_tokens", "cache_creation_input_tokens"),
    "inputTokens": ("cacheReadInputTokens", "cacheWriteInputTokens"),
}
"""Counts of input that cached tokens are no part of, with the names of those."""


class _NonsenseError(ValueError):
    """A count that no ledger can hold."""


def read_openai_usage(raw: Any, *, reports_cost: bool) -> CountedUsage:
    """Return the `usage` object of OpenAI's format; its cost where this provider reports one."""
    counted = _read(raw, _openai_counts)
    if not reports_cost or not isinstance(raw, Mapping):
        return counted
    cost, fee = _openrouter_charge(raw)
    return replace(counted, reported_cost_nusd=cost, fee_nusd=fee)


def read_gemini_usage(raw: Any) -> CountedUsage:
    """Return the `usageMetadata` object of Gemini's format, where thoughts are counted beside the answer."""
    return _read(raw, _gemini_counts)


def read_responses_usage(raw: Any) -> CountedUsage:
    """Return the `usage` object of OpenAI's Responses API, whose input has the cached tokens in it."""
    return _read(raw, _responses_counts)


def read_anthropic_usage(raw: Any) -> CountedUsage:
    """Return the `usage` object of Anthropic's format, where cached tokens are counted beside the input."""
    return _read(raw, _anthropic_counts)


def read_bedrock_usage(raw: Any) -> CountedUsage:
    """Return the `usage` object of Bedrock's Converse API, which counts as Anthropic does."""
    return _read(raw, _bedrock_counts)


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
    parts_in: int = 0
    """What its parts add up to, where a provider names them."""
    parts_out: int = 0


def _read(raw: Any, counts_of: Callable[[Mapping[str, Any]], _Counts]) -> CountedUsage:
    """Return what a provider counted, in its format; an estimate where that is none, or nonsense."""
    if not isinstance(raw, Mapping):
        return UNKNOWN_USAGE
    try:
        return _settled(counts_of(raw))
    except _NonsenseError:
        return UNKNOWN_USAGE


def _openai_counts(raw: Mapping[str, Any]) -> _Counts:
    prompt_details = _mapping(raw.get("prompt_tokens_details"))
    completion_details = _mapping(raw.get("completion_tokens_details"))
    return _Counts(
        input_tokens=_required(raw, "prompt_tokens"),
        output_tokens=_required(raw, "completion_tokens"),
        # DeepSeek and Anthropic's compatible servers say it one level up.
        cached_tokens=_first(prompt_details, "cached_tokens", raw, "prompt_cache_hit_tokens"),
        cache_write_tokens=_first(prompt_details, "cache_write_tokens", raw, "cache_creation_input_tokens"),
        reasoning_tokens=_count(completion_details, "reasoning_tokens"),
        total_tokens=_count(raw, "total_tokens"),
        audio_input_tokens=_count(prompt_details, "audio_tokens"),
        image_input_tokens=_count(prompt_details, "image_tokens"),
        audio_output_tokens=_count(completion_details, "audio_tokens"),
        image_output_tokens=_count(completion_details, "image_tokens"),
        parts_in=max(_sum(prompt_details, *_MEDIA), _sum(raw, *_DEEPSEEK_PARTS)),
        parts_out=max(_sum(completion_details, *_MEDIA), _sum(completion_details, *_PREDICTED)),
    )


def _gemini_counts(raw: Mapping[str, Any]) -> _Counts:
    prompt = _required(raw, "promptTokenCount") + _count(raw, "toolUsePromptTokenCount")
    candidates = _count(raw, "candidatesTokenCount")
    thoughts = _count(raw, "thoughtsTokenCount")
    total = _count(raw, "totalTokenCount")
    # Some models count the thoughts among the candidates' tokens: the total tells.
    inside = bool(thoughts) and prompt + candidates == total and thoughts <= candidates
    return _Counts(
        input_tokens=prompt,
        output_tokens=candidates if inside else candidates + thoughts,
        cached_tokens=_count(raw, "cachedContentTokenCount"),
        reasoning_tokens=thoughts,
        total_tokens=total,
        audio_input_tokens=_modality(raw.get("promptTokensDetails"), "AUDIO"),
        image_input_tokens=_modality(raw.get("promptTokensDetails"), "IMAGE"),
        audio_output_tokens=_modality(raw.get("candidatesTokensDetails"), "AUDIO"),
        image_output_tokens=_modality(raw.get("candidatesTokensDetails"), "IMAGE"),
        parts_in=_modality(raw.get("promptTokensDetails")),
        parts_out=_modality(raw.get("candidatesTokensDetails")),
    )


def _responses_counts(raw: Mapping[str, Any]) -> _Counts:
    input_details = _mapping(raw.get("input_tokens_details"))
    return _Counts(
        input_tokens=_required(raw, "input_tokens"),
        output_tokens=_required(raw, "output_tokens"),
        cached_tokens=_count(input_details, "cached_tokens"),
        cache_write_tokens=_count(input_details, "cache_write_tokens"),
        reasoning_tokens=_count(_mapping(raw.get("output_tokens_details")), "reasoning_tokens"),
        total_tokens=_count(raw, "total_tokens"),
    )


def _anthropic_counts(raw: Mapping[str, Any]) -> _Counts:
    cached, written = _count(raw, "cache_read_input_tokens"), _count(raw, "cache_creation_input_tokens")
    return _Counts(
        input_tokens=_required(raw, "input_tokens") + cached + written,
        output_tokens=_required(raw, "output_tokens"),
        cached_tokens=cached,
        cache_write_tokens=written,
    )


def _bedrock_counts(raw: Mapping[str, Any]) -> _Counts:
    cached, written = _count(raw, "cacheReadInputTokens"), _count(raw, "cacheWriteInputTokens")
    return _Counts(
        input_tokens=_required(raw, "inputTokens") + cached + written,
        output_tokens=_required(raw, "outputTokens"),
        cached_tokens=cached,
        cache_write_tokens=written,
        total_tokens=_count(raw, "totalTokens"),
    )


def _settled(counts: _Counts) -> CountedUsage:
    """Return counts as a usage; where they contradict each other, the dearer reading."""
    tokens_in, tokens_out = counts.input_tokens, counts.output_tokens
    cached = counts.cached_tokens
    contradicts = False
    if cached + counts.cache_write_tokens > tokens_in:
        tokens_in, cached, contradicts = max(tokens_in, cached + counts.cache_write_tokens), 0, True
    if counts.parts_in > tokens_in or counts.parts_out > tokens_out:
        tokens_in, tokens_out = max(tokens_in, counts.parts_in), max(tokens_out, counts.parts_out)
        cached, contradicts = 0, True
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
    if is_byok is False:
        return fee_nusd
    if is_byok is None:
        return max(fee_nusd, upstream_nusd or ZERO_NUSD)
    # A fee without the rest is no cost: better none than one that is too low. What a key is charged is not 0.
    return NanoUsd(fee_nusd + upstream_nusd) if upstream_nusd else None


def dearer_of(before: Any, after: Any) -> Any:
    """Return two counts of the same whole answer as one: of each number the one that costs more."""
    return _merged(before, after, is_growing=False)


def grown_of(before: Any, after: Any) -> Any:
    """Return two counts of an answer that is coming as one: no number falls but what was cached.

    Where cached tokens are counted beside the input it falls by as many as are found there.
    """
    grown = _merged(before, after, is_growing=True)
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return grown
    for name, parts in _CACHED_BESIDE.items():
        last = after.get(name)
        if _is_number(before.get(name)) and _is_number(last) and min(before[name], last) >= 0:
            lost = _total(before, name, parts) - _total({**grown, name: last}, name, parts)
            grown[name] = last + max(0, lost)
    return grown


def _merged(before: Any, after: Any, *, is_growing: bool) -> Any:
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return before if after is None else after
    later = {
        name: _dearer(name, before.get(name), value, is_growing=is_growing) for name, value in after.items()
    }
    return {**before, **later}


def _dearer(name: str, before: Any, after: Any, *, is_growing: bool) -> Any:
    if isinstance(after, Mapping):
        return _merged(before, after, is_growing=is_growing)
    if not _is_number(before) or not _is_number(after):
        return before if after is None else after
    if min(before, after) < 0:
        # A nonsense count stays one, so that nothing is believed.
        return min(before, after)
    if name in _CHEAPER or (name in _LEFT_OVER and is_growing):
        return after if is_growing else min(before, after)
    return max(before, after)


def _total(counts: Mapping[str, Any], name: str, parts: tuple[str, ...]) -> Any:
    return sum(value for each in (name, *parts) if _is_number(value := counts.get(each)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _openrouter_charge(raw: Mapping[str, Any]) -> tuple[NanoUsd | None, NanoUsd]:
    """Return what OpenRouter says that it cost, and its fee where that may be all that it says."""
    details, is_byok = _mapping(raw.get("cost_details")), raw.get("is_byok")
    upstream = details.get("upstream_inference_cost")
    if not _dollars(upstream):
        parts = [_dollars(details.get(f"upstream_inference_{part}_cost")) for part in _UPSTREAM_PARTS]
        known = [part for part in parts if part is not None]
        upstream = to_usd(sum(known)) if len(known) == len(parts) else None
    cost = openrouter_cost(raw.get("cost"), upstream, is_byok=is_byok)
    is_fee = not _dollars(upstream) and is_byok is not False
    return cost, (_dollars(raw.get("cost")) or ZERO_NUSD) if is_fee else ZERO_NUSD


def _dollars(value: Any) -> NanoUsd | None:
    is_plain = isinstance(value, str) and PLAIN_NUMBER.fullmatch(value) is not None
    if not is_plain and (isinstance(value, bool) or not isinstance(value, int | float | Decimal)):
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


def _sum(counts: Mapping[str, Any], *names: str) -> int:
    return sum(_count(counts, name) for name in names)


def _modality(details: Any, modality: str | None = None) -> int:
    """Return the tokens of one modality, of all where none is named."""
    listed = details if isinstance(details, list) else []
    return sum(
        _count(each, "tokenCount")
        for each in listed
        if isinstance(each, Mapping) and modality in {None, each.get("modality")}
    )
