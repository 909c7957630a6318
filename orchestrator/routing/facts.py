"""What counts of a deployment in one use case on one day, whatever the request is.

It is computed once for a configuration and a day, so that a plan costs little in a large catalogue.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from orchestrator.catalog.catalog import Deployment
from orchestrator.catalog.data_policy import DataPolicy
from orchestrator.catalog.models import ModelClass
from orchestrator.catalog.price_table import PriceTable
from orchestrator.core.plan import Reason, ReasonKind
from orchestrator.routing.settings import RouteOrder, UseCaseSettings

_STRENGTH_WITHOUT_ROUTE = 0.5
CLASS_RANKS = {model_class: rank for rank, model_class in enumerate(ModelClass)}
"""0 for the dearest class of models."""


@dataclass(frozen=True, slots=True)
class DeploymentFacts:
    """What counts of one deployment in one use case on one day."""

    deployment: Deployment
    price: PriceTable
    """The price of the day."""
    quality: float
    specialisation: float
    place: int
    """Where the route has it, behind the whole route where it is not named; 0 where the score decides."""
    class_rank: int
    """0 for the dearest class of models."""
    is_emergency: bool
    is_below_floor: bool
    has_ended: bool
    """Its vendor has switched it off."""
    route_reasons: tuple[Reason, ...]
    """The words of the route; empty where it is not named."""
    other_reason: Reason
    """Why it may serve though the route does not name it."""
    more_reasons: tuple[Reason, ...]
    """That it is below the quality floor, and which of OpenRouter's hosts may serve it, where that is so."""
    reasons: tuple[Reason, ...] = ()
    """The words of the route, else the other reason; and more."""
    data_policy: DataPolicy | None = None
    """What becomes of prompts there; None of the model on board, which sends them nowhere."""


def facts_of(
    deployments: Iterable[Deployment], *, use_case_name: str, use_case: UseCaseSettings, today: date
) -> Mapping[str, DeploymentFacts]:
    """Return the facts of each deployment, by its name, in the order of the catalogue."""
    return MappingProxyType(
        {deployment.name: _facts(deployment, use_case_name, use_case, today) for deployment in deployments}
    )


def _facts(
    deployment: Deployment, use_case_name: str, use_case: UseCaseSettings, today: date
) -> DeploymentFacts:
    model = deployment.model
    quality = model.quality.get(use_case_name, min(model.quality.values(), default=0.0))
    route = [step.deployment for step in use_case.route]
    place = route.index(deployment.name) if deployment.name in route else None
    named = use_case.policy.named if use_case.policy is not None else ()
    # A policy was measured with these models; an estimated quality does not send them behind.
    is_below_floor = quality < use_case.quality_floor and deployment.name not in named
    served = deployment.preferring(use_case.openrouter_preferences)
    hosts = str(served.preferences)
    route_reasons = tuple(
        Reason(ReasonKind.ROUTE, step.reason) for step in use_case.route if step.deployment == deployment.name
    )
    other_reason = _other_reason(model.strengths.get(use_case_name))
    more_reasons = (
        *((_floor_reason(use_case.quality_floor),) if is_below_floor else ()),
        *((Reason(ReasonKind.HOSTS, f"OpenRouter's hosts: {hosts}"),) if hosts else ()),
    )
    return DeploymentFacts(
        deployment=deployment,
        price=PriceTable.of(deployment.price.on(today)),
        quality=quality,
        specialisation=_specialisation(place, len(route), is_strong=use_case_name in model.strengths),
        place=_place(place, len(route), use_case.order_in_force),
        class_rank=CLASS_RANKS[model.tier],
        is_emergency=model.tier is ModelClass.EMERGENCY,
        is_below_floor=is_below_floor,
        has_ended=model.ends is not None and model.ends < today,
        route_reasons=route_reasons,
        other_reason=other_reason,
        more_reasons=more_reasons,
        reasons=(*(route_reasons or (other_reason,)), *more_reasons),
        data_policy=policy_at(served),
    )


def policy_at(deployment: Deployment) -> DataPolicy | None:
    """Return what becomes of prompts there, with what hosts promise; None of the model on board."""
    stated = deployment.data_policy
    return None if stated is None else stated.with_hosts(deployment.preferences)


def _specialisation(place: int | None, places: int, *, is_strong: bool) -> float:
    if place is not None:
        return 1.0 - place / (2 * places)
    return _STRENGTH_WITHOUT_ROUTE if is_strong else 0.0


def _place(place: int | None, places: int, order: RouteOrder) -> int:
    if order is RouteOrder.SCORE:
        return 0
    return places if place is None else place


def _other_reason(strength: str | None) -> Reason:
    if strength:
        return Reason(ReasonKind.STRENGTH, strength)
    return Reason(ReasonKind.BEYOND_ROUTE, "not in the route; used when the route is exhausted")


def _floor_reason(floor: float) -> Reason:
    return Reason(ReasonKind.BELOW_QUALITY_FLOOR, f"below the quality floor {floor:g} of the use case")
