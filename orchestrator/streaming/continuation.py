"""An answer that broke off is asked for again: in which words, and what that may cost.

The conversation that is sent ends with a turn of the user and not with the begun answer: models
that refuse a prefilled turn of theirs take it too. It asks for the anchor first
(`orchestrator.streaming.anchor`): that the next answer begins with it is the evidence that it goes on.
"""

from dataclasses import replace
from datetime import date

from orchestrator.catalog.catalog import Deployment
from orchestrator.catalog.price_table import PriceTable
from orchestrator.core.language import Language, language_of, last_user_text
from orchestrator.core.money import NanoUsd
from orchestrator.core.plan import Candidate
from orchestrator.core.request import ChatRequest
from orchestrator.routing.estimate import OutputLimit, bounded_for, estimate, measure
from orchestrator.streaming.anchor import anchor_of

_INSTRUCTION_IN_VIETNAMESE = """\
Câu trả lời trên bị ngắt giữa chừng. Hãy viết tiếp cho đến hết.
Bắt đầu bằng đúng những chữ cuối cùng sau đây, rồi viết tiếp ngay sau đó:

{anchor}

Không chào hỏi, không bình luận, không viết lại từ đầu."""
_INSTRUCTION_IN_ENGLISH = """\
Your answer above broke off in the middle. Go on with it to its end.
Begin with exactly these last words of it, then write on right behind them:

{anchor}

Do not greet, do not comment, do not start again."""


def continuation_request(request: ChatRequest, delivered: str) -> ChatRequest:
    """Return the request that asks for the rest of an answer of which `delivered` has been read."""
    instruction = (
        _INSTRUCTION_IN_VIETNAMESE if _in_vietnamese(delivered, request) else _INSTRUCTION_IN_ENGLISH
    )
    more = (
        {"role": "assistant", "content": delivered},
        {"role": "user", "content": instruction.format(anchor=anchor_of(delivered).strip())},
    )
    return replace(request, messages=(*request.messages, *more))


def fit_to_continuation(
    candidate: Candidate,
    request: ChatRequest,
    *,
    deployment: Deployment,
    today: date,
    ceiling_nusd: NanoUsd | None,
) -> Candidate | str:
    """Return a candidate with the bounds of another request, or the reason why it cannot serve that."""
    size = bounded_for(measure(request), deployment.model.most_tokens)
    needed = size.input_expected_tokens + candidate.max_tokens
    if needed > deployment.model.context_tokens:
        return (
            f"going on needs about {needed:,} tokens, its context holds {deployment.model.context_tokens:,}"
        )
    estimated = estimate(
        size,
        price=PriceTable.of(deployment.price.on(today)),
        output=OutputLimit(candidate.max_tokens, candidate.reasoning_tokens),
        ceiling_nusd=ceiling_nusd,
    )
    if estimated is None:
        return "going on would cost more than is left of what one request may"
    return candidate._replace(
        max_tokens=estimated.output.max_tokens,
        expected_nusd=estimated.expected_nusd,
        bound_nusd=estimated.bound_nusd,
        input_expected_tokens=size.input_expected_tokens,
        input_bound_tokens=size.input_bound_tokens,
    )


def _in_vietnamese(delivered: str, request: ChatRequest) -> bool:
    """Return whether the answer or what the user wrote last is Vietnamese; the first words may not tell."""
    return Language.VI in (language_of(delivered), language_of(last_user_text(request.messages)))
