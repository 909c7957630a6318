"""Act 8: the report of the month, and the ledger against the providers' bill, to the last nano-dollar."""

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.cli.report import ReportOptions, analysed
from orchestrator.cli.report_text import headlines
from orchestrator.cli.story.act import Act, CheckedClaim, Grid, StoryEntry
from orchestrator.cli.story.stage import DemoStage
from orchestrator.core.formatting import percent, seconds
from orchestrator.core.money import format_usd
from orchestrator.core.reply import CostSource
from orchestrator.ledger.store import LedgerView
from orchestrator.practice import Delivered, PracticeCharge
from orchestrator.reports.report_views import plain_analysis
from orchestrator.reports.usage_report import Part

_KNOWN = (CostSource.PROVIDER, CostSource.PRICE_BOOK)
_MODELS_SHOWN = 6


@dataclass(frozen=True, slots=True)
class _Account:
    """One provider's money, in both books."""

    provider: str
    booked: int
    """Sends whose cost is known."""
    billed: int
    """Answers that were delivered whole."""
    booked_unsure: int
    """Sends that broke off: booked at their upper bound."""
    billed_unsure: int
    """Answers that were delivered in part or not at all."""


def play(stage: DemoStage) -> Act:
    """Close the books."""
    stage.providers.wait_idle()
    whole, budgets = analysed(stage.config, ReportOptions())
    report = whole.report
    accounts = tuple(_accounts(stage.ledger, report.span.label, stage.providers.bill.charges))
    unsure = [account for account in accounts if account.booked_unsure or account.billed_unsure]
    known, billed = sum(account.booked for account in accounts), sum(account.billed for account in accounts)
    return Act(
        title="The books",
        intro=(
            f"{report.span.label} so far, as 'orchestrator report' prints it, and checked against the providers."
        ),
        parts=(
            StoryEntry("", tuple(headlines(report))),
            _models(report.models),
            _both_books(accounts),
            StoryEntry("", tuple(_broken_answers(account) for account in unsure)),
        ),
        claims=(
            CheckedClaim(
                f"every whole answer: ledger {format_usd(known)} = providers' bill {format_usd(billed)}, "
                "to the nano-dollar",
                all(account.booked == account.billed for account in accounts),
            ),
            CheckedClaim(
                "nothing is left held: every send is settled", all(budget.held == 0 for budget in budgets)
            ),
        ),
        facts={
            "report": plain_analysis(whole, budgets),
            "accounts": [_plain(account) for account in accounts],
        },
    )


def _accounts(reader: LedgerView, month: str, charges: Iterable[PracticeCharge]) -> Iterable[_Account]:
    with reader:
        sends = reader.attempts(month=month)
    place = {name: sends.columns.index(name) for name in ("provider", "cost_source", "cost_nusd")}
    booked = [
        tuple(row[place[name]] for name in ("provider", "cost_source", "cost_nusd")) for row in sends.rows
    ]
    billed = [(charge.provider, charge.delivered is Delivered.WHOLE, charge.cost_nusd) for charge in charges]
    for provider in sorted({provider for provider, *_ in (*booked, *billed)} - {"local"}):
        ours = [(source in _KNOWN, cost) for name, source, cost in booked if name == provider]
        theirs = [(whole, cost) for name, whole, cost in billed if name == provider]
        yield _Account(
            provider,
            booked=sum(cost for known, cost in ours if known),
            billed=sum(cost for whole, cost in theirs if whole),
            booked_unsure=sum(cost for known, cost in ours if not known),
            billed_unsure=sum(cost for whole, cost in theirs if not whole),
        )


def _models(parts: tuple[Part, ...]) -> Grid:
    numbers = ("sends", "share", "cost", "latency", "success")
    rows = tuple(
        (
            part.name,
            str(part.requests),
            percent(part.share),
            format_usd(part.cost_nusd),
            seconds(part.average_latency_s),
            percent(part.success_rate),
        )
        for part in parts[:_MODELS_SHOWN]
    )
    return Grid(("model", *numbers), rows, numbers=numbers)


def _both_books(accounts: tuple[_Account, ...]) -> Grid:
    numbers = ("our ledger", "their bill", "difference")
    rows = tuple(
        (
            account.provider,
            format_usd(account.booked),
            format_usd(account.billed),
            f"{account.booked - account.billed} nano-$",
        )
        for account in accounts
    )
    return Grid(("whole answers", *numbers), rows, numbers=numbers)


def _broken_answers(account: _Account) -> str:
    return (
        f"Broken answers of {account.provider}: booked {format_usd(account.booked_unsure)} at the bound, "
        f"billed {format_usd(account.billed_unsure)}. "
        "Nobody tells the price of half an answer; until somebody does, all that was held is booked."
    )


def _plain(account: _Account) -> dict[str, object]:
    return {
        "provider": account.provider,
        "booked_nusd": account.booked,
        "billed_nusd": account.billed,
        "booked_unsure_nusd": account.booked_unsure,
        "billed_unsure_nusd": account.billed_unsure,
    }
