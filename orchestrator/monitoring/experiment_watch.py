"""Rolls candidates back that are proven worse, where the rule of their experiment says so.

with ExperimentWatch(orchestrator):
    serve()
"""

import asyncio
from datetime import datetime
from pathlib import Path

from orchestrator.core.alerts import Alert, AlertKind, SubjectFacts
from orchestrator.core.errors import OrchestratorError
from orchestrator.experiments.decision import ExperimentDecision, decision_path, read_decision, write_decision
from orchestrator.experiments.experiment import Experiment
from orchestrator.experiments.standing import ExperimentStanding, by_rule, standing_of
from orchestrator.experiments.views import figure_text
from orchestrator.monitoring.recurring_work import RecurringWork, logger

LOOK_EVERY_S = 60.0
"""The intervals hold at every look, so looking often costs nothing but a read of the ledger."""


class ExperimentWatch(RecurringWork):
    """Looks at the experiments with a rule, every minute."""

    def look(self) -> tuple[ExperimentDecision, ...]:
        """Do now what the rules say, and return what was decided.

        Raises:
            LedgerError: the ledger cannot be read.
            StateError: a decision cannot be written.
        """
        looked_at = (
            self._decide(each) for each in self._orchestrator.config.experiments if each.settings.rule
        )
        return tuple(decision for decision in looked_at if decision is not None)

    def _decide(self, experiment: Experiment) -> ExperimentDecision | None:
        orchestrator, now = self._orchestrator, self._clock.now()
        zone = orchestrator.config.settings.budgets.time_zone
        standing = standing_of(experiment, orchestrator.ledger_view, now=now, time_zone=zone)
        done = roll_back_by_rule(standing, config_path=orchestrator.config.path, now=now)
        if done is None:
            return None
        decision, alert = done
        orchestrator.alerts.tell(alert)
        return decision

    async def _round(self) -> None:
        try:
            # A ledger may be large, and requests run on this loop.
            await asyncio.to_thread(self.look)
        except OrchestratorError as error:
            logger.warning("experiments are not looked at: %s", error.in_one_line)

    def _pause_s(self) -> float:
        return LOOK_EVERY_S


def roll_back_by_rule(
    standing: ExperimentStanding, *, config_path: Path, now: datetime
) -> tuple[ExperimentDecision, Alert] | None:
    """Write what the rule of an experiment says; return it and its alert, None where it says nothing.

    Raises:
        StateError: the decision cannot be written.
    """
    name, decision = standing.experiment.name, by_rule(standing, now=now)
    if decision is None:
        return None
    path = decision_path(config_path, name)
    known = read_decision(path, name)
    if known is not None and known.candidate == decision.candidate:
        # Somebody was faster: it is in force within a second here too.
        return None
    write_decision(path, decision)
    message = f"experiment '{name}' is rolled back: {decision.reason}; {path} says so"
    facts = SubjectFacts(name, _figures(standing))
    return decision, Alert(AlertKind.EXPERIMENT_WORSE, message, None, now, facts=facts)


def _figures(standing: ExperimentStanding) -> str:
    """Return `rating: 4.50 → 3.20 (-1.52 … -1.08)`: numbers, which every language reads."""
    comparison = standing.decides
    if comparison is None or comparison.difference is None:
        return ""
    metric, difference = comparison.metric, comparison.difference
    live, candidate = (figure_text(metric, side.mean) for side in (comparison.live, comparison.candidate))
    low, high = (figure_text(metric, end, signed=True) for end in (difference.low, difference.high))
    return f"{metric.value}: {live} → {candidate} ({low} … {high})"
