"""The innermost step of embeddings: one plan for the whole request, and its parts one after the other.

1. The deployments of one model are planned once, by what all parts together can cost.
2. Each part is a dispatch like any other: held, sent, retried, put to the next deployment, booked.
3. The vectors of a part are kept as soon as they are there. Where a later part fails, what was paid for
   is booked and kept, the error says so, and the same request pays for the rest alone.
"""

from dataclasses import replace

from orchestrator.catalog.catalog import Deployment
from orchestrator.catalog.models import Mode
from orchestrator.core.embedding import EmbeddingReply, Vector
from orchestrator.core.errors import BudgetExceededError, OrchestratorError
from orchestrator.core.money import NanoUsd
from orchestrator.core.plan import Plan
from orchestrator.core.reply import Attempt, ChatReply, Usage
from orchestrator.dispatch.dispatch_request import DispatchRequest
from orchestrator.dispatch.outcome import DispatchResult
from orchestrator.dispatch.target import targets_of
from orchestrator.pipeline.call import Call
from orchestrator.pipeline.degradation import degraded
from orchestrator.pipeline.dispatching import dispatched
from orchestrator.pipeline.embedding_cache import KeptVectors, request_of
from orchestrator.pipeline.known_health import known_health
from orchestrator.pipeline.planning import no_candidates, switched_off
from orchestrator.pipeline.services import PipelineServices
from orchestrator.routing.embedding_plan import EmbeddingPart, cut_into_parts, embedding_plan, plan_of_part
from orchestrator.routing.facts import DeploymentFacts, facts_of


class Embedding:
    """Asks the deployments of one model for the vectors of a call's texts."""

    def __init__(self, services: PipelineServices) -> None:
        """Remember what the attempts share."""
        self._services = services.dispatch

    async def __call__(self, call: Call) -> ChatReply:
        """Return the vectors of a call's texts, and keep them.

        Raises:
            BudgetExceededError, UnavailableError: no deployment may serve it, or a limit or failure ended it;
                what was answered before is booked and kept, and the message says so.
        """
        try:
            return await self._embedded(call)
        except BudgetExceededError as exc:
            exc.advise_on_texts()
            raise

    async def _embedded(self, call: Call) -> ChatReply:
        facts, kept = _facts_of(call), KeptVectors.of(call)
        parts = (
            cut_into_parts(request_of(call), [known.deployment for known in facts.values()]) if facts else ()
        )
        call.trace.plan = plan = self._planned(call, facts, parts)
        results: list[DispatchResult] = []
        try:
            for part in parts:
                results.append(await self._dispatched(call, plan_of_part(plan, part, facts), part))
                await self._keep(results[-1], part, kept)
        except OrchestratorError as exc:
            if results:
                exc.args = (f"{exc.args[0]}; {_done(len(results), len(parts))}",)
            raise
        return _reply_of(call, plan, results)

    async def _dispatched(self, call: Call, plan: Plan, part: EmbeddingPart) -> DispatchResult:
        dispatch = DispatchRequest(
            request_id=call.id,
            request=part.request,
            payer=call.payer,
            plan=plan,
            targets=targets_of(plan, call.snapshot.config.catalog.embeddings, today=call.started_at.date()),
            size=part.size,
            profile=call.profile,
            deadline=call.deadline,
            stream=False,
            started_at=call.started_at,
            on_filtered=call.use_case.on_filtered,
            sends_before=len(call.trace.attempts),
        )
        return await dispatched(call, dispatch, self._services)

    def _planned(
        self, call: Call, facts: dict[str, DeploymentFacts], parts: tuple[EmbeddingPart, ...]
    ) -> Plan:
        config, request = call.snapshot.config, call.request
        ceiling = self._services.ledger.limits.tightest_for_request(call.payer.scopes())
        most = [limit for limit in (request.max_cost_nusd, ceiling and ceiling[1]) if limit is not None]
        plan = embedding_plan(
            request.use_case,
            facts.values(),
            parts,
            pinned=request.model is not None,
            ceiling_nusd=NanoUsd(min(most)) if most else None,
            routing=config.settings.routing,
            demands=config.settings.routing.demands_on(call.payer.tenant, call.use_case.demands),
            health=known_health(facts, config.settings.routing, self._services.health),
        )
        plan = plan._replace(excluded=(*switched_off(config, call.use_case), *plan.excluded))
        if not plan.asked:
            pinned = tuple(facts) if request.model is not None else None
            raise no_candidates(request, config, plan, pinned=pinned, ceiling=ceiling)
        return plan

    async def _keep(self, result: DispatchResult, part: EmbeddingPart, kept: KeptVectors) -> None:
        last = result.attempts[-1]
        vectors = dict(zip(part.request.texts, _vectors_of(result), strict=True))
        await kept.put(vectors, deployment=last.deployment, provider=last.provider)


def _facts_of(call: Call) -> dict[str, DeploymentFacts]:
    """Return what counts of the deployments that may be asked, in the order in which they are."""
    facts = facts_of(
        _deployments_of(call),
        use_case_name=call.request.use_case,
        use_case=call.use_case,
        today=call.started_at.date(),
    )
    return dict(facts)


def _deployments_of(call: Call) -> tuple[Deployment, ...]:
    catalog = call.snapshot.config.catalog
    if call.request.model is not None:
        return catalog.named(call.request.model, mode=Mode.EMBEDDING)
    names = [step.deployment for step in call.use_case.route]
    return tuple(catalog.embeddings[name] for name in names if name in catalog.embeddings)


def _done(count: int, parts: int) -> str:
    return (
        f"{count} of its {parts} batches were answered before; they are booked, and their vectors are in the "
        "cache, so the same request pays for the rest alone"
    )


def _vectors_of(result: DispatchResult) -> tuple[Vector, ...]:
    return () if result.answer is None else result.answer.vectors


def _reply_of(call: Call, plan: Plan, results: list[DispatchResult]) -> EmbeddingReply:
    first = plan.asked[0].deployment
    answered: list[Attempt] = [result.attempts[-1] for result in results]
    # Of several parts the one that another deployment answered tells more.
    place = next((attempt for attempt in answered if attempt.deployment != first), answered[0])
    usages = [result.answer.usage for result in results if result.answer is not None]
    notices = dict.fromkeys(notice for result in results for notice in result.notices)
    reply = EmbeddingReply(
        request_id=call.id,
        text="",
        model=place.model,
        deployment=place.deployment,
        provider=place.provider,
        usage=Usage(
            input_tokens=sum(usage.input_tokens for usage in usages),
            estimated=any(usage.estimated for usage in usages),
        ),
        cost_nusd=call.trace.spent_nusd,
        finish_reason="stop",
        attempts=call.trace.attempts,
        notices=tuple(notices),
        latency_s=call.deadline.elapsed_s(),
        created_at=call.started_at,
        plan=plan,
        vectors=tuple(vector for result in results for vector in _vectors_of(result)),
    )
    return replace(
        reply,
        degraded=degraded(call.snapshot.config, call.use_case, reply, passed_over=call.trace.passed_over),
    )
