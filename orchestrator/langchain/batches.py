"""Batches that take the room there is: a thousand rows, and none of them refused for being many.

1. No more rows are under way than a batch may have at once: the slots of background work, which leave room
   for chats; or `max_concurrency`, where that is less. The others have not begun, so no deadline of theirs
   runs.
2. A row that finds the process full, or a limit per minute used up, waits and is asked again. So does one
   whose time went by in such waits before anybody was asked.
3. A row that finds a budget full while others of its batch hold money waits for one of them to end, and
   fewer are asked at once. Where none holds any, the budget is used up: rows that have not begun are not
   asked any more, and have that error.
4. Results stand in the order of the rows. With `return_exceptions` what has ended is kept.
"""

import asyncio
import threading
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from typing import Any, Protocol

from langchain_core.runnables import Runnable, RunnableConfig, RunnableParallel
from langchain_core.runnables.config import ContextThreadPoolExecutor, get_config_list
from langchain_core.runnables.utils import Input, Output

from orchestrator.core.clock import Clock
from orchestrator.core.errors import (
    AllProvidersFailedError,
    BudgetExceededError,
    DeadlineExceededError,
    OverloadedError,
)
from orchestrator.core.failures import FailureKind

_THREADS_MAX = 32
"""Of a synchronous batch; an asynchronous one needs none."""
_PAUSE_MIN_S = 0.05
_PAUSE_MAX_S = 60.0
_COMEBACKS_MAX = 8
"""So often a row waits that a provider refuses with a limit of its own, which a used-up account says too, or
that had no time left to ask anybody, which a deadline of no length has too."""


class _Room(Protocol):
    @property
    def clock(self) -> Clock: ...

    @property
    def config(self) -> Any: ...


class PatientRunnable(Runnable[Input, Output]):
    """A runnable on the orchestrator, whose batches wait for room instead of being refused."""

    @abstractmethod
    def _asks(self) -> _Room:
        """Return the orchestrator that it asks."""

    def batch(
        self,
        inputs: list[Input],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any | None,
    ) -> list[Output]:
        """Return an output for each input, in their order; see the head of `orchestrator.langchain.batches`.

        Raises:
            OrchestratorError: the first error of a row; `return_exceptions` puts it in the row's place.
        """
        outcomes: dict[int, Any] = dict(
            self.batch_as_completed(inputs, config, return_exceptions=return_exceptions, **kwargs)
        )
        return [outcomes[place] for place in range(len(inputs))]

    async def abatch(
        self,
        inputs: list[Input],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any | None,
    ) -> list[Output]:
        """Return an output for each input, in their order; see `batch`."""
        ending = self.abatch_as_completed(inputs, config, return_exceptions=return_exceptions, **kwargs)
        outcomes: dict[int, Any] = {place: outcome async for place, outcome in ending}
        return [outcomes[place] for place in range(len(inputs))]

    def batch_as_completed(  # type: ignore[override]
        self,
        inputs: Sequence[Input],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any | None,
    ) -> Iterator[tuple[int, Output | Exception]]:
        """Yield the place and the output of each input as it ends; see `batch`."""
        configs = get_config_list(config, len(inputs))
        width = min(_width(self._asks(), configs), _THREADS_MAX)
        turns, done = _Turns(width, width), threading.Condition()

        def row(place: int) -> tuple[int, Any]:
            return place, self._row(inputs[place], configs[place], kwargs, turns=turns, changed=done)

        if not inputs:
            return
        with ContextThreadPoolExecutor(max_workers=min(width, len(inputs))) as executor:
            waiting = {executor.submit(row, place) for place in range(len(inputs))}
            try:
                while waiting:
                    ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in ended:
                        yield _unless_raised(future.result(), return_exceptions=return_exceptions)
            finally:
                with done:
                    turns.left = True
                    done.notify_all()
                executor.shutdown(wait=False, cancel_futures=True)

    async def abatch_as_completed(  # type: ignore[override]
        self,
        inputs: Sequence[Input],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any | None,
    ) -> AsyncIterator[tuple[int, Output | Exception]]:
        """Yield the place and the output of each input as it ends; see `batch`."""
        configs = get_config_list(config, len(inputs))
        width = _width(self._asks(), configs)
        turns, changed = _Turns(width, width), asyncio.Condition()
        ended: asyncio.Queue[tuple[int, Any]] = asyncio.Queue()
        places = iter(range(len(inputs)))

        async def work() -> None:
            for place in places:
                try:
                    outcome: Any = await self._arow(
                        inputs[place], configs[place], kwargs, turns=turns, changed=changed
                    )
                except BaseException as exc:
                    ended.put_nowait((place, exc))
                    raise
                ended.put_nowait((place, outcome))

        workers = [asyncio.create_task(work()) for _ in range(min(width, len(inputs)))]
        try:
            for _ in range(len(inputs)):
                yield _unless_raised(await ended.get(), return_exceptions=return_exceptions)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    def _row(
        self,
        row_input: Input,
        config: RunnableConfig,
        kwargs: dict[str, Any],
        *,
        turns: "_Turns",
        changed: threading.Condition,
    ) -> Output | Exception:
        """Ask for one row until it has its answer, or an error that no waiting helps."""
        clock, comebacks = self._asks().clock, 0
        while True:
            with changed:
                changed.wait_for(turns.is_open)
                if turns.stop is not None:
                    return turns.stop
                seen = turns.begin()
            error: Exception | None = None
            try:
                return self.invoke(row_input, config, **kwargs)
            except Exception as exc:  # noqa: BLE001 -- it stands in the row's place, or is raised there
                error = exc
            finally:
                with changed:
                    pause_s = turns.end(error, seen=seen, comebacks=comebacks)
                    changed.notify(turns.wakes)
            if pause_s is None:
                return error
            if pause_s:
                comebacks += 1
                clock.pause(pause_s)

    async def _arow(
        self,
        row_input: Input,
        config: RunnableConfig,
        kwargs: dict[str, Any],
        *,
        turns: "_Turns",
        changed: asyncio.Condition,
    ) -> Output | Exception:
        """Ask for one row until it has its answer, or an error that no waiting helps."""
        clock, comebacks = self._asks().clock, 0
        while True:
            async with changed:
                await changed.wait_for(turns.is_open)
                if turns.stop is not None:
                    return turns.stop
                seen, error = turns.begin(), None
            try:
                return await self.ainvoke(row_input, config, **kwargs)
            except Exception as exc:  # noqa: BLE001 -- it stands in the row's place, or is raised there
                error = exc
            finally:
                async with changed:
                    pause_s = turns.end(error, seen=seen, comebacks=comebacks)
                    changed.notify(turns.wakes)
            if pause_s is None:
                return error
            if pause_s:
                comebacks += 1
                await clock.sleep(pause_s)


class RawMessage(RunnableParallel[Any]):
    """`{"raw": message}`, whose batches are the model's: LangChain's own would ask for all rows at once."""

    def batch(
        self,
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        **kwargs: Any,
    ) -> list[dict[str, Any]]:
        """Return the messages; see `PatientRunnable.batch`."""
        return [_raw(message) for message in self.steps__["raw"].batch(inputs, config, **kwargs)]

    async def abatch(
        self,
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        **kwargs: Any,
    ) -> list[dict[str, Any]]:
        """Return the messages; see `PatientRunnable.batch`."""
        return [_raw(message) for message in await self.steps__["raw"].abatch(inputs, config, **kwargs)]


def _raw(outcome: Any) -> Any:
    return outcome if isinstance(outcome, Exception) else {"raw": outcome}


@dataclass(slots=True)
class _Turns:
    """What the rows of one batch know of each other; a lock of theirs is around every call."""

    width: int
    """The most rows that may be under way at once."""
    allowed: int
    """How many may be now: as many as had money, and after each that ends one more."""
    active: int = 0
    endings: int = 0
    """Of rows that may have given money back: all but those that a budget refused."""
    spent: BudgetExceededError | None = None
    """The refusal that ended the batch."""
    left: bool = False
    """Nobody reads the results any more."""

    @property
    def stop(self) -> Exception | None:
        """Return the error of a row that is not to begin any more, None where it may."""
        return asyncio.InvalidStateError("the batch was left") if self.left else self.spent

    @property
    def wakes(self) -> int:
        """Return how many waiting rows are to look again, now that one has ended: its place, and one more."""
        return 2 if self.stop is None else self.width

    def is_open(self) -> bool:
        """Return whether a row need not wait any more: it may begin, or none may."""
        return self.active < self.allowed or self.stop is not None

    def begin(self) -> int:
        """Count a row as under way; return how many have ended."""
        self.active += 1
        return self.endings

    def end(self, error: Exception | None, *, seen: int, comebacks: int) -> float | None:
        """Count a row as not under way; return how long it waits to be asked again, None where it ended."""
        self.active -= 1
        if isinstance(error, BudgetExceededError) and error.window != "request":
            self.allowed = max(1, self.active)
        else:
            self.endings += 1
            self.allowed = min(self.width, self.allowed + 1)
        return self._pause_s(error, seen=seen, comebacks=comebacks)

    def _pause_s(self, error: Exception | None, *, seen: int, comebacks: int) -> float | None:
        match error:
            case BudgetExceededError() if error.window != "request":
                if self.active or self.endings != seen:
                    # What others of the batch held in the meantime may be enough.
                    return 0.0
                self.spent = error
                return None
            case (
                OverloadedError(retry_after_s=float() | int() as after_s)
                | AllProvidersFailedError(retry_after_s=float() | int() as after_s)
            ):
                return max(_PAUSE_MIN_S, after_s)
            case DeadlineExceededError(nothing_sent=True) if comebacks < _COMEBACKS_MAX:
                return _PAUSE_MIN_S
            case AllProvidersFailedError(steps=steps) if comebacks < _COMEBACKS_MAX:
                limited = any(step.failure == FailureKind.RATE_LIMITED for step in steps)
                return min(_PAUSE_MAX_S, 2.0**comebacks) if limited else None
        return None


def _width(room: _Room, configs: Sequence[RunnableConfig]) -> int:
    """Return how many rows may be under way at once."""
    slots: int = room.config.settings.overload.background_slots
    own = configs[0].get("max_concurrency") if configs else None
    return slots if own is None else max(1, min(slots, own))


def _unless_raised(outcome: tuple[int, Any], *, return_exceptions: bool) -> tuple[int, Any]:
    error = outcome[1]
    if isinstance(error, BaseException) and not (return_exceptions and isinstance(error, Exception)):
        raise error
    return outcome
