"""What a configuration promises by itself, use case by use case: whom it reaches, and what at worst.

The chain is the plan of a short request while all is well, made as every plan is. Availability of a
deployment is its recorded share of sends that were answered, where there are enough, else an assumption
that is named. Deployments of one provider are taken to fail together: a second model of the same provider
promises nothing.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from orchestrator.cache.response_cache import ReplyCache
from orchestrator.catalog.catalog import Deployment
from orchestrator.catalog.models import Mode
from orchestrator.config.loader import Config
from orchestrator.config.modes import use_cases_of
from orchestrator.core.alerts import Alerts
from orchestrator.core.clock import Clock
from orchestrator.core.errors import BudgetExceededError, RequestError, UnavailableError
from orchestrator.core.money import ZERO_NUSD, NanoUsd
from orchestrator.core.plan import Plan
from orchestrator.core.reply import Outcome
from orchestrator.core.request import LANGUAGES, ChatRequest
from orchestrator.ledger.budgets import Window
from orchestrator.ledger.opening import open_view
from orchestrator.ledger.usage import Selection
from orchestrator.pipeline.call import Call
from orchestrator.pipeline.planning import planned_for
from orchestrator.pipeline.services import ConfigSnapshot, PipelineServices
from orchestrator.whatif.isolated import isolated
from orchestrator.whatif.no_way_out import NoWayOut

ASSUMED_AVAILABILITY = 0.99
"""Of a deployment of which too little is recorded."""
ENOUGH_SENDS = 50
_DAYS = 30
"""How far back answers are counted."""
_ORDINARY = {"role": "user", "content": "..."}


@dataclass(frozen=True, slots=True)
class RecordedSends:
    """How many sends to a deployment are recorded, and how many of them were answered."""

    sends: int
    answered: int


RecordedShare = Mapping[str, RecordedSends]
"""What is recorded, by deployment."""


@dataclass(frozen=True, slots=True)
class Availability:
    """How often a deployment answers, and what says so."""

    deployment: str
    share: float
    recorded_sends: int | None
    """None where it is assumed."""


@dataclass(frozen=True, slots=True)
class SinglePoint:
    """One part without which a use case has nobody to ask."""

    kind: str
    """provider, vendor, key or address."""
    name: str
    """Of a key the provider that has it."""
    shared_by: tuple[str, ...] = ()
    """Providers of one key, where several have the same."""


@dataclass(frozen=True, slots=True)
class UseCaseProof:
    """What a configuration promises of one use case."""

    use_case: str
    chain: tuple[Availability, ...]
    """Whom its route can reach, in its order."""
    unreachable: Mapping[str, str]
    """Places of its route that are never asked, and why."""
    single_points: tuple[SinglePoint, ...]
    most_nusd: NanoUsd
    """What one request can cost at most: every send of it lost and billed in full, but for its limits."""
    most_s: float
    """When its caller has an answer or an error, at the latest."""
    availability: float
    """How often the chain answers."""
    unanswered: tuple[str, ...] = ()
    """Languages in which nobody can answer; the chain is that of the others."""

    @property
    def is_assumed(self) -> bool:
        """Return whether a part of its availability is assumed."""
        return any(part.recorded_sends is None for part in self.chain)


def prove(config: Config, recorded: RecordedShare, *, clock: Clock) -> tuple[UseCaseProof, ...]:
    """Return what a configuration promises of each use case that answers chats; no file is touched."""
    with isolated(config) as own:
        services = PipelineServices.of(own, clock=clock, alerts=Alerts())
        return tuple(_proof(services, own, name, recorded) for name in use_cases_of(own.settings, Mode.CHAT))


def recorded_answers(config: Config, *, clock: Clock) -> dict[str, RecordedSends]:
    """Return how often each deployment answered in the last days; nothing without a ledger.

    Raises:
        LedgerError: the ledger cannot be read, or is of another version.
    """
    view = open_view(config.settings.ledger)
    if not view.exists:
        return {}
    today = clock.now().date()
    days = Selection(f"{today - timedelta(days=_DAYS)}", f"{today + timedelta(days=1)}")
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    with view:
        for group in view.send_groups(days):
            if group.outcome != Outcome.CANCELLED:
                sums[group.deployment][0] += group.sends
                sums[group.deployment][1] += group.sends * (group.outcome == Outcome.SUCCEEDED)
    return {name: RecordedSends(*counts) for name, counts in sums.items()}


def reached_by(config: Config, name: str, *, clock: Clock) -> tuple[Deployment, ...]:
    """Return whom a use case reaches with a short request, in their order; no file is touched."""
    with isolated(config) as own:
        services = PipelineServices.of(own, clock=clock, alerts=Alerts())
        plans = [_plan(services, own, name, language) for language in LANGUAGES]
        longest = max((plan.asked for plan in plans if plan is not None), key=len, default=())
        return tuple(own.catalog.deployments[candidate.deployment] for candidate in longest)


def _proof(services: PipelineServices, config: Config, name: str, recorded: RecordedShare) -> UseCaseProof:
    plans = [_plan(services, config, name, language) for language in LANGUAGES]
    plan = max(plans, key=lambda plan: 0 if plan is None else len(plan.asked))
    asked = () if plan is None else plan.asked
    reached = [config.catalog.deployments[candidate.deployment] for candidate in asked]
    chain = tuple(_availability(deployment.name, recorded) for deployment in reached)
    names = {candidate.deployment for plan in plans if plan is not None for candidate in plan.asked}
    reasons = {} if plan is None else {left.deployment: left.reason.text for left in plan.excluded}
    return UseCaseProof(
        use_case=name,
        chain=chain,
        unreachable={
            step.deployment: reasons.get(step.deployment)
            or str(config.catalog.off.get(step.deployment, "left out"))
            for step in config.settings.use_cases[name].route
            if step.deployment not in names
        },
        single_points=tuple(_single_points(reached)),
        most_nusd=most_nusd(config, name, reached, services.clock.now().date()),
        most_s=_most_s(config, name),
        availability=_together(reached, chain),
        unanswered=tuple(
            language for language, plan in zip(LANGUAGES, plans, strict=True) if not (plan and plan.asked)
        ),
    )


def _plan(services: PipelineServices, config: Config, name: str, language: str) -> Plan | None:
    """Return the plan of a short request while everything is well; None where none may serve it."""
    request = ChatRequest(messages=(_ORDINARY,), use_case=name, language=language)
    snapshot = ConfigSnapshot(config, NoWayOut(), ReplyCache(config.settings.cache))
    try:
        return planned_for(Call.of(request, snapshot, clock=services.clock), services).plan
    except (UnavailableError, RequestError, BudgetExceededError):
        return None


def _availability(name: str, recorded: RecordedShare) -> Availability:
    known = recorded.get(name)
    if known is None or known.sends < ENOUGH_SENDS:
        return Availability(name, ASSUMED_AVAILABILITY, None)
    # One more failure than was seen: nothing that is recorded proves that it never fails.
    return Availability(name, known.answered / (known.sends + 1), known.sends)


def _together(reached: Iterable[Deployment], chain: Iterable[Availability]) -> float:
    """Return how often one of a chain answers: providers fail apart, models of one provider together."""
    best: dict[str, float] = {}
    for deployment, part in zip(reached, chain, strict=True):
        best[deployment.provider_name] = max(best.get(deployment.provider_name, 0.0), part.share)
    return 1 - math.prod(1 - share for share in best.values())


def _single_points(reached: list[Deployment]) -> Iterator[SinglePoint]:
    """Yield the parts that all of a chain have in common; without a chain there is none to lose."""
    parts = {
        "provider": {deployment.provider_name for deployment in reached},
        "vendor": {deployment.model.vendor for deployment in reached},
        "key": {_key_of(deployment) for deployment in reached},
        "address": {deployment.provider.base_url or deployment.provider.kind for deployment in reached},
    }
    for kind, names in parts.items():
        if len(names) == 1 and kind != "key":
            (name,) = names
            yield SinglePoint(kind, str(name))
        # Where no key is needed none can be lost.
        elif len(names) == 1 and names != {""}:
            providers = tuple(dict.fromkeys(deployment.provider_name for deployment in reached))
            yield SinglePoint(kind, providers[0], providers if len(providers) > 1 else ())


def _key_of(deployment: Deployment) -> str:
    key = deployment.provider.api_key
    return "" if key is None else key.get_secret_value()


def most_nusd(
    config: Config, name: str, reached: Iterable[Deployment], today: date, *, attempts: int | None = None
) -> NanoUsd:
    """Return the most that one request can cost: all of its sends at full length, within their limits.

    `attempts` on each deployment are those of the use case's profile where none are said.
    """
    use_case, settings = config.settings.use_cases[name], config.settings
    attempts = attempts or settings.retry_profiles[use_case.profile].attempts_per_deployment
    facts, limits = config.facts_of(name, today=today), config.limits
    total = ZERO_NUSD
    for deployment in reached:
        model = deployment.model
        output = min(model.max_output_tokens, use_case.max_tokens + model.reasoning_tokens)
        inputs = max(0, model.context_tokens - output)
        bound = facts[deployment.name].price.bound_of(input_tokens=inputs, output_tokens=output)
        of_deployment = (f"provider:{deployment.provider_name}", f"model:{deployment.model_name}")
        scopes = ("all", f"use_case:{name}", *of_deployment)
        ceilings = [limit for scope in scopes if (limit := limits.of(scope, Window.REQUEST)) is not None]
        total = NanoUsd(total + min([bound, *ceilings]) * attempts)
    ends = [
        limit
        for scope in ("all", f"use_case:{name}")
        for window in Window
        if window not in {Window.REQUEST, Window.RUN} and (limit := limits.of(scope, window)) is not None
    ]
    return min([total, *ends])


def _most_s(config: Config, name: str) -> float:
    use_case = config.settings.use_cases[name]
    return use_case.deadline_s or config.settings.retry_profiles[use_case.profile].deadline_s
