"""What became of the latest requests to a deployment, in the order in which they were sent.

A failure may be told long after it happened: what hangs in an outage is given up when all is well again.
Whether it is news, the requests that were sent later say.
"""

from collections import deque
from dataclasses import dataclass

_REMEMBERED = 1024
_EARLIEST_S = 1.0
"""An answer is not missed sooner than this after its request."""


@dataclass(slots=True, eq=False)
class Send:
    """One request that was let through."""

    at_s: float
    """In monotonic seconds."""
    is_answered: bool = False
    has_failed: bool = False
    is_withdrawn: bool = False
    """It was not sent, or says nothing about health."""


class LatestSends:
    """The latest requests to one deployment; used on one event loop."""

    def __init__(self) -> None:
        """Start with none."""
        self._sends: deque[Send] = deque(maxlen=_REMEMBERED)

    def add(self, now_s: float) -> Send:
        """Remember a request that is let through now."""
        send = Send(now_s)
        self._sends.append(send)
        return send

    def answered_since(self, failed: Send, now_s: float, *, usual_s: float | None) -> int:
        """Return how many that were sent later are answered, where a send fails late; else 0.

        Late is more than twice the usual time after it was sent. Of the later ones those in a row count that
        were sent last, back to the first that failed or is overdue itself.
        """
        due_s = now_s - max(_EARLIEST_S, 2 * (usual_s or 0.0))
        if failed.at_s > due_s:
            return 0
        answered = 0
        for send in reversed(self._sends):
            if send.at_s <= failed.at_s:
                break
            if send.is_answered:
                answered += not send.is_withdrawn
            elif not send.is_withdrawn and (send.has_failed or send.at_s <= due_s):
                break
        return answered
