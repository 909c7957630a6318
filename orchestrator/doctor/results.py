"""What a check found: the nouns of `orchestrator doctor`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class CheckResult(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 -- no password
    FAIL = "fail"
    SKIPPED = "skipped"
    """Not looked at, for the reason in the detail."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    tier: str
    """A provider of config.yaml, or `here` for this machine."""
    name: str
    verdict: CheckResult
    detail: str
    """What was seen; never a key, a prompt or a provider's error text."""
    todo: str | None = None
    """What to do about a failure."""
    took_s: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the check for programs."""
        return {
            "tier": self.tier,
            "check": self.name,
            "verdict": self.verdict.value,
            "detail": self.detail,
            "todo": self.todo,
            "took_s": None if self.took_s is None else round(self.took_s, 3),
        }


def passed(tier: str, name: str, detail: str, *, took_s: float | None = None) -> Check:
    """Return a check that found all well."""
    return Check(tier, name, CheckResult.PASS, detail, took_s=took_s)


def failed(tier: str, name: str, detail: str, *, todo: str) -> Check:
    """Return a check that found something wrong, with what to do."""
    return Check(tier, name, CheckResult.FAIL, detail, todo)


def skipped(tier: str, name: str, detail: str) -> Check:
    """Return a check that was not made."""
    return Check(tier, name, CheckResult.SKIPPED, detail)
