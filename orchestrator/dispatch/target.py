"""A deployment of a plan that may be asked, at the price of the day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from orchestrator.catalog.catalog import Deployment
from orchestrator.catalog.models import ModelClass
from orchestrator.catalog.openrouter_preferences import NO_PREFERENCES, OpenRouterPreferences
from orchestrator.catalog.price import Price
from orchestrator.core.plan import Candidate, Plan


@dataclass(frozen=True, slots=True)
class Target:
    """One place of a plan: a deployment that may be asked."""

    candidate: Candidate
    deployment: Deployment
    price: Price

    @property
    def name(self) -> str:
        """Return the deployment's name, which is also its model group in LiteLLM's Router."""
        return self.deployment.name


def targets_of(
    plan: Plan,
    deployments: Mapping[str, Deployment],
    *,
    today: date,
    preferences: OpenRouterPreferences = NO_PREFERENCES,
) -> tuple[Target, ...]:
    """Return the targets of a plan in the order of asking; `preferences` are the use case's."""
    named = [
        (candidate, deployments[candidate.deployment].preferring(preferences)) for candidate in plan.asked
    ]
    # The reserve is asked before the emergency model, which stays last.
    named.sort(key=lambda pair: pair[1].model.tier is ModelClass.EMERGENCY)
    return tuple(Target(candidate, deployment, deployment.price.on(today)) for candidate, deployment in named)
