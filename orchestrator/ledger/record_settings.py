"""How much is kept of requests: nothing but money, what became of them, or prompts and replies too."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, model_validator

from orchestrator.core.names import EACH_TENANT_ONCE, TenantName
from orchestrator.core.settings import Name, Settings

_KEEP_DAYS_MAX = 3650


class RecordMode(StrEnum):
    """How much is kept; each holds what the one before it holds."""

    OFF = "off"
    """The rows that money needs: the request and its attempts."""
    METADATA = "metadata"
    """Also the plan with its reasons, and the words of a degradation. No prompt, no reply."""
    CONTENT = "content"
    """Also the prompt and the reply, in a file beside the ledger, for `keep_days`."""


_LEAST_FIRST = tuple(RecordMode)
KeepDays = Annotated[int, Field(gt=0, le=_KEEP_DAYS_MAX)]


def _with_mode(raw: Any) -> Any:
    """Take a mode alone for settings with that mode; to YAML an unquoted `off` is false."""
    if isinstance(raw, str | bool):
        raw = {"mode": raw}
    if isinstance(raw, Mapping) and raw.get("mode") is False:
        return {**raw, "mode": RecordMode.OFF.value}
    return raw


class RecordRule(Settings):
    """How much is kept of the requests of a use case or a tenant; a mode alone may stand in its place."""

    mode: RecordMode | None = None
    """off, metadata or content; what is kept of all requests if left out."""
    keep_days: KeepDays | None = None
    """For how many days prompts and replies are kept."""

    _mode_alone = model_validator(mode="before")(_with_mode)


class RecordSettings(Settings):
    """How much is kept of requests; where a use case and a tenant say something, the lesser holds."""

    mode: RecordMode = RecordMode.METADATA
    """off: what money needs. metadata: also plans with reasons. content: also prompts and replies."""
    keep_days: KeepDays = 30
    """For how many days prompts and replies are kept, where mode is content."""
    use_cases: Mapping[Name, RecordRule] = {}
    """Use cases of which something else is kept."""
    tenants: Annotated[Mapping[TenantName, RecordRule], EACH_TENANT_ONCE] = {}
    """Tenants of which something else is kept."""

    _mode_alone = model_validator(mode="before")(_with_mode)

    def of(self, *, tenant: str, use_case: str) -> "Recorded":
        """Return what is kept of a request."""
        rules = [
            rule for rule in (self.tenants.get(tenant), self.use_cases.get(use_case)) if rule is not None
        ]
        if not rules:
            return Recorded(self.mode, self.keep_days)
        modes = [rule.mode for rule in rules if rule.mode is not None] or [self.mode]
        days = [rule.keep_days for rule in rules if rule.keep_days is not None] or [self.keep_days]
        return Recorded(min(modes, key=_LEAST_FIRST.index), min(days))


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is kept of a request."""

    mode: RecordMode
    keep_days: int
