"""`orchestrator experiment`: candidates beside what answers, compared; promoted or rolled back."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import AsJson
from orchestrator.cli.output import CommandError, errors_as_json, out, print_json, table
from orchestrator.cli.session import session_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.alerting.trial import Trial
    from orchestrator.config.loader import Config
    from orchestrator.core.money import NanoUsd
    from orchestrator.experiments.comparison import MetricComparison
    from orchestrator.experiments.decision import ExperimentDecision, Verdict
    from orchestrator.experiments.experiment import Experiment
    from orchestrator.experiments.standing import ExperimentStanding
    from orchestrator.ledger.periods import Window

    Windows = tuple[tuple[Window, NanoUsd, NanoUsd], ...]
    Spent = tuple[Windows, Windows]
    """By shadows, and by their judge."""

EXIT_WORSE = 1

app = typer.Typer(
    help="Compare the candidates of `experiments:` with what answers; promote them or roll them back.",
    no_args_is_help=True,
)

ExperimentArgument = Annotated[str, typer.Argument(help="An experiment of config.yaml.")]


@app.command("list")
def list_experiments(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every experiment: how it stands, and what is proven of its candidate."""
    with errors_as_json(as_json):
        config = session_of(context).config()
        standings = [_standing(config, experiment) for experiment in config.experiments]
    if as_json:
        print_json({"experiments": [_plain(each, spent) for each, spent in standings]})
        return
    if not standings:
        out().print(
            "no experiments: write some under 'experiments' in config.yaml; docs/how-to/experiments.md shows how"
        )
        return
    shown = table("experiment", "use case", "mode", "state", "decides", "finding")
    for each, _ in standings:
        settings = each.experiment.settings
        shown.add_row(
            each.experiment.name, settings.use_case, settings.mode.value, _words(each.state.value),
            _words(settings.metric.value), _words(each.finding.value),
        )  # fmt: skip
    out().print(shown)


@app.command("show")
def show_experiment(context: typer.Context, name: ExperimentArgument, as_json: AsJson = False) -> None:
    """Show one experiment: both sides by every metric, with intervals that hold however often one looks."""
    with errors_as_json(as_json):
        config = session_of(context).config()
        standing, spent = _standing(config, _named(config, name))
    if as_json:
        print_json(_plain(standing, spent))
        return
    for line in _lines(standing, spent):
        out().print(line, soft_wrap=True)
    shown = table(
        "metric", "live", "candidate", "difference", "finding", numbers=("live", "candidate", "difference")
    )
    for each in standing.measured.comparisons:
        mark = "* " if each.metric is standing.experiment.settings.metric else ""
        shown.add_row(mark + _words(each.metric.value), *_cells(each), _words(each.finding.value))
    if standing.measured.comparisons:
        out().print(shown)
        out().print(
            "* decides; differences with the range that holds with 95 %, at every look", soft_wrap=True
        )


@app.command()
def promote(
    context: typer.Context,
    name: ExperimentArgument,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also where nothing is proven, or that it is worse.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let the candidate answer for all; running processes follow within a second."""
    from orchestrator.experiments.decision import Verdict

    _decide(context, name, Verdict.PROMOTED, anyway=anyway, as_json=as_json)


@app.command("roll-back")
def roll_back(context: typer.Context, name: ExperimentArgument, as_json: AsJson = False) -> None:
    """Ask the candidate no more; running processes follow within a second."""
    from orchestrator.experiments.decision import Verdict

    _decide(context, name, Verdict.ROLLED_BACK, anyway=True, as_json=as_json)


@app.command("check")
def check_rules(context: typer.Context, as_json: AsJson = False) -> None:
    """Do what the rules say, as a server does every minute: for programs that run none.

    What is done is told once over the channels of `alerts.rules` of kind experiment_worse. Exit code 1: a
    candidate was proven worse, and is rolled back.
    """
    import asyncio

    from orchestrator.alerting.trial import plain_trial, tell_now
    from orchestrator.core.clock import SystemClock
    from orchestrator.experiments.views import plain_experiment_decision
    from orchestrator.monitoring.experiment_watch import roll_back_by_rule

    decisions, alerts = [], []
    with errors_as_json(as_json):
        config = session_of(context).config()
        for experiment in config.experiments:
            standing, _ = _standing(config, experiment)
            done = roll_back_by_rule(standing, config_path=config.path, now=SystemClock().now())
            if done is not None:
                decisions.append(done[0])
                alerts.append(done[1])
        trials = asyncio.run(tell_now(config.settings.alerts, alerts)) if alerts else ()
    if as_json:
        print_json(
            {
                "decisions": [plain_experiment_decision(each) for each in decisions],
                "channels": [plain_trial(trial) for trial in trials],
            }
        )
    else:
        _print_done(decisions, trials)
    if decisions:
        raise typer.Exit(EXIT_WORSE)


def _print_done(decisions: "Sequence[ExperimentDecision]", trials: "Sequence[Trial]") -> None:
    console = out()
    for each in decisions:
        console.print(f"{each.experiment} is rolled back: {each.reason}", soft_wrap=True)
    for trial in trials:
        begin = "told over" if trial.taken else "not told over"
        console.print(f"{begin} {trial.channel} ({trial.kind}): {trial.answer}", soft_wrap=True)
    if decisions and not trials:
        console.print(
            "told to nobody: no rule of kind experiment_worse in 'alerts.rules' has a channel", soft_wrap=True
        )
    if not decisions:
        console.print("nothing to do by the rules")


def _decide(context: typer.Context, name: str, verdict: "Verdict", *, anyway: bool, as_json: bool) -> None:
    from orchestrator.core.clock import SystemClock
    from orchestrator.experiments.decision import DecidedBy, decision_path, write_decision
    from orchestrator.experiments.standing import decision_on
    from orchestrator.experiments.views import plain_experiment_decision

    with errors_as_json(as_json):
        config = session_of(context).config()
        standing, _ = _standing(config, _named(config, name))
        if not (anyway or standing.is_proven):
            raise CommandError(
                f"'{name}' is not proven to be as good: {standing.text}; --anyway promotes it all the same"
            )
        decision = decision_on(standing, verdict, by=DecidedBy.COMMAND, now=SystemClock().now())
        path = decision_path(config.path, name)
        write_decision(path, decision)
    if as_json:
        print_json({**plain_experiment_decision(decision), "file": str(path)})
        return
    out().print(f"{name} is {_words(verdict.value)}: {standing.text}", soft_wrap=True)
    use_case = standing.experiment.settings.use_case
    lasting = {
        "promoted": f"to keep it: make the candidate the policy of '{use_case}' in config.yaml, and take '{name}' out",
        "rolled_back": f"to let it run again: delete {path}",
    }
    out().print(lasting[verdict.value], soft_wrap=True)


def _named(config: "Config", name: str) -> "Experiment":
    from orchestrator.core.errors import UnknownNameError
    from orchestrator.core.unknown_names import unknown

    experiment = next((each for each in config.experiments if each.name == name), None)
    if experiment is None:
        known = [each.name for each in config.experiments]
        if not known:
            raise UnknownNameError(f"there is no experiment '{name}': config.yaml has no 'experiments'")
        raise UnknownNameError(unknown("experiment", name, known))
    return experiment


def _standing(config: "Config", experiment: "Experiment") -> "tuple[ExperimentStanding, Spent]":
    from contextlib import closing

    from orchestrator.core.alerts import Alerts
    from orchestrator.core.clock import SystemClock
    from orchestrator.experiments.standing import judge_spending, shadow_spending, standing_of
    from orchestrator.ledger.opening import open_ledger

    clock = SystemClock()
    ledger = open_ledger(config.settings.ledger, limits=config.limits, clock=clock, alerts=Alerts())
    with closing(ledger):
        zone = config.settings.budgets.time_zone
        standing = standing_of(experiment, ledger.store.view(), now=clock.now(), time_zone=zone)
        return standing, (shadow_spending(experiment, ledger), judge_spending(experiment, ledger))


def _plain(standing: "ExperimentStanding", spent: "Spent") -> dict[str, Any]:
    from orchestrator.experiments.views import plain_experiment

    by_shadows, by_judge = spent
    return plain_experiment(standing, spent=by_shadows, judge_spent=by_judge)


def _lines(standing: "ExperimentStanding", spent: "Spent") -> list[str]:
    from orchestrator.core.money import format_usd
    from orchestrator.experiments.settings import ExperimentMode

    experiment, settings = standing.experiment, standing.experiment.settings
    policy = settings.candidate
    whom = "requests" if settings.mode is ExperimentMode.SHADOW else "users"
    days = [f"{word} {day}" for word, day in (("from", settings.start), ("to", settings.end)) if day]
    days_text = "".join(f", {each}" for each in days)
    rows = f"{standing.measured.live_requests:,} live, {standing.measured.candidate_requests:,} candidate"
    state = _words(standing.state.value)
    lines = [
        f"{experiment.name}: {settings.mode.value} on {settings.use_case}, {state}, {settings.share * 100:.4g} % of {whom}{days_text}",
        f"candidate: {policy.constant or f'policy {policy.kind}, version {policy.version}'}",
        f"rows: {rows}; tag arm:{experiment.label}:…",
    ]
    if standing.measured.answered_by:
        answered = ", ".join(f"{who} {count:,}" for who, count in standing.measured.answered_by.items())
        lines.append(f"answers on the candidate's side: {answered}")
    lines += _missing_lines(standing)
    if standing.measured.never_answered:
        lines.append(f"notice: {standing.text}; 'orchestrator requests --failed' says why")
    lines += [
        f"{whose}: {format_usd(used)} of {format_usd(limit)} this {window.value}"
        for whose, windows in zip(("shadows", "judge"), spent, strict=True)
        for window, used, limit in windows
    ]
    if experiment.decision is not None:
        decision = experiment.decision
        lines.append(
            f"{_words(decision.verdict.value)} by {decision.by.value} at {decision.at:%Y-%m-%d %H:%M} UTC: {decision.reason}"
        )
    return lines


def _missing_lines(standing: "ExperimentStanding") -> list[str]:
    """Return how much is missing until the metric that decides says something."""
    from orchestrator.experiments.comparison import Finding
    from orchestrator.experiments.confidence import UNITS_MIN
    from orchestrator.experiments.settings import ExperimentMode

    decides = standing.decides
    is_shadow = standing.experiment.settings.mode is ExperimentMode.SHADOW
    if standing.finding is Finding.TOO_FEW:
        more = "" if decides is None else f", about {decides.missing:,} more in all"
        enough, once = f"{UNITS_MIN} users a side", "who names no user counts once"
        if is_shadow:
            enough, once = f"{UNITS_MIN} pairs", "the pairs of a user count as one"
        return [f"missing: {enough} before anything is said{more}; {once}"]
    if decides is None or decides.finding is not Finding.OPEN:
        return []
    if decides.missing is None:
        return ["missing: nobody can tell; the sides are too close, so a margin or the end of it decides"]
    units = "pairs" if is_shadow else "users"
    return [f"missing: about {decides.missing:,} {units} more prove it, if the difference stays as it is"]


def _cells(comparison: "MetricComparison") -> tuple[str, str, str]:
    from orchestrator.experiments.views import figure_text

    live, candidate = (
        f"{figure_text(comparison.metric, side.mean)} ({side.count:,})"
        for side in (comparison.live, comparison.candidate)
    )
    difference = comparison.difference
    if difference is None:
        return live, candidate, "-"
    ends = (figure_text(comparison.metric, end, signed=True) for end in (difference.low, difference.high))
    return live, candidate, " to ".join(ends)


def _words(value: str) -> str:
    return value.replace("_", " ")
