"""Standard input, output and error that may be closed, full, or without a reader.

A command whose result cannot be written has failed, and says so once; one whose warnings cannot be written
goes on.
"""

import io
import os
import sys
from typing import Any

from orchestrator.core.errors import OrchestratorError


class OutputError(OrchestratorError):
    """Standard output does not take the result."""


class ReaderGoneError(Exception):
    """Who reads standard output wants no more, as `head` does: no failure, and nothing is said of it.

    It is no OSError: of those each library makes an exit of its own.
    """


def settle_streams() -> None:
    """Give every standard stream an object that prints a mark for letters which its encoding lacks."""
    _fill_closed_descriptors()
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 -- for the whole process
    if sys.stdout is None:
        sys.stdout = _text_of(_Output(None), "utf-8", by_line=False)
    elif sys.__stdout__ is not None and sys.stdout is sys.__stdout__:
        output = _Output(sys.__stdout__.fileno())
        sys.stdout = _text_of(output, sys.__stdout__.encoding, by_line=output.isatty())
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 -- for the whole process
    elif sys.__stderr__ is not None and sys.stderr is sys.__stderr__:
        # By line into a file or a pipe too: a server's log is read while it runs.
        sys.stderr = _text_of(_Warnings(sys.__stderr__.fileno()), sys.__stderr__.encoding, by_line=True)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Vietnamese must not end a command.
            stream.reconfigure(errors="replace")


def _fill_closed_descriptors() -> None:
    """Open nothing in the place of a closed stream: a ledger there would get what is printed."""
    if sys.stdin is None or sys.stdout is None or sys.stderr is None:
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 -- standard error
            pass
        os.close(descriptor)


def _text_of(raw: io.RawIOBase, encoding: str, *, by_line: bool) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, line_buffering=by_line)


class _Output(io.RawIOBase):
    """A stream whose first failure is an error, and which takes no more after it."""

    def __init__(self, descriptor: int | None) -> None:
        """Write to a descriptor, None for a stream that was closed before the program began."""
        self._descriptor = descriptor
        self._is_lost = False

    def writable(self) -> bool:
        """Return that it is for writing."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        if self._descriptor is None:
            raise io.UnsupportedOperation("the stream is closed")
        return self._descriptor

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self._descriptor is not None and os.isatty(self._descriptor)

    def write(self, data: Any) -> int:
        """Write some of the bytes and return how many."""
        if self._is_lost:
            return len(memoryview(data))
        try:
            return os.write(self.fileno(), data)
        except OSError as exc:
            self._is_lost = True
            return self._fail(exc, data)

    def _fail(self, error: OSError, data: Any) -> int:
        del data
        if isinstance(error, BrokenPipeError):
            raise ReaderGoneError from None
        raise OutputError(
            f"the result cannot be written to standard output: {error.strerror or error}; "
            "what the command had to do besides is done"
        ) from None


class _Warnings(_Output):
    """Standard error: what it does not take is nobody's failure."""

    def _fail(self, error: OSError, data: Any) -> int:
        del error
        return len(memoryview(data))
