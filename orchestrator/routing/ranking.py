"""Which deployments a request is put to, in which order, and why.

`rank` leaves out what cannot or may not serve the request, and orders the rest. What is left out for its
health alone is the plan's reserve. With `order: route` the use case's own order stands and the score
(`routing.scoring`) is shown beside it; what the route does not name comes after it. With `order: score`
the score decides. Where the request's money would not reach for the whole answer, `on_limit` decides: such
a place comes behind those where it does, or stays where it is with a shorter answer, or none is asked at all.

With `shortlists` only those deployments are looked at that can come into the plan; the others are looked at
when somebody asks why they were left out.
"""

from collections.abc import Collection, Iterable, Mapping
from operator import attrgetter

from orchestrator.core.money import NanoUsd
from orchestrator.core.plan import Candidate, Excluded, LeftOut, Plan, Reason, ReasonKind
from orchestrator.core.prompt_size import PromptSize
from orchestrator.core.request import ChatRequest
from orchestrator.routing.eligibility import TOO_DEAR, KnownHealth
from orchestrator.routing.estimate import Estimate
from orchestrator.routing.facts import DeploymentFacts
from orchestrator.routing.scoring import Question, RankingContext, Scored, look_at, question_of
from orchestrator.routing.settings import OnLimit
from orchestrator.routing.shortlist import Shortlists

_PINNED = Reason(ReasonKind.PINNED, "asked for by name")
_RATHER_REFUSED = Reason(
    ReasonKind.RATHER_REFUSED, "its use case would rather be refused than take another model (on_limit)"
)


def rank(
    request: ChatRequest,
    deployments: Collection[DeploymentFacts],
    *,
    size: PromptSize,
    rules: RankingContext,
    health: KnownHealth,
    shortlists: Shortlists | None = None,
) -> Plan:
    """Return the plan for a request; its candidates are empty when no deployment may serve it.

    `shortlists` are those of the same deployments and change nothing but the time it takes.
    """
    question = question_of(request, size=size, rules=rules, health=health)
    if shortlists is None or rules.pinned is not None:
        return _plan([look_at(facts, question) for facts in deployments], question)
    seen = tuple(shortlists.looked_at(question))
    plan = _plan(seen, question)

    def known() -> Mapping[str, Scored | Excluded]:
        return {each.name if isinstance(each, Scored) else each.deployment: each for each in seen}

    def left_out() -> Iterable[Excluded]:
        looked_at = known()
        everything = [
            looked_at.get(facts.deployment.name) or look_at(facts, question) for facts in deployments
        ]
        return _plan(everything, question).excluded

    excluded = LeftOut(
        left_out, noted=plan.excluded, others=lambda: shortlists.not_looked_at(question, known().keys())
    )
    return plan._replace(excluded=excluded)


def _plan(looked_at: Iterable[Scored | Excluded], question: Question) -> Plan:
    rules = question.rules
    scored, excluded = [], []
    for each in looked_at:
        if isinstance(each, Scored):
            scored.append(each)
        else:
            excluded.append(each)
    scored.sort(key=attrgetter("order"))
    if rules.use_case.on_limit.choose is OnLimit.REFUSE:
        scored, refused = _whole_or_none(scored, question.ceiling_nusd)
        excluded += refused
    healthy = [choice for choice in scored if choice.unhealthy is None]
    chosen, behind = _shortened(healthy, rules)
    reserve = [(choice, choice.unhealthy) for choice in scored if choice.unhealthy is not None]
    excluded += [Excluded(choice.name, reason) for choice, reason in reserve]
    return Plan(
        rules.use_case_name,
        tuple([_candidate(choice, rules) for choice in chosen]),
        (*excluded, *behind),
        reserve=tuple(
            [
                _candidate(choice, rules, reserved_for=reason)
                for choice, reason in reserve[: rules.routing.max_candidates]
            ]
        ),
    )


def _whole_or_none(scored: list[Scored], ceiling_nusd: NanoUsd | None) -> tuple[list[Scored], list[Excluded]]:
    """Return the deployments that may answer in full, and the rest; none when the first choice may not."""
    short = [
        choice for choice in scored if ceiling_nusd is not None and choice.estimate.bound_nusd > ceiling_nusd
    ]
    whole = [
        choice for choice in scored if ceiling_nusd is None or choice.estimate.bound_nusd <= ceiling_nusd
    ]
    if not short or short[0] is not scored[0]:
        return whole, [Excluded(choice.name, TOO_DEAR) for choice in short]
    first = Excluded(short[0].name, TOO_DEAR, needed_nusd=short[0].estimate.bound_nusd)
    return [], [first, *(Excluded(choice.name, _RATHER_REFUSED) for choice in scored[1:])]


def _shortened(scored: list[Scored], rules: RankingContext) -> tuple[list[Scored], list[Excluded]]:
    """Return the plan's first deployments and its emergency ones, and the rest with the reason."""
    if rules.pinned is not None:
        return scored, []
    most = rules.routing.max_candidates
    emergency = [choice for choice in scored if choice.facts.is_emergency]
    others = [choice for choice in scored if not choice.facts.is_emergency]
    room = max(1, most - len(emergency))
    if len(others) <= room:
        return [*others, *emergency], []
    behind = Reason(ReasonKind.BEHIND, f"stands behind the first {most} (routing.max_candidates)")
    return [*others[:room], *emergency], [Excluded(choice.name, behind) for choice in others[room:]]


def _candidate(scored: Scored, rules: RankingContext, *, reserved_for: Reason | None = None) -> Candidate:
    estimated = scored.estimate
    reasons = _reasons(scored.facts, estimated, is_pinned=rules.pinned is not None)
    if reserved_for is not None:
        reasons = (Reason(ReasonKind.RESERVE, f"in reserve: {reserved_for}"), *reasons)
    size, output = estimated.size, estimated.output
    return Candidate(
        deployment=scored.name,
        score=scored.score,
        factors=scored.parts,
        expected_nusd=estimated.expected_nusd,
        bound_nusd=estimated.bound_nusd,
        input_expected_tokens=size.input_expected_tokens,
        input_bound_tokens=size.input_bound_tokens,
        max_tokens=output.max_tokens,
        reasoning_tokens=output.reasoning_tokens,
        reasons=reasons,
        pinned=rules.pinned is not None,
        clamped_from=estimated.clamped_from,
    )


def _reasons(facts: DeploymentFacts, estimated: Estimate, *, is_pinned: bool) -> tuple[Reason, ...]:
    reasons = (_PINNED, *facts.route_reasons, *facts.more_reasons) if is_pinned else facts.reasons
    if estimated.clamped_from is None:
        return reasons
    # The room for reasoning stays as it is; people are told of the words, which they asked for.
    room, most = estimated.output.reasoning_tokens, estimated.output.max_tokens
    lowered = f"max_tokens lowered from {estimated.clamped_from - room} to {most - room} to fit the limit of a request"
    return (*reasons, Reason(ReasonKind.CLAMPED, lowered))
