"""Health checks: looks at providers that get no requests; what this may cost a day is limited.

    with HealthChecks(orchestrator):
        serve()

`resilience.health_check_policy` decides which providers are due; the results go to `resilience.health`,
where routing reads them.
"""

from orchestrator.catalog.catalog import Deployment, ProviderKind
from orchestrator.core.errors import BudgetExceededError, OrchestratorError
from orchestrator.core.payer import ProbeRequest
from orchestrator.core.request import CacheUse
from orchestrator.monitoring.recurring_work import RecurringWork, logger
from orchestrator.providers.account_api import Account, AccountError, AccountSession, open_session
from orchestrator.resilience.circuit_breaker import CircuitState
from orchestrator.resilience.health_check_policy import (
    HEALTH_CHECK_TENANT,
    NAME,
    TICK_MAX_S,
    Due,
    Look,
    ProviderView,
    due,
)

_PROMPT = "ok"
_MAX_TOKENS = 16
"""The smallest limit that every provider accepts."""


class HealthChecks(RecurringWork):
    """Looks at quiet providers and at open circuits, again and again."""

    async def look(self) -> tuple[Due, ...]:
        """Look once at every provider and deployment that is due, and return what was looked at."""
        settings = self._orchestrator.config.settings.health_checks
        looks = tuple(due(self._provider_views(), settings))
        if looks:
            async with open_session() as session:
                for look in looks:
                    await self._look_at(look, session)
        return looks

    async def _round(self) -> None:
        try:
            await self.look()
        except OrchestratorError as error:
            logger.warning("health checks go on after: %s", error.in_one_line)

    def _pause_s(self) -> float:
        return min(self._orchestrator.config.settings.health_checks.every_s, TICK_MAX_S)

    def _provider_views(self) -> list[ProviderView]:
        """Return what is known of every provider that is reached over a network."""
        health = self._orchestrator.health
        circuits = health.circuits()
        views = []
        for provider, deployments in self._by_provider().items():
            names = [deployment.name for deployment in deployments]
            not_closed = [
                name for name in names if circuits.get(name, CircuitState.CLOSED) != CircuitState.CLOSED
            ]
            if not not_closed and health.provider_circuit(provider) is not CircuitState.CLOSED:
                not_closed = names
            ready = [name for name in not_closed if health.ready_in_s(name, provider=provider) <= 0]
            views.append(ProviderView(provider, health.quiet_s(provider), tuple(not_closed), tuple(ready)))
        return views

    def _by_provider(self) -> dict[str, list[Deployment]]:
        """Return the deployments of each provider; those of routes first, in their order."""
        config = self._orchestrator.config
        routes = [
            step.deployment for use_case in config.settings.use_cases.values() for step in use_case.route
        ]
        usable = config.catalog.deployments
        by_provider: dict[str, list[Deployment]] = {}
        for name in dict.fromkeys([*routes, *usable]):
            # A probe would start the model on this machine, which takes much memory.
            if name in usable and usable[name].provider.kind is not ProviderKind.LOCAL:
                by_provider.setdefault(usable[name].provider_name, []).append(usable[name])
        return by_provider

    async def _look_at(self, look: Due, session: AccountSession) -> None:
        provider = self._orchestrator.config.settings.providers[look.provider]
        if provider.kind is not ProviderKind.LITELLM:
            try:
                await Account(provider, session=session).models()
            except AccountError as error:
                logger.info("health check: provider=%s says: %s", look.provider, error)
                self._orchestrator.health.observe(look.provider, healthy=False)
                return
            self._orchestrator.health.observe(look.provider, healthy=True)
        if look.look is Look.PAID and look.deployment is not None:
            await self._ask(look.deployment)

    async def _ask(self, deployment: str) -> None:
        """Send the cheapest completion, booked like any other; the circuit counts its result as always."""
        try:
            await self._orchestrator.acomplete(
                ProbeRequest.of(
                    _PROMPT,
                    use_case=self._orchestrator.config.settings.default_use_case,
                    model=deployment,
                    max_tokens=_MAX_TOKENS,
                    tenant=HEALTH_CHECK_TENANT,
                    cache=CacheUse.OFF,
                    profile=NAME,
                )
            )
        except BudgetExceededError as error:
            logger.info("no more probes today: %s", error.in_one_line)
        except OrchestratorError as error:
            logger.info("health check: deployment=%s does not answer yet: %s", deployment, error.in_one_line)
