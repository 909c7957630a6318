"""Act 1: four kinds of work in two languages, each planned, priced and answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.cli.story.act import Act, CheckedClaim, Grid, StoryEntry
from orchestrator.cli.story.stage import DemoStage
from orchestrator.core.formatting import money, seconds
from orchestrator.core.money import format_usd
from orchestrator.core.plan import Plan
from orchestrator.core.reply import ChatReply
from orchestrator.core.request import ChatRequest
from orchestrator.reports.views import plain_reply

_CATEGORIES = {
    "type": "object",
    "properties": {"category": {"enum": ["complaint", "question", "order", "praise"]}},
    "required": ["category"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class StoryQuestion:
    """A request as a CRM would send it."""

    use_case: str
    language: str
    question: str
    """What the customer or the clerk wrote."""
    messages: Sequence[Mapping[str, Any]]
    max_tokens: int = 40
    schema: Mapping[str, Any] | None = None

    def request(self) -> ChatRequest:
        """Return the request of this case."""
        overrides: dict[str, Any] = {"temperature": 0.0}
        if self.schema is not None:
            named = {"name": "answer", "strict": True, "schema": self.schema}
            overrides["response_format"] = {"type": "json_schema", "json_schema": named}
        return ChatRequest.of(
            self.messages, use_case=self.use_case, tenant="nextflow", max_tokens=self.max_tokens, **overrides
        )


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


_OPENING_HOURS = (
    {"role": "system", "content": "Bạn là nhân viên chăm sóc khách hàng. Trả lời ngắn."},
    _user("Cửa hàng mở cửa lúc mấy giờ?"),
    {"role": "assistant", "content": "Dạ, cửa hàng mở cửa lúc 8 giờ sáng ạ."},
    _user("Cửa hàng đóng cửa lúc mấy giờ?"),
)
_LATE = 'A customer writes: "My order DH1001 is late." Write a polite reply in one sentence.'
_ADVERT = "Write a one-sentence advertisement for iced milk coffee."
_SALES = "Summarise in one sentence: sales went up from 12 in August to 30 in October."
_BROKEN = "Hàng bị vỡ, tôi muốn hoàn tiền ngay!"

CASES = (
    StoryQuestion("customer_service", "vi", "Cửa hàng đóng cửa lúc mấy giờ?", _OPENING_HOURS),
    StoryQuestion("customer_service", "en", "My order DH1001 is late.", (_user(_LATE),)),
    StoryQuestion("content_generation", "en", _ADVERT, (_user(_ADVERT),)),
    StoryQuestion("data_analysis", "en", _SALES, (_user(_SALES),)),
    StoryQuestion(
        "cost_sensitive", "vi", f"Phân loại: {_BROKEN}",
        (_user(f'Phân loại tin nhắn của khách hàng: "{_BROKEN}"'),), 48, _CATEGORIES,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Exchange:
    case: StoryQuestion
    plan: Plan
    reply: ChatReply


def play(stage: DemoStage) -> Act:
    """Plan each request, then send it."""
    before = stage.billed_nusd()
    cases = CASES[::2] if stage.fast else CASES
    done = [_ask(stage, case) for case in cases]
    billed = stage.billed_nusd() - before
    cost = sum(exchange.reply.cost_nusd for exchange in done)
    firsts = sum(exchange.reply.deployment == exchange.plan.candidates[0].deployment for exchange in done)
    within = all(exchange.reply.cost_nusd <= exchange.plan.candidates[0].bound_nusd for exchange in done)
    return Act(
        title="Four kinds of work, two languages, each to the model that suits it",
        intro="Planned before anything is sent: who is asked, who stands in, what it costs.",
        parts=(_planned(done), *(_entry(exchange) for exchange in done)),
        claims=(
            CheckedClaim(
                f"{firsts} of {len(done)} were answered by the first choice of their plan",
                firsts == len(done),
            ),
            CheckedClaim("none cost more than was held for it beforehand", within),
            CheckedClaim(
                f"together {format_usd(cost)}, which is what the providers' own bill says", cost == billed
            ),
        ),
        facts={
            "replies": [plain_reply(exchange.reply) for exchange in done],
            **money("cost", cost),
            **money("billed", billed),
        },
    )


def _ask(stage: DemoStage, case: StoryQuestion) -> _Exchange:
    request = case.request()
    return _Exchange(case, stage.orchestrator.explain(request), stage.orchestrator.complete(request))


def _planned(done: Sequence[_Exchange]) -> Grid:
    seen: dict[str, tuple[str, ...]] = {}
    for exchange in done:
        first = exchange.plan.candidates[0]
        seen.setdefault(
            exchange.case.use_case,
            (
                exchange.case.use_case,
                first.deployment,
                f"{len(exchange.plan.candidates) - 1}",
                format_usd(first.expected_nusd),
                format_usd(first.bound_nusd),
            ),
        )
    columns = ("use case", "first choice", "others", "expected", "at most")
    return Grid(columns, tuple(seen.values()), numbers=columns[2:])


def _entry(exchange: _Exchange) -> StoryEntry:
    first, reply = exchange.plan.candidates[0], exchange.reply
    how = (
        reply.deployment,
        f"expected {format_usd(first.expected_nusd)}",
        f"cost {format_usd(reply.cost_nusd)}",
    )
    return StoryEntry(
        heading=f"{exchange.case.language}  {exchange.case.question}",
        quotation=reply.text,
        lines=(" · ".join((*how, seconds(reply.latency_s))),),
    )
