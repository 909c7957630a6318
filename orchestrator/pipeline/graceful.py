"""The last resort: what a request gets when no model answered it, and in which words.

In order: an older answer from the cache, the emergency model, an apology. The first two are for every use
case that may degrade. The apology is for those who ask for it, because a program could take it for an answer.
"""

from datetime import datetime

from orchestrator.config.schema import LastResortSettings
from orchestrator.core.errors import UnavailableError
from orchestrator.core.language import Language, reply_language
from orchestrator.core.reply import ChatReply, DegradationKind, Usage
from orchestrator.core.request import ChatRequest
from orchestrator.pipeline.call import Call, Step
from orchestrator.pipeline.degradation import instead_of
from orchestrator.routing.settings import UseCaseSettings

FINISH_REASON = "unavailable"

_APOLOGIES = {
    # What is the matter is not said: it may be an outage, a full minute or a missing key.
    Language.VI: (
        "Xin lỗi, lúc này chúng tôi chưa thể trả lời. "
        "Vui lòng thử lại sau ít phút, hoặc liên hệ nhân viên kèm mã yêu cầu {id}."
    ),
    Language.EN: (
        "Sorry, we cannot answer just now. "
        "Please try again in a few minutes, or contact our staff with the request id {id}."
    ),
}


class Graceful:
    """Gives an apology in the place of the error where no deployment answered, to a call that wants one."""

    def __init__(self, following: Step) -> None:
        """Stand around `following`."""
        self._following = following

    async def __call__(self, call: Call) -> ChatReply:
        """Return the reply, or the apology.

        Raises:
            OrchestratorError: what the following step raised, where no apology may stand for it.
        """
        try:
            return await self._following(call)
        except UnavailableError as exc:
            if not apologises(call.request, call.use_case) or call.has_delivered:
                raise
            reply = apology(
                exc,
                call.request,
                settings=call.snapshot.config.settings.last_resort,
                started_at=call.started_at,
                latency_s=call.deadline.elapsed_s(),
            )
            return call.hand_over(reply)


def apologises(request: ChatRequest, use_case: UseCaseSettings) -> bool:
    """Return whether a request gets an apology instead of an error when no model answers.

    Never where a program reads the answer: it asked for tools or for a form of its own.
    """
    form = (request.sampling.response_format or {}).get("type", "text")
    if use_case.never_degrade or request.sampling.tools or form != "text":
        return False
    return use_case.graceful if request.graceful is None else request.graceful


def apology(
    error: UnavailableError,
    request: ChatRequest,
    *,
    settings: LastResortSettings,
    started_at: datetime,
    latency_s: float,
) -> ChatReply:
    """Return the reply that says in the caller's language that no model answered."""
    return ChatReply(
        request_id=error.request_id or "",
        text=_APOLOGIES[_language(request, settings)].format(id=error.request_id),
        model="",
        deployment="",
        provider="",
        usage=Usage(),
        cost_nusd=error.cost_nusd,
        finish_reason=FINISH_REASON,
        degraded=instead_of(error, DegradationKind.NO_ANSWER, "nobody answered"),
        latency_s=latency_s,
        created_at=started_at,
        apology=True,
    )


def _language(request: ChatRequest, settings: LastResortSettings) -> Language:
    language = reply_language(request.messages, named=request.language, otherwise=settings.language)
    return language or settings.language
