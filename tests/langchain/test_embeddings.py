"""LangChain's own suite for embeddings, and what it does not ask: ledger, cache, errors, a vector store."""

import asyncio
from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from orchestrator import Orchestrator
from orchestrator.core.errors import InvalidRequestError, UnknownNameError
from orchestrator.langchain.embeddings import EmbeddingBackend, OrchestratorEmbeddings
from orchestrator.providers.in_memory import InMemoryTransport


@pytest.fixture
def orchestrator(make_config, clock, listed_prices):
    transport = InMemoryTransport(clock=clock, prices=listed_prices)
    with Orchestrator(make_config(), clock=clock, transport=transport) as orchestrator:
        yield orchestrator


class _Ours:
    orchestrator: EmbeddingBackend

    @pytest.fixture(autouse=True)
    def _practised(self, orchestrator: Orchestrator) -> None:
        type(self).orchestrator = orchestrator

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return OrchestratorEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"orchestrator": self.orchestrator, "dimensions": 16}


class TestUnits(_Ours, EmbeddingsUnitTests):
    """LangChain's unit tests."""


class TestIntegration(_Ours, EmbeddingsIntegrationTests):
    """LangChain's integration tests."""


def test_a_vector_store_finds_the_nearest_text(orchestrator) -> None:
    embeddings = orchestrator.embeddings("embedding", tenant="acme", tags=("search",), dimensions=64)
    store = InMemoryVectorStore.from_texts(
        ["Đổi trả trong 30 ngày", "Giao hàng mất 3 ngày", "Bảo hành 12 tháng"], embeddings
    )
    assert store.similarity_search("giao hàng bao lâu", k=1)[0].page_content == "Giao hàng mất 3 ngày"
    row = next(iter(orchestrator.requests()))
    assert (row.tenant, row.use_case, row.tags) == ("acme", "embedding", ("search",))


def test_no_documents_are_no_vectors_in_both_ways(orchestrator) -> None:
    embeddings = orchestrator.embeddings()
    assert embeddings.embed_documents([]) == asyncio.run(embeddings.aembed_documents([])) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"idempotency_key": "k"}, "is of one request"),
        ({"chunk_size": 5}, "no field 'chunk_size'"),
        ({"dimensions": "many"}, "'dimensions'"),
        ({"tenant": ""}, "tenant"),
    ],
)
def test_a_field_that_is_wrong_is_told_where_the_embeddings_are_made(orchestrator, fields, words) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        orchestrator.embeddings(**fields)


def test_an_error_is_the_orchestrators_own(orchestrator) -> None:
    with pytest.raises(UnknownNameError, match="makes no embeddings"):
        orchestrator.embeddings(model="gpt-6-luna").embed_query("a")
