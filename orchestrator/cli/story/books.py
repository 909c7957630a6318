"""Act 7: the month's report, and the ledger against the providers' own bill, to the last nano-dollar."""

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.cli.report import headlines, month_of, plain_report
from orchestrator.cli.story.act import Act, CheckedClaim, Grid, StoryEntry
from orchestrator.cli.story.stage import DemoStage
from orchestrator.core.formatting import percent, seconds
from orchestrator.core.money import format_usd
from orchestrator.core.reply import CostSource
from orchestrator.ledger.sqlite.reader import LedgerReader
from orchestrator.practice import Delivered, PracticeCharge
from orchestrator.reports.monthly import Part

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
    """Sends that broke off: booked by our count or at their upper bound."""
    billed_unsure: int
    """Answers that were delivered in part, or to nobody."""


def play(stage: DemoStage) -> Act:
    """Close the books."""
    stage.providers.wait_idle()
    report, standing = month_of(stage.config, month=None, tenant=None)
    accounts = tuple(_accounts(stage.ledger, report.month, stage.providers.bill.charges))
    unsure = [one for one in accounts if one.booked_unsure or one.billed_unsure]
    known, billed = sum(one.booked for one in accounts), sum(one.billed for one in accounts)
    return Act(
        title="The books",
        intro=f"{report.month} so far, as 'orchestrator report' prints it, and checked against the providers.",
        parts=(
            StoryEntry("", tuple(headlines(report))),
            _models(report.models),
            _both_books(accounts),
            StoryEntry("", tuple(_told(one) for one in unsure)),
        ),
        claims=(
            CheckedClaim(
                f"every whole answer: ledger {format_usd(known)} = providers' bill {format_usd(billed)}, to the nano-dollar",
                all(one.booked == one.billed for one in accounts),
            ),
            CheckedClaim(
                "nothing is left held: every send is settled", all(one.held == 0 for one in standing)
            ),
        ),
        facts={"report": plain_report(report, standing), "accounts": [_plain(one) for one in accounts]},
    )


def _accounts(reader: LedgerReader, month: str, charges: Iterable[PracticeCharge]) -> Iterable[_Account]:
    with reader:
        found = reader.attempts(month=month)
    place = {name: found.columns.index(name) for name in ("provider", "cost_source", "cost_nusd")}
    booked = [
        tuple(row[place[name]] for name in ("provider", "cost_source", "cost_nusd")) for row in found.rows
    ]
    billed = [(one.provider, one.delivered is Delivered.WHOLE, one.cost_nusd) for one in charges]
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
            one.name,
            str(one.requests),
            percent(one.share),
            format_usd(one.cost_nusd),
            seconds(one.average_latency_s),
            percent(one.success_rate),
        )
        for one in parts[:_MODELS_SHOWN]
    )
    return Grid(("model", *numbers), rows, numbers=numbers)


def _both_books(accounts: tuple[_Account, ...]) -> Grid:
    numbers = ("our ledger", "their bill", "difference")
    rows = tuple(
        (one.provider, format_usd(one.booked), format_usd(one.billed), f"{one.booked - one.billed} nano-$")
        for one in accounts
    )
    return Grid(("whole answers", *numbers), rows, numbers=numbers)


def _told(one: _Account) -> str:
    return (
        f"Broken answers of {one.provider}: booked {format_usd(one.booked_unsure)} by our own count, "
        f"billed {format_usd(one.billed_unsure)}. Nobody tells the price of half an answer, so the two may differ."
    )


def _plain(one: _Account) -> dict[str, object]:
    return {
        "provider": one.provider,
        "booked_nusd": one.booked,
        "billed_nusd": one.billed,
        "booked_unsure_nusd": one.booked_unsure,
        "billed_unsure_nusd": one.billed_unsure,
    }
