"""The error of a walk that nobody answered: what went wrong, at whom, and what to do."""

from collections.abc import Mapping, Sequence

from orchestrator.core.errors import (
    AllProvidersFailedError,
    DeadlineExceededError,
    FailedStep,
    OrchestratorError,
    PromptTooLargeError,
    RejectedByProviderError,
)
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.reply import Attempt

NO_TIME = "no time left"
"""Why a step was skipped for which the deadline left nothing."""


def failure_error(
    attempts: Sequence[Attempt],
    skipped: Sequence[FailedStep],
    *,
    failure: Failure | None,
    remarks: Mapping[int, str],
    advice: str,
) -> OrchestratorError:
    """Return what to tell the caller.

    `failure` is the last one, `remarks` are what our own parts said of an attempt, by its number, and
    `advice` is what the failures together ask for, empty when nothing.
    """
    if failure is not None and failure.kind is FailureKind.BAD_REQUEST:
        return RejectedByProviderError(
            f"{attempts[-1].deployment} refused the request itself ({failure}); "
            "another provider would too. Look at its messages, tools and sampling parameters."
        )
    if not attempts and skipped and all(step.reason == NO_TIME for step in skipped):
        return DeadlineExceededError(
            "no time left to ask anybody; allow more with deadline_s, or ask for less"
        )
    if attempts and all(one.failure == FailureKind.CONTEXT_OVERFLOW for one in attempts):
        return PromptTooLargeError("the prompt is longer than every model of the plan takes; shorten it")
    if attempts and all(one.failure == FailureKind.CONTENT_FILTERED for one in attempts):
        return RejectedByProviderError(
            f"every model that was asked blocked the request by its content filter "
            f"({', '.join(one.deployment for one in attempts)}); say it in other words"
        )
    tried = [
        FailedStep(one.deployment, remarks.get(one.number) or one.failure or "failed", one.failure)
        for one in attempts
    ]
    told = advice or "; please try again in a moment"
    return AllProvidersFailedError(f"no provider could answer just now{told}", steps=(*tried, *skipped))
