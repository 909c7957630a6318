"""The way out: what a dispatcher asks of whatever carries its attempts to the providers.

A transport knows a library or a wire and nothing of plans, money or health. It is handed an `AttemptSource`,
sends the source's current attempt, tells the attempt what happens, and asks the source whether another
deployment may be asked. Which one that is, the source decides.
"""

from collections.abc import Sequence
from typing import Protocol

from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import AttemptFailedError, ProviderAnswer
from orchestrator.dispatch.attempt import InFlightAttempt


class AttemptSource(Protocol):
    """The attempts of one way along a plan, one after the other."""

    @property
    def streams(self) -> bool:
        """Return whether the answer is read piece by piece."""
        ...

    @property
    def current(self) -> InFlightAttempt | None:
        """Return the attempt that is admitted and has not ended."""
        ...

    def upcoming(self) -> Sequence[str]:
        """Return the names of the deployments behind the current one, in the order of the plan."""
        ...

    async def admit(self, deployment: str) -> bool:
        """Return whether `deployment` may be asked now; it is the current attempt then, its money held.

        Waits where the retry profile says so. False also where something else comes first: a retry on the
        same deployment, the end of a stream that has begun, or an attempt that has not been told its end.

        Raises:
            LedgerError: money cannot be held; the transport lets it through to the caller of `send`.
        """
        ...


class Transport(Protocol):
    """The way out of the process."""

    @property
    def is_ready(self) -> bool:
        """Return whether everything is loaded that a send needs."""
        ...

    async def get_ready(self) -> None:
        """Load what a send needs, without holding up the event loop."""
        ...

    async def send(self, source: AttemptSource) -> ProviderAnswer | None:
        """Send the source's current attempt, and others that it admits, until one is answered.

        Returns None when every attempt has failed that the source admits here: it has to choose again.

        Raises:
            AttemptFailedError: the current attempt has failed, and it has not been told so.
        """
        ...


def in_flight(source: AttemptSource) -> InFlightAttempt:
    """Return the source's current attempt, to which what has just come belongs.

    Raises:
        AttemptFailedError: it was told to have failed, so what came after all belongs to no attempt.
    """
    if source.current is None:
        raise AttemptFailedError(Failure(FailureKind.UNKNOWN))
    return source.current


async def admitted_next(source: AttemptSource) -> InFlightAttempt | None:
    """Return the attempt of the next deployment that is admitted, in the order of the plan; None without one.

    Raises:
        LedgerError: its money cannot be held.
    """
    for deployment in tuple(source.upcoming()):
        if await source.admit(deployment):
            return source.current
    return None
