"""Counts are believed as a whole, read the dearer way where they contradict each other, and else estimated."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.reply import Usage
from orchestrator.providers.wire.usage_reading import (
    COUNTED_TOKENS_MAX,
    UNKNOWN_USAGE,
    dearer_of,
    grown_of,
    read_anthropic_usage,
    read_bedrock_usage,
    read_gemini_usage,
    read_openai_usage,
    read_responses_usage,
)

_AT_EASE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""On a busy machine inputs are slow to come."""
_ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=2),
    st.integers(min_value=0, max_value=1000),
)


@_AT_EASE
@given(st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens", "cost", "is_byok",
                                        "prompt_tokens_details", "completion_tokens_details"]), _ANYTHING))  # fmt: skip
def test_no_usage_of_openais_format_breaks_the_reader(raw) -> None:
    counted = read_openai_usage(raw, reports_cost=True)
    _check(counted.usage)
    assert counted.reported_cost_nusd is None or counted.reported_cost_nusd >= 0


@_AT_EASE
@given(st.dictionaries(st.sampled_from(["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount",
                                        "cachedContentTokenCount", "promptTokensDetails"]), _ANYTHING))  # fmt: skip
def test_no_usage_of_geminis_format_breaks_the_reader(raw) -> None:
    _check(read_gemini_usage(raw).usage)


def _check(usage: Usage) -> None:
    counts = (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens, usage.reasoning_tokens)
    assert all(0 <= count <= COUNTED_TOKENS_MAX for count in counts)
    assert usage.cached_input_tokens + usage.cache_write_tokens <= usage.input_tokens
    assert usage.reasoning_tokens <= usage.output_tokens
    assert usage.estimated is (usage.input_tokens + usage.output_tokens == 0)


@pytest.mark.parametrize("raw", [None, "", [], 7, {}, {"prompt_tokens": math.nan, "completion_tokens": 1}])
def test_what_is_no_usage_is_an_estimate(raw) -> None:
    assert read_openai_usage(raw, reports_cost=True) == UNKNOWN_USAGE
    for read in (read_gemini_usage, read_responses_usage, read_anthropic_usage, read_bedrock_usage):
        assert read(raw) == UNKNOWN_USAGE


@pytest.mark.parametrize(
    ("read", "counts"),
    [
        (read_responses_usage, {"input_tokens": 1, "output_tokens": 2, "total_tokens": 900}),
        (read_bedrock_usage, {"inputTokens": 1, "outputTokens": 2, "totalTokens": 900}),
    ],
)
def test_a_total_above_its_parts_is_output_in_every_format(read, counts) -> None:
    assert read(counts).usage.output_tokens == 899
    assert read(counts).contradicts


def test_of_an_answer_that_grows_no_count_falls_but_what_was_cached() -> None:
    """A server that ends with an input of 1 said 900 before; what it had cached it may say late."""
    before = {"prompt_tokens": 900, "prompt_tokens_details": {"cached_tokens": 0}, "cost": None}
    after = {"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 800}, "cost": 0.5}
    growing = grown_of(before, after)
    assert growing == {"prompt_tokens": 900, "prompt_tokens_details": {"cached_tokens": 800}, "cost": 0.5}
    assert dearer_of(before, after)["prompt_tokens_details"] == {"cached_tokens": 0}
    assert grown_of({"prompt_tokens": -1}, after)["prompt_tokens"] == -1


@pytest.mark.parametrize(
    ("last", "input_tokens"), [((100, 800), 100), ((900, 800), 900), ((0, 0), 900), ((0, 850), 50)]
)
def test_an_input_falls_by_what_is_found_in_the_cache_and_no_further(last, input_tokens) -> None:
    fresh, cached = last
    after = {"input_tokens": fresh, "cache_read_input_tokens": cached}
    assert grown_of({"input_tokens": 900, "output_tokens": 1}, after)["input_tokens"] == input_tokens


def test_a_cost_is_kept_though_the_counts_beside_it_are_nonsense() -> None:
    counted = read_openai_usage({"prompt_tokens": -1, "cost": 0.5}, reports_cost=True)
    assert (counted.usage.estimated, counted.reported_cost_nusd) == (True, 500_000_000)


def test_sound_and_pictures_are_counted_apart_and_never_more_than_the_whole() -> None:
    told = {"prompt_tokens": 100, "completion_tokens": 50, "prompt_tokens_details": {"audio_tokens": 60, "image_tokens": 20}, "completion_tokens_details": {"image_tokens": 40}}  # fmt: skip
    usage = read_openai_usage(told, reports_cost=False).usage
    assert (usage.audio_input_tokens, usage.image_input_tokens, usage.image_output_tokens) == (60, 20, 40)
    drawn = {"promptTokenCount": 9, "candidatesTokenCount": 1_290, "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1_290}]}  # fmt: skip
    assert read_gemini_usage(drawn).usage.image_output_tokens == 1_290
    more = read_openai_usage({**told, "prompt_tokens_details": {"audio_tokens": 600}}, reports_cost=False)
    assert (more.usage.input_tokens, more.contradicts) == (600, True)


DETAILS_IN, DETAILS_OUT = "prompt_tokens_details", "completion_tokens_details"


@pytest.mark.parametrize(
    ("more", "tokens"),
    [
        ({"prompt_cache_hit_tokens": 600, "prompt_cache_miss_tokens": 900}, (1_500, 50)),
        ({DETAILS_IN: {"text_tokens": 900, "image_tokens": 400, "cached_tokens": 80}}, (1_300, 50)),
        ({DETAILS_OUT: {"accepted_prediction_tokens": 10, "rejected_prediction_tokens": 500}}, (1_000, 510)),
        ({DETAILS_OUT: {"text_tokens": 60}}, (1_000, 60)),
    ],
)
def test_parts_that_are_more_than_the_whole_are_believed(more, tokens: tuple[int, int]) -> None:
    """DeepSeek's two, xAI's text and pictures, OpenAI's predictions: the cheap reading was booked."""
    counted = read_openai_usage({"prompt_tokens": 1_000, "completion_tokens": 50, **more}, reports_cost=False)
    assert (counted.usage.input_tokens, counted.usage.output_tokens) == tokens
    assert (counted.usage.cached_input_tokens, counted.contradicts) == (0, True)


def test_parts_that_fit_change_nothing() -> None:
    fits = {"prompt_tokens": 1_000, "completion_tokens": 50, "prompt_cache_hit_tokens": 600, "prompt_cache_miss_tokens": 400}  # fmt: skip
    counted = read_openai_usage({**fits, DETAILS_OUT: {"text_tokens": 40}}, reports_cost=False)
    assert (counted.usage.cached_input_tokens, counted.contradicts) == (600, False)
    begun = {"prompt_tokens": 1_000, "prompt_cache_hit_tokens": 0, "prompt_cache_miss_tokens": 1_000}
    assert not read_openai_usage(grown_of(begun, fits), reports_cost=False).contradicts


def test_geminis_parts_of_any_kind_are_believed_too() -> None:
    counts = {"promptTokenCount": 1_000, "candidatesTokenCount": 50, "cachedContentTokenCount": 900}
    parts = [{"modality": "TEXT", "tokenCount": 1_000}, {"modality": "VIDEO", "tokenCount": 9_000}]
    counted = read_gemini_usage({**counts, "promptTokensDetails": parts})
    assert (counted.usage.input_tokens, counted.usage.cached_input_tokens, counted.contradicts) == (10_000, 0, True)  # fmt: skip
