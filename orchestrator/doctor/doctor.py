"""The connection test of every tier, and of what this machine needs."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.client import Orchestrator
from orchestrator.config.loader import Config
from orchestrator.core.clock import Clock
from orchestrator.core.errors import UnknownNameError
from orchestrator.core.unknown_names import unknown
from orchestrator.doctor.local_checks import HERE, STATE_CHECKS, check_here
from orchestrator.doctor.provider_checks import ProviderTier, check_tier, with_unknown_models
from orchestrator.doctor.results import Check, CheckResult, failed, skipped
from orchestrator.providers.account_api import open_session

EXIT_OK, EXIT_HERE, EXIT_TIER, EXIT_STATE = 0, 1, 4, 6


@dataclass(frozen=True, slots=True)
class Findings:
    """All checks, in the order of the tiers."""

    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """Return 0 if nothing failed, 6 for ledger or cache, 4 for a provider that is on, 1 for the rest."""
        failed = [check for check in self.checks if check.verdict is CheckResult.FAIL]
        if any(check.tier == HERE and check.name in STATE_CHECKS for check in failed):
            return EXIT_STATE
        if any(check.tier != HERE for check in failed):
            return EXIT_TIER
        return EXIT_HERE if failed else EXIT_OK


def run_checks(
    config: Config,
    *,
    clock: Clock,
    provider: str | None = None,
    live: bool = True,
    say: Callable[[str], None],
) -> Findings:
    """Check this machine, then every tier that is on; without `live` no request is made.

    Raises:
        UnknownNameError: config.yaml has no such provider.
    """
    if provider is not None and provider not in config.settings.providers:
        raise UnknownNameError(unknown("provider", provider, config.settings.providers))
    say("checking this machine")
    here = tuple(check_here(config, clock=clock))
    off = tuple(_off(config, provider))
    tiers = tuple(_tiers(config, provider))
    ledger_works = all(check.verdict is not CheckResult.FAIL for check in here if check.name == "ledger")
    if not live or not ledger_works:
        why = "--no-live" if not live else "the ledger comes first: nothing is sent that cannot be booked"
        return Findings(
            (*here, *(skipped(tier.name, "key", f"set; not tried: {why}") for tier in tiers), *off)
        )
    with Orchestrator(with_unknown_models(config, tiers), clock=clock) as orchestrator:
        # The model on board needs nothing of it, and without a key it is all that there is.
        if not all(tier.is_embedded for tier in tiers):
            say("loading LiteLLM")
            orchestrator.warm_up()
        say(f"asking {', '.join(tier.name for tier in tiers)}")
        checked = asyncio.run(_check_all(tiers, orchestrator))
    return Findings((*here, *checked, *off))


async def _check_all(tiers: Sequence[ProviderTier], orchestrator: Orchestrator) -> list[Check]:
    async with open_session() as session:
        checked = await asyncio.gather(
            *(check_tier(tier, orchestrator=orchestrator, session=session) for tier in tiers)
        )
    return [check for checks in checked for check in checks]


def _tiers(config: Config, provider: str | None) -> list[ProviderTier]:
    tiers = []
    for name, settings in sorted(config.settings.providers.items(), key=lambda item: item[1].priority):
        deployments = tuple(
            deployment
            for deployment in config.catalog.deployments.values()
            if deployment.provider_name == name
        )
        if deployments and provider in {None, name}:
            tiers.append(ProviderTier(name, settings, deployments, config.settings.local_model))
    return tiers


def _off(config: Config, provider: str | None) -> list[Check]:
    reasons: dict[str, str] = {}
    for name, deployment in config.settings.deployments.items():
        if name in config.catalog.off:
            reasons.setdefault(deployment.provider, str(config.catalog.off[name]))
    on = {deployment.provider_name for deployment in config.catalog.deployments.values()}
    off = {name: reason for name, reason in reasons.items() if name not in on}
    if provider in off:
        # Whoever names it wants it tested.
        return [
            failed(provider, "key", f"off: {off[provider]}", todo="nothing of it can be tested until then")
        ]
    return [skipped(name, "key", f"off: {reason}") for name, reason in off.items() if provider is None]
