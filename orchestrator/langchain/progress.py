"""The steps of a request as LangChain's custom events, for whoever watches a run.

    async for event in chat.astream_events("Where is my order?"):
        if event["event"] == "on_custom_event" and event["name"] == "orchestrator.progress":
            print(event["data"]["step"])

Handlers are somebody else's code: they run on the caller's event loop, or in a thread of the call, and never
on the loop of all requests.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID, uuid4

from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.callbacks.manager import BaseRunManager, ahandle_event, handle_event
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatResult
from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.runnables.config import get_callback_manager_for_config

from orchestrator.core.progress import Progress, ProgressListener, progress_to

PROGRESS_EVENT = "orchestrator.progress"
"""The name of the custom events."""

_DEAF = (BaseCallbackHandler.on_custom_event, AsyncCallbackHandler.on_custom_event)


@dataclass(frozen=True, slots=True)
class Watch:
    """The handlers that want the steps of a run, and which run it is."""

    handlers: list[BaseCallbackHandler]
    run_id: UUID
    tags: list[str]
    metadata: dict[str, Any]

    @classmethod
    def of_run(cls, run: BaseRunManager | None) -> Self | None:
        """Return who watches a run, None where nobody does."""
        return None if run is None else cls._of(run.handlers, run.run_id, run.tags, run.metadata)

    @classmethod
    def of_config(cls, config: RunnableConfig | None) -> Self | None:
        """Return who watches what is called with a config, None where nobody does."""
        manager = get_callback_manager_for_config(ensure_config(config))
        return cls._of(manager.handlers, manager.parent_run_id, manager.tags, manager.metadata)

    @classmethod
    def _of(
        cls,
        handlers: list[BaseCallbackHandler],
        run_id: UUID | None,
        tags: list[str],
        metadata: dict[str, Any],
    ) -> Self | None:
        watching = [handler for handler in handlers if type(handler).on_custom_event not in _DEAF]
        return cls(watching, run_id or uuid4(), tags, metadata) if watching else None

    def show(self, progress: Progress) -> None:
        """Hand a step to the handlers."""
        handle_event(*self._event(progress), run_id=self.run_id, tags=self.tags, metadata=self.metadata)

    async def ashow(self, progress: Progress) -> None:
        """Hand a step to the handlers."""
        event = self._event(progress)
        await ahandle_event(*event, run_id=self.run_id, tags=self.tags, metadata=self.metadata)

    def _event(self, progress: Progress) -> tuple[Any, ...]:
        names = ("on_custom_event", "ignore_custom_event", PROGRESS_EVENT)
        return self.handlers, *names, progress.as_dict()


@contextmanager
def shown_progress(watch: Watch | None) -> Iterator[ProgressListener | None]:
    """Give a listener whose steps are shown from a thread of their own."""
    if watch is None:
        yield None
        return
    with ThreadPoolExecutor(1, thread_name_prefix="orchestrator-progress") as thread:

        def listen(progress: Progress) -> None:
            thread.submit(watch.show, progress)

        yield listen


@asynccontextmanager
async def ashown_progress(watch: Watch | None) -> AsyncIterator[ProgressListener | None]:
    """Give a listener whose steps are shown on the running loop."""
    if watch is None:
        yield None
        return
    loop = asyncio.get_running_loop()
    steps: asyncio.Queue[Progress | None] = asyncio.Queue()

    def listen(progress: Progress) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(steps.put_nowait, progress)

    async def hand_on() -> None:
        while (progress := await steps.get()) is not None:
            await watch.ashow(progress)

    handing_on = asyncio.create_task(hand_on())
    try:
        yield listen
    finally:
        steps.put_nowait(None)
        await handing_on


class WatchedChatModel(BaseChatModel):
    """A chat model that shows the steps of its requests, whichever way LangChain comes to its methods.

    LangChain hands no run to the methods that stream, so the steps are shown around what calls them.
    """

    def _generate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        with shown_progress(Watch.of_run(run_manager)) as listener, progress_to(listener):
            return super()._generate_with_cache(messages, stop, run_manager, **kwargs)

    async def _agenerate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        async with ashown_progress(Watch.of_run(run_manager)) as listener:
            with progress_to(listener):
                return await super()._agenerate_with_cache(messages, stop, run_manager, **kwargs)

    def stream(
        self,
        input: LanguageModelInput,  # noqa: A002 -- LangChain's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """Yield the message piece by piece; see LangChain's `Runnable.stream`."""
        chunks = super().stream(input, config, stop=stop, **kwargs)
        with shown_progress(Watch.of_config(config)) as listener:
            # The request begins with the first piece, and a generator's context is its reader's.
            with progress_to(listener):
                first = next(chunks, None)
            if first is not None:
                yield first
                yield from chunks

    async def astream(
        self,
        input: LanguageModelInput,  # noqa: A002 -- LangChain's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """Yield the message piece by piece; see LangChain's `Runnable.astream`."""
        chunks = super().astream(input, config, stop=stop, **kwargs)
        async with ashown_progress(Watch.of_config(config)) as listener, aclosing(chunks):  # type: ignore[type-var]
            with progress_to(listener):
                first = await anext(chunks, None)
            if first is not None:
                yield first
                async for chunk in chunks:
                    yield chunk
