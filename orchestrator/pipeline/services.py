"""What the steps of every call share: of this process, and of the configuration that a call began with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from orchestrator.cache.idempotent_replies import IdempotencySettings, KeptReplies
from orchestrator.cache.response_cache import ReplyCache
from orchestrator.config.loader import Config
from orchestrator.core.alerts import Alerts
from orchestrator.core.clock import Clock
from orchestrator.dispatch.services import AnswerCheck, Services
from orchestrator.dispatch.transport import Transport
from orchestrator.ledger.contents import ContentStore
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.opening import open_contents, open_ledger
from orchestrator.resilience.concurrency_limiter import ConcurrencyLimiter
from orchestrator.resilience.health import Health
from orchestrator.resilience.rate_limiter import RateLimiter
from orchestrator.resilience.traffic_counts import TrafficCounts
from orchestrator.routing.token_ratios import TokenRatios


@dataclass(frozen=True, slots=True)
class ConfigSnapshot:
    """What belongs to one configuration; a changed one makes a new snapshot."""

    config: Config
    transport: Transport
    cache: ReplyCache


@dataclass(frozen=True, slots=True)
class PipelineServices:
    """What outlives every configuration: the books, what was learnt, what is under way."""

    dispatch: Services
    limiter: ConcurrencyLimiter
    idempotency: IdempotencySettings
    kept_replies: KeptReplies
    contents: ContentStore
    traffic: TrafficCounts

    @classmethod
    def of(
        cls,
        config: Config,
        *,
        clock: Clock,
        alerts: Alerts,
        checks: Mapping[str, AnswerCheck] | None = None,
        ledger: Ledger | None = None,
    ) -> Self:
        """Make the services of a configuration; no file is opened before it is needed.

        `checks` are the caller's own checks of answers, by name; without a `ledger` it is the settings' own.
        """
        settings = config.settings
        if ledger is None:
            ledger = open_ledger(settings.ledger, limits=config.limits, clock=clock, alerts=alerts)
        return cls(
            Services(
                ledger=ledger,
                health=Health(settings.circuit_breaker, clock=clock),
                rate_limiter=RateLimiter(clock=clock),
                token_ratios=TokenRatios(ledger.token_samples),
                clock=clock,
                checks=dict(checks or {}),
            ),
            ConcurrencyLimiter(settings.overload, clock=clock),
            settings.idempotency,
            KeptReplies(settings.idempotency),
            open_contents(settings.ledger, clock=clock),
            TrafficCounts(clock=clock),
        )

    @property
    def ledger(self) -> Ledger:
        """Return the books."""
        return self.dispatch.ledger

    @property
    def clock(self) -> Clock:
        """Return the time of this process."""
        return self.dispatch.clock

    def adopt(self, config: Config) -> None:
        """Go by the limits of another configuration from now on.

        Raises:
            ConfigError: its days are not those that the ledger counts; nothing is changed.
        """
        self.ledger.adopt(config.limits)
        self.dispatch.health.adopt(config.settings.circuit_breaker)
        self.limiter.adopt(config.settings.overload)
