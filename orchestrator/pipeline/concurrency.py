"""A slot among the requests in flight, for the time that a call needs one."""

from contextlib import AsyncExitStack

from orchestrator.core.progress import Progress, ProgressStep, tell
from orchestrator.core.reply import ChatReply
from orchestrator.pipeline.call import Call, Step
from orchestrator.pipeline.services import PipelineServices


class Concurrency:
    """Lets a call go on when the program is ready and a slot is free; the call has the slot to its end.

    What loads and opens with the first call does so before a slot is taken: the time that a slot is used
    tells how soon the next one comes.
    """

    def __init__(self, services: PipelineServices, following: Step) -> None:
        """Stand around `following`."""
        self._ledger = services.ledger
        self._limiter = services.limiter
        self._following = following

    async def __call__(self, call: Call) -> ChatReply:
        """Wait, until the deadline, and go on.

        Raises:
            OverloadedError: too many requests wait, or none of the slots comes in time.
            DeadlineExceededError: the deadline came first.
            LedgerError: the ledger cannot be opened, so nothing may be sent.
        """
        async with AsyncExitStack() as slot:
            async with call.in_time():
                await self._get_ready(call)
                began_s = call.deadline.elapsed_s()
                if not self._limiter.has_room(background=call.profile.background):
                    tell(Progress(ProgressStep.QUEUED))
                place = self._limiter.slot(
                    call.payer.tenant, background=call.profile.background, left_s=call.deadline.left_s()
                )
                await slot.enter_async_context(place)
                call.trace.queued_s = call.deadline.elapsed_s() - began_s
            return await self._following(call)

    async def _get_ready(self, call: Call) -> None:
        transport = call.snapshot.transport
        if not transport.is_ready:
            await transport.get_ready()
        await self._ledger.aopen()
