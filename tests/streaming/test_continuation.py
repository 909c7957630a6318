"""The rest of an answer is asked for in the reader's language, at a bound that holds it."""

from dataclasses import replace
from datetime import date

import pytest

from orchestrator.core.money import NanoUsd
from orchestrator.core.request import ChatRequest
from orchestrator.routing.estimate import measure
from orchestrator.streaming.anchor import anchor_of
from orchestrator.streaming.continuation import continuation_request, fit_to_continuation

TODAY = date(2026, 11, 23)
LONG = " ".join(f"word{number}" for number in range(200))


@pytest.mark.parametrize(
    ("prompt", "delivered", "words"),
    [
        ("Đơn hàng của tôi đâu?", "Chào chị, đơn hàng", "Câu trả lời trên bị ngắt"),
        ("Where is my order?", "Your order is on", "Your answer above broke off"),
    ],
)
def test_the_conversation_ends_in_the_users_own_language(prompt, delivered, words):
    """And in a user's turn: a model that refuses a prefilled turn of its own takes it too."""
    asked = continuation_request(ChatRequest.of(prompt, use_case="x"), delivered)
    assert asked.messages[:-2] == ({"role": "user", "content": prompt},)
    assert asked.messages[-2] == {"role": "assistant", "content": delivered}
    assert asked.messages[-1]["role"] == "user"
    assert words in asked.messages[-1]["content"]
    assert anchor_of(delivered) in asked.messages[-1]["content"]


@pytest.fixture
def candidate_of(practised):
    def make(name: str):
        request = ChatRequest.of(
            "Where is my order?", use_case="customer_service", model=name, max_tokens=1000
        )
        return request, practised.explain(request).candidates[0], practised.config.catalog.deployments[name]

    return make


def test_the_bound_grows_with_what_is_asked(candidate_of):
    request, candidate, deployment = candidate_of("openrouter/gpt-6.1-sol")
    longer = continuation_request(request, LONG)
    found = fit_to_continuation(candidate, longer, deployment=deployment, today=TODAY, ceiling_nusd=None)
    assert found.input_bound_tokens == measure(longer).input_bound_tokens > candidate.input_bound_tokens
    assert found.bound_nusd == deployment.price.on(TODAY).bound_of(
        input_tokens=found.input_bound_tokens, output_tokens=candidate.max_tokens
    )
    assert found.max_tokens == candidate.max_tokens


def test_the_output_is_lowered_to_what_is_left_and_then_refused(candidate_of):
    request, candidate, deployment = candidate_of("openrouter/gpt-6.1-sol")
    longer = continuation_request(request, LONG)
    less = fit_to_continuation(
        candidate, longer, deployment=deployment, today=TODAY, ceiling_nusd=NanoUsd(candidate.bound_nusd)
    )
    assert less.max_tokens < candidate.max_tokens
    assert less.bound_nusd <= candidate.bound_nusd
    nothing = fit_to_continuation(
        candidate, longer, deployment=deployment, today=TODAY, ceiling_nusd=NanoUsd(0)
    )
    assert "cost more than is left" in nothing


def test_the_room_for_reasoning_is_not_added_twice(candidate_of):
    request, candidate, deployment = candidate_of("openrouter/gpt-6.1-sol")
    roomy = candidate._replace(max_tokens=3_000, reasoning_tokens=2_000)
    model = deployment.model.model_copy(update={"reasoning_tokens": 2_000})
    deployment, longer = replace(deployment, model=model), continuation_request(request, LONG)
    price, size = deployment.price.on(TODAY), measure(longer).input_bound_tokens

    def fitted(output_tokens):
        ceiling = price.bound_of(input_tokens=size, output_tokens=output_tokens)
        return fit_to_continuation(
            roomy, longer, deployment=deployment, today=TODAY, ceiling_nusd=NanoUsd(ceiling)
        )

    assert (fitted(3_000).max_tokens, fitted(9_000).max_tokens) == (3_000, 3_000)
    assert (fitted(2_100).words_tokens, fitted(2_100).reasoning_tokens) == (100, 2_000)
    assert "cost more than is left" in fitted(2_015), "no word would be left behind the reasoning"


def test_a_context_that_does_not_hold_it_is_left_out(candidate_of):
    request, candidate, deployment = candidate_of("local/smollm2-135m-instruct")
    found = fit_to_continuation(
        candidate,
        continuation_request(request, LONG * 20),
        deployment=deployment,
        today=TODAY,
        ceiling_nusd=None,
    )
    assert "its context holds 4,096" in found
