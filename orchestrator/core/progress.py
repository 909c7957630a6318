"""What a request is doing while its caller waits: queued, waiting, asking this one, then that one.

Whoever wants to know listens around the call; nobody else pays for it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import Any, NamedTuple


class ProgressStep(StrEnum):
    """What a request does now."""

    QUEUED = "queued"
    """All slots of the process are taken; it waits for one."""
    WAITING = "waiting"
    """For a retry to be due, or for a limit per minute; `wait_s` says how long."""
    ATTEMPT = "attempt"
    """A deployment is asked."""
    FALLBACK = "fallback"
    """Another deployment is asked, because the one before failed: `failure` says how."""
    REPAIR = "repair"
    """A chain's answer was invalid, and goes back to the model that gave it, with its `mistakes`."""
    NEXT_MODEL = "next_model"
    """It is still invalid, and another model is asked."""


class Progress(NamedTuple):
    """One step of a request; holds no word of a prompt or an answer."""

    step: ProgressStep
    deployment: str | None = None
    attempt: int | None = None
    failure: str | None = None
    """The kind of the failure before, one of `core.failures.FailureKind`."""
    wait_s: float | None = None
    mistakes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return what is known of it, as plain data."""
        known = {
            "step": self.step.value,
            "deployment": self.deployment,
            "attempt": self.attempt,
            "failure": self.failure,
            "wait_s": self.wait_s,
            "mistakes": list(self.mistakes) or None,
        }
        return {name: value for name, value in known.items() if value is not None}


ProgressListener = Callable[[Progress], None]

_LISTENER: ContextVar[ProgressListener | None] = ContextVar("orchestrator_progress", default=None)


@contextmanager
def progress_to(listener: ProgressListener | None) -> Iterator[None]:
    """Have `listener` called with every step of the requests that begin in the block, on their own thread.

    It must return at once: the event loop of all requests calls it.
    """
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def tell(progress: Progress) -> None:
    """Tell the listener of the running request, where there is one."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(progress)
