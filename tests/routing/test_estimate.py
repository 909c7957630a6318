"""What a request can cost is never more than its bound, for text in any language and any tokenizer on bytes."""

import json
import os
from collections.abc import Iterator
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pytest
import tiktoken
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.catalog.models import ModelSettings
from orchestrator.catalog.price import Price
from orchestrator.catalog.price_table import PriceTable
from orchestrator.core.prompt_size import PromptSize, Script
from orchestrator.core.reply import Usage
from orchestrator.core.request import ChatRequest
from orchestrator.routing.estimate import (
    BOUND_TOKENS_PER_MESSAGE,
    BOUND_TOKENS_PER_REQUEST,
    OutputLimit,
    bounded_for,
    estimate,
    expected_tokens,
    measure,
    output_limit,
)
from orchestrator.routing.file_bounds import picture_tokens

TEMPLATE_TOKENS_PER_MESSAGE = 4
"""What OpenAI's own template adds to a message, so that a count is a real one."""


def _vocabulary(name: str) -> tiktoken.Encoding:
    """Load one of the vocabularies that LiteLLM brings along, without a network."""
    spec = find_spec("litellm")
    assert spec is not None
    assert spec.origin is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(
            os.environ,
            "TIKTOKEN_CACHE_DIR",
            str(Path(spec.origin).parent / "litellm_core_utils" / "tokenizers"),
        )
        return tiktoken.get_encoding(name)


@pytest.fixture(scope="module", params=["cl100k_base", "o200k_base"])
def vocabulary(request) -> Iterator[tiktoken.Encoding]:
    return _vocabulary(request.param)


def of(prompt, **wanted):
    return ChatRequest.of(prompt, **{"use_case": "customer_service", **wanted})


def user(text):
    return {"role": "user", "content": text}


vietnamese = st.text(
    "aăâbcdđeêghiklmnoôơpqrstuưvxy áàảãạắằẳẵặấầẩẫậéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ.,!?"
)
english = st.text("abcdefghijklmnopqrstuvwxyz ETAOIN.,!?'\n")
emoji = st.text("😀👨‍👩‍👧🇻🇳🏽❤️🫠🧋🀄️⌚")
decomposed = st.text("aeo\u0301\u0302\u0303\u0309\u0323")
anything = st.text()
some_text = st.one_of(vietnamese, english, emoji, decomposed, anything)


@given(texts=st.lists(some_text, min_size=1, max_size=4))
@example(texts=["Đơn hàng #4821 của tôi ở đâu? 😀"])
@example(texts=["\U0010ffff" * 50])
@example(texts=["<|endoftext|>" * 5])
def test_the_bound_holds_for_real_token_counts_of_any_text(vocabulary, texts):
    messages = [user("?"), *map(user, texts)]
    counted = sum(
        len(vocabulary.encode(one["content"], disallowed_special=())) + TEMPLATE_TOKENS_PER_MESSAGE
        for one in messages
    )
    assert counted <= measure(of(messages)).input_bound_tokens


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | some_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(some_text, inner, max_size=3),
    max_leaves=8,
)


@given(parameters=json_values, arguments=some_text, reasoning=some_text)
def test_the_bound_holds_for_all_else_that_a_message_carries(vocabulary, parameters, arguments, reasoning):
    tool = {"type": "function", "function": {"name": "find_order", "parameters": parameters}}
    call = {"id": "call_1", "type": "function", "function": {"name": "find_order", "arguments": arguments}}
    assistant = {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": reasoning}
    result = {"role": "tool", "tool_call_id": "call_1", "name": "find_order", "content": reasoning}
    request = of([user("?"), assistant, result], tools=[tool])
    shown = [json.dumps(one, ensure_ascii=False) for one in (tool, call)] + [
        reasoning,
        reasoning,
        "call_1",
        "?",
    ]
    counted = sum(len(vocabulary.encode(text, disallowed_special=())) for text in shown)
    assert counted <= measure(request).input_bound_tokens


GIF = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
PICTURE = {"type": "image_url", "image_url": {"url": f"data:image/gif;base64,{GIF}"}}
PDF = {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0xLjc="}}


def test_each_message_part_and_file_is_counted():
    assert measure(of("ab")).input_bound_tokens == BOUND_TOKENS_PER_REQUEST + 2 + BOUND_TOKENS_PER_MESSAGE
    parts = [{"type": "text", "text": "ab"}, "cd", PICTURE, PICTURE]
    size = measure(of([{"role": "user", "content": parts}]))
    assert size.input_bound_tokens == (
        BOUND_TOKENS_PER_REQUEST + 4 + 2 * picture_tokens(1, 1) + BOUND_TOKENS_PER_MESSAGE
    )
    assert size.file_bound_tokens == 2 * picture_tokens(1, 1)
    assert bounded_for(size, 1_000_000) == size


@pytest.mark.parametrize("parts", [[PDF], [PICTURE, PDF], [PDF, "a text beside it"]])
def test_a_file_that_does_not_tell_its_tokens_may_fill_the_context_and_no_more(parts):
    size = measure(of([{"role": "user", "content": parts}, user("and this")]))
    assert size.file_bound_tokens is None
    assert bounded_for(size, 900_000).input_bound_tokens == 900_000


def test_files_take_no_more_than_the_context_and_text_its_bytes():
    size = measure(of([{"role": "user", "content": [PICTURE] * 9}]))
    assert bounded_for(size, 20_000).input_bound_tokens == 20_000
    text = measure(of("x" * 30_000))
    assert bounded_for(text, 20_000) == text


def test_a_response_format_counts_as_a_tool_does():
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    size = len(json.dumps(schema, separators=(",", ":")))
    grown = (
        measure(of("ab", response_format=schema)).input_bound_tokens - measure(of("ab")).input_bound_tokens
    )
    assert grown >= size


@pytest.mark.parametrize(
    "text",
    [
        "Chào anh Nam, đơn hàng số 4821 của anh đã được giao cho đơn vị vận chuyển vào sáng nay và sẽ đến trước thứ Sáu.",
        "Dear Mr Nam, your order 4821 has been handed to the carrier this morning and will arrive before Friday.",
    ],
)
def test_the_expectation_is_near_the_real_count(text):
    counted = len(_vocabulary("o200k_base").encode(text))
    assert counted / 2 <= expected_tokens(text) <= counted * 2


@pytest.mark.parametrize(
    ("text", "non_ascii"),
    [("", 0), ("order", 0), ("đơn hàng", 3), ("👍 ok 你好", 3), ("o\N{COMBINING HORN}i", 1)],
)
def test_characters_and_not_bytes_are_counted(text, non_ascii):
    """An emoji is one character beyond ASCII, though it has four bytes."""
    assert expected_tokens(text) == round((len(text) - non_ascii) / 4 + non_ascii / 1.2)


@pytest.mark.parametrize(
    ("content", "script"),
    [
        ("Where is my order, señor?", Script.PLAIN),
        ("Đơn hàng của tôi ở đâu?", Script.WIDE),
        (["Đơn hàng", "x" * 60], Script.PLAIN),
        (["Đơn hàng", "x" * 20], Script.WIDE),
    ],
)
def test_a_prompt_is_wide_when_a_twentieth_of_all_it_says_is_beyond_ascii(content, script):
    assert measure(of([{"role": "user", "content": content}])).script is script


@given(some_text)
def test_no_more_tokens_are_expected_than_are_possible(text):
    size = measure(of([user("?"), user(text)]))
    assert 0 < size.input_expected_tokens <= size.input_bound_tokens


# ---- max_tokens under a ceiling


def model(max_output_tokens, *, reasoning_tokens=0):
    return ModelSettings(
        vendor="v",
        tier="cheap",
        context_tokens=10**6,
        max_output_tokens=max_output_tokens,
        capabilities=["reasoning"],
        # No more than the configuration may say.
        reasoning_tokens=min(reasoning_tokens, max_output_tokens - 1),
        quality={},
        quality_source="s",
        speed_tokens_per_s=1,
    )


def book(input_usd, output_usd):
    return Price(input=input_usd, output=output_usd, source="s", date=date(2026, 11, 9))


sizes = st.integers(1, 5000).flatmap(
    lambda bound: st.builds(PromptSize, st.just(bound), st.integers(1, bound))
)
books = st.builds(book, st.integers(0, 20), st.integers(0, 100))
ceilings = st.none() | st.integers(0, 10**8)


@given(sizes, books, st.integers(1, 3000), st.integers(1, 3000), st.integers(0, 3000), ceilings)
def test_max_tokens_is_lowered_until_it_fits_and_no_further(size, price, max_tokens, most, room, ceiling):
    output = output_limit(model(most, reasoning_tokens=room), words_tokens=max_tokens)
    assert output.max_tokens <= most
    assert output.max_tokens - output.reasoning_tokens == min(max_tokens, most)
    found = estimate(size, price=PriceTable.of(price), output=output, ceiling_nusd=ceiling)
    wanted = output.max_tokens

    def bound(output_tokens):
        return price.bound_of(input_tokens=size.input_bound_tokens, output_tokens=output_tokens)

    if found is None:
        assert bound(min(wanted, 16 + output.reasoning_tokens)) > ceiling, "what fits is not refused"
        return
    assert found.output.reasoning_tokens == output.reasoning_tokens, "the words are lowered, not the room"
    assert found.bound_nusd == bound(found.output.max_tokens)
    assert ceiling is None or found.bound_nusd <= ceiling
    if found.clamped_from is None:
        assert found.output.max_tokens == wanted
    else:
        assert (found.clamped_from, bound(found.output.max_tokens + 1) > ceiling) == (wanted, True)


@given(sizes, books, st.integers(1, 3000), st.integers(0, 2999), ceilings)
def test_what_is_expected_is_never_more_than_the_bound(size, price, max_tokens, room, ceiling):
    output = output_limit(model(3000, reasoning_tokens=room), words_tokens=max_tokens)
    found = estimate(size, price=PriceTable.of(price), output=output, ceiling_nusd=ceiling)
    assert found is None or 0 <= found.expected_nusd <= found.bound_nusd


def test_a_ceiling_below_a_useful_answer_is_none():
    """With 16 output tokens an answer may still say something; with fewer it is not asked for."""
    size, price = PromptSize(1000, 300), book(1, 10)
    sixteen = price.cost_of(Usage(1000, 16))
    output = OutputLimit(400)
    fits = estimate(size, price=PriceTable.of(price), output=output, ceiling_nusd=sixteen)
    assert fits is not None
    assert (fits.output.max_tokens, fits.clamped_from) == (16, 400)
    too_low = type(sixteen)(sixteen - 1)
    assert estimate(size, price=PriceTable.of(price), output=output, ceiling_nusd=too_low) is None


def test_a_request_for_less_than_a_useful_answer_is_served():
    output = output_limit(model(500), words_tokens=1)
    found = estimate(PromptSize(10, 5), price=PriceTable.of(book(1, 1)), output=output, ceiling_nusd=None)
    assert found is not None
    assert found.output.max_tokens == 1
