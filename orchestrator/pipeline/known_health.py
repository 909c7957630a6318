"""What is known of the health of the deployments that may enter a plan."""

from collections.abc import Mapping

from orchestrator.resilience.circuit_breaker import CircuitState
from orchestrator.resilience.health import Health
from orchestrator.routing.eligibility import DeploymentHealth
from orchestrator.routing.facts import DeploymentFacts
from orchestrator.routing.settings import RoutingSettings


def known_health(
    deployments: Mapping[str, DeploymentFacts], routing: RoutingSettings, health: Health
) -> Mapping[str, DeploymentHealth]:
    """Return the health of these deployments, without those of which nothing is known."""
    open_providers = {
        name for name, state in health.provider_circuits().items() if state is CircuitState.OPEN
    }
    known = {name for name in health.deployments() if name in deployments}
    if open_providers:
        known.update(
            name for name, facts in deployments.items() if facts.deployment.provider_name in open_providers
        )
    healths = {}
    for name in known:
        snapshot = health.snapshot(name, window_s=routing.availability_window_s)
        healths[name] = DeploymentHealth(
            availability=snapshot.availability if snapshot.samples >= routing.min_samples else None,
            latency_s=snapshot.median_latency_s,
            circuit_open=snapshot.circuit is CircuitState.OPEN,
            provider_open=deployments[name].deployment.provider_name in open_providers,
        )
    return healths
