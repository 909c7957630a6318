"""What became of the latest requests to a deployment, in the order in which they were sent.

A failure may be told long after it happened: what hangs in an outage is given up when all is well again.
Whether it is news, the requests that were sent later say.
"""

import math
from collections import deque
from dataclasses import dataclass

_REMEMBERED = 1024
_LATEST = 10
_EARLIEST_S = 1.0
"""An answer is not missed sooner than this after its request."""


@dataclass(slots=True, eq=False)
class Send:
    """One request that was let through."""

    at_s: float
    """In monotonic seconds."""
    is_answered: bool = False
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

    def well_since_s(self, now_s: float, *, usual_s: float | None) -> float:
        """Return from when on every request was answered, as far as that can be known; -inf when not.

        Of those whose answer is due by now, twice the usual time after they were sent, the latest ten count.
        """
        due_s = now_s - max(_EARLIEST_S, 2 * (usual_s or 0.0))
        seen, since_s = 0, -math.inf
        for send in reversed(self._sends):
            if send.at_s > due_s or send.is_withdrawn:
                continue
            if not send.is_answered:
                return -math.inf
            seen, since_s = seen + 1, send.at_s
            if seen == _LATEST:
                return since_s
        return -math.inf
