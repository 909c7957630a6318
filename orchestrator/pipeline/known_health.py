"""What is known of the health of the deployments that may enter a plan."""

from collections.abc import Mapping

from orchestrator.resilience.circuit_breaker import CircuitState
from orchestrator.resilience.health import WELL_AGAIN, Health, HealthSnapshot
from orchestrator.routing.eligibility import DeploymentHealth, KnownHealth
from orchestrator.routing.facts import DeploymentFacts
from orchestrator.routing.settings import RoutingSettings

LOOK_AGAIN_S = 1.5
"""A deployment that is left out for its availability gets one request after so long."""


def known_health(
    deployments: Mapping[str, DeploymentFacts], routing: RoutingSettings, health: Health
) -> KnownHealth:
    """Return the health of deployments, these among them, as it is now; of others nothing is known."""
    open_providers = {
        name for name, state in health.provider_circuits().items() if state is CircuitState.OPEN
    }
    looked_at = {name for name in health.doubtful() if name in deployments}
    if open_providers:
        looked_at.update(
            name for name, facts in deployments.items() if facts.deployment.provider_name in open_providers
        )
    doubtful = {}
    for name in looked_at:
        snapshot = health.snapshot(name, window_s=routing.availability_window_s)
        doubtful[name] = DeploymentHealth(
            availability=snapshot.availability if _still_tells(snapshot, routing) else None,
            latency_s=snapshot.median_latency_s,
            circuit_open=snapshot.circuit is CircuitState.OPEN,
            provider_open=deployments[name].deployment.provider_name in open_providers,
        )
    return KnownHealth(doubtful, health.well_latencies_s())


def _still_tells(snapshot: HealthSnapshot, routing: RoutingSettings) -> bool:
    """Return whether its recent availability says how a deployment is now.

    What is left out for it is asked once in a while, or nobody would learn that it is well again.
    """
    return (
        snapshot.samples >= routing.min_samples
        and snapshot.healthy_in_a_row < WELL_AGAIN
        and snapshot.asked_s_ago < LOOK_AGAIN_S
    )
