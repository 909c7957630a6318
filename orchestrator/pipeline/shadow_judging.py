"""Asks a model which is better, a live answer or its shadow, when both are there: for the comparison alone.

It is asked twice, with the two in swapped places: what wins in one place only is no better. It pays from a
budget of its own, waits for nothing, and what its rows say (`arm:…:prefers:candidate`) is all that is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.core.arms import Arm, ArmKind, Preferred
from orchestrator.core.language import Language, reply_language
from orchestrator.core.payer import Payer
from orchestrator.core.plain_data import copied
from orchestrator.core.reply import ChatReply
from orchestrator.core.request import CacheUse, ChatRequest, Message
from orchestrator.core.sampling import Sampling
from orchestrator.pipeline.arms import experiment_of
from orchestrator.pipeline.asking_aside import ask_aside, call_aside
from orchestrator.pipeline.call import Call, Step
from orchestrator.pipeline.planning import planned_for
from orchestrator.pipeline.services import PipelineServices
from orchestrator.policies.judging_words import JUDGE_MAX_TOKENS, judge_question, winner_in

_PREFERRED_BY_WINNERS = {("A", "B"): Preferred.CANDIDATE, ("B", "A"): Preferred.LIVE}
"""By who wins when the candidate's answer stands first, and when it stands second."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """What a judge compares."""

    live: Call
    arm: Arm
    judge: str
    """A deployment."""
    conversation: object
    """What was asked, as plain data."""


class ShadowJudging:
    """Compares live answers with their shadows, where the experiment has a judge."""

    def __init__(self, services: PipelineServices, ask: Step) -> None:
        """Remember how a planned call is asked."""
        self._services = services
        self._ask = ask

    async def compare(self, live: Call, live_reply: ChatReply, shadow_reply: ChatReply) -> None:
        """Ask the judge twice; a word that is no verdict, or no answer, is none."""
        experiment = None if live.arm is None else experiment_of(live.snapshot.config, live.arm)
        if live.arm is None or experiment is None or experiment.settings.judge is None:
            return
        conversation = _texts_of(live.request.messages)
        if conversation is None:
            # It would judge answers to a picture that it does not see.
            return
        pair = _Pair(live, live.arm, experiment.settings.judge.deployment, conversation)
        candidate, answered = _plain_answer(shadow_reply), _plain_answer(live_reply)
        before = await self._winner(pair, candidate, answered)
        if before is not None:
            await self._winner(pair, answered, candidate, before=before)

    async def _winner(
        self, pair: _Pair, first: object, second: object, *, before: str | None = None
    ) -> str | None:
        """Return who wins in these places; the row of the second question says who is preferred."""

        def noted(call: Call, reply: ChatReply | None) -> Call:
            winner = None if reply is None else winner_in(reply.text)
            if before is None or winner is None:
                return call
            preferred = _PREFERRED_BY_WINNERS.get((before, winner), Preferred.NEITHER)
            return replace(call, arm=replace(arm, preferred=preferred))

        live = pair.live.request
        language = reply_language(live.messages, named=live.language, otherwise=Language.EN)
        question = judge_question(pair.conversation, first, second, language=language)
        arm = replace(pair.arm, kind=ArmKind.JUDGE, is_shadowed=False, shadow_of=pair.live.id)
        call = call_aside(
            pair.live,
            _request(live, question, pair.judge),
            config=pair.live.snapshot.config,
            payer=Payer.of_judge(pair.arm.experiment),
            arm=arm,
            services=self._services,
        )
        reply = await ask_aside(call, self._answer, services=self._services, noted=noted)
        return None if reply is None else winner_in(reply.text)

    async def _answer(self, call: Call) -> ChatReply:
        planned = planned_for(call, self._services)
        call.trace.plan, call.trace.size = planned.plan, planned.size
        return await self._ask(replace(call, planned=planned))


def _request(live: ChatRequest, question: str, judge: str) -> ChatRequest:
    """Return the question to a judge: of the tenant whose prompt it holds, under no limit of his."""
    return ChatRequest(
        messages=({"role": "user", "content": question},),
        use_case=live.use_case,
        tenant=live.tenant,
        user=live.user,
        model=judge,
        max_tokens=JUDGE_MAX_TOKENS,
        cache=CacheUse.OFF,
        graceful=False,
        language=live.language,
        sampling=Sampling(temperature=0.0),
    )


def _texts_of(messages: tuple[Message, ...]) -> list[dict[str, Any]] | None:
    """Return a conversation as plain data, None where it holds more than texts."""
    for message in messages:
        content = message.get("content")
        parts = () if content is None or isinstance(content, str) else content
        if any(isinstance(part, Mapping) and part.get("type", "text") != "text" for part in parts):
            return None
    return [dict(copied(message)) for message in messages]


def _plain_answer(reply: ChatReply) -> object:
    if not reply.tool_calls:
        return reply.text
    calls = [{"name": call.name, "arguments": call.arguments} for call in reply.tool_calls]
    return {"text": reply.text, "tool_calls": calls}
