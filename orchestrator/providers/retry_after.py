"""How long a provider asks to wait, from its headers or its words."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

Now = Callable[[], datetime]


def asked_wait_s(headers: Any, *, now: Now) -> float | None:
    """Return the seconds that headers ask to wait, None where they do not say.

    `headers` are a mapping of lower-case names, of whichever HTTP library. OpenAI says the wait in
    milliseconds too, where whole seconds are rounded up.
    """
    exact_ms = wait_of(str(headers.get("retry-after-ms")))
    if exact_ms is not None:
        return exact_ms / 1000
    asked = str(headers.get("retry-after"))
    wait_s = wait_of(asked)
    return _until_s(asked, now) if wait_s is None else wait_s


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
