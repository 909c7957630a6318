"""Processes of their own that have loaded LiteLLM already: each is forked of one that does nothing else.

The import takes seconds of a processor, and a test that starts eight processes would spend it eight times.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from multiprocessing import forkserver
from multiprocessing.connection import Connection

_FORKS = multiprocessing.get_context("forkserver")
_LOADED_BEFORE = ["warm_litellm", "pytest"]
"""The latter because every forked process loads the program that started the tests."""


class Warm:
    """A process that runs a program, with pipes for its standard streams."""

    def __init__(self, program: str, *arguments: str, environment: Mapping[str, str]) -> None:
        start_the_first()
        its_input, our_end = _FORKS.Pipe(duplex=False)
        self.stdin = os.fdopen(os.dup(our_end.fileno()), "w")
        our_end.close()
        our_end, its_output = _FORKS.Pipe(duplex=False)
        self.stdout = os.fdopen(os.dup(our_end.fileno()))
        our_end.close()
        given = (program, arguments, dict(environment), its_input, its_output)
        self._process = _FORKS.Process(target=_run, args=given, daemon=True)
        self._process.start()
        its_input.close()
        its_output.close()

    def go(self) -> None:
        """Send it a line."""
        self.stdin.write("\n")
        self.stdin.flush()

    def told(self) -> str:
        """Return the next line that it says."""
        return self.stdout.readline().strip()

    def interrupt(self) -> None:
        """Send it SIGINT, as Ctrl-C does."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGINT)

    def terminate(self) -> None:
        """Send it SIGTERM, as a service manager does."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self._process.kill()

    def wait(self, timeout_s: float | None = None) -> int:
        """Return its exit code when it has ended; fail when it takes longer than `timeout_s`."""
        self._process.join(timeout_s)
        assert self._process.exitcode is not None, f"it still runs after {timeout_s} s"
        return self._process.exitcode

    def end(self) -> None:
        """Kill it if it still runs, and close everything."""
        self.kill()
        self.wait()
        self.stdin.close()
        self.stdout.close()
        self._process.close()


def start_the_first() -> None:
    """Start the process that the others are forked of, unless it runs."""
    _FORKS.set_forkserver_preload(_LOADED_BEFORE)
    before = os.environ.get("PYTHONPATH")
    # It has no sys.path of ours, and says nothing of a module that it does not find.
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _run(
    program: str,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    its_input: Connection,
    its_output: Connection,
) -> None:
    os.dup2(its_input.fileno(), 0)
    os.dup2(its_output.fileno(), 1)
    its_input.close()
    its_output.close()
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    os.environ.update(environment)
    sys.argv = ["warm", *arguments]
    exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})  # noqa: S102 -- a program of a test
