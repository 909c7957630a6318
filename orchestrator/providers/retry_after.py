"""How long a provider asks to wait, from its headers or its words."""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

Now = Callable[[], datetime]

_COUNTERS = (
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    *((f"x-ratelimit-remaining-{what}", f"x-ratelimit-reset-{what}") for what in ("requests", "tokens")),
    *(
        (f"anthropic-ratelimit-{what}-remaining", f"anthropic-ratelimit-{what}-reset")
        for what in ("requests", "tokens", "input-tokens", "output-tokens")
    ),
)
"""What is left of each limit, and when it is full again."""
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_EPOCH_S, _EPOCH_MS = 1e9, 1e11
"""From here on a number is a moment and no duration: 30 years are no wait."""


def asked_wait_s(headers: Any, *, now: Now) -> float | None:
    """Return the seconds that headers ask to wait, None where they do not say.

    `headers` are a mapping of lower-case names, of whichever HTTP library. OpenAI says the wait in
    milliseconds too, where whole seconds are rounded up. OpenRouter and Azure may say nothing but when a
    limit of which nothing is left is full again.
    """
    exact_ms = wait_of(str(headers.get("retry-after-ms")))
    if exact_ms is not None:
        return exact_ms / 1000
    asked = str(headers.get("retry-after"))
    wait_s = wait_of(asked)
    if wait_s is None:
        wait_s = _until_s(asked, now)
    return _full_again_s(headers, now) if wait_s is None else wait_s


def wait_of(written: str) -> float | None:
    """Return a wait that is written as a number, in its own unit; None of anything else, and of no end."""
    try:
        number = float(written)
    except ValueError:
        return None
    # A provider that says "inf" would rest forever.
    return max(0.0, number) if math.isfinite(number) else None


def _until_s(written: str, now: Now) -> float | None:
    try:
        moment = parsedate_to_datetime(written)
    except (ValueError, OverflowError):
        return None
    # A date without a zone ("-0000") is one in UTC.
    known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (known - now()).total_seconds())


def _full_again_s(headers: Any, now: Now) -> float | None:
    resets = [headers.get(reset) for left, reset in _COUNTERS if wait_of(str(headers.get(left))) == 0.0]
    waits_s = [wait_s for reset in resets if (wait_s := _reset_s(str(reset), now))]
    return max(waits_s, default=None)


def _reset_s(written: str, now: Now) -> float | None:
    """Return the wait until a moment (in seconds or ms since 1970, a date) or of a duration (`6m0s`)."""
    number = wait_of(written)
    if number is not None:
        if number < _EPOCH_S:
            return number
        return max(0.0, number / (1 if number < _EPOCH_MS else 1000) - now().timestamp())
    parts = _DURATION.findall(written)
    if parts and "".join(size + unit for size, unit in parts) == written:
        return sum(float(size) * _UNITS_S[unit] for size, unit in parts)
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    return max(0.0, ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now()).total_seconds())
