"""A request under way: with what it began, what applies to it, and how far it has come."""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.cache.response_cache import ReplyCache
from orchestrator.config.loader import Config
from orchestrator.core.money import ZERO_NUSD, NanoUsd
from orchestrator.core.reply import ChatReply
from orchestrator.core.request import ChatRequest
from orchestrator.dispatch.dispatcher import Walk
from orchestrator.providers.litellm.router import Gateway
from orchestrator.resilience.retry_policy import RetryProfile
from orchestrator.routing.settings import UseCaseSettings


@dataclass(frozen=True, slots=True)
class ConfigSnapshot:
    """What belongs to one configuration; a changed one makes a new core."""

    config: Config
    gateway: Gateway
    cache: ReplyCache


@dataclass(frozen=True, slots=True)
class Call:
    """One request with what applies to it from its first moment to its last."""

    id: str
    request: ChatRequest
    core: ConfigSnapshot
    use_case: UseCaseSettings
    profile: RetryProfile
    started_at: datetime
    started_s: float
    deadline_s: float
    stale: ChatReply | None = None
    """What the cache has that is too old to be repeated while anybody answers."""


@dataclass(slots=True)
class Way:
    """How far a call has come."""

    walk: Walk | None = None

    @property
    def spent_nusd(self) -> NanoUsd:
        """Return what it cost so far."""
        return ZERO_NUSD if self.walk is None else self.walk.spent_nusd
