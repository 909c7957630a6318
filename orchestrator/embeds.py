"""How an orchestrator makes embeddings: from any code, any event loop, and as LangChain takes them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from orchestrator.config.loader import Config
from orchestrator.config.modes import embedding_use_case
from orchestrator.core.background_loop import BackgroundLoop
from orchestrator.core.embedding import EmbeddingReply, EmbeddingRequest
from orchestrator.core.json_log import LoggedRequest, name_request
from orchestrator.core.request import with_run_around
from orchestrator.core.request_fields import EmbeddingFields
from orchestrator.pipeline.call import Call, Step
from orchestrator.pipeline.services import ConfigSnapshot, PipelineServices

if TYPE_CHECKING:
    from orchestrator.langchain.embeddings import OrchestratorEmbeddings


class Embeds(ABC):
    """What an orchestrator does with texts of which vectors are wanted."""

    _loop: BackgroundLoop
    _services: PipelineServices
    _snapshot: ConfigSnapshot
    _answer_embedding: Step

    @property
    @abstractmethod
    def config(self) -> Config:
        """Return the configuration in force."""

    def embed(
        self, texts: EmbeddingRequest | str | Sequence[str], **overrides: Unpack[EmbeddingFields]
    ) -> EmbeddingReply:
        """Return a vector for each text; `overrides` are fields of `EmbeddingRequest`.

        All vectors of a reply are of the model that it names, whichever place served it. Without a use case
        it is the first of config.yaml that makes embeddings.

        Raises:
            RequestError: the request cannot be served as it is.
            BudgetExceededError: a limit would be passed; what was answered before is booked and kept.
            UnavailableError: no deployment of the model answered before the deadline.
        """
        return self._loop.run(self._serve_embedding(self._embedding_request(texts, overrides)))

    async def aembed(
        self, texts: EmbeddingRequest | str | Sequence[str], **overrides: Unpack[EmbeddingFields]
    ) -> EmbeddingReply:
        """Return a vector for each text, from any event loop; see `embed`."""
        return await self._loop.join(self._serve_embedding(self._embedding_request(texts, overrides)))

    def embeddings(self, use_case: str | None = None, **overrides: Any) -> "OrchestratorEmbeddings":
        """Return a LangChain `Embeddings` that asks this orchestrator; `overrides` as in `embed`."""
        from orchestrator.langchain.embeddings import OrchestratorEmbeddings  # noqa: PLC0415 -- langchain only where it is asked for

        if use_case is not None:
            overrides["use_case"] = use_case
        return OrchestratorEmbeddings(self, **overrides)

    def _embedding_request(self, texts: Any, overrides: EmbeddingFields) -> EmbeddingRequest:
        if not isinstance(texts, EmbeddingRequest) and overrides.get("use_case") is None:
            overrides["use_case"] = embedding_use_case(self.config.settings)
        return with_run_around(EmbeddingRequest.of(texts, **overrides))

    async def _serve_embedding(self, request: EmbeddingRequest) -> EmbeddingReply:
        call = Call.of(request, self._snapshot, clock=self._services.clock)
        name_request(LoggedRequest(call.id, call.payer.tenant, call.payer.use_case))
        reply = await self._answer_embedding(call)
        if not isinstance(reply, EmbeddingReply):
            msg = "the way of embeddings ends in vectors or an error"
            raise TypeError(msg)
        return reply
