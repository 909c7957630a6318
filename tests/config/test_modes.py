"""Chats and embeddings never meet: not in a route, not under a name, not in a model's keys."""

import pytest

from orchestrator.catalog.models import Mode
from orchestrator.config.file_schema import json_schema
from orchestrator.config.modes import check_mode, embedding_use_case, mode_of, use_cases_of
from orchestrator.core.embedding import EmbeddingRequest
from orchestrator.core.errors import ConfigError, InvalidRequestError, UnknownNameError
from orchestrator.core.request import ChatRequest

SMALL = "openai/text-embedding-3-small"


def route_to(*deployments: str) -> dict:
    primary, *fallbacks = ({"deployment": name, "reason": "a test"} for name in deployments)
    return {"primary": primary, "fallbacks": fallbacks}


def test_the_mode_of_a_use_case_is_that_of_its_models(make_config) -> None:
    settings = make_config().settings
    assert use_cases_of(settings, Mode.EMBEDDING) == ("embedding",)
    assert embedding_use_case(settings) == "embedding"
    assert mode_of(settings, "customer_service") is Mode.CHAT


def test_whoever_looks_for_a_chat_model_meets_no_embedding(make_config) -> None:
    catalog = make_config().catalog
    assert {place.model.mode for place in catalog.deployments.values()} == {Mode.CHAT}
    assert {place.model.mode for place in catalog.embeddings.values()} == {Mode.EMBEDDING}
    assert set(catalog.usable) == {*catalog.deployments, *catalog.embeddings}
    assert catalog.price_of(SMALL).output == 0


@pytest.mark.parametrize("name", ["text-embedding-3-small", SMALL, "vectors"])
def test_a_model_of_the_other_mode_is_refused_with_what_to_do(make_config, name) -> None:
    catalog = make_config({"aliases": {"vectors": {"model": "text-embedding-3-small"}}}).catalog
    with pytest.raises(
        UnknownNameError, match=r"makes embeddings and answers no chat: ask it with embed\(\)"
    ):
        catalog.named(name)
    assert catalog.named(name, mode=Mode.EMBEDDING)
    with pytest.raises(UnknownNameError, match="makes no embeddings: name one of text-embedding-3-small"):
        catalog.named("gpt-6-luna", mode=Mode.EMBEDDING)


def test_a_use_case_of_the_other_mode_is_refused_with_those_that_fit(make_config) -> None:
    config = make_config()
    with pytest.raises(
        InvalidRequestError, match="'embedding' makes embeddings.*for chats: customer_service"
    ):
        check_mode(ChatRequest.of("a", use_case="embedding"), config.settings, config.catalog)
    with pytest.raises(InvalidRequestError, match="'data_analysis' answers chats.*those that do: embedding"):
        check_mode(EmbeddingRequest.of("a", use_case="data_analysis"), config.settings, config.catalog)
    check_mode(
        EmbeddingRequest.of("a", use_case="embedding", model="gemini-embedding-001"),
        config.settings,
        config.catalog,
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"use_cases": {"embedding": route_to(SMALL, "openai/text-embedding-3-large")}},
            "vectors of 'text-embedding-3-large' cannot be compared with those of 'text-embedding-3-small'",
        ),
        (
            {"use_cases": {"embedding": route_to(SMALL, "openai/gpt-6-luna")}},
            "'gpt-6-luna' is of mode chat, the primary of mode embedding",
        ),
        ({"default_use_case": "embedding"}, "the default is for chats"),
        ({"models": {"text-embedding-3-small": {"quality": {}}}}, "'quality' is about words"),
        ({"models": {"text-embedding-3-small": {"dimensions": None}}}, "needs 'dimensions'"),
        ({"models": {"gpt-6-luna": {"dimensions": 256}}}, "are for a model of mode embedding"),
        ({"models": {"gpt-6-luna": {"mode": "vision"}}}, "mode"),
    ],
)
def test_a_route_or_a_model_that_mixes_them_is_a_mistake_of_the_file(make_config, changes, words) -> None:
    with pytest.raises(ConfigError, match=words):
        make_config(changes)


def test_the_model_on_board_makes_no_embeddings_and_another_server_in_its_place_may(make_config) -> None:
    local = {"provider": "local", "model": "text-embedding-3-small", "upstream": "nomic-embed-text"}
    price = {"input": 0, "output": 0, "source": "this machine", "date": "2026-11-23"}
    changes = {"deployments": {"local/vectors": {**local, "price": price}}}
    off = make_config(changes).catalog.off["local/vectors"]
    assert (
        str(off) == "the model on board makes no embeddings; set local_model.base_url to a server that does"
    )
    there = make_config(changes, LOCAL_MODEL_BASE_URL="http://127.0.0.1:11434/v1").catalog
    assert "local/vectors" in there.embeddings


def test_without_a_key_the_error_names_what_to_set(make_config) -> None:
    config = make_config(OPENAI_API_KEY="", OPENROUTER_API_KEY="")
    with pytest.raises(
        UnknownNameError, match="no key is set for openrouter, openai: set OPENROUTER_API_KEY or"
    ):
        config.catalog.named("text-embedding-3-small", mode=Mode.EMBEDDING)


def test_the_schema_for_editors_asks_each_mode_for_its_own_keys() -> None:
    model = json_schema()["$defs"]["ModelSettings"]
    assert "required" not in model
    assert set(model["then"]["required"]) == {"vendor", "context_tokens", "dimensions"}
    assert {"quality", "tier", "max_output_tokens"} <= set(model["else"]["required"])
