"""One background event loop, through which every caller enters the same async core.

Clients of providers belong to an event loop, and callers come from anywhere: scripts, threads,
five `asyncio.run` in a row, a notebook whose loop already runs. So the core has a loop of its
own in a daemon thread, and `run` and `join` are the two doors to it.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Generic, TypeVar

from orchestrator.core.errors import ClosedError

T = TypeVar("T")

_SETTLE_TIMEOUT_S = 5.0
"""How long a cancelled caller waits for its work to book what it owes."""


class Job(Generic[T]):
    """Work on the background loop; its future is done only when the work has really ended."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        """Keep `work`; it is not begun, so that its caller has the job in hand before it runs."""
        self.future: Future[T] = Future()
        # A running future ignores Future.cancel(), so that "cancelled" is said by the work alone.
        self.future.set_running_or_notify_cancel()
        self._work = work
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[T] | None = None
        self._stop_requested = False
        self._exit: KeyboardInterrupt | SystemExit | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the work on `loop`, with the calling thread's context variables."""
        self._loop = loop
        loop.call_soon_threadsafe(self._start, loop)

    def abandon(self) -> None:
        """Give up work that was never begun."""
        self._work.close()

    @property
    def has_begun(self) -> bool:
        """Return whether the work was handed to a loop."""
        return self._loop is not None

    def cancel(self) -> None:
        """Ask the work to stop; it settles first. Asking again changes nothing."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cancel)

    async def ended(self) -> None:
        """Return when the work has ended, however it did, or when it takes too long to."""
        future = asyncio.wrap_future(self.future)
        # asyncio complains in the log of errors that were never looked at.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait({future}, timeout=_SETTLE_TIMEOUT_S)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._task = loop.create_task(self._guarded(self._work))
        # Cancelled before its first step, the work itself was never begun, and has to be told.
        self._task.add_done_callback(lambda _: self._work.close())
        self._task.add_done_callback(self._finish)

    async def _guarded(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await work
        except (KeyboardInterrupt, SystemExit) as exc:
            # A task that raises one of these stops the loop, and with it every other caller's work.
            self._exit = exc
            raise asyncio.CancelledError from exc

    def _cancel(self) -> None:
        # A second cancel would hit the settling.
        if self._task is not None and not self._stop_requested:
            self._stop_requested = True
            self._task.cancel()

    def _finish(self, task: "asyncio.Task[T]") -> None:
        if self._exit is not None:
            self.future.set_exception(self._exit)
        elif task.cancelled() and not self._stop_requested:
            # Its caller did not ask for this, so it must not look as if the caller were cancelled.
            self.future.set_exception(ClosedError("the Orchestrator was closed while this request ran"))
        elif task.cancelled():
            self.future.set_exception(CancelledError())
        elif (error := task.exception()) is not None:
            _forget_hidden(error)
            self.future.set_exception(error)
        else:
            self.future.set_result(task.result())


class BackgroundLoop:
    """An event loop in a daemon thread, started on first need and again after a fork."""

    def __init__(self, name: str, *, at_end: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """Name the thread; nothing starts yet. `at_end` runs last on each loop, when all work has ended."""
        self._name = name
        self._at_end = at_end
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process_id = 0
        self._closed = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end from synchronous code, whether or not a loop runs in this thread.

        Raises:
            ClosedError: the loop was closed.
            RuntimeError: called on the background loop itself, which would wait for itself.
        """
        if threading.current_thread() is self._thread:
            work.close()
            msg = "a synchronous call inside the orchestrator's own loop would wait for itself; use the async form"
            raise RuntimeError(msg)
        job = Job(work)
        try:
            self._begin(job)
            return job.future.result()
        except BaseException:
            # Ctrl-C lands here: the work is told to stop, and has settled before we go on.
            if job.has_begun and not job.future.done():
                job.cancel()
                _wait(job)
            raise

    async def join(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work` from any event loop; cancelling the caller cancels the work and waits for its end.

        Raises:
            ClosedError: the loop was closed.
        """
        if asyncio.get_running_loop() is self._loop:
            return await work
        job = self.submit(work)
        try:
            return await asyncio.wrap_future(job.future)
        except asyncio.CancelledError:
            job.cancel()
            await job.ended()
            raise

    def submit(self, work: Coroutine[Any, Any, T]) -> Job[T]:
        """Start `work` on the loop.

        Raises:
            ClosedError: the loop was closed.
        """
        job = Job(work)
        self._begin(job)
        return job

    def _begin(self, job: Job[Any]) -> None:
        try:
            # Under the lock, so that nothing is handed to a loop that `close` has told to stop.
            with self._lock:
                job.begin(self._running_loop())
        except ClosedError:
            job.abandon()
            raise

    def close(self) -> None:
        """Cancel what runs, let it settle, and stop the thread. Closing twice does nothing."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None or self._process_id != os.getpid():
            return
        loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():
            thread.join(_SETTLE_TIMEOUT_S)

    def check_open(self) -> None:
        """Check that work may still begin.

        Raises:
            ClosedError: the loop was closed.
        """
        if self._closed:
            msg = "this Orchestrator was closed; make a new one with Orchestrator.from_config()"
            raise ClosedError(msg)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        self.check_open()
        if self._loop is None or self._process_id != os.getpid():
            self._loop = asyncio.new_event_loop()
            self._process_id = os.getpid()
            self._thread = threading.Thread(
                target=_serve, args=(self._loop, self._at_end), name=self._name, daemon=True
            )
            self._thread.start()
        return self._loop


def _serve(loop: asyncio.AbstractEventLoop, at_end: Callable[[], Coroutine[Any, Any, None]] | None) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        if at_end is not None:
            loop.run_until_complete(at_end())
        loop.run_until_complete(loop.shutdown_asyncgens())
        # Names are looked up in threads of the loop's own, which would outlive it.
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def _forget_hidden(error: BaseException) -> None:
    """Let go of what an error was raised `from None` of: its frames are those of a client that holds a key.

    Python does not show it, and whatever reports errors with the variables of every frame may.
    """
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        # Code of others may raise errors from each other in a circle.
        seen.add(id(link))
        if link.__suppress_context__ and link.__cause__ is None:
            link.__context__ = None
        link = link.__cause__ or link.__context__


def _wait(job: Job[Any]) -> None:
    try:
        job.future.exception(timeout=_SETTLE_TIMEOUT_S)
    except (CancelledError, FutureTimeoutError):
        return
