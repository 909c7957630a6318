"""The orchestrator as LangChain `Embeddings`.

`orchestrator.embeddings(tenant="acme")` goes wherever LangChain takes them: vector stores, retrievers, text
splitters. What a call cost, and how often the cache had it, is told by `Orchestrator.embed` and the ledger.
"""

from collections.abc import Sequence
from typing import Any, Protocol, Unpack

from langchain_core.embeddings import Embeddings

from orchestrator.core.embedding import EmbeddingReply, EmbeddingRequest
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.quiet_logs import quiet_libraries
from orchestrator.core.request_fields import EmbeddingFields
from orchestrator.langchain.run_budget import in_run, without_run
from orchestrator.langchain.tracing import follow_config

_TRIAL = "trial"


class EmbeddingBackend(Protocol):
    """What the embeddings need of the orchestrator."""

    def embed(self, texts: Sequence[str], **overrides: Unpack[EmbeddingFields]) -> EmbeddingReply:
        """Return a vector for each text."""
        ...

    async def aembed(self, texts: Sequence[str], **overrides: Unpack[EmbeddingFields]) -> EmbeddingReply:
        """Return a vector for each text."""
        ...

    @property
    def config(self) -> Any:
        """Return the configuration in force."""
        ...


class OrchestratorEmbeddings(Embeddings):
    """Embeddings that ask the orchestrator; make them with `Orchestrator.embeddings`."""

    def __init__(self, orchestrator: EmbeddingBackend, **overrides: Any) -> None:
        """Ask `orchestrator` with the fields `overrides`, named as in `Orchestrator.embed`.

        Raises:
            InvalidRequestError: a field that no embedding request has, or one for a single request.
        """
        if overrides.get("idempotency_key") is not None:
            # Each call is another request, and a key stands for one.
            raise InvalidRequestError("'idempotency_key' is of one request: give it to Orchestrator.embed")
        follow_config(orchestrator.config.settings.langchain)
        quiet_libraries()
        # Checked once with a text of our own, so that a mistake shows here and not in a vector store.
        EmbeddingRequest.of(_TRIAL, **{"use_case": _TRIAL, **overrides})
        self.orchestrator = orchestrator
        self.fields = overrides

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text; none for none."""
        if not texts:
            return []
        return [list(vector) for vector in self.orchestrator.embed(texts, **self._fields()).vectors]

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a text."""
        return list(self.orchestrator.embed([text], **self._fields()).vectors[0])

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return a vector for each text, from any event loop; none for none."""
        if not texts:
            return []
        reply = await self.orchestrator.aembed(texts, **self._fields())
        return [list(vector) for vector in reply.vectors]

    async def aembed_query(self, text: str) -> list[float]:
        """Return the vector of a text, from any event loop."""
        reply = await self.orchestrator.aembed([text], **self._fields())
        return list(reply.vectors[0])

    def _fields(self) -> dict[str, Any]:
        """Return the fields of a request: those these were made with, and the run of whatever asks."""
        around = in_run(None, {})
        return {**without_run(self.fields, around), **around}
