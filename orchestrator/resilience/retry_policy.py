"""How patient a request is: how often and after how long it is sent again."""

from typing import Annotated

from pydantic import Field, PositiveInt

from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.settings import Seconds, Settings, Share


class RetryProfile(Settings):
    """How patient a request is."""

    deadline_s: Annotated[float, Field(gt=0)]
    """All attempts and all waiting together take no longer."""
    attempts_per_deployment: PositiveInt
    """1 is no retry, neither at once nor when all others have failed too."""
    retry_delays_s: tuple[Seconds, ...]
    """Waits before the first, second, ... retry on the same deployment; the last one repeats."""
    fallback_delays_s: tuple[Seconds, ...]
    """Waits before the first, second, ... fallback to another deployment; the last one repeats."""
    jitter: Share = 0.2
    """Each wait is stretched by a random part of itself up to this share."""
    retry_on: frozenset[FailureKind] = frozenset({FailureKind.SERVER_ERROR, FailureKind.DISCONNECTED})
    """Failures worth another try on the same deployment; all others fall back."""
    max_retry_after_s: Seconds = 2.0
    """A Retry-After up to this long is waited for on the same deployment; a longer one means fall back."""
    background: bool = False
    """The answer is not waited for: where slots are short, requests that are waited for go first."""
    min_turn_s: Seconds = 5.0
    """While others remain, an attempt takes half of the time that is left, and at least this."""
    max_rate_wait_s: Seconds = 2.0
    """A place of the plan is waited for so long when its provider's minute is full.

    Then the next is asked.
    """
    max_recovery_wait_s: Seconds = 10.0
    """When none is left to ask, circuits and failures that may pass are waited for so long in all.

    0 tells at once.
    """

    @property
    def asks_again(self) -> bool:
        """Return whether a deployment that failed may be asked once more when all others have failed too."""
        return self.attempts_per_deployment > 1 and self.max_recovery_wait_s > 0


def retry_delay_s(profile: RetryProfile, failure: Failure, *, retries_so_far: int) -> float | None:
    """Return how long to wait before a retry on the same deployment, None to go elsewhere at once."""
    if retries_so_far + 1 >= profile.attempts_per_deployment:
        return None
    if failure.kind is FailureKind.CONTINUATION_REFUSED and retries_so_far == 0:
        return 0.0
    retry_after_s = failure.retry_after_s
    is_announced = retry_after_s is not None and failure.kind is FailureKind.RATE_LIMITED
    if failure.kind not in profile.retry_on and not is_announced:
        return None
    if retry_after_s is not None:
        return retry_after_s if retry_after_s <= profile.max_retry_after_s else None
    return _at(profile.retry_delays_s, retries_so_far)


def fallback_delay_s(profile: RetryProfile, *, fallbacks_so_far: int) -> float:
    """Return how long to wait before the next fallback."""
    return _at(profile.fallback_delays_s, fallbacks_so_far)


def _at(delays_s: tuple[float, ...], place: int) -> float:
    return delays_s[min(place, len(delays_s) - 1)] if delays_s else 0.0
