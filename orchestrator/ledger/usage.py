"""What a look at a range of days returns: which rows are meant, and their sums, streamed group by group."""

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.core.money import NanoUsd


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows of some days; what is None is not looked at."""

    since: str
    """The first day, `2026-11-01`, as the ledger counts days."""
    until: str
    """The last day, itself meant too."""
    tenant: str | None = None
    use_case: str | None = None
    user: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class RequestGroup:
    """Requests that are alike."""

    day: str
    tenant: str
    use_case: str
    user: str | None
    tags: tuple[str, ...]
    outcome: str
    cached: str
    degraded: bool
    error: str | None
    requests: int
    latency_ms: int
    """Together."""


@dataclass(frozen=True, slots=True)
class SendGroup:
    """Sends that are alike; cost has its corrections in it."""

    day: str
    scopes: tuple[str, ...]
    provider: str
    deployment: str
    model: str
    outcome: str
    cost_source: str
    sends: int
    sends_paid: int
    """Those that cost something."""
    cost_nusd: NanoUsd
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    output_tokens_max: int
    latency_ms: int
    """Together."""

    def scope(self, kind: str) -> str | None:
        """Return the name in the scope of one kind (`tenant`, `user`), None where it has none."""
        return next(iter(self.names(kind)), None)

    def names(self, kind: str) -> tuple[str, ...]:
        """Return every name in the scopes of one kind: a request may have several tags."""
        return tuple(scope[len(kind) + 1 :] for scope in self.scopes if scope.startswith(f"{kind}:"))


class Duration(StrEnum):
    """A time that the ledger keeps, of what succeeded."""

    REQUEST = "request"
    """From the caller's question to its answer."""
    SEND = "send"
    FIRST_TOKEN = "first_token"  # noqa: S105 -- the first token of a stream


@dataclass(frozen=True, slots=True)
class DurationCount:
    """How often something took so many milliseconds."""

    model: str
    """Empty for requests, which may have asked several."""
    duration_ms: int
    count: int
