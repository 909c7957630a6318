"""A slot among the requests in flight, for the time that a call needs one."""

from orchestrator.core.progress import Progress, ProgressStep, tell
from orchestrator.core.reply import ChatReply
from orchestrator.pipeline.call import Call, Step
from orchestrator.pipeline.services import PipelineServices
from orchestrator.resilience.concurrency_limiter import Slot


class Concurrency:
    """Lets a call go on when the program is ready and a slot is free; the call has the slot to its end.

    What loads and opens with the first call does so before a slot is taken: the time that a slot is used
    tells how soon the next one comes.
    """

    def __init__(self, services: PipelineServices, following: Step) -> None:
        """Stand around `following`."""
        self._ledger = services.ledger
        self._limiter = services.limiter
        self._health = services.dispatch.health
        self._following = following

    async def __call__(self, call: Call) -> ChatReply:
        """Wait, until the deadline, and go on.

        Raises:
            OverloadedError: too many requests wait, or none of the slots comes in time.
            DeadlineExceededError: the deadline came first.
            LedgerError: the ledger cannot be opened, so nothing may be sent.
        """
        with self._free_slot(call) or await self._slot_in_time(call):
            return await self._following(call)

    def _free_slot(self, call: Call) -> Slot | None:
        """Return a slot where nothing has to be waited for, as is so of nearly all calls."""
        is_ready = call.snapshot.transport.is_ready and self._ledger.is_open
        background = call.profile.background
        return self._limiter.free_slot(call.payer.tenant, background=background) if is_ready else None

    async def _slot_in_time(self, call: Call) -> Slot:
        async with call.in_time():
            transport, background = call.snapshot.transport, call.profile.background
            if not transport.is_ready:
                await transport.get_ready()
            await self._ledger.aopen()
            began_s = call.deadline.elapsed_s()
            if not self._limiter.has_room(background=background):
                tell(Progress(ProgressStep.QUEUED))
            slot = await self._limiter.slot(
                call.payer.tenant,
                background=background,
                left_s=call.deadline.left_s(),
                usual_s=self._health.usual_s(call.use_case.primary.deployment),
            )
            call.trace.queued_s = call.deadline.elapsed_s() - began_s
        return slot
