"""`orchestrator whatif`: what another configuration would have done with recorded traffic."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from orchestrator.cli.options import AsJson, Since, Until
from orchestrator.cli.output import CommandError, dim, err, errors_as_json, out, print_json, table
from orchestrator.cli.session import session_of
from orchestrator.core.formatting import count_text, percent, seconds
from orchestrator.core.home_paths import expanded
from orchestrator.core.money import format_usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from orchestrator.whatif.comparison import Affected, Side, WhatIf

_AFFECTED_SHOWN = 10
_SINCE = "30d"


def whatif(  # noqa: PLR0913 -- each is an option
    context: typer.Context,
    new: Annotated[Path, typer.Argument(metavar="NEW.YAML", help="The configuration to try.")],
    *,
    since: Since = None,
    until: Until = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same answer.")] = 0,
    accepted: Annotated[
        float,
        typer.Option(min=0, max=100, help="Percent of answers that pass a check or a vote: assumed."),
    ] = 85.0,
    as_json: AsJson = False,
) -> None:
    """Replay recorded traffic under the configuration in use and under another, and compare.

    Of the last 30 days where nothing is said. Every request takes its whole way again, on a clock of its own:
    routing, budgets, cache, limits, circuits and fallbacks. Nothing is sent, no prompt is read, and no ledger
    is written.
    """
    with errors_as_json(as_json):
        result = _compared(context, new, (since or _SINCE, until), seed=seed, accepted_share=accepted / 100)
    if as_json:
        from orchestrator.whatif.views import plain_what_if

        print_json(plain_what_if(result))
    else:
        _show(result)


def _compared(
    context: typer.Context, new: Path, span: tuple[str, str | None], *, seed: int, accepted_share: float
) -> "WhatIf":
    from orchestrator.core.clock import SystemClock
    from orchestrator.core.moments import moment_of
    from orchestrator.whatif.isolated import load_keyed
    from orchestrator.whatif.replay import ReplaySettings
    from orchestrator.whatif.whatif import TimeRange, what_if

    clock = SystemClock()
    now = clock.now()
    old = load_keyed(session_of(context).config_path, today=now.date())
    other = load_keyed(expanded(new), today=now.date())
    zone = old.config.settings.budgets.time_zone
    first = moment_of(span[0], now=now, time_zone=zone).astimezone(ZoneInfo(zone))
    last = now if span[1] is None else moment_of(span[1], now=now, time_zone=zone, is_end=True)
    last = last.astimezone(ZoneInfo(zone))
    if last <= first:
        raise CommandError(f"the range ends before it begins: {first.isoformat()} to {last.isoformat()}")
    without_key = sorted({*old.assumed_keys, *other.assumed_keys})
    if without_key:
        err().print(f"no key is set here for {', '.join(without_key)}: replayed as if there were one")
    with err().status(dim("replaying")) as status:
        return what_if(
            old.config,
            other.config,
            TimeRange(first, last),
            settings=ReplaySettings(seed, accepted_share, at_once=True),
            clock=clock,
            say=lambda text: status.update(dim(text)),
        )


def _show(result: "WhatIf") -> None:
    console = out()
    console.print(
        f"{count_text(result.recorded.requests, 'request')}, {result.began:%Y-%m-%d %H:%M} to {result.ended:%Y-%m-%d %H:%M}, "
        f"replayed twice in {seconds(result.took_s)}; seed {result.seed}",
        style="dim",
    )
    parts = (("tenant", result.tenants), ("use case", result.use_cases))
    grids = [_totals(result), _loads(result.before, result.after)]
    for grid in (*grids, *(_affected(title, differing) for title, differing in parts if differing)):
        console.print(grid)
        # Where a terminal is narrow, a table is blocks of lines.
        console.print()
    if result.left_out:
        kinds = ", ".join(f"{count:,} {reason}" for reason, count in result.left_out.items())
        console.print(f"not replayed: {kinds}", style="dim", soft_wrap=True)
    for notice in result.notices:
        console.print(f"notice: {notice}", style="yellow", soft_wrap=True)


def _totals(result: "WhatIf") -> "RenderableType":
    from orchestrator.whatif.outcomes import Fate

    names = {Fate.ANSWERED: "answered by the first choice", Fate.DEGRADED: "answered, degraded"}
    grid = table("", "recorded", "in use", "new", "change", numbers=("recorded", "in use", "new", "change"))
    recorded, before, after = result.recorded, result.before.total, result.after.total
    costs = [recorded.cost_nusd, before.cost_nusd, after.cost_nusd]
    change = percent(costs[2] / costs[1] - 1) if costs[1] else "-"
    grid.add_row("cost", *map(format_usd, costs), change)
    for fate in Fate:
        shares = [sums.share(fate) for sums in (recorded, before, after)]
        if any(shares):
            points = f"{(shares[2] - shares[1]) * 100:+.2f} points"
            grid.add_row(names.get(fate, fate.name.lower()), *map(percent, shares), points)
    latencies = result.recorded_latency, result.before.latency, result.after.latency
    for name in ("p50", "p95"):
        ranks = [None if each is None else getattr(each, f"{name}_s") for each in latencies]
        if ranks[1] is not None and ranks[2] is not None:
            grid.add_row(f"latency {name}", *map(seconds, ranks), _slower(ranks[2] - ranks[1]))
    grid.add_row("from the cache", "", f"{result.before.repeated:,}", f"{result.after.repeated:,}", "")
    return grid


def _slower(change_s: float) -> str:
    """Return a change of latency with its sign, in the unit that its size is shown in."""
    return f"{'-' if change_s < 0 else '+'}{seconds(abs(change_s))}"


def _loads(before: "Side", after: "Side") -> "RenderableType":
    numbers = ("sends now", "new", "failed now", "new failed", "cost now", "new cost")
    grid = table("deployment", *numbers, numbers=numbers)
    for name in dict.fromkeys([*before.loads, *after.loads]):
        old, new = before.loads.get(name), after.loads.get(name)
        grid.add_row(
            name,
            f"{old.sends if old else 0:,}",
            f"{new.sends if new else 0:,}",
            f"{old.failed if old else 0:,}",
            f"{new.failed if new else 0:,}",
            format_usd(old.cost_nusd if old else 0),
            format_usd(new.cost_nusd if new else 0),
        )
    for provider in dict.fromkeys([*before.peaks, *after.peaks]):
        peaks = f"{before.peaks.get(provider, 0):,}", f"{after.peaks.get(provider, 0):,}"
        grid.add_row(f"{provider}, most in a minute", *peaks, "", "", "", "")
    return grid


def _affected(title: str, parts: "Sequence[Affected]") -> "RenderableType":
    numbers = ("requests", "worse", "better", "cost now", "new cost")
    grid = table(title, *numbers, numbers=numbers)
    for each in parts[:_AFFECTED_SHOWN]:
        grid.add_row(
            each.name,
            f"{each.before.requests:,}",
            f"{each.worse:,}",
            f"{each.better:,}",
            format_usd(each.before.cost_nusd),
            format_usd(each.after.cost_nusd),
        )
    if len(parts) > _AFFECTED_SHOWN:
        grid.add_row(f"and {len(parts) - _AFFECTED_SHOWN} more, see --json", "", "", "", "", "")
    return grid
