"""What if: both configurations under the same recorded traffic, with the same seed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from orchestrator.catalog.models import Mode
from orchestrator.config.loader import Config
from orchestrator.config.modes import use_cases_of
from orchestrator.core.clock import Clock
from orchestrator.core.formatting import count_text
from orchestrator.ledger.opening import open_view
from orchestrator.whatif.at_once import both
from orchestrator.whatif.comparison import (
    WhatIf,
    affected,
    comparison_notices,
    grounds_of,
    latency_of,
    side_of,
    total_of,
)
from orchestrator.whatif.evidence import SendEvidence
from orchestrator.whatif.outcomes import recorded_outcomes
from orchestrator.whatif.recorded_traffic import NoTrafficError, RecordedTraffic, read_traffic
from orchestrator.whatif.replay import ReplaySettings, replay


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Which recorded traffic is replayed."""

    since: datetime
    until: datetime


def what_if(
    old: Config,
    new: Config,
    span: TimeRange,
    *,
    settings: ReplaySettings,
    clock: Clock,
    say: Callable[[str], None] = lambda _: None,
) -> WhatIf:
    """Replay what the ledger of `old` recorded under both configurations, and compare.

    Nothing is sent, and no file of either configuration is written.

    Raises:
        NoTrafficError: nothing is recorded in this range, or nothing of it was ever sent.
        LedgerError: the ledger cannot be read, or is of another version.
    """
    say("reading the ledger")
    traffic = _traffic_of(old, span)
    if not traffic.sends:
        raise NoTrafficError(
            f"none of the {len(traffic.requests):,} requests recorded in this range was sent to a provider, so nothing is "
            "known of one: reach further back with --since"
        )
    evidence = SendEvidence(traffic.sends, traffic.requests, seed=settings.seed)
    began_s = clock.monotonic_s()
    say(f"replaying {count_text(len(traffic.requests), 'request')} under both configurations")
    replays = (
        partial(replay, old, traffic, evidence, settings),
        partial(replay, new, traffic, evidence, settings),
    )
    before, after = both(*replays) if settings.at_once else (replays[0](), replays[1]())
    took_s = clock.monotonic_s() - began_s
    side = side_of(after)
    grounds = grounds_of(side, new, evidence)
    recorded = recorded_outcomes(traffic.requests)
    return WhatIf(
        began=traffic.began,
        ended=traffic.ended,
        recorded=total_of(recorded),
        recorded_latency=latency_of(recorded),
        before=side_of(before),
        after=side,
        tenants=affected([request.tenant for request in traffic.requests], before, after),
        use_cases=affected([request.use_case for request in traffic.requests], before, after),
        grounds=grounds,
        left_out=traffic.left_out,
        notices=tuple(comparison_notices(traffic, side, grounds)),
        seed=settings.seed,
        took_s=took_s,
    )


def _traffic_of(config: Config, span: TimeRange) -> RecordedTraffic:
    settings = config.settings
    usual_s = settings.cache.ttl_s if settings.cache.enabled else 0.0
    fresh_s = {
        name: usual_s if use_case.cache_ttl_s is None else use_case.cache_ttl_s
        for name, use_case in settings.use_cases.items()
    }
    return read_traffic(
        open_view(settings.ledger),
        since=span.since,
        until=span.until,
        time_zone=settings.budgets.time_zone,
        fresh_s=fresh_s,
        embeddings=use_cases_of(settings, Mode.EMBEDDING),
    )
