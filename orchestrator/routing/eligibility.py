"""Why a deployment cannot or may not serve a request, and why its health leaves it out."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from orchestrator.catalog.data_policy import DataPolicy, Demands
from orchestrator.catalog.models import Capability
from orchestrator.core.language import Language
from orchestrator.core.plan import Excluded, Reason, ReasonKind
from orchestrator.core.prompt_size import PromptSize
from orchestrator.ledger.budgets import BudgetTier
from orchestrator.routing.estimate import OutputLimit, bound_nusd, output_limit
from orchestrator.routing.facts import CLASS_RANKS, DeploymentFacts
from orchestrator.routing.settings import RoutingSettings

TOO_DEAR = Reason(ReasonKind.TOO_DEAR, "costs more than one request may")
_OTHER_MODEL = Reason(ReasonKind.OTHER_MODEL_PINNED, "another model was asked for by name")
_NEVER_DEGRADES = Reason(
    ReasonKind.NEVER_DEGRADES, "this use case never degrades, and this is the emergency model"
)
_BUDGET_TIER = Reason(ReasonKind.BUDGET_TIER, "kept for a fuller budget: little is left of the day's")


class DeploymentHealth(NamedTuple):
    """What is known of a deployment's recent conduct."""

    availability: float | None = None
    """The part of recent requests it answered; None with too few samples."""
    latency_s: float | None = None
    """Recent median; None when unknown."""
    circuit_open: bool = False
    provider_open: bool = False
    """The circuit of its whole provider is open."""


NOTHING_KNOWN = DeploymentHealth()


class KnownHealth(NamedTuple):
    """What is known of the conduct of all deployments at one moment; most are well and are not looked at."""

    doubtful: Mapping[str, DeploymentHealth] = MappingProxyType({})
    """Of those that may have to be left out, by name."""
    well_latencies_s: Mapping[str, float | None] = MappingProxyType({})
    """The recent median of the others of which anything is known, by name."""

    def of(self, deployment: str) -> DeploymentHealth:
        """Return what is known of a deployment."""
        known = self.doubtful.get(deployment)
        if known is not None:
            return known
        latency_s = self.well_latencies_s.get(deployment)
        return NOTHING_KNOWN if latency_s is None else DeploymentHealth(latency_s=latency_s)


class Requirements(NamedTuple):
    """What a request asks of every deployment that is to serve it."""

    needs: frozenset[Capability]
    words_tokens: int
    """The most that the words of the reply may take."""
    reasons: bool
    """Whether it lets a model reason."""
    pinned: frozenset[str] | None
    """The only deployments that may serve, when the caller named a model."""
    never_degrade: bool
    budget_tier: BudgetTier | None
    language: Language | None
    """What the reply is to be written in; None is a language that nobody here knows."""
    evident_language: Language | None
    """The same where it was named or the user's words show it; None is any other."""
    demands: tuple[Demands, ...] = ()
    """Those of its use case and of its tenant; all of them hold."""

    def output_of(self, facts: DeploymentFacts) -> OutputLimit:
        """Return the most output that a deployment is asked for."""
        return output_limit(facts.deployment.model, words_tokens=self.words_tokens, reasons=self.reasons)


def why_not(
    facts: DeploymentFacts, size: PromptSize, required: Requirements, *, output_tokens: int
) -> Excluded | None:
    """Return the first reason why a deployment cannot or may not serve a request, None when it may.

    `output_tokens` is the most that it would be asked for.
    """
    needed_tokens = size.input_expected_tokens + output_tokens
    too_small = needed_tokens > facts.deployment.model.context_tokens
    reason = _why_not_allowed(facts, required) or _why_not_able(
        facts, needed_tokens, required, too_small=too_small
    )
    return None if reason is None else Excluded(facts.deployment.name, reason, too_small=too_small)


def too_dear(facts: DeploymentFacts, size: PromptSize, required: Requirements) -> Excluded:
    """Return that even the shortest answer costs more than one request may, with what it can cost."""
    least = bound_nusd(size, facts.price, output_tokens=required.output_of(facts).least_tokens)
    return Excluded(facts.deployment.name, TOO_DEAR, needed_nusd=least)


def why_not_demanded(policy: DataPolicy | None, demands: Sequence[Demands]) -> Reason | None:
    """Return which demand a data policy is not known to meet; None is that of the model on board."""
    if policy is None:
        return None
    for each in demands:
        if not each.takes_region(policy.region):
            where = "its region is not stated" if policy.region is None else f"its region is {policy.region}"
            allowed = " or ".join(each.regions or ())
            return Reason(ReasonKind.REGION, f"prompts are to be processed in {allowed}, and {where}")
        if each.no_training and policy.training is not False:
            how = "may be" if policy.training else "are not stated not to be"
            return Reason(ReasonKind.DATA_POLICY, f"prompts are not to be learned from, and there they {how}")
        most, days = each.retention_days_max, policy.retention_days
        if most is not None and (days is None or days > most):
            kept = "for how long is not stated" if days is None else f"there they are for {days} days"
            return Reason(
                ReasonKind.DATA_POLICY, f"prompts are to be kept for {most} days at most, and {kept}"
            )
    return None


def why_unhealthy(health: DeploymentHealth, routing: RoutingSettings) -> Reason | None:
    """Return why a deployment's recent conduct leaves it out, None when it is healthy."""
    if health.provider_open:
        return Reason(
            ReasonKind.PROVIDER_CIRCUIT_OPEN, "circuit of its whole provider open after repeated failures"
        )
    if health.circuit_open:
        return Reason(ReasonKind.CIRCUIT_OPEN, "circuit open after repeated failures")
    share, least = health.availability, routing.min_availability
    if share is not None and share < least:
        return Reason(ReasonKind.LOW_AVAILABILITY, f"availability {share:.0%} is under {least:.0%}")
    return None


def _why_not_allowed(facts: DeploymentFacts, required: Requirements) -> Reason | None:
    if required.pinned is not None and facts.deployment.name not in required.pinned:
        return _OTHER_MODEL
    # A model by name leaves out no demand: who wrote that is not who answers for the data.
    if required.demands and (unmet := _why_not_met(facts, required)):
        return unmet
    if required.pinned is not None:
        return None
    if facts.is_emergency:
        return (
            _NEVER_DEGRADES if required.never_degrade else _why_not_spoken(facts, required.evident_language)
        )
    if required.never_degrade:
        return None
    tier = required.budget_tier
    return _BUDGET_TIER if tier is not None and facts.class_rank < CLASS_RANKS[tier.best] else None


def _why_not_met(facts: DeploymentFacts, required: Requirements) -> Reason | None:
    unmet = why_not_demanded(facts.data_policy, required.demands)
    if unmet is None and any(demands.listed_languages for demands in required.demands):
        return _why_not_listed(facts, required.language, "it lists")
    return unmet


def _why_not_spoken(facts: DeploymentFacts, language: Language | None) -> Reason | None:
    """Return that the emergency model would answer in words that are none; others write most languages."""
    return _why_not_listed(facts, language, "the emergency model writes")


def _why_not_listed(facts: DeploymentFacts, language: Language | None, who: str) -> Reason | None:
    languages = facts.deployment.model.languages
    if language in languages:
        return None
    wanted = "a language that is not known here" if language is None else f"'{language}'"
    return Reason(
        ReasonKind.LANGUAGE,
        f"the reply is to be in {wanted}, and {who} {', '.join(languages)} alone",
    )


def _why_not_able(
    facts: DeploymentFacts, needed_tokens: int, required: Requirements, *, too_small: bool
) -> Reason | None:
    model = facts.deployment.model
    if not required.needs <= model.capabilities:
        missing = required.needs - model.capabilities
        return Reason(ReasonKind.CAPABILITY, f"cannot: {', '.join(sorted(missing))}")
    if too_small:
        return Reason(
            ReasonKind.CONTEXT,
            f"needs about {needed_tokens:,} tokens, its context holds {model.context_tokens:,}",
        )
    if facts.has_ended:
        return Reason(ReasonKind.ENDED, f"switched off by its vendor on {model.ends}")
    return None
