"""The settings of routing: what a use case asks for, its route, and how deployments are scored."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PositiveInt

from orchestrator.catalog.data_policy import NO_DEMANDS, Demands
from orchestrator.catalog.openrouter_preferences import NO_PREFERENCES, OpenRouterPreferences
from orchestrator.core.names import EACH_TENANT_ONCE, TenantName
from orchestrator.core.settings import Name, Seconds, Settings, Share
from orchestrator.policies.settings import PolicySettings, Weights


class RouteOrder(StrEnum):
    """What decides the order of a plan."""

    ROUTE = "route"
    SCORE = "score"


class OnLimit(StrEnum):
    """What is done when an answer of full length could cost more than one request may."""

    CHEAPER = "cheaper"
    """A cheaper suitable model answers in full; max_tokens is lowered only where there is none."""
    CLAMP = "clamp"
    """The chosen model stays, its max_tokens lowered."""
    REFUSE = "refuse"
    """The request is refused: neither a shorter answer nor another model will do."""


class OnLimitSettings(Settings):
    """What is done when a limit is in the way."""

    choose: OnLimit = OnLimit.CHEAPER
    """When an answer of max_tokens could cost more than one request may: cheaper, clamp or refuse."""
    wait_s: Seconds = 5.0
    """How long a request waits for money that only others hold, within its deadline; 0 is not."""


def _on_limit(raw: Any) -> Any:
    return {"choose": raw} if isinstance(raw, str) else raw


class OnFiltered(StrEnum):
    """What is done when a provider's content filter has blocked a request."""

    STOP = "stop"
    """The caller is told; no other model is asked to write what one would not."""
    NEXT_MODEL = "next_model"
    """Another model is asked, for its filter may see it otherwise."""


class RoutingSettings(Settings):
    """How deployments are chosen."""

    weights: Weights = Weights()
    """What counts how much in a score."""
    min_availability: Share = 0.95
    """A deployment that answered a smaller part of its recent requests is left out."""
    min_samples: PositiveInt = 20
    """With fewer recent requests than this a deployment counts as available."""
    availability_window_s: Seconds = 600.0
    """How far back requests count as recent."""
    max_candidates: PositiveInt = 6
    """How many deployments a plan holds at most, the emergency model among them."""
    tenants: Annotated[Mapping[TenantName, Demands], EACH_TENANT_ONCE] = {}
    """What the requests of a tenant demand of every deployment, beside what their use case demands."""

    def demands_on(self, tenant: str, own: Demands) -> tuple[Demands, ...]:
        """Return all that a request of a tenant demands; `own` are the demands of its use case."""
        both = (own, self.tenants.get(tenant, NO_DEMANDS))
        return tuple(demands for demands in both if demands is not NO_DEMANDS)


class RouteStep(Settings):
    """One place of a use case's route, with the reason for it."""

    deployment: Name
    """One of `deployments`."""
    reason: Annotated[str, Field(min_length=1)]
    """Why it stands here, shown with every plan."""


class UseCaseSettings(Settings):
    """What a use case asks for, and which deployments it asks."""

    description: str = ""
    """What it is for, for people."""
    primary: RouteStep
    """Who is asked first."""
    fallbacks: tuple[RouteStep, ...] = ()
    """Who is asked next, in this order."""
    order: RouteOrder = RouteOrder.ROUTE
    """route: as written here. score: best score first."""
    quality_floor: Share = 0.0
    """Models below this quality are used only when nothing better is left, and the reply says degraded."""
    max_tokens: PositiveInt = 1024
    """The output limit of a request that sets none."""
    profile: Name = "interactive"
    """The retry profile."""
    deadline_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Seconds for a whole request; None is what its retry profile says."""
    weights: Weights | None = None
    """Replaces routing.weights for this use case."""
    on_limit: Annotated[
        OnLimitSettings, BeforeValidator(_on_limit, json_schema_input_type=OnLimit | OnLimitSettings)
    ] = OnLimitSettings()
    """When a limit is in the way: cheaper, clamp or refuse, or these keys."""
    on_filtered: OnFiltered = OnFiltered.STOP
    """When a content filter blocks a request: stop tells the caller, next_model asks another model."""
    never_degrade: bool = False
    """No budget tier and no last resort: its own models or an error; its limits hold all the same."""
    graceful: bool = False
    """When none answers, requests for plain text get an apology as a reply; a request may say otherwise."""
    cache_ttl_s: Seconds | None = None
    """How long a reply may be repeated from the cache; 0 is never, None is cache.ttl_s."""

    policy: PolicySettings | None = None
    """How answers are chosen: constant, score, agreement or escalate; None is what order says."""
    demands: Demands = NO_DEMANDS
    """What every deployment must meet: region, training, retention, language."""
    openrouter_preferences: OpenRouterPreferences = NO_PREFERENCES
    """Which of OpenRouter's hosts may serve it; counts before the preferences of deployment and provider."""

    @cached_property
    def route(self) -> tuple[RouteStep, ...]:
        """Return whom it asks in which order: those of its policy, then primary and fallbacks."""
        written = (self.primary, *self.fallbacks)
        if self.policy is None or not self.policy.named:
            return written
        named = self.policy.named
        words = f"policy '{self.policy.kind}', version {self.policy.version}"
        first = [RouteStep(deployment=name, reason=words) for name in named]
        return (*first, *(step for step in written if step.deployment not in named))

    @property
    def order_in_force(self) -> RouteOrder:
        """Return what decides the order of a plan; a policy counts before `order`."""
        if self.policy is None:
            return self.order
        return RouteOrder.SCORE if self.policy.score is not None else RouteOrder.ROUTE

    @property
    def weights_in_force(self) -> Weights | None:
        """Return its own weights, those of its policy first; None where routing.weights count."""
        of_policy = self.policy.score if self.policy is not None else None
        return of_policy.weights if of_policy is not None else self.weights
