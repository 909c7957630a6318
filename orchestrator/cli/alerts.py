"""`orchestrator alerts`: the rules in force and what they told last; a test message over their channels."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from orchestrator.cli.options import AsJson
from orchestrator.cli.output import CommandError, errors_as_json, out, print_json, table
from orchestrator.cli.session import session_of

if TYPE_CHECKING:
    from orchestrator.alerting.claims import Claim, Claims
    from orchestrator.alerting.settings import AlertsSettings

EXIT_UNDELIVERED = 4
_LOOKS = 3
"""A watch that has missed so many looks is taken for none."""

app = typer.Typer(help="Show the rules of `alerts:` and what they told last; test their channels.")


@app.command("list")
def list_rules(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every rule: its channels, whether it is firing, and when it told something last.

    What is known of the state is what the processes told that share the folder `alerts.path`.
    """
    from orchestrator.alerting.claims import Claims
    from orchestrator.core.clock import SystemClock
    from orchestrator.ledger.periods import period_of

    with errors_as_json(as_json):
        whole = session_of(context).config().settings
    settings = whole.alerts
    claims = Claims(settings.path)
    now = SystemClock().now()
    period = period_of(now, whole.budgets.time_zone)
    is_watched = claims.is_watched(now=now, within=timedelta(seconds=_LOOKS * settings.check_every_s))
    standing = claims.standing(periods=period.keys)
    rules = [_plain_rule(name, settings, claims, standing) for name in settings.rules]
    if as_json:
        print_json({"rules": rules, "watched": is_watched})
        return
    if not rules:
        out().print(
            "no rules: write some under 'alerts.rules' in config.yaml; docs/how-to/alerts.md shows how"
        )
        return
    shown = table("rule", "kind", "channels", "state", "last told", folded=("channels", "state"))
    zone = ZoneInfo(whole.budgets.time_zone)
    for line in rules:
        quiet = "quiet" if is_watched else "not watched"
        state = f"firing: {len(line['firing'])}" if line["firing"] else quiet
        channels = ", ".join(line["channels"]) or "the log"
        last = "never"
        if line["last_told_at"]:
            last = f"{datetime.fromisoformat(line['last_told_at']).astimezone(zone):%Y-%m-%d %H:%M}"
        shown.add_row(line["rule"], line["kind"], channels, state, last)
    out().print(shown)
    if not is_watched:
        out().print(
            "Nobody looks at the rules: 'orchestrator serve' does, and a program with monitoring.alert_watch.AlertWatch"
        )


def _plain_rule(
    name: str, settings: "AlertsSettings", claims: "Claims", standing: "tuple[Claim, ...]"
) -> dict[str, Any]:
    rule, last = settings.rules[name], claims.last(name)
    return {
        "rule": name,
        "kind": rule.kind.value,
        "scope": rule.scope,
        "channels": list(settings.channels_of(rule)),
        "firing": [claim.subject for claim in standing if claim.rule == name],
        "last_told_at": last.at.isoformat(timespec="seconds") if last else None,
    }


@app.command("test")
def send_test(
    context: typer.Context,
    rule: Annotated[str | None, typer.Argument(help="Only the channels of this rule.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send a message that is marked as a test over each channel once, and say what came back.

    Exit code 0: every channel took it; 2: there is none to send over; 4: one did not.
    """
    import asyncio

    from orchestrator.alerting.trial import plain_trial, try_channels
    from orchestrator.core.clock import SystemClock
    from orchestrator.core.errors import UnknownNameError
    from orchestrator.core.unknown_names import unknown

    with errors_as_json(as_json):
        settings = session_of(context).config().settings.alerts
        if rule is not None and rule not in settings.rules:
            raise UnknownNameError(unknown("rule", rule, settings.rules))
        chosen = {name: kept.kind for name, kept in settings.rules.items() if rule in {None, name}}
        trials = asyncio.run(try_channels(settings, chosen, now=SystemClock().now()))
        if not trials:
            raise CommandError(_without_channel(rule))
    if as_json:
        print_json({"channels": [plain_trial(trial) for trial in trials]})
    else:
        shown = table("channel", "kind", "", "what came back", folded=("what came back",))
        for trial in trials:
            shown.add_row(trial.channel, trial.kind, "taken" if trial.taken else "failed", trial.answer)
        out().print(shown)
    if not all(trial.taken for trial in trials):
        raise typer.Exit(EXIT_UNDELIVERED)


def _without_channel(rule: str | None) -> str:
    whose = "no rule has a channel" if rule is None else f"the rule '{rule}' has no channel"
    return (
        f"nothing was sent: {whose}, so alerts go to the log alone; write channels under 'alerts.channels' in "
        "config.yaml and name them in the rules ('channels: [NAME]'); docs/how-to/alerts.md shows how"
    )
