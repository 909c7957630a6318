"""Texts are cut into parts that every place takes, and a plan holds one model in the order of its route."""

from datetime import date

import pytest

from orchestrator.catalog.models import Mode
from orchestrator.core.embedding import EmbeddingRequest
from orchestrator.core.money import NanoUsd
from orchestrator.core.plan import ReasonKind
from orchestrator.routing.eligibility import DeploymentHealth, KnownHealth
from orchestrator.routing.embedding_plan import PART_BYTES_MAX, cut_into_parts, embedding_plan, plan_of_part
from orchestrator.routing.facts import facts_of

TODAY = date(2026, 11, 23)


def request_of(texts, **fields) -> EmbeddingRequest:
    return EmbeddingRequest.of(texts, use_case="embedding", **fields)


@pytest.fixture
def small(make_config):
    """Both places of the small model, in the order of their providers."""
    return make_config().catalog.named("text-embedding-3-small", mode=Mode.EMBEDDING)


def planned(make_config, texts, *, ceiling=None, health=None, day=TODAY, model="text-embedding-3-small"):
    config = make_config()
    places = config.catalog.named(model, mode=Mode.EMBEDDING)
    use_case = config.settings.use_cases["embedding"]
    facts = facts_of(places, use_case_name="embedding", use_case=use_case, today=day)
    parts = cut_into_parts(request_of(texts), places)
    plan = embedding_plan(
        "embedding", facts.values(), parts, pinned=False, ceiling_nusd=ceiling,
        routing=config.settings.routing, health=KnownHealth(health or {}),
    )  # fmt: skip
    return plan, parts, facts


@pytest.mark.parametrize(
    ("count", "dimensions", "sizes"),
    [(1365, None, [1365]), (1366, None, [1365, 1]), (2049, 256, [2048, 1]), (1, None, [1])],
)
def test_a_part_has_the_texts_that_one_request_may_have(small, count, dimensions, sizes) -> None:
    texts = [f"t{number}" for number in range(count)]
    parts = cut_into_parts(request_of(texts, dimensions=dimensions), small)
    assert [len(part.request.messages) for part in parts] == sizes
    assert [text for part in parts for text in part.request.texts] == texts
    assert {part.request.dimensions for part in parts} == {dimensions}


def test_google_takes_a_hundred_texts_at_once(make_config) -> None:
    places = make_config().catalog.named("gemini-embedding-001", mode=Mode.EMBEDDING)
    parts = cut_into_parts(request_of(["a"] * 201), places)
    assert [len(part.request.messages) for part in parts] == [100, 100, 1]


def test_long_texts_make_short_parts(small) -> None:
    parts = cut_into_parts(request_of(["x" * (PART_BYTES_MAX // 2), "y" * (PART_BYTES_MAX // 2), "z"]), small)
    assert [len(part.request.messages) for part in parts] == [2, 1]


def test_the_plan_holds_the_sum_of_what_its_parts_can_cost(make_config) -> None:
    plan, parts, facts = planned(make_config, ["a" * 1000] * 1400)
    assert len(parts) > 1
    own = [plan_of_part(plan, part, facts) for part in parts]
    assert plan.candidates[0].bound_nusd == sum(each.candidates[0].bound_nusd for each in own)
    assert plan.candidates[0].bound_nusd >= 1400 * 1000 * 20
    assert plan.candidates[0].max_tokens == 0
    assert [step.deployment for step in plan.candidates] == [
        "openrouter/text-embedding-3-small",
        "openai/text-embedding-3-small",
    ]


def test_what_is_too_dear_or_has_ended_is_left_out_and_what_is_ill_is_the_reserve(make_config) -> None:
    dear, _, _ = planned(make_config, ["a"], ceiling=NanoUsd(1))
    assert not dear.asked
    assert {step.reason.kind for step in dear.excluded} == {ReasonKind.TOO_DEAR}
    assert dear.excluded[0].needed_nusd
    ill = {"openrouter/text-embedding-3-small": DeploymentHealth(circuit_open=True)}
    plan, _, _ = planned(make_config, ["a"], health=ill)
    assert [step.deployment for step in plan.asked] == [
        "openai/text-embedding-3-small",
        "openrouter/text-embedding-3-small",
    ]
    ended, _, _ = planned(make_config, ["a"], day=date(2028, 5, 15), model="gemini-embedding-001")
    assert [step.reason.kind for step in ended.excluded] == [ReasonKind.ENDED]
