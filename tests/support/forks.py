"""Run the tests in several processes that are forked of the one that has collected them: `pytest --forks 4`.

A process that begins anew imports and collects all by itself, for fifteen seconds of a processor; a fork has it.
Each takes a file at a time, so that what a module's tests share is set up once. When no file is left, a process
that is idle takes half of what the busiest has left.
"""

import io
import multiprocessing
import traceback
import warnings
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import groupby
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import pytest
from _pytest.config import create_terminal_writer

_FORK = multiprocessing.get_context("fork")

Prepare = Callable[[list[pytest.Item]], None]
"""Loads what many of these tests need, before any process is forked."""
Unit = Callable[[pytest.Item], Path]
"""Says with which neighbours a test shares work, so that one process takes them all: its file, or its folder."""


def add_option(parser: pytest.Parser) -> None:
    """Let `--forks N` say how many processes run the tests; without it, this one does."""
    parser.addoption("--forks", type=int, default=0, metavar="N", help="run the tests in N forked processes")


class Forks:
    """The plugin of the process that collects: it forks the others, hands out the tests and reports on them."""

    def __init__(
        self,
        config: pytest.Config,
        count: int,
        *,
        prepare: Prepare = lambda _: None,
        unit: Unit = lambda item: item.path,
    ) -> None:
        self._config = config
        self._count = count
        self._prepare = prepare
        self._unit = unit
        self._files: deque[deque[int]] = deque()
        """The tests that nobody has, as numbers into those collected, file by file."""
        self._workers: dict[Connection, _Worker] = {}
        self._begun = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if session.config.option.collectonly or session.testsfailed:
            return None  # pytest's own loop says what there is to say
        files = groupby(range(len(session.items)), key=lambda number: self._unit(session.items[number]))
        self._files = deque(deque(numbers) for _, numbers in files)
        _print_no_file_names(session.config)
        self._prepare(session.items)
        try:
            for _ in range(min(self._count, len(session.items))):
                self._begin(session)
            while self._workers:
                for pipe in wait(list(self._workers)):
                    assert isinstance(pipe, Connection)
                    self._hear(session, pipe)
        finally:
            for worker in self._workers.values():
                worker.process.kill()
                worker.process.join()
        return True

    def _begin(self, session: pytest.Session) -> None:
        pipe, its_pipe = _FORK.Pipe()
        folder = session.config._tmp_path_factory.getbasetemp() / f"fork-{self._begun}"  # type: ignore[attr-defined]
        self._begun += 1
        process = _FORK.Process(target=_run, args=(session, its_pipe, folder))
        process.start()
        its_pipe.close()
        self._workers[pipe] = _Worker(process)
        # One to run and one to follow it: what fixtures outlive a test depends on which test follows.
        self._hand_out(pipe)
        if self._workers[pipe].sent:
            self._hand_out(pipe)

    def _hand_out(self, pipe: Connection) -> None:
        worker = self._workers[pipe]
        if not worker.to_come:
            worker.to_come = self._more()
        number = worker.to_come.popleft() if worker.to_come else None
        if number is not None:
            worker.sent.append(number)
        with suppress(OSError):  # who has died meanwhile is heard of soon
            pipe.send(number)

    def _more(self) -> deque[int]:
        if self._files:
            return self._files.popleft()
        busiest = max(self._workers.values(), key=lambda worker: len(worker.to_come)).to_come
        return deque(reversed([busiest.pop() for _ in range((len(busiest) + 1) // 2)]))

    def _hear(self, session: pytest.Session, pipe: Connection) -> None:
        worker = self._workers[pipe]
        name, content = _received(pipe)
        if name == "gone":
            self._close(session, pipe)
        elif name == "report":
            self._log(session, content)
        elif name == "warning":
            self._config.hook.pytest_warning_recorded.call_historic(kwargs=_warning_of(content))
        elif name == "broken":
            raise RuntimeError(f"a process of tests failed in pytest itself:\n{content}")
        elif name == "ended":
            item = session.items[worker.sent.popleft()]
            self._config.hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
            if worker.sent:
                self._hand_out(pipe)

    def _log(self, session: pytest.Session, content: dict[str, Any]) -> None:
        hook = self._config.hook
        report = hook.pytest_report_from_serializable(config=self._config, data=content)
        hook.pytest_runtest_logreport(report=report)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)

    def _close(self, session: pytest.Session, pipe: Connection) -> None:
        """A process has ended. One that still had tests has died of the first of them: another takes the rest."""
        worker = self._workers.pop(pipe)
        pipe.close()
        worker.process.join()
        if not worker.sent:
            return
        item = session.items[worker.sent.popleft()]
        died = pytest.TestReport(
            nodeid=item.nodeid,
            location=item.location,
            keywords={},
            outcome="failed",
            longrepr=f"the process that ran it has ended with exit code {worker.process.exitcode}",
            when="call",
        )
        content = self._config.hook.pytest_report_to_serializable(config=self._config, report=died)
        self._log(session, content)
        if left := worker.sent + worker.to_come:
            self._files.appendleft(left)
        self._begin(session)


class _Worker:
    """What the process that hands out the tests knows of another."""

    def __init__(self, process: multiprocessing.process.BaseProcess) -> None:
        self.process = process
        self.sent: deque[int] = deque()
        """The test that it runs, and the one that follows."""
        self.to_come: deque[int] = deque()
        """What it will get if no idle process takes it."""


def _run(session: pytest.Session, pipe: Connection, folder: Path) -> None:
    try:
        _leave_the_terminal(session.config)
        folder.mkdir(mode=0o700)
        session.config._tmp_path_factory._basetemp = folder  # type: ignore[attr-defined]
        reporter = _Reporter(session.config, pipe)
        number = pipe.recv()
        while number is not None:
            following = pipe.recv()
            next_item = None if following is None else session.items[following]
            session.config.hook.pytest_runtest_protocol(item=session.items[number], nextitem=next_item)
            reporter.send("ended", None)
            number = following
    except (KeyboardInterrupt, EOFError, ConnectionError):
        pass  # the process that hands out the tests is over, or ends us itself
    except BaseException:  # noqa: BLE001 (whatever it is, the other process says it)
        pipe.send(("broken", traceback.format_exc()))


class _Reporter:
    """The plugin of a process of tests: what pytest would log goes to the process that hands out the tests."""

    def __init__(self, config: pytest.Config, pipe: Connection) -> None:
        self._config = config
        self._pipe = pipe
        self._registered = False
        config.pluginmanager.register(self)
        self._registered = True

    def send(self, name: str, content: Any) -> None:
        self._pipe.send((name, content))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.send(
            "report", self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        )

    def pytest_warning_recorded(
        self,
        warning_message: warnings.WarningMessage,
        when: str,
        nodeid: str,
        location: tuple[str, int, str] | None,
    ) -> None:
        # Whoever registers is given again what was recorded while collecting; the other process has it.
        if not self._registered:
            return
        where = (warning_message.filename, warning_message.lineno)
        content = (
            str(warning_message.message),
            warning_message.category.__name__,
            *where,
            when,
            nodeid,
            location,
        )
        self.send("warning", content)


def _received(pipe: Connection) -> tuple[str, Any]:
    """Return the next message: `report`, `warning`, `ended` (a test), `broken` (pytest itself) or `gone`."""
    try:
        name, content = pipe.recv()
    except (EOFError, OSError):  # the latter when it was killed in the middle of a message
        return "gone", None
    return name, content


def _warning_of(content: tuple[Any, ...]) -> dict[str, Any]:
    text, category, filename, lineno, when, nodeid, location = content
    # Of its class only the name is shown, and not every class can be sent.
    message = warnings.WarningMessage(text, type(category, (Warning,), {}), filename, lineno)
    return {"warning_message": message, "when": when, "nodeid": nodeid, "location": location}


def _print_no_file_names(config: pytest.Config) -> None:
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None:
        # Tests of several files end in turns.
        reporter.showfspath = False


class _SilentTerminal:
    """What `config.get_terminal_writer()` looks for; the stacks of a test that took too long go there."""

    def __init__(self, config: pytest.Config) -> None:
        self._tw = create_terminal_writer(config, io.StringIO())


def _leave_the_terminal(config: pytest.Config) -> None:
    """Say nothing there, and capture what the tests print in files of our own instead of the ones we share."""
    plugins = config.pluginmanager
    if plugins.hasplugin("terminalreporter"):
        plugins.unregister(name="terminalreporter")
        plugins.register(_SilentTerminal(config), "terminalreporter")
    capture = plugins.getplugin("capturemanager")
    if capture is not None and capture.is_globally_capturing():
        capture.stop_global_capturing()
        capture.start_global_capturing()
