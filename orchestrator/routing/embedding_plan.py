"""The plan of an embedding request: deployments of one model, in the order of their route, and its parts.

Vectors of two models cannot be compared, so no score chooses among models here: the request or its use case
names one, and only the place that serves it may change.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.catalog.catalog import Deployment, ProviderKind
from orchestrator.catalog.data_policy import Demands
from orchestrator.core.embedding import EmbeddingRequest, messages_with
from orchestrator.core.money import NanoUsd
from orchestrator.core.plan import Candidate, Excluded, Plan, Reason, ReasonKind
from orchestrator.core.prompt_size import PromptSize
from orchestrator.routing.eligibility import TOO_DEAR, KnownHealth, why_not_demanded, why_unhealthy
from orchestrator.routing.estimate import bound_nusd, measure
from orchestrator.routing.facts import DeploymentFacts
from orchestrator.routing.settings import RoutingSettings

PART_BYTES_MAX = 300_000
"""OpenAI takes 300,000 tokens in one request, and a token is at least a byte."""
PART_NUMBERS_MAX = 2**21
"""Of all vectors of an answer, so that its body stays within what is read of one."""
_PART_TEXTS_MAX = 2048
"""OpenAI's limit; servers that speak its format have none, or theirs is higher."""
_PART_TEXTS_MAX_OF: Mapping[ProviderKind, int] = {ProviderKind.GOOGLE: 100}
_PINNED = Reason(ReasonKind.PINNED, "asked for by name")


@dataclass(frozen=True, slots=True)
class EmbeddingPart:
    """What is sent at once of a request."""

    request: EmbeddingRequest
    size: PromptSize


def cut_into_parts(
    request: EmbeddingRequest, deployments: Collection[Deployment]
) -> tuple[EmbeddingPart, ...]:
    """Return the parts of a request, in its order, each of a size that every deployment takes."""
    texts_max = min(_texts_max(deployment, request.dimensions) for deployment in deployments)
    parts = (replace(request, messages=messages_with(texts)) for texts in _cut(request.texts, texts_max))
    return tuple(EmbeddingPart(part, measure(part)) for part in parts)


def _texts_max(deployment: Deployment, dimensions: int | None) -> int:
    numbers = dimensions or deployment.model.dimensions or 1
    most = _PART_TEXTS_MAX_OF.get(deployment.provider.kind, _PART_TEXTS_MAX)
    return max(1, min(most, PART_NUMBERS_MAX // numbers))


def _cut(texts: Sequence[str], texts_max: int) -> Iterator[list[str]]:
    part: list[str] = []
    size_bytes = 0
    for text in texts:
        text_bytes = len(text.encode())
        if part and (len(part) == texts_max or size_bytes + text_bytes > PART_BYTES_MAX):
            yield part
            part, size_bytes = [], 0
        part.append(text)
        size_bytes += text_bytes
    yield part


def embedding_plan(  # noqa: PLR0913 -- one keyword for each independent fact
    use_case_name: str,
    deployments: Collection[DeploymentFacts],
    parts: Sequence[EmbeddingPart],
    *,
    pinned: bool,
    ceiling_nusd: NanoUsd | None,
    routing: RoutingSettings,
    health: KnownHealth,
    demands: Sequence[Demands] = (),
) -> Plan:
    """Return the plan for all parts together; its candidates are empty when no deployment may serve them.

    `deployments` serve one model, in the order in which they are asked; what is left out for its health alone
    is the reserve.
    """
    candidates: list[Candidate] = []
    reserve: list[Candidate] = []
    excluded: list[Excluded] = []
    for facts in deployments:
        candidate = _candidate(facts, parts, pinned=pinned)
        unhealthy = why_unhealthy(health.of(facts.deployment.name), routing)
        if facts.has_ended:
            ended = Reason(ReasonKind.ENDED, f"switched off by its vendor on {facts.deployment.model.ends}")
            excluded.append(Excluded(facts.deployment.name, ended))
        elif unmet := why_not_demanded(facts.data_policy, demands):
            excluded.append(Excluded(facts.deployment.name, unmet))
        elif ceiling_nusd is not None and candidate.bound_nusd > ceiling_nusd:
            needed_nusd = candidate.bound_nusd
            excluded.append(Excluded(facts.deployment.name, TOO_DEAR, needed_nusd=needed_nusd))
        elif unhealthy is not None:
            excluded.append(Excluded(facts.deployment.name, unhealthy))
            in_reserve = Reason(ReasonKind.RESERVE, f"in reserve: {unhealthy}")
            reserve.append(candidate._replace(reasons=(in_reserve, *candidate.reasons)))
        else:
            candidates.append(candidate)
    return Plan(use_case_name, tuple(candidates), tuple(excluded), reserve=tuple(reserve))


def plan_of_part(plan: Plan, part: EmbeddingPart, deployments: Mapping[str, DeploymentFacts]) -> Plan:
    """Return a plan with what one part can cost."""

    def own(steps: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        return tuple(_bounded(step, deployments[step.deployment], (part,)) for step in steps)

    return plan._replace(candidates=own(plan.candidates), reserve=own(plan.reserve))


def _candidate(facts: DeploymentFacts, parts: Sequence[EmbeddingPart], *, pinned: bool) -> Candidate:
    own = facts.route_reasons or (facts.other_reason,)
    empty = Candidate(
        deployment=facts.deployment.name,
        score=0.0,
        factors=(),
        expected_nusd=NanoUsd(0),
        bound_nusd=NanoUsd(0),
        input_expected_tokens=0,
        input_bound_tokens=0,
        max_tokens=0,
        reasons=(_PINNED, *facts.route_reasons) if pinned else own,
        pinned=pinned,
    )
    return _bounded(empty, facts, parts)


def _bounded(candidate: Candidate, facts: DeploymentFacts, parts: Sequence[EmbeddingPart]) -> Candidate:
    """Return a candidate with what these parts can cost, and will probably; each is a send of its own."""
    sizes = [part.size for part in parts]
    return candidate._replace(
        expected_nusd=NanoUsd(
            sum(
                facts.price.cost_of(input_tokens=size.input_expected_tokens, output_tokens=0)
                for size in sizes
            )
        ),
        bound_nusd=NanoUsd(sum(bound_nusd(size, facts.price, output_tokens=0) for size in sizes)),
        input_expected_tokens=sum(size.input_expected_tokens for size in sizes),
        input_bound_tokens=sum(size.input_bound_tokens for size in sizes),
    )
