"""One check of `orchestrator doctor`, and how it ended."""

from dataclasses import dataclass
from enum import StrEnum


class CheckResult(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 -- no password
    FAIL = "fail"
    SKIPPED = "skipped"
    """Not looked at, for the reason in the detail."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check and its result."""

    tier: str
    """A provider of config.yaml, or `here` for this machine."""
    name: str
    verdict: CheckResult
    detail: str
    """What was seen; never a key, a prompt or a provider's error text."""
    todo: str | None = None
    """What to do about a failure."""
    took_s: float | None = None


def passed(tier: str, name: str, detail: str, *, took_s: float | None = None) -> Check:
    """Return a check that found everything in order."""
    return Check(tier, name, CheckResult.PASS, detail, took_s=took_s)


def failed(tier: str, name: str, detail: str, *, todo: str) -> Check:
    """Return a check that found a mistake, with what to do."""
    return Check(tier, name, CheckResult.FAIL, detail, todo)


def skipped(tier: str, name: str, detail: str) -> Check:
    """Return a check that was not made."""
    return Check(tier, name, CheckResult.SKIPPED, detail)
