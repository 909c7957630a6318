"""Act 4: two cheap models that agree are believed, and the strong one is paid only where they differ."""

from collections.abc import AsyncIterator
from dataclasses import replace

from orchestrator.cli.story.act import Act, CheckedClaim, Grid
from orchestrator.cli.story.stage import DemoStage
from orchestrator.client import Orchestrator
from orchestrator.config.loader import Config, embedded_path
from orchestrator.core.decision import AcceptedFor
from orchestrator.core.money import format_usd
from orchestrator.core.reply import ChatReply
from orchestrator.drill.practice_config import practice_prices
from orchestrator.policies.settings import PolicySettings
from orchestrator.practice.answers import Piece, PracticeRequest, last_text
from orchestrator.providers.in_memory import InMemoryTransport

_LABELS = ("refund", "delivery", "invoice")
_MESSAGES = 30
_JUDGE = "openrouter/claude-sonnet-5.5"
_POLICY = PolicySettings.model_validate(
    {
        "version": "demo",
        "agreement": {
            "voters": ["openrouter/gpt-6-luna", "google/gemini-3.1-flash-lite"],
            "tie_breakers": ["openrouter/deepseek-v3.2"],
            "judge": _JUDGE,
            "compare": {"by": "label", "labels": list(_LABELS)},
        },
    }
)
_ERRS_AT = {"gpt-6-luna": (3, 1), "gemini-3.1-flash-lite": (7, 1), "deepseek-v3.2": (3, 2)}
"""At which of ten messages a model errs, and by how many labels; the judge never does."""
_SHARE_MAX = 0.5


class _Labelling:
    """Practice answers: cheap models that err now and then, each in its own way."""

    async def answer(self, request: PracticeRequest) -> AsyncIterator[Piece]:
        number = int(last_text(request.messages, role="user").rpartition("#")[2])
        place, by = _ERRS_AT.get(request.model.rpartition("/")[2], (-1, 0))
        yield _LABELS[(number + (by if number % 10 == place else 0)) % len(_LABELS)]


def play_agreement(stage: DemoStage) -> Act:
    """Label messages with the strong model alone, then under agreement, and compare."""
    alone, alone_billed = _labelled(stage, _config_of(stage, "alone", None), model=_JUDGE)
    voted, billed = _labelled(stage, _config_of(stage, "voted", _POLICY), model=None)
    booked = sum(reply.cost_nusd for reply in voted)
    share = billed / alone_billed
    reasons = [reply.decision.accepted_for for reply in voted if reply.decision is not None]
    agreed = reasons.count(AcceptedFor.AGREED)
    rows = (
        ("the strong model alone", _right(alone), str(len(alone)), format_usd(alone_billed)),
        ("agreement", _right(voted), str(sum(len(reply.attempts) for reply in voted)), format_usd(billed)),
    )
    return Act(
        title="Two cheap models that agree",
        intro=(
            f"{_MESSAGES} messages are labelled. The models err as this script says; how often real ones do is "
            "in docs/benchmarks.md."
        ),
        parts=(Grid(("", "right", "calls", "cost"), rows, numbers=("right", "calls", "cost")),),
        claims=(
            CheckedClaim(
                f"{agreed} of {len(voted)} were agreed on, and as many answers are right as with the strong model",
                _right(voted) == _right(alone) and len(reasons) == len(voted),
            ),
            CheckedClaim(f"it cost {share:.0%} of the strong model alone", 0 < share <= _SHARE_MAX),
            CheckedClaim(
                "every vote is in the ledger: it says what the providers billed",
                booked == billed and _spent(voted) == billed,
            ),
        ),
        facts={"share": share, "agreed": agreed, "messages": len(voted), "billed_nusd": billed},
    )


def _labelled(stage: DemoStage, config: Config, *, model: str | None) -> tuple[list[ChatReply], int]:
    """Return the replies, and what the practice providers billed for them."""
    today = stage.clock.now().date()
    transport = InMemoryTransport(
        clock=stage.clock,
        answerer=_Labelling(),
        prices=practice_prices(embedded_path(), today=today, environment={}),
    )
    with Orchestrator(config, clock=stage.clock, transport=transport) as orchestrator:
        replies = [
            orchestrator.complete(
                f"Label this message with one of {', '.join(_LABELS)}: message #{number}",
                use_case="cost_sensitive",
                model=model,
                cache="off",
            )
            for number in range(_MESSAGES)
        ]
    return replies, int(transport.bill.total_nusd())


def _config_of(stage: DemoStage, name: str, policy: PolicySettings | None) -> Config:
    """Return the demo's configuration with a policy for bulk work, and with books of its own."""
    settings = stage.config.settings
    bulk = settings.use_cases["cost_sensitive"].model_copy(update={"policy": policy})
    ledger = settings.ledger.model_copy(update={"path": stage.home / f"agreement-{name}.sqlite3"})
    changed = {"use_cases": {**settings.use_cases, "cost_sensitive": bulk}, "ledger": ledger}
    return replace(stage.config, settings=settings.model_copy(update=changed))


def _right(replies: list[ChatReply]) -> str:
    return str(sum(reply.text == _LABELS[number % len(_LABELS)] for number, reply in enumerate(replies)))


def _spent(replies: list[ChatReply]) -> int:
    return sum(attempt.cost_nusd for reply in replies for attempt in reply.attempts)
