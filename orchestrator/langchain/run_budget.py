"""The budget of one agent run, carried by LangChain's config to every call of the run.

    agent.invoke(question, config=run_config("thread-42", max_cost_usd=0.50))

LangChain hands the metadata of a config down to all that runs inside of it: tools, sub-graphs, parallel
branches. The chat model and the embeddings of the orchestrator read it there; the agent and its tools need
not know.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import RunnableConfig, ensure_config

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.formatting import usd_text
from orchestrator.core.money import NanoUsd
from orchestrator.core.run import Run, counted_for, counting

RUN_KEY, LIMIT_KEY = "orchestrator_run", "orchestrator_run_max_cost_usd"
AROUND_KEY = "orchestrator_run_limits_around"
"""Names and limits, in nano-dollars, of the runs that the run is a part of."""
_RUN_FIELDS = ("run", "max_cost_usd")

_overtaken: ContextVar[Mapping[str, Any] | None] = ContextVar("orchestrator_run_overtaken", default=None)
"""What a config says of its run, where a run was named further inside than that config."""


def run_config(run: str, *, max_cost_usd: Any = None) -> RunnableConfig:
    """Return a config under which the orchestrator's chat models and embeddings count for `run`.

    Give it to `invoke`, `stream` or `with_config` of whatever runs the calls; a part of a run,
    `run_config("thread-42/researcher", max_cost_usd=0.20)`, counts for the whole run too.

    Raises:
        InvalidRequestError: no name of a run, or no amount of dollars.
    """
    named = Run.of(run, max_cost_usd)
    metadata: dict[str, Any] = {RUN_KEY: run}
    if max_cost_usd is not None:
        metadata[LIMIT_KEY] = str(max_cost_usd)
    if limits := named.inside(run_around()).limits_around:
        metadata[AROUND_KEY] = [list(limit) for limit in limits]
    return RunnableConfig(metadata=metadata)


def run_around(config: RunnableConfig | None = None) -> Run | None:
    """Return the run that a call under `config` counts for, or whatever it is called in; None for none.

    Raises:
        InvalidRequestError: the config's metadata names no run.
    """
    fields = _run_fields(config)
    if not fields or fields == _overtaken.get():
        return counted_for(None)
    named = Run.of(fields[RUN_KEY], fields.get(LIMIT_KEY))
    return named and counted_for(
        Run(named.name, named.max_cost_nusd, _limits_around(fields.get(AROUND_KEY, ())))
    )


@contextmanager
def counting_inside(run: Run, config: RunnableConfig | None = None) -> Iterator[None]:
    """Let every call inside count for `run` that names none, and is under no config of its own that does.

    `config` is that in which `run` is named, and which is handed on: what it says of a run is older.
    """
    token = _overtaken.set(_run_fields(config))
    try:
        with counting(run):
            yield
    finally:
        _overtaken.reset(token)


def in_run(config: RunnableConfig | None, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call with the run of its config, or of whatever it is called in.

    A run that the call names itself stays.
    """
    if arguments.get("run") is not None or (run := run_around(config)) is None:
        return arguments
    if run.limits_around:
        return {**arguments, "run": run, "max_cost_usd": None}
    most = None if run.max_cost_nusd is None else usd_text(run.max_cost_nusd)
    return {**arguments, "run": run.name, "max_cost_usd": most}


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


def _run_fields(config: RunnableConfig | None) -> Mapping[str, Any] | None:
    """Return what a config, or that of whatever it is used in, says of a run; None where it says nothing."""
    metadata = ensure_config(config).get("metadata") or {}
    if RUN_KEY not in metadata:
        return None
    return {name: metadata[name] for name in (RUN_KEY, LIMIT_KEY, AROUND_KEY) if name in metadata}


def _limits_around(raw: Any) -> tuple[tuple[str, NanoUsd], ...]:
    """Return the limits that a config's metadata names, which may come from a client.

    Raises:
        InvalidRequestError: they are no pairs of a name and of nano-dollars above 0.
    """
    pairs = raw if isinstance(raw, list | tuple) else (None,)
    for pair in pairs:
        if not (isinstance(pair, list | tuple) and len(pair) == 2 and _is_limit(*pair)):  # noqa: PLR2004 -- a pair
            raise InvalidRequestError(
                f"'{AROUND_KEY}' in a config's metadata is not what run_config(...) writes: "
                "take the config from there"
            )
    return tuple((name, NanoUsd(most)) for name, most in pairs)


def _is_limit(name: Any, most: Any) -> bool:
    return isinstance(name, str) and type(most) is int and most > 0
