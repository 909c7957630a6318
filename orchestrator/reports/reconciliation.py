"""Makes the ledger say what the providers charged: settles orphans, asks OpenRouter about assumed costs.

Orphans are settled as the policy says, for their processes left nothing to ask with. An attempt
that was booked at its bound or by an estimate, and that OpenRouter gave an id, is looked up in
OpenRouter's own record; the difference is booked as a correction, once.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.config.loader import Config
from orchestrator.core.clock import Clock
from orchestrator.core.formatting import count_text
from orchestrator.core.money import NanoUsd
from orchestrator.ledger.budgets import Limits
from orchestrator.ledger.facts import AssumedCost
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.opening import open_ledger, open_view
from orchestrator.ledger.reconcile import (
    OrphanPolicy,
    SettledOrphan,
    assumed_costs,
    correct_cost,
    find_orphans,
    foresee,
    settle_orphans,
)
from orchestrator.ledger.store import LedgerView
from orchestrator.providers.account_api import Account, AccountError, AccountSession, open_session

_ASKED_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class ReconcileOptions:
    """What is to be reconciled, and how."""

    older_than: timedelta
    """Holds of processes on other machines are orphans from this age on."""
    policy: OrphanPolicy
    dry_run: bool = False
    """Say what would be booked, and book nothing."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """An assumed cost, and what its provider says."""

    attempt: AssumedCost
    cost_nusd: NanoUsd

    @property
    def delta_nusd(self) -> int:
        """Return what was booked too little, or too much when negative."""
        return self.cost_nusd - self.attempt.cost_nusd


@dataclass(frozen=True, slots=True)
class Unanswered:
    """An assumed cost that stays as it was booked, and why."""

    attempt: AssumedCost
    reason: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What was booked, or would be."""

    orphans: tuple[SettledOrphan, ...]
    corrections: tuple[Corrected, ...]
    unanswered: tuple[Unanswered, ...]


def reconcile(
    config: Config, order: ReconcileOptions, *, clock: Clock, say: Callable[[str], None]
) -> Reconciliation:
    """Settle orphans and correct assumed costs; doing it again changes nothing.

    Raises:
        LedgerError: the ledger cannot be read or written; what was booked before stays booked.
    """
    view = open_view(config.settings.ledger)
    if not view.exists:
        return Reconciliation((), (), ())
    ledger = open_ledger(config.settings.ledger, limits=Limits(config.settings.budgets), clock=clock)
    try:
        # An older ledger is brought up to date first.
        ledger.check_writable()
        say("looking for orphans")
        orphans = _settle(view, ledger, order, clock)
        with view:
            assumed = [cost for cost in assumed_costs(view, now=clock.now()) if _is_openrouters(cost, config)]
        say(f"asking about {count_text(len(assumed), 'attempt')}")
        corrections, unanswered = asyncio.run(_ask_all(assumed, config))
        if not order.dry_run:
            for correction in corrections:
                correct_cost(ledger, correction.attempt, cost_nusd=correction.cost_nusd, now=clock.now())
    finally:
        ledger.close()
    return Reconciliation(orphans, tuple(corrections), tuple(unanswered))


def _settle(
    view: LedgerView, ledger: Ledger, order: ReconcileOptions, clock: Clock
) -> tuple[SettledOrphan, ...]:
    with view:
        orphans = find_orphans(
            view, now=clock.now(), older_than=order.older_than, time_zone=ledger.limits.time_zone
        )
        if order.dry_run:
            return foresee(view, orphans, policy=order.policy)
    return settle_orphans(ledger, orphans, policy=order.policy, now=clock.now())


def _is_openrouters(attempt: AssumedCost, config: Config) -> bool:
    provider = config.settings.providers.get(attempt.provider)
    return provider is not None and provider.kind is ProviderKind.OPENROUTER


async def _ask_all(
    attempts: Sequence[AssumedCost], config: Config
) -> tuple[list[Corrected], list[Unanswered]]:
    room = asyncio.Semaphore(_ASKED_AT_ONCE)
    silent: dict[str, str] = {}
    """Providers that do not answer, and why: none of them is asked again in this run."""

    async def ask(attempt: AssumedCost, session: AccountSession) -> Corrected | Unanswered:
        async with room:
            if attempt.provider in silent:
                return Unanswered(attempt, silent[attempt.provider])
            provider = config.settings.providers[attempt.provider]
            try:
                cost = await Account(provider, session=session).charged(attempt.upstream_id)
            except AccountError as error:
                silent[attempt.provider] = f"{attempt.provider}: {error}"
                return Unanswered(attempt, silent[attempt.provider])
        if cost is None:
            return Unanswered(attempt, f"{attempt.provider} has no record of it")
        return Corrected(attempt, cost)

    async with open_session() as session:
        answers = await asyncio.gather(*(ask(attempt, session) for attempt in attempts))
    return (
        [answer for answer in answers if isinstance(answer, Corrected)],
        [answer for answer in answers if isinstance(answer, Unanswered)],
    )
