"""What a chain is built of, and the way from one conversation to the orchestrator and back."""

from asyncio import to_thread
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig

from chains.structured import Ask, ChainInputT, ChainOutputT, ModelAnswer, PlanQuery, Task
from chains.wording import language_named, wording_of
from orchestrator import CacheState, CacheUse, ChatRequest, NanoUsd, Orchestrator
from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.request import Message

if TYPE_CHECKING:
    from orchestrator import OrchestratorChat

_CLOCK = SystemClock()
_LEAST_S = 0.001
"""What a request is given when the time is over: it then says so itself."""


class ChainConfig(Generic[ChainInputT, ChainOutputT]):
    """What a chain is built of: a task, a language, and what applies to every request."""

    def __init__(
        self,
        task: Task[ChainInputT, ChainOutputT],
        orchestrator: Orchestrator,
        *,
        tenant: str,
        language: str,
        wanted: Mapping[str, Any],
    ) -> None:
        """Refuse what no request could be made of now, and not when the chain is used.

        Raises:
            InvalidRequestError: an unknown language or request field, or a value out of range.
            UnknownNameError: config.yaml does not define the use case or the retry profile.
        """
        if "idempotency_key" in wanted:
            msg = "a chain makes several requests, and an idempotency key stands for one: leave it out"
            raise InvalidRequestError(msg)
        self.task = task
        self.language = language_named(language)
        self.orchestrator = orchestrator
        self.wanted = {"use_case": task.use_case, "tenant": tenant, "language": self.language, **wanted}
        self._request = ChatRequest.of("?", **self.wanted)
        self.chat: OrchestratorChat = orchestrator.chat_model(**self.wanted)
        self.deadline_s()

    def deadline_s(self) -> float:
        """Return the seconds for all requests of one call together."""
        return self.orchestrator.config.deadline_s_of(self._request)

    def text_messages(self, given: object) -> list[Any]:
        """Return the messages that ask for plain text.

        Raises:
            InvalidRequestError: the input is none of this chain, or its use case has no text form.
        """
        system = wording_of(self.task.use_case, self.language).to_text
        if system is None:
            raise InvalidRequestError(
                f"the chain {self.task.use_case} has no text form; use its structured form"
            )
        return _dicts(self.task.messages(self.task.taken(given), system))

    def with_more(self, more: Mapping[str, Any]) -> "ChainConfig[ChainInputT, ChainOutputT]":
        """Return the setting for one call that has fields of its own."""
        if not more:
            return self
        wanted = {**self.wanted, **more}
        language = wanted.pop("language")
        tenant = wanted.pop("tenant")
        wanted.pop("use_case")
        return ChainConfig(self.task, self.orchestrator, tenant=tenant, language=language, wanted=wanted)


class ChainRunner(Generic[ChainInputT, ChainOutputT]):
    """Does what one conversation asks for, with one deadline over all of it."""

    def __init__(self, setting: ChainConfig[ChainInputT, ChainOutputT]) -> None:
        self._setting = setting
        self._until_s = _CLOCK.monotonic_s() + setting.deadline_s()

    def hear(self, step: Ask | PlanQuery, config: RunnableConfig) -> object:
        """Ask and return what was said, or look up the order."""
        if isinstance(step, PlanQuery):
            return self._order(step)
        return _said(self._setting.chat.invoke(_dicts(step.messages), config, **self._options(step)))

    async def ahear(self, step: Ask | PlanQuery, config: RunnableConfig) -> object:
        """Ask and return what was said, or look up the order."""
        if isinstance(step, PlanQuery):
            return await to_thread(self._order, step)
        return _said(await self._setting.chat.ainvoke(_dicts(step.messages), config, **self._options(step)))

    def _options(self, ask: Ask) -> dict[str, Any]:
        left_s = max(_LEAST_S, self._until_s - _CLOCK.monotonic_s())
        options: dict[str, Any] = {"response_format": ask.response_format, "deadline_s": left_s}
        if ask.pinned is not None:
            options["model"] = ask.pinned
        if ask.refresh:
            options["cache_use"] = CacheUse.REFRESH
        return options

    def _order(self, order: PlanQuery) -> tuple[str, ...]:
        orchestrator = self._setting.orchestrator
        wanted = {**self._setting.wanted, "response_format": order.ask.response_format}
        plan = orchestrator.explain(order.ask.messages, **wanted)
        known = orchestrator.config.catalog.deployments
        names = (one.deployment for one in plan.candidates if one.deployment in known)
        return tuple(dict.fromkeys(known[name].model_name for name in names))


def _said(message: BaseMessage) -> ModelAnswer:
    told = message.response_metadata
    return ModelAnswer(
        text=str(message.text),
        deployment=told["deployment"],
        model=told["model"],
        cost_nusd=NanoUsd(told["cost_nusd"]),
        cached=CacheState(told["cached"]),
        cut_off=told["finish_reason"] == "length",
        degraded=told["degraded"],
        request_id=told["request_id"],
    )


def _dicts(messages: Sequence[Message]) -> list[Any]:
    return [dict(message) for message in messages]
