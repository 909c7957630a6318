"""Experiments: how each stands, both sides compared, what that proves, and the commands that decide."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.core.payer import JUDGE_PAYER, SHADOW_PAYER
from orchestrator.experiments.comparison import Finding, MetricComparison
from orchestrator.experiments.confidence import UNITS_MIN
from orchestrator.experiments.experiment import ExperimentState
from orchestrator.experiments.settings import ExperimentMode
from orchestrator.experiments.standing import ExperimentStanding
from orchestrator.experiments.views import figure_text
from orchestrator.ledger.records import BudgetStatus
from orchestrator.reports.html_parts import cards, html_table, section, text
from orchestrator.server.dashboard.viewer import Viewer
from orchestrator.server.dashboard.words import DASHBOARD_WORDS


@dataclass(frozen=True, slots=True)
class ShownExperiment:
    """An experiment as the page shows it."""

    standing: ExperimentStanding
    budgets: tuple[BudgetStatus, ...]
    """What its shadows may cost, by window; none of ab."""


def experiments(viewer: Viewer, shown: Sequence[ShownExperiment]) -> Iterator[str]:
    """Yield every experiment of config.yaml; of every tenant."""
    words = DASHBOARD_WORDS[viewer.language]
    if not shown:
        yield f"<p>{text(words['no_experiments'])}</p>"
        return
    for each in shown:
        yield section(each.standing.experiment.name, _experiment(viewer, each))
    yield f"<p class=soft>{text(words['experiments_note'].format(least=UNITS_MIN))}</p>"


def _experiment(viewer: Viewer, shown: ShownExperiment) -> str:
    words, standing = DASHBOARD_WORDS[viewer.language], shown.standing
    never = (
        f"<p class=refused>{text(words['never_answered'])}</p>" if standing.measured.never_answered else ""
    )
    settings = standing.experiment.settings
    policy = settings.candidate
    candidate = policy.constant or f"{policy.kind}, {policy.version}"
    about = f"{words['use_case']}: {settings.use_case} · {words['candidate']}: {candidate}"
    return "".join((
        f"<p>{text(about)}</p>", cards(_facts(viewer, shown)), never, _comparisons(viewer, standing),
        _decision(viewer, standing), _commands(words, standing),
    ))  # fmt: skip


def _facts(viewer: Viewer, shown: ShownExperiment) -> Iterator[tuple[str, str]]:
    words, standing = DASHBOARD_WORDS[viewer.language], shown.standing
    settings, measured = standing.experiment.settings, standing.measured
    whom = "of_requests" if settings.mode is ExperimentMode.SHADOW else "of_users"
    yield words["state"], words[f"state_{standing.state.value}"]
    yield words["verdict"], words[f"finding_{standing.finding.value}"]
    yield words["decides"], words[f"metric_{settings.metric.value}"]
    yield words["mode"], words[f"mode_{settings.mode.value}"]
    yield words["share"], f"{viewer.figures.share(settings.share)} {words[whom]}"
    yield (
        words["both_sides"],
        f"{viewer.figures.count(measured.live_requests)} / {viewer.figures.count(measured.candidate_requests)}",
    )
    for budget in shown.budgets:
        limit = viewer.figures.usd(budget.limit)
        window = words[budget.window.value]
        whose = words["judge_cost" if budget.scope.endswith(JUDGE_PAYER) else "shadows_cost"]
        yield f"{whose}, {window}", f"{viewer.figures.usd(budget.spent)} / {limit}"


def _comparisons(viewer: Viewer, standing: ExperimentStanding) -> str:
    words = DASHBOARD_WORDS[viewer.language]
    if not standing.measured.comparisons:
        return f"<p>{text(words['none'])}</p>"
    rows = [
        _comparison_row(viewer, comparison, decides=comparison.metric is standing.experiment.settings.metric)
        for comparison in standing.measured.comparisons
    ]
    names = ("metric", "live_side", "candidate", "difference", "verdict")
    return html_table([words[name] for name in names], rows, texts=1)


def _comparison_row(viewer: Viewer, comparison: MetricComparison, *, decides: bool) -> tuple[str, ...]:
    words, figures = DASHBOARD_WORDS[viewer.language], viewer.figures
    metric, difference = comparison.metric, comparison.difference
    name = words[f"metric_{metric.value}"]
    sides = (
        f"{figures.said(figure_text(metric, side.mean))} (n = {figures.count(side.count)})"
        if side.count
        else "- (n = 0)"
        for side in (comparison.live, comparison.candidate)
    )
    ends = (
        ()
        if difference is None
        else (
            figures.said(figure_text(metric, end, signed=True)) for end in (difference.low, difference.high)
        )
    )
    return (
        f"{name} *" if decides else name,
        *sides,
        " … ".join(ends) or "-",
        words[f"finding_{comparison.finding.value}"],
    )


def _decision(viewer: Viewer, standing: ExperimentStanding) -> str:
    decision = standing.experiment.decision
    if decision is None:
        return ""
    words = DASHBOARD_WORDS[viewer.language]
    by = words[f"by_{decision.by.value}"]
    verdict = words[f"state_{decision.verdict.value}"]
    return f"<p>{text(f'{verdict} · {by} · {viewer.moment(decision.at)}')}</p>"


def _commands(words: Mapping[str, str], standing: ExperimentStanding) -> str:
    """Return what promotes a candidate and what stops it; of what is decided, what takes that back."""
    name = standing.experiment.name
    anyway = "" if standing.is_proven else " --anyway"
    promote = (words["to_promote"], f"orchestrator experiment promote {name}{anyway}")
    stop = (words["to_stop"], f"orchestrator experiment roll-back {name}")
    shown = {ExperimentState.PROMOTED: (stop,), ExperimentState.ROLLED_BACK: (promote,)}.get(
        standing.state, (promote, stop)
    )
    warned = anyway and standing.state is not ExperimentState.PROMOTED
    key = "worse_anyway" if standing.finding is Finding.WORSE else "unproven"
    note = f"<p class=soft>{text(words[key])}</p>" if warned else ""
    commands = "".join(
        f"<p>{text(title)}:</p><pre tabindex=0>{text(command)}</pre>" for title, command in shown
    )
    return note + commands


def shadow_budgets(shown: Sequence[BudgetStatus], experiment: str) -> tuple[BudgetStatus, ...]:
    """Return the limits of an experiment's shadows and of their judge among all that stands."""
    own = f"tenant:{SHADOW_PAYER}{experiment}"
    scopes = {own, f"{own}{JUDGE_PAYER}"}
    return tuple(status for status in shown if status.scope in scopes and status.limit is not None)
