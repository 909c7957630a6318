"""What a chain is built of, and how one conversation asks the orchestrator."""

from asyncio import to_thread
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig

from orchestrator import CacheState, CacheUse, ChatRequest, NanoUsd, Orchestrator
from orchestrator.chains.structured import ChainInputT, ChainOutputT, ModelAnswer, ModelQuery, PlanQuery, Task
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.names import PROMPT_TAG, OwnTag, tags_of
from orchestrator.core.request import Message

if TYPE_CHECKING:
    from orchestrator import OrchestratorChat

_LEAST_S = 0.001
"""The deadline of a request that is sent when the time is over: it then fails and says so itself."""


class ChainConfig(Generic[ChainInputT, ChainOutputT]):
    """What a chain is built of: a task, a language, and what applies to every request."""

    def __init__(
        self,
        task: Task[ChainInputT, ChainOutputT],
        orchestrator: Orchestrator,
        *,
        tenant: str,
        language: str | None,
        overrides: Mapping[str, Any],
    ) -> None:
        """Refuse what no request could be made of now, and not when the chain is used.

        Raises:
            InvalidRequestError: an unknown language or request field, or a value out of range.
            UnknownNameError: config.yaml does not define the use case or the retry profile.
        """
        if "idempotency_key" in overrides:
            msg = "a chain makes several requests, and an idempotency key stands for one: leave it out"
            raise InvalidRequestError(msg)
        self.task = task
        self.language = task.prompts.language_named(language)
        self.wording = task.prompts.wording(self.language)
        self.orchestrator = orchestrator
        self._own_fields = {"tenant": tenant, "language": self.language, **overrides}
        self.request_fields = {
            "use_case": task.use_case,
            **self._own_fields,
            # The ledger, the report and the log know a request's prompt by it.
            "tags": (*tags_of(overrides.get("tags")), OwnTag(f"{PROMPT_TAG}{self.wording.version}")),
        }
        self._request = ChatRequest.of("?", **self.request_fields)
        self.chat: OrchestratorChat = orchestrator.chat_model(**self.request_fields)
        self.deadline_s()

    def deadline_s(self) -> float:
        """Return the seconds for all requests of one call together."""
        return self.orchestrator.config.deadline_s_of(self._request)

    def text_messages(self, raw: object) -> list[Any]:
        """Return the messages that ask for plain text.

        Raises:
            InvalidRequestError: the input is none of this chain, or its use case has no text form.
        """
        return _dicts(self.task.messages(self.task.input_of(raw), self.require_text_form()))

    def require_text_form(self) -> str:
        """Return the system message that asks for plain text.

        Raises:
            InvalidRequestError: the chain has none in its language.
        """
        if self.wording.to_text is None:
            raise InvalidRequestError(
                f"the chain {self.task.name} has no text form; use its structured form, "
                "or write a section '<!-- answer: text -->' into its prompt"
            )
        return self.wording.to_text

    def with_overrides(self, overrides: Mapping[str, Any]) -> "ChainConfig[ChainInputT, ChainOutputT]":
        """Return the configuration of one call that has request fields of its own."""
        if not overrides:
            return self
        if "use_case" in overrides:
            raise InvalidRequestError("the use case of a chain is fixed; make another chain for another one")
        fields = {**self._own_fields, **overrides}
        language, tenant = fields.pop("language"), fields.pop("tenant")
        return ChainConfig(self.task, self.orchestrator, tenant=tenant, language=language, overrides=fields)


class ChainRunner(Generic[ChainInputT, ChainOutputT]):
    """Does each step of one conversation, with one deadline over all of them."""

    def __init__(self, chain_config: ChainConfig[ChainInputT, ChainOutputT]) -> None:
        self._chain_config = chain_config
        self._clock = chain_config.orchestrator.clock
        self._until_s = self._clock.monotonic_s() + chain_config.deadline_s()

    def run(self, step: ModelQuery | PlanQuery, config: RunnableConfig) -> object:
        """Ask a model and return its answer, or look up the models of the plan."""
        if isinstance(step, PlanQuery):
            return self._models(step)
        return _answer_of(
            self._chain_config.chat.invoke(_dicts(step.messages), config, **self._options(step))
        )

    async def arun(self, step: ModelQuery | PlanQuery, config: RunnableConfig) -> object:
        """Ask a model and return its answer, or look up the models of the plan."""
        if isinstance(step, PlanQuery):
            return await to_thread(self._models, step)
        return _answer_of(
            await self._chain_config.chat.ainvoke(_dicts(step.messages), config, **self._options(step))
        )

    def _options(self, query: ModelQuery) -> dict[str, Any]:
        left_s = max(_LEAST_S, self._until_s - self._clock.monotonic_s())
        options: dict[str, Any] = {"response_format": query.response_format, "deadline_s": left_s}
        if query.pinned is not None:
            options["model"] = query.pinned
        if query.refresh:
            options["cache_use"] = CacheUse.REFRESH
        return options

    def _models(self, plan_query: PlanQuery) -> tuple[str, ...]:
        config = self._chain_config
        fields = {**config.request_fields, "response_format": plan_query.query.response_format}
        plan = config.orchestrator.explain(plan_query.query.messages, **fields)
        known = config.orchestrator.config.catalog.deployments
        names = (candidate.deployment for candidate in plan.candidates if candidate.deployment in known)
        return tuple(dict.fromkeys(known[name].model_name for name in names))


def _answer_of(message: BaseMessage) -> ModelAnswer:
    metadata = message.response_metadata
    return ModelAnswer(
        text=str(message.text),
        deployment=metadata["deployment"],
        model=metadata["model"],
        cost_nusd=NanoUsd(metadata["cost_nusd"]),
        cached=CacheState(metadata["cached"]),
        cut_off=metadata["finish_reason"] == "length",
        degraded=metadata["degraded"],
        request_id=metadata["request_id"],
    )


def _dicts(messages: Sequence[Message]) -> list[Any]:
    return [dict(message) for message in messages]
