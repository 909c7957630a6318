"""What models were seen to count corrects the next expectation; the bound stays proven unless asked otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.prompt_size import InputBound, PromptSize, Script
from orchestrator.core.request import ChatRequest
from orchestrator.routing.estimate import measure
from orchestrator.routing.token_calibration import (
    BOUND_MARGIN,
    BOUND_SAMPLES_MIN,
    SAMPLES_MIN,
    TokenRatio,
    calibrated,
)

SIZE = PromptSize(input_bound_tokens=2000, input_expected_tokens=400, script=Script.WIDE)


def seen(samples: int, *, ratio: float, expected_tokens: int = 100) -> TokenRatio:
    found = TokenRatio()
    for _ in range(samples):
        found = found.with_one(expected_tokens=expected_tokens, counted_tokens=round(expected_tokens * ratio))
    return found


def test_the_expectation_follows_what_was_counted():
    assert (
        calibrated(SIZE, seen(SAMPLES_MIN, ratio=1.5), input_bound=InputBound.BYTES).input_expected_tokens
        == 600
    )


@pytest.mark.parametrize("given_seen", [None, TokenRatio(), seen(SAMPLES_MIN - 1, ratio=3)])
def test_too_little_seen_changes_nothing(given_seen):
    assert calibrated(SIZE, given_seen, input_bound=InputBound.CALIBRATED) == SIZE


def test_the_bound_is_the_bytes_unless_asked_otherwise():
    assert calibrated(SIZE, seen(1000, ratio=0.5), input_bound=InputBound.BYTES).input_bound_tokens == 2000


def test_a_calibrated_bound_is_the_highest_ratio_with_a_margin():
    found = seen(BOUND_SAMPLES_MIN - 1, ratio=1.0).with_one(expected_tokens=100, counted_tokens=140)
    bound = calibrated(SIZE, found, input_bound=InputBound.CALIBRATED).input_bound_tokens
    assert bound == 400 * 1.4 * BOUND_MARGIN


def test_a_calibrated_bound_never_passes_the_bytes():
    assert calibrated(SIZE, seen(1000, ratio=9), input_bound=InputBound.CALIBRATED).input_bound_tokens == 2000


def test_few_answers_and_short_prompts_keep_the_bytes_for_a_bound():
    few = calibrated(SIZE, seen(BOUND_SAMPLES_MIN - 1, ratio=1), input_bound=InputBound.CALIBRATED)
    assert few.input_bound_tokens == 2000
    short = PromptSize(300, 20)
    assert calibrated(short, seen(1000, ratio=1), input_bound=InputBound.CALIBRATED).input_bound_tokens == 300


def test_a_short_prompt_says_nothing_about_the_highest_ratio():
    """Eight tokens for `hi` are a template, not a tokenizer."""
    assert seen(1, ratio=8, expected_tokens=5).highest_ratio == 0


@given(
    st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 20_000)), max_size=300),
    st.integers(1, 10_000),
    st.integers(1, 10_000),
)
def test_a_fitted_size_is_within_its_bytes(counts, expected, more):
    found = TokenRatio()
    for expected_tokens, counted_tokens in counts:
        found = found.with_one(expected_tokens=expected_tokens, counted_tokens=counted_tokens)
    size = PromptSize(expected + more, expected)
    for input_bound in InputBound:
        one = calibrated(size, found, input_bound=input_bound)
        assert 1 <= one.input_expected_tokens <= one.input_bound_tokens <= size.input_bound_tokens


@pytest.mark.parametrize(
    ("prompt", "script"),
    [
        ("Where is my order DH1001?", Script.PLAIN),
        ("Đơn hàng DH1001 của tôi đang ở đâu?", Script.WIDE),
        ("A café in a long English sentence about parcels and orders", Script.PLAIN),
        ([{"role": "user", "content": [{"type": "text", "text": "Xin chào quý khách"}]}], Script.WIDE),
    ],
)
def test_a_script_is_told_by_the_letters_of_a_prompt(prompt, script):
    assert measure(ChatRequest.of(prompt, use_case="x")).script is script
