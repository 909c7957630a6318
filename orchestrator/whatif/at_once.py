"""Two things that hang on nothing of each other, done at once: one here, one in a copy of this process.

A copy is made by a fork, so it has all that was read without reading it again, and what it changes stays in
it. Other threads of this process are not in the copy, and what they have locked is never free there: neither
thing may need what another thread uses.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from typing import TypeVar

HereT = TypeVar("HereT")
BesideT = TypeVar("BesideT")

_TIDIES_WITHIN_S = 2.0
"""A copy that nobody waits for any more."""


def both(here: Callable[[], HereT], beside: Callable[[], BesideT]) -> tuple[HereT, BesideT]:
    """Return what two functions return; one after the other where there is one processor, or no room to fork.

    What `beside` returns is pickled. Where its process ends without an answer it is called here: its error is
    then raised as usual.
    """
    if not _can_be_divided():
        return here(), beside()
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(beside, sending.send), daemon=True)
    try:
        process.start()
    except OSError:  # no memory for another process, or a limit on their number
        receiving.close()
        return here(), beside()
    finally:
        sending.close()
    try:
        first = here()
        try:
            return first, receiving.recv()
        except (EOFError, OSError):  # it told nothing, or a part
            return first, beside()
    finally:
        # It has told all, or nobody waits for it.
        receiving.close()
        process.terminate()
        process.join(_TIDIES_WITHIN_S)
        process.kill()
        process.join()


def _tell(beside: Callable[[], BesideT], send: Callable[[BesideT], None]) -> None:
    with contextlib.suppress(BaseException):
        # What it has made, such as a folder for a while, goes with it.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        send(beside())


def _can_be_divided() -> bool:
    # Elsewhere than on Linux the libraries of the system do not bear a fork, or there is none.
    return sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1
