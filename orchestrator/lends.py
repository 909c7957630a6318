"""What an orchestrator lends LangChain: chat models of its own, and the vendors' clients on its budgets."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack, cast

from orchestrator.config.loader import Config
from orchestrator.core.background_loop import BackgroundLoop
from orchestrator.core.errors import UnavailableError
from orchestrator.core.names import name_of, tags_of
from orchestrator.core.payer import Payer
from orchestrator.core.request_fields import ChatModelFields
from orchestrator.core.run import Run
from orchestrator.pipeline.recorded_answers import AnswerFile
from orchestrator.pipeline.services import PipelineServices
from orchestrator.providers.local.model import LocalModel
from orchestrator.routing.eligibility import why_not_demanded
from orchestrator.routing.facts import policy_at

if TYPE_CHECKING:
    from orchestrator.langchain.chat_model import ChatBackend, OrchestratorChat


class Lends(ABC):
    """What of an orchestrator is handed to code that speaks LangChain."""

    _loop: BackgroundLoop
    _services: PipelineServices
    _local_model: LocalModel
    _answers: AnswerFile | None

    @property
    @abstractmethod
    def config(self) -> Config:
        """Return the configuration in force."""

    def chat_model(
        self, use_case: str | None = None, **overrides: Unpack[ChatModelFields]
    ) -> "OrchestratorChat":
        """Return a LangChain chat model that asks this orchestrator; `overrides` as in `complete`."""
        from orchestrator.langchain.chat_model import OrchestratorChat  # noqa: PLC0415 -- langchain only where it is asked for

        named: dict[str, Any] = {} if use_case is None else {"use_case": use_case}
        return OrchestratorChat.of(cast("ChatBackend", self), **named, **overrides)

    def native(  # noqa: PLR0913 -- one keyword for each independent thing
        self,
        deployment: str,
        *,
        tenant: str = "default",
        use_case: str | None = None,
        user: str | None = None,
        tags: str | Sequence[str] = (),
        run: str | Run | None = None,
        max_cost_usd: Any = None,
        **overrides: Any,
    ) -> Any:
        """Return the provider's own LangChain client for a deployment, on the same ledger and budgets.

        For parameters that only that client knows (`overrides`). It has no fallbacks and no cache. What
        it sends counts for `run` besides, whose calls cost at most `max_cost_usd` together, and for `user`
        and `tags` as in `complete`; the provider is told of neither.

        Raises:
            UnknownNameError: the deployment is not defined or is off, or the use case is not defined.
            UnavailableError: what becomes of prompts there does not meet what use case and tenant demand.
            InvalidRequestError: no name of a payer, or one of `overrides` is not for callers or has no bound.
            ClosedError: the orchestrator was closed; so does every call of its clients.
            AnswerNotRecordedError: answers are replayed, so nobody is asked.
        """
        if self._answers is not None and not self._answers.adds:
            raise self._answers.unrecorded("what a vendor's own client answers")
        from orchestrator.metering.langchain_clients import native_client  # noqa: PLC0415 -- loads both vendors' clients

        config = self.config
        use_case = config.use_case_named(use_case)
        settings = config.settings.use_cases[use_case]
        place = config.catalog.named(name_of(deployment, "deployment"))[0].preferring(
            settings.openrouter_preferences
        )
        payer = Payer(tenant, use_case, user, tags_of(tags), Run.of(run, max_cost_usd))
        demands = config.settings.routing.demands_on(payer.tenant, settings.demands)
        if unmet := why_not_demanded(policy_at(place), demands):
            raise UnavailableError(
                f"'{place.name}' may not serve '{use_case}' of tenant '{payer.tenant}': {unmet}"
            )
        return native_client(
            place,
            payer,
            ledger=self._services.ledger,
            clock=self._services.clock,
            loop=self._loop,
            local_model=self._local_model,
            overrides=overrides,
            tracing=config.settings.langchain,
        )
