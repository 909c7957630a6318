"""How an experiment stands: what was measured, what that proves, and what is to be done by its rule."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from orchestrator.core.money import NanoUsd
from orchestrator.core.payer import JUDGE_PAYER, SHADOW_PAYER
from orchestrator.experiments.comparison import Finding, MeasuredArms, MetricComparison, measured
from orchestrator.experiments.confidence import UNITS_MIN
from orchestrator.experiments.decision import DecidedBy, ExperimentDecision, Verdict, decided
from orchestrator.experiments.experiment import Experiment, ExperimentState
from orchestrator.experiments.settings import ExperimentMode, Rule
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.periods import Window
from orchestrator.ledger.store import LedgerView

LOOK_BACK_DAYS = 90
"""How far back rows are read of an experiment without a start."""


@dataclass(frozen=True, slots=True)
class ExperimentStanding:
    """One experiment with what is known of it now."""

    experiment: Experiment
    state: ExperimentState
    measured: MeasuredArms

    @property
    def decides(self) -> MetricComparison | None:
        """Return the comparison by the metric that decides, None where nothing is known of it."""
        return self.measured.by(self.experiment.settings.metric)

    @property
    def finding(self) -> Finding:
        """Return what is proven by the metric that decides."""
        return Finding.TOO_FEW if self.decides is None else self.decides.finding

    @property
    def is_proven(self) -> bool:
        """Return whether the candidate answered, and is better or not worse by the metric that decides."""
        return self.finding in {Finding.BETTER, Finding.NOT_WORSE} and not self.measured.never_answered

    @property
    def text(self) -> str:
        """Return that for people, in a few words."""
        if self.measured.never_answered:
            return f"it answered none of {self.measured.candidate_requests:,} requests on its side"
        comparison = self.decides
        if comparison is None:
            return f"too few answers to say anything: none yet, and {UNITS_MIN} a side are needed"
        if comparison.difference is None:
            return (
                f"too few answers to say anything: {comparison.live.count:,} live, "
                f"{comparison.candidate.count:,} candidate, and {UNITS_MIN} a side are needed"
            )
        difference = comparison.difference
        return (
            f"{comparison.metric.value} {comparison.live.mean:.4g} live, {comparison.candidate.mean:.4g} candidate, "
            f"difference {difference.low:+.3g} to {difference.high:+.3g}: {comparison.finding.value.replace('_', ' ')}"
        )


def standing_of(
    experiment: Experiment, view: LedgerView, *, now: datetime, time_zone: str
) -> ExperimentStanding:
    """Return how an experiment stands; without a ledger nothing is measured.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    zone = ZoneInfo(time_zone)
    state = experiment.state(now.astimezone(zone).date())
    start = experiment.settings.start
    began = None if start is None else datetime.combine(start, time.min, zone).astimezone(UTC)
    since = began or now - timedelta(days=LOOK_BACK_DAYS)
    if not view.exists:
        return ExperimentStanding(experiment, state, measured((), experiment.label, experiment.settings))
    with view:
        rows = view.arm_rows(experiment.label, since=since)
        return ExperimentStanding(experiment, state, measured(rows, experiment.label, experiment.settings))


def by_rule(standing: ExperimentStanding, *, now: datetime) -> ExperimentDecision | None:
    """Return what the rule of a running experiment decides, None where it decides nothing."""
    experiment = standing.experiment
    is_on = (
        experiment.settings.rule is Rule.ROLL_BACK_WHEN_WORSE and standing.state is ExperimentState.RUNNING
    )
    if not is_on or standing.finding is not Finding.WORSE:
        return None
    return decision_on(standing, Verdict.ROLLED_BACK, by=DecidedBy.RULE, now=now)


def decision_on(
    standing: ExperimentStanding, verdict: Verdict, *, by: DecidedBy, now: datetime
) -> ExperimentDecision:
    """Return a decision on the candidate of an experiment as it stands."""
    experiment = standing.experiment
    return decided(
        experiment.name, verdict, candidate=experiment.candidate, at=now, by=by, reason=standing.text
    )


def shadow_spending(experiment: Experiment, ledger: Ledger) -> tuple[tuple[Window, NanoUsd, NanoUsd], ...]:
    """Return what the shadows of an experiment have spent in each window that is limited, and its limit."""
    if experiment.settings.mode is not ExperimentMode.SHADOW:
        return ()
    return _spending(f"tenant:{SHADOW_PAYER}{experiment.name}", ledger)


def judge_spending(experiment: Experiment, ledger: Ledger) -> tuple[tuple[Window, NanoUsd, NanoUsd], ...]:
    """Return the same of its judge; empty where it has none."""
    if experiment.settings.judge is None:
        return ()
    return _spending(f"tenant:{SHADOW_PAYER}{experiment.name}{JUDGE_PAYER}", ledger)


def _spending(scope: str, ledger: Ledger) -> tuple[tuple[Window, NanoUsd, NanoUsd], ...]:
    limits = ledger.limits.all_of(scope)
    return tuple(
        (window, ledger.spent(scope, window) if ledger.exists else NanoUsd(0), limit.limit_nusd)
        for window, limit in limits.items()
        if window is not Window.REQUEST
    )
