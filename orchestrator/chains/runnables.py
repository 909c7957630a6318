"""The chains as LangChain runnables: typed, traced, and the same for sync and async callers.

One class each instead of a pipe of prompt, model and parser: every step of a pipe costs 0.14 to
0.3 ms, and a parser cannot ask a second time.
"""

import logging
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from typing import Any, Generic, TypeVar

from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.runnables import RunnableConfig

from orchestrator import Orchestrator
from orchestrator.chains.chain_config import ChainConfig, ChainRunner
from orchestrator.chains.structured import (
    NO_ANSWER_ERRORS,
    ChainInputT,
    ChainOutputT,
    ChainResult,
    ModelQuery,
    PlanQuery,
    Stage,
    conversation,
)
from orchestrator.core.progress import Progress, ProgressStep
from orchestrator.langchain.batches import PatientRunnable
from orchestrator.langchain.progress import PROGRESS_EVENT

logger = logging.getLogger("orchestrator")

OutT = TypeVar("OutT")
ResultT = TypeVar("ResultT")


class _TaskChain(PatientRunnable[ChainInputT, OutT], Generic[ChainInputT, ChainOutputT, OutT]):
    """What the chains share: their configuration, their types, and the conversation, driven to its end."""

    def __init__(self, chain_config: ChainConfig[ChainInputT, ChainOutputT]) -> None:
        self.chain_config = chain_config
        self.name = chain_config.task.name

    def _asks(self) -> Orchestrator:
        return self.chain_config.orchestrator

    @property
    def InputType(self) -> type[ChainInputT]:  # noqa: N802 -- LangChain's name
        """The model of what goes in; a mapping with its fields is taken too."""
        return self.chain_config.task.input_model

    def _result(
        self, chain_input: ChainInputT, config: RunnableConfig, **overrides: Any
    ) -> ChainResult[ChainOutputT]:
        runner, steps = self._started(chain_input, overrides)
        try:
            step = next(steps)
            while True:
                try:
                    if (progress := _progress_of(step)) is not None:
                        dispatch_custom_event(PROGRESS_EVENT, progress, config=config)
                    outcome = runner.run(step, config)
                except NO_ANSWER_ERRORS as exc:
                    step = steps.throw(exc)
                else:
                    step = steps.send(outcome)
        except StopIteration as end:
            return self._logged(end.value)

    async def _aresult(
        self, chain_input: ChainInputT, config: RunnableConfig, **overrides: Any
    ) -> ChainResult[ChainOutputT]:
        runner, steps = self._started(chain_input, overrides)
        try:
            step = next(steps)
            while True:
                try:
                    if (progress := _progress_of(step)) is not None:
                        await adispatch_custom_event(PROGRESS_EVENT, progress, config=config)
                    outcome = await runner.arun(step, config)
                except NO_ANSWER_ERRORS as exc:
                    step = steps.throw(exc)
                else:
                    step = steps.send(outcome)
        except StopIteration as end:
            return self._logged(end.value)

    def _started(
        self, chain_input: ChainInputT, overrides: Mapping[str, Any]
    ) -> tuple[
        ChainRunner[ChainInputT, ChainOutputT],
        Generator[ModelQuery | PlanQuery, Any, ChainResult[ChainOutputT]],
    ]:
        chain_config = self.chain_config.with_overrides(overrides)
        checked = chain_config.task.input_of(chain_input)
        return ChainRunner(chain_config), conversation(chain_config.task, checked, chain_config.language)

    def _logged(self, result: ChainResult[ChainOutputT]) -> ChainResult[ChainOutputT]:
        if result.stage is not Stage.FIRST:
            first = result.tries[0]
            logger.info(
                "chain %s: %s answered invalidly (%s); helped: %s",
                *(self.name, first.deployment, "; ".join(first.mistakes), result.stage),
            )
        return result


class DetailedChain(
    _TaskChain[ChainInputT, ChainOutputT, ChainResult[ChainOutputT]], Generic[ChainInputT, ChainOutputT]
):
    """A chain that returns its answer with the way to it: every try, its deployment, and what it cost."""

    def invoke(
        self,
        input: ChainInputT,  # noqa: A002 -- LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> ChainResult[ChainOutputT]:
        """Return the answer and its tries; `kwargs` are request fields for this call.

        Raises:
            InvalidRequestError: the input is none of this chain.
            InvalidOutputError: no answer was valid, after repair and with the next model.
            BudgetExceededError, UnavailableError: as `Orchestrator.complete`.
        """
        return self._call_with_config(_of_config(self._result), input, config, **kwargs)

    async def ainvoke(
        self,
        input: ChainInputT,  # noqa: A002 -- LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> ChainResult[ChainOutputT]:
        """Return the answer and its tries; see `invoke`."""
        return await self._acall_with_config(_of_config(self._aresult), input, config, **kwargs)


class StructuredChain(
    _TaskChain[ChainInputT, ChainOutputT, ChainOutputT], Generic[ChainInputT, ChainOutputT]
):
    """A chain that returns a valid answer of its output model."""

    @property
    def OutputType(self) -> type[ChainOutputT]:  # noqa: N802 -- LangChain's name
        """The model of what comes out."""
        return self.chain_config.task.output_model

    def with_details(self) -> DetailedChain[ChainInputT, ChainOutputT]:
        """Return this chain with results that name the model, the tries and the cost."""
        return DetailedChain(self.chain_config)

    def invoke(
        self,
        input: ChainInputT,  # noqa: A002 -- LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> ChainOutputT:
        """Return the answer; `kwargs` are request fields for this call.

        Raises:
            InvalidRequestError: the input is none of this chain.
            InvalidOutputError: no answer was valid, after repair and with the next model.
            BudgetExceededError, UnavailableError: as `Orchestrator.complete`.
        """
        return self._call_with_config(_of_config(self._value), input, config, **kwargs)

    async def ainvoke(
        self,
        input: ChainInputT,  # noqa: A002 -- LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> ChainOutputT:
        """Return the answer; see `invoke`."""
        return await self._acall_with_config(_of_config(self._avalue), input, config, **kwargs)

    def _value(self, chain_input: ChainInputT, config: RunnableConfig, **overrides: Any) -> ChainOutputT:
        return self._result(chain_input, config, **overrides).value

    async def _avalue(
        self, chain_input: ChainInputT, config: RunnableConfig, **overrides: Any
    ) -> ChainOutputT:
        return (await self._aresult(chain_input, config, **overrides)).value


class TextChain(_TaskChain[ChainInputT, ChainOutputT, str], Generic[ChainInputT, ChainOutputT]):
    """A chain that answers with plain text, piece by piece where it is streamed; nothing is validated."""

    @property
    def OutputType(self) -> type[str]:  # noqa: N802 -- LangChain's name
        """Text."""
        return str

    def invoke(
        self,
        input: ChainInputT,  # noqa: A002 -- LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> str:
        """Return the whole text; `kwargs` are request fields for this call.

        Raises:
            InvalidRequestError: the input is none of this chain.
            BudgetExceededError, UnavailableError: as `Orchestrator.complete`.
        """
        return self._call_with_config(_of_config(self._text), input, config, **kwargs)

    async def ainvoke(
        self,
        input: ChainInputT,  # noqa: A002 -- LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> str:
        """Return the whole text; see `invoke`."""
        return await self._acall_with_config(_of_config(self._atext), input, config, **kwargs)

    def stream(
        self,
        input: ChainInputT,  # noqa: A002 -- LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Iterator[str]:
        """Yield the text as it comes.

        Raises:
            StreamInterruptedError: it broke off after its first words, and no deployment could finish it;
                and what `invoke` raises.
        """
        yield from self._transform_stream_with_config(
            iter([input]), _of_config(self._pieces), config, **kwargs
        )

    async def astream(
        self,
        input: ChainInputT,  # noqa: A002 -- LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[str]:
        """Yield the text as it comes; see `stream`."""

        async def inputs() -> AsyncIterator[ChainInputT]:
            yield input

        async for piece in self._atransform_stream_with_config(
            inputs(), _of_config(self._apieces), config, **kwargs
        ):
            yield piece

    def _text(self, chain_input: ChainInputT, config: RunnableConfig, **overrides: Any) -> str:
        chain_config = self.chain_config.with_overrides(overrides)
        return str(chain_config.chat.invoke(chain_config.text_messages(chain_input), config).text)

    async def _atext(self, chain_input: ChainInputT, config: RunnableConfig, **overrides: Any) -> str:
        chain_config = self.chain_config.with_overrides(overrides)
        return str((await chain_config.chat.ainvoke(chain_config.text_messages(chain_input), config)).text)

    def _pieces(
        self,
        inputs: Iterator[ChainInputT],
        config: RunnableConfig,
        **overrides: Any,
    ) -> Iterator[str]:
        chain_config = self.chain_config.with_overrides(overrides)
        for chain_input in inputs:
            for chunk in chain_config.chat.stream(chain_config.text_messages(chain_input), config):
                if chunk.text:
                    yield str(chunk.text)

    async def _apieces(
        self,
        inputs: AsyncIterator[ChainInputT],
        config: RunnableConfig,
        **overrides: Any,
    ) -> AsyncIterator[str]:
        chain_config = self.chain_config.with_overrides(overrides)
        async for chain_input in inputs:
            async for chunk in chain_config.chat.astream(chain_config.text_messages(chain_input), config):
                if chunk.text:
                    yield str(chunk.text)


def _progress_of(step: ModelQuery | PlanQuery) -> dict[str, Any] | None:
    """Return what whoever watches the run is told: that an answer was invalid, and who is asked now."""
    if not isinstance(step, ModelQuery) or step.stage is Stage.FIRST:
        return None
    return Progress(ProgressStep(step.stage.value), step.pinned, mistakes=step.mistakes).as_dict()


def _of_config(function: Callable[..., ResultT]) -> Callable[[Any], ResultT]:
    """Return the function: LangChain gives its config to all that take one, but its types do not say so."""
    return function
