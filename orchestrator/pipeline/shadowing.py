"""Asks the candidate of an experiment too, when a live answer is there: for the comparison alone.

Nothing of it can be felt by who asked: it begins when the answer is on its way to him, on money, time and
patience of its own, takes no slot of requests in flight, and waits for nothing. What there is no room or no
money for is dropped without a row; what was sent has a row of its own, which names the live request.
"""

import asyncio
from dataclasses import replace

from orchestrator.core.arms import ArmKind
from orchestrator.core.errors import UnavailableError
from orchestrator.core.payer import Payer
from orchestrator.core.plan import Candidate
from orchestrator.core.reply import CacheState, ChatReply
from orchestrator.pipeline.asking_aside import ask_aside, call_aside
from orchestrator.pipeline.call import Call, PlannedRequest, Step
from orchestrator.pipeline.dispatching import Dispatching
from orchestrator.pipeline.planning import planned_for
from orchestrator.pipeline.services import PipelineServices
from orchestrator.pipeline.shadow_judging import ShadowJudging

IN_FLIGHT_MAX = 8
"""Shadows of a process that are asked at once; others are dropped."""
_BEHIND_S = 0.005
"""The live answer is handed over in this time, before the first thing is done for its shadow."""


class Shadowing:
    """Begins a shadow behind each live answer that was drawn for one."""

    def __init__(self, services: PipelineServices, following: Step) -> None:
        """Stand around `following`."""
        self._services = services
        self._following = following
        self._ask = Dispatching(services)
        self._judging = ShadowJudging(services, self._ask)
        self._under_way: set[asyncio.Task[None]] = set()

    async def __call__(self, call: Call) -> ChatReply:
        """Return what the following step says, as it says it."""
        reply = await self._following(call)
        if call.arm is not None and call.arm.is_shadowed and reply.cached is CacheState.MISS:
            self._begin(call, reply)
        return reply

    def _begin(self, live: Call, live_reply: ChatReply) -> None:
        if len(self._under_way) >= IN_FLIGHT_MAX:
            return
        # The background loop cancels it when it closes, and waits until it has booked what it owes.
        task = asyncio.get_running_loop().create_task(self._shadow(live, live_reply))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _shadow(self, live: Call, live_reply: ChatReply) -> None:
        await asyncio.sleep(_BEHIND_S)
        reply = await ask_aside(self._call_of(live), self._answer, services=self._services)
        if reply is not None:
            await self._judging.compare(live, live_reply, reply)

    def _call_of(self, live: Call) -> Call:
        """Return the call of a shadow: the same question of the same tenant, on the experiment's account."""
        if live.arm is None:
            msg = "only what is on a side of an experiment has a shadow"
            raise RuntimeError(msg)
        return call_aside(
            live,
            live.request,
            config=live.snapshot.config.with_candidate(live.arm.experiment),
            payer=Payer.of_shadow(live.arm.experiment),
            arm=replace(live.arm, kind=ArmKind.SHADOW, is_shadowed=False, shadow_of=live.id),
            services=self._services,
        )

    async def _answer(self, call: Call) -> ChatReply:
        """Ask those that the candidate names, and no other: another's answer says nothing of it."""
        planned = planned_for(call, self._services)
        named = call.use_case.policy.named if call.use_case.policy is not None else ()

        def own(candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
            return tuple(each for each in candidates if not named or each.deployment in named)

        plan = planned.plan._replace(
            candidates=own(planned.plan.candidates), reserve=own(planned.plan.reserve)
        )
        call.trace.plan, call.trace.size = plan, planned.size
        if not plan.asked:
            raise UnavailableError("no deployment that the candidate names may serve it")
        return await self._ask(replace(call, planned=PlannedRequest(plan, planned.size)))
