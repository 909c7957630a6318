"""Health checks: looks at providers while nobody asks them, within a sum a day.

    with HealthChecks(orchestrator):
        serve()

They run on the orchestrator's own loop, from `start` until `stop` or until it is closed. Whom to look
at is decided in `resilience.health_check_policy`; what was seen goes to `resilience.health`, where routing reads it.
"""

import logging
from types import TracebackType
from typing import Self

from orchestrator.catalog.catalog import Deployment, ProviderKind
from orchestrator.client import Orchestrator
from orchestrator.core.background_loop import Job
from orchestrator.core.clock import Clock, SystemClock
from orchestrator.core.errors import BudgetExceededError, OrchestratorError
from orchestrator.core.request import CacheUse
from orchestrator.providers.account_api import Account, AccountError, AccountSession, open_session
from orchestrator.resilience.circuit_breaker import CircuitState
from orchestrator.resilience.health_check_policy import NAME, TICK_MAX_S, Due, Look, ProviderView, due

logger = logging.getLogger("orchestrator.monitoring")

_PROMPT = "ok"
_MAX_TOKENS = 16
"""The least that every provider takes."""


class HealthChecks:
    """Looks at quiet providers and at open circuits, over and over."""

    def __init__(self, orchestrator: Orchestrator, *, clock: Clock | None = None) -> None:
        """Remember whom to look after; nothing is sent before `start`."""
        self._orchestrator = orchestrator
        self._clock = clock or SystemClock()
        self._job: Job[None] | None = None

    def start(self) -> Self:
        """Begin; the orchestrator goes on to answer meanwhile."""
        if self._job is None:
            self._job = self._orchestrator.begin(self._run())
        return self

    def stop(self) -> None:
        """End; a probe under way is cancelled and booked."""
        job, self._job = self._job, None
        if job is not None:
            job.cancel()

    def __enter__(self) -> Self:
        """Begin."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self.stop()

    async def look(self) -> tuple[Due, ...]:
        """Look once at everybody who is due, and return who that was."""
        settings = self._orchestrator.config.settings.health_checks
        found = tuple(due(self._seen(), settings))
        if found:
            async with open_session() as session:
                for one in found:
                    await self._look_at(one, session)
        return found

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except OrchestratorError as error:
                logger.warning("health checks go on after: %s", error)
            every_s = self._orchestrator.config.settings.health_checks.every_s
            await self._clock.sleep(min(every_s, TICK_MAX_S))

    def _seen(self) -> list[ProviderView]:
        """Return what is known of every provider that is asked over a network."""
        health = self._orchestrator.health
        circuits = health.circuits()
        found = []
        for provider, deployments in self._by_provider().items():
            names = [one.name for one in deployments]
            shut = [name for name in names if circuits.get(name, CircuitState.CLOSED) != CircuitState.CLOSED]
            if not shut and health.provider_circuit(provider) is not CircuitState.CLOSED:
                shut = names
            ready = [name for name in shut if health.ready_in_s(name, provider=provider) <= 0]
            found.append(ProviderView(provider, health.quiet_s(provider), tuple(shut), tuple(ready)))
        return found

    def _by_provider(self) -> dict[str, list[Deployment]]:
        """Return the deployments of each provider; those of routes first, in their order."""
        config = self._orchestrator.config
        routes = [step.deployment for one in config.settings.use_cases.values() for step in one.route]
        usable = config.catalog.deployments
        found: dict[str, list[Deployment]] = {}
        for name in dict.fromkeys([*routes, *usable]):
            # The model on this machine costs nothing to ask and much memory to start for a look.
            if name in usable and usable[name].provider.kind is not ProviderKind.LOCAL:
                found.setdefault(usable[name].provider_name, []).append(usable[name])
        return found

    async def _look_at(self, one: Due, session: AccountSession) -> None:
        provider = self._orchestrator.config.settings.providers[one.provider]
        try:
            await Account(provider, session=session).models()
        except AccountError as error:
            logger.info("health check: provider=%s says: %s", one.provider, error)
            self._orchestrator.health.observe(one.provider, healthy=False)
            return
        self._orchestrator.health.observe(one.provider, healthy=True)
        if one.look is Look.PAID and one.deployment is not None:
            await self._ask(one.deployment)

    async def _ask(self, deployment: str) -> None:
        """Send the cheapest completion, booked like any other; its circuit learns from it by itself."""
        try:
            await self._orchestrator.acomplete(
                _PROMPT,
                model=deployment,
                max_tokens=_MAX_TOKENS,
                tenant=NAME,
                tags=(NAME,),
                cache=CacheUse.OFF,
                profile=NAME,
            )
        except BudgetExceededError as error:
            logger.info("no more probes today: %s", error)
        except OrchestratorError as error:
            logger.info("health check: deployment=%s does not answer yet: %s", deployment, error)
