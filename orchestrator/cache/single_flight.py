"""Equal requests under way: one is asked, the others join it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from orchestrator.core.fork_hooks import forget_in_child

T = TypeVar("T")


class LeaderFailedError(Exception):
    """The work that a caller had joined failed on the terms of the caller that had begun it."""


class SingleFlight(Generic[T]):
    """One running answer for each key, however many ask for it at once.

    The work belongs to no caller in particular: one that is cancelled leaves it to the others,
    and the last one to leave cancels it.
    """

    def __init__(self) -> None:
        """Start with nothing running."""
        self._running: dict[str, tuple[asyncio.Task[T], list[int]]] = {}
        forget_in_child(self)

    def begin_anew(self) -> None:
        """Join nothing, in a forked child: what runs is on its parent's loop."""
        self._running = {}

    def is_running(self, key: str) -> bool:
        """Return whether a caller that asks now would join work that was begun."""
        return key in self._running and not self._running[key][0].done()

    async def do(self, key: str, work: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """Return the work's result, and whether this caller joined one that was already running.

        Raises:
            LeaderFailedError: this caller had joined, and the work failed on another's terms (its
                deadline, its budget, its cancellation); ask again.
        """
        # Not one that is done, though its callback has not run yet: joining it would spin, as nothing waits.
        joined = self.is_running(key)
        if not joined:
            task: asyncio.Task[T] = asyncio.ensure_future(work())
            self._running[key] = (task, [0])
            task.add_done_callback(lambda ended: self._forget(key, ended))
        task, waiting = self._running[key]
        waiting[0] += 1
        try:
            return await asyncio.shield(task), joined
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if joined and task.cancelled() and not (current and current.cancelling()):
                raise LeaderFailedError from None
            if waiting[0] == 1 and not task.done():
                # A caller that asks while it ends begins anew, instead of being cancelled with it.
                self._forget(key, task)
                task.cancel()
                await asyncio.wait({task})
            raise
        except Exception as exc:
            if joined:
                raise LeaderFailedError from exc
            raise
        finally:
            waiting[0] -= 1

    def _forget(self, key: str, task: "asyncio.Future[T]") -> None:
        running = self._running.get(key)
        if running is not None and running[0] is task:
            del self._running[key]
