"""One background loop for every caller: scripts, threads, five `asyncio.run` in a row, a running loop, a fork."""

import asyncio
import contextvars
import logging
import os
import signal
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from orchestrator.core.background_loop import BackgroundLoop
from orchestrator.core.errors import ClosedError

TENANT = contextvars.ContextVar("tenant", default="nobody")


@pytest.fixture
def loop():
    background = BackgroundLoop("test-core")
    yield background
    background.close()


class Work:
    """Work that waits to be let go or cancelled, and takes a moment to settle."""

    def __init__(self, settle_s: float = 0.05) -> None:
        self.started = threading.Event()
        self.settled = threading.Event()
        self._settle_s = settle_s

    async def __call__(self) -> str:
        self.started.set()
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(self._settle_s)
            self.settled.set()
        return "done"


async def where() -> tuple[int, str]:
    await asyncio.sleep(0)
    return id(asyncio.get_running_loop()), threading.current_thread().name


async def fail(error: BaseException) -> None:
    raise error


def test_nothing_is_started_before_the_first_need():
    names = {thread.name for thread in threading.enumerate()}
    BackgroundLoop("test-never-used").close()
    assert {thread.name for thread in threading.enumerate()} == names


def test_five_runs_of_asyncio_meet_one_and_the_same_loop(loop):
    places = [asyncio.run(loop.join(where())) for _ in range(5)]
    assert len(set(places)) == 1
    assert places[0][1] == "test-core"


def test_threads_meet_the_same_loop(loop):
    with ThreadPoolExecutor(8) as pool:
        places = set(pool.map(lambda _: loop.run(where()), range(40)))
    assert len(places) == 1


async def test_a_synchronous_call_works_where_a_loop_is_running_already(loop):
    """As in a notebook."""
    assert loop.run(where())[0] != id(asyncio.get_running_loop())


def test_an_error_of_the_work_reaches_its_caller_as_it_is(loop):
    error = KeyError("the very one")
    with pytest.raises(KeyError) as caught:
        loop.run(fail(error))
    assert caught.value is error
    with pytest.raises(KeyError, match="the very one"):
        asyncio.run(loop.join(fail(error)))


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_work_that_ends_the_program_ends_only_its_caller(loop, ending):
    """Asyncio stops a loop in which these are raised; the next caller gets a new one."""
    with pytest.raises(ending):
        loop.run(fail(ending()))
    assert loop.run(where())[1] == "test-core"


async def test_a_cancelled_caller_waits_until_the_work_has_settled(loop, caplog):
    work = Work()
    caller = asyncio.create_task(loop.join(work()))
    await asyncio.to_thread(work.started.wait, 5)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert work.settled.is_set()


async def test_a_timeout_around_a_caller_waits_until_the_work_has_settled(loop):
    work = Work()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await loop.join(work())
    assert work.settled.is_set()


def test_a_cancelled_caller_leaves_no_complaint_in_the_log(loop, caplog):
    async def main() -> None:
        work = Work()
        caller = asyncio.create_task(loop.join(work()))
        await asyncio.to_thread(work.started.wait, 5)
        caller.cancel()
        await asyncio.wait({caller})

    with caplog.at_level(logging.DEBUG, logger="asyncio"):
        asyncio.run(main())
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_ctrl_c_in_a_synchronous_call_comes_back_after_the_work_has_settled(loop):
    work = Work()

    def press_ctrl_c() -> None:
        work.started.wait(300)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press_ctrl_c).start()
    with pytest.raises(KeyboardInterrupt):
        loop.run(work())
    assert work.settled.is_set()
    assert loop.run(where())[1] == "test-core"


def test_context_variables_of_the_caller_are_those_of_the_work(loop):
    async def tenant() -> str:
        await asyncio.sleep(0)
        return TENANT.get()

    def ask_as(name: str) -> tuple[str, str]:
        TENANT.set(name)
        return loop.run(tenant()), asyncio.run(loop.join(tenant()))

    names = [f"tenant-{number}" for number in range(20)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda name: contextvars.Context().run(ask_as, name), names)) == [
            (name, name) for name in names
        ]


def test_a_synchronous_call_on_the_loop_itself_is_refused_instead_of_waiting_forever(loop):
    async def call_again() -> None:
        loop.run(where())

    with pytest.raises(RuntimeError, match="use the async form"):
        loop.run(call_again())


def test_an_async_call_on_the_loop_itself_just_runs(loop):
    async def call_again() -> tuple[int, str]:
        return await loop.join(where())

    assert loop.run(call_again())[1] == "test-core"


def test_a_forked_child_gets_a_loop_of_its_own(loop):
    parent = loop.run(where())
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        answer = "nothing"
        try:
            answer = loop.run(where())[1]
            loop.close()
        finally:
            os.write(writer, answer.encode())
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100) == b"test-core"
    assert loop.run(where()) == parent, "the parent's loop must go on"


def test_a_closed_loop_takes_no_more_work(loop):
    loop.run(where())
    loop.close()
    loop.close()
    for call in (lambda: loop.run(where()), lambda: asyncio.run(loop.join(where()))):
        with pytest.raises(ClosedError, match="make a new one"):
            call()


def test_closing_lets_what_runs_settle_and_tells_its_callers(loop):
    """A caller that nobody cancelled is not told that it was cancelled."""
    work, other = Work(), Work()
    with ThreadPoolExecutor(2) as pool:
        sync = pool.submit(loop.run, work())
        asynchronous = pool.submit(lambda: asyncio.run(loop.join(other())))
        assert work.started.wait(300)
        assert other.started.wait(300)
        loop.close()
        assert work.settled.is_set()
        assert other.settled.is_set()
        for caller in (sync, asynchronous):
            with pytest.raises(ClosedError, match="closed while this request ran"):
                caller.result(300)


def test_the_thread_ends_when_the_loop_is_closed(loop):
    loop.run(where())
    loop.close()
    assert "test-core" not in {thread.name for thread in threading.enumerate()}


def test_nobody_waits_forever_when_the_loop_is_closed_under_them():
    """Every call that races with `close` is answered or told that it came too late."""
    for _ in range(30):
        background = BackgroundLoop("test-race")
        background.run(where())

        def call(background: BackgroundLoop = background) -> str:
            for _ in range(1000):
                try:
                    background.run(where())
                except (ClosedError, CancelledError) as error:
                    return type(error).__name__
            return "never closed"

        with ThreadPoolExecutor(4) as pool:
            callers = [pool.submit(call) for _ in range(4)]
            time.sleep(0.002)
            background.close()
            assert {caller.result(300) for caller in callers} == {"ClosedError"}


def test_the_threads_of_the_loop_end_with_it():
    """A service that makes an orchestrator anew with every reload must not gather threads."""
    before = set(threading.enumerate())
    loop = BackgroundLoop("with-an-executor")

    async def work() -> None:
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)

    loop.run(work())
    assert set(threading.enumerate()) - before
    loop.close()
    assert set(threading.enumerate()) - before == set()


def test_an_error_leads_to_no_frame_that_it_was_raised_from_none_of(loop):
    """A time-out's own cause has the frames of the client that was cut off, and its headers."""

    async def work() -> None:
        try:
            async with asyncio.timeout(0):
                await asyncio.sleep(30)
        except TimeoutError:
            raise ValueError("too late") from None

    for run in (loop.run, lambda cut: asyncio.run(loop.join(cut))):
        with pytest.raises(ValueError, match="too late") as caught:
            run(work())
        assert caught.value.__context__ is None


def test_the_cause_of_an_error_stays(loop):
    async def work() -> None:
        try:
            raise KeyError("x")
        except KeyError as exc:
            raise ValueError("y") from exc

    with pytest.raises(ValueError) as caught:
        loop.run(work())
    assert isinstance(caught.value.__cause__, KeyError)


def test_errors_that_lead_to_each_other_in_a_circle_end(loop):
    """Library code may raise an error from one that came of it."""

    async def work() -> None:
        first = KeyError("x")
        try:
            try:
                raise first
            except KeyError:
                raise ValueError("y")  # noqa: B904 -- so that its context is the first
        except ValueError as second:
            raise first from second

    with pytest.raises(KeyError):
        loop.run(work())
