"""The budget of one agent run, carried by LangChain's config to every call of the run.

    agent.invoke(question, config=run_config("thread-42", max_cost_usd=0.50))

LangChain hands the metadata of a config down to all that runs inside of it: tools, sub-graphs, parallel
branches. The chat model of the orchestrator reads it there; the agent and its tools need not know.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import RunnableConfig, ensure_config

from orchestrator.core.run import Run

RUN_KEY, LIMIT_KEY = "orchestrator_run", "orchestrator_run_max_cost_usd"
_RUN_FIELDS = ("run", "max_cost_usd")


def run_config(run: str, *, max_cost_usd: Any = None) -> RunnableConfig:
    """Return a config under which every call of the orchestrator's chat models counts for `run`.

    Give it to `invoke`, `stream` or `with_config` of whatever runs the calls; a part of a run,
    `run_config("thread-42/researcher", max_cost_usd=0.20)`, counts for the whole run too.

    Raises:
        InvalidRequestError: no name of a run, or no amount of dollars.
    """
    Run.of(run, max_cost_usd)
    limit = {} if max_cost_usd is None else {LIMIT_KEY: str(max_cost_usd)}
    return RunnableConfig(metadata={RUN_KEY: run, **limit})


def in_run(config: RunnableConfig | None, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call with the run of its config, or of whatever it is called in.

    A run that the call names itself stays.
    """
    named = ensure_config(config).get("metadata") or {}
    if RUN_KEY not in named or arguments.get("run") is not None:
        return arguments
    limit = {"max_cost_usd": named[LIMIT_KEY]} if LIMIT_KEY in named else {}
    return {**arguments, "run": named[RUN_KEY], **limit}


class ChatInRun(BaseChatModel):
    """A chat model whose calls count for the run of their config."""

    def invoke(
        self,
        input: LanguageModelInput,  # noqa: A002 -- LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Answer."""
        return super().invoke(input, config, **in_run(config, kwargs))

    async def ainvoke(
        self,
        input: LanguageModelInput,  # noqa: A002 -- LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Answer."""
        return await super().ainvoke(input, config, **in_run(config, kwargs))

    def stream(
        self,
        input: LanguageModelInput,  # noqa: A002 -- LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """Answer piece by piece."""
        yield from super().stream(input, config, **in_run(config, kwargs))

    async def astream(
        self,
        input: LanguageModelInput,  # noqa: A002 -- LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """Answer piece by piece."""
        async for chunk in super().astream(input, config, **in_run(config, kwargs)):
            yield chunk


def without_run(fields: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields without their run where `others` name one; its limit belongs to it."""
    if "run" not in others:
        return dict(fields)
    return {name: value for name, value in fields.items() if name not in _RUN_FIELDS}
