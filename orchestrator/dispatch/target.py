"""A deployment of a plan that may be asked, at the price of the day."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from orchestrator.catalog.catalog import Deployment
from orchestrator.catalog.models import ModelClass
from orchestrator.catalog.openrouter_preferences import NO_PREFERENCES, OpenRouterPreferences
from orchestrator.catalog.price import Price
from orchestrator.core.plan import Candidate, Plan


class Target(NamedTuple):
    """One place of a plan: a deployment that may be asked."""

    candidate: Candidate
    deployment: Deployment
    today: date

    @property
    def price(self) -> Price:
        """Return the price of the day; most targets of a plan are never asked, and need none."""
        return self.deployment.price.on(self.today)

    @property
    def most_tokens(self) -> int:
        """Return the most that the request and its answer can take of the model's context."""
        return self.candidate.input_bound_tokens + self.candidate.max_tokens

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
    return tuple([Target(candidate, deployment, today) for candidate, deployment in named])
