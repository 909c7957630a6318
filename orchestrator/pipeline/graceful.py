"""The last resort: what a request gets when nobody answered it, and in which words.

In order: an older answer from the cache, the emergency model, an apology. The first two are for every use case
that may degrade. The apology is for those who ask for it, because a program could take it for an answer.
"""

import unicodedata
from datetime import datetime

from orchestrator.config.schema import LastResortSettings
from orchestrator.core.errors import UnavailableError
from orchestrator.core.reply import ChatReply, Usage
from orchestrator.core.request import ChatRequest
from orchestrator.pipeline.call import Call, Step
from orchestrator.routing.ranking import UseCaseSettings

FINISH_REASON = "unavailable"

_APOLOGIES = {
    "vi": "Xin lỗi, hệ thống đang bận nên chưa thể trả lời. Vui lòng thử lại sau ít phút (mã yêu cầu: {id}).",
    "en": "Sorry, we cannot answer just now. Please try again in a few minutes (request id: {id}).",
}
_VIETNAMESE_LETTERS = frozenset("ăâđêôơư")
_VIETNAMESE_TONES = frozenset("\N{COMBINING HOOK ABOVE}\N{COMBINING DOT BELOW}")
"""Marks that no other language of our customers has; grave, acute and tilde are French and Spanish too."""

_UNITS_S = (("day", 86_400), ("hour", 3_600), ("minute", 60))


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
    """Return whether a request gets an apology instead of an error when nobody answers.

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
    """Return the reply that says in the caller's language that nobody answered."""
    return ChatReply(
        request_id=error.request_id or "",
        text=_APOLOGIES[language_of(request) or settings.language].format(id=error.request_id),
        model="",
        deployment="",
        provider="",
        usage=Usage(),
        cost_nusd=error.cost_nusd,
        finish_reason=FINISH_REASON,
        degraded=f"nobody answered: {error}",
        latency_s=latency_s,
        created_at=started_at,
        apology=True,
    )


def language_of(request: ChatRequest) -> str | None:
    """Return the language a request names or is written in, None where its letters do not tell.

    Only what the user wrote last counts: instructions may be in another language.
    """
    if request.language is not None:
        return request.language
    written = [message.get("content") for message in request.messages if message.get("role") == "user"]
    text = written[-1] if written and isinstance(written[-1], str) else ""
    return "vi" if _is_vietnamese(text) else None


def why_stale(error: UnavailableError, *, age_s: float) -> str:
    """Return why a reply is an older answer, and how old it is."""
    return f"an answer from {_ago(age_s)}, because nobody answers now: {error}"


def _is_vietnamese(text: str) -> bool:
    if _VIETNAMESE_LETTERS & set(unicodedata.normalize("NFC", text.lower())):
        return True
    return bool(_VIETNAMESE_TONES & set(unicodedata.normalize("NFD", text)))


def _ago(age_s: float) -> str:
    for name, unit_s in _UNITS_S:
        if age_s >= unit_s:
            count = int(age_s // unit_s)
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "less than a minute ago"
