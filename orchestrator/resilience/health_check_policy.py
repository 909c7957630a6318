"""Which providers a health check should look at now, and how.

Traffic proves health for nothing, so only what has been quiet is looked at: with a free request that
lists models. Only an open circuit is worth money: that its provider works again is proved by one
short completion and nothing less, and then no customer's request need be the probe.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from orchestrator.core.money import NanoUsd
from orchestrator.core.payer import PROBE_PAYER
from orchestrator.core.settings import Settings, Usd
from orchestrator.ledger.budgets import LimitSettings
from orchestrator.resilience.retry_policy import RetryProfile

NAME = "health_check"
"""The retry profile of what health checks send, which nobody else has."""
HEALTH_CHECK_TENANT = f"{PROBE_PAYER}{NAME}"
"""On whose account health checks are sent: where the report shows it, and whose limit it has."""
PROFILE = RetryProfile(
    deadline_s=20.0,
    attempts_per_deployment=1,
    retry_delays_s=(),
    fallback_delays_s=(),
    max_recovery_wait_s=0.0,
)
"""How patient a completion is that probes an open circuit: it is sent once."""
TICK_MAX_S = 5.0
"""How often it is looked whether anything is due; nothing is sent by that."""


class HealthCheckSettings(Settings):
    """How providers are looked at while none of them is asked; started by the program, not by this file."""

    every_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    """A provider that was not heard of for so long is looked at, with a request that costs nothing."""
    daily_usd: Usd = NanoUsd(10_000_000)
    """The most that probes of open circuits may cost in a calendar day.

    The ledger refuses what is beyond it.
    """


class Look(StrEnum):
    """How a provider is looked at."""

    FREE = "free"
    """Its list of models: it can be reached and takes the key."""
    PAID = "paid"
    """One short completion, after a free look: it answers."""


@dataclass(frozen=True, slots=True)
class ProviderView:
    """What is known of one provider when it is decided whether to look."""

    provider: str
    quiet_s: float | None
    """How long nothing was heard of it; None: never anything."""
    shut: tuple[str, ...] = ()
    """Deployments that a request may not pass to, or only as a probe; the most wanted first."""
    ready: tuple[str, ...] = ()
    """Those of them that a probe may be sent to now."""


@dataclass(frozen=True, slots=True)
class Due:
    """One provider to look at now."""

    provider: str
    look: Look
    deployment: str | None = None
    """What a paid look asks."""


def due(views: Sequence[ProviderView], settings: HealthCheckSettings) -> Iterator[Due]:
    """Yield what to look at now.

    Nothing that traffic has just proved, or that its circuit still shuts out.
    """
    for view in views:
        if view.ready:
            yield Due(view.provider, Look.PAID, view.ready[0])
        elif not view.shut and (view.quiet_s is None or view.quiet_s >= settings.every_s):
            yield Due(view.provider, Look.FREE)


def limit_of(settings: HealthCheckSettings) -> LimitSettings:
    """Return the limit of what health checks may cost, for the ledger to enforce."""
    # Not validated again: that would take nano-dollars for dollars.
    return LimitSettings.model_construct(scope=f"tenant:{HEALTH_CHECK_TENANT}", day=settings.daily_usd)
