"""What the experiments of a configuration would do: whom they ask, for which share, and for how much at most.

Nothing is sent and no row is read; what came of an experiment so far says `orchestrator experiment show`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from orchestrator.config.loader import Config
from orchestrator.core.clock import Clock
from orchestrator.core.money import NanoUsd
from orchestrator.experiments.experiment import Experiment, ExperimentState
from orchestrator.experiments.settings import ExperimentMode, judge_limit, shadow_limit
from orchestrator.ledger.budgets import LimitSettings, Window
from orchestrator.whatif.static_proof import most_nusd, reached_by

_NONE = "no deployment of the candidate can serve a short request: see 'orchestrator route'"


@dataclass(frozen=True, slots=True)
class ExperimentOutlook:
    """What one experiment would do."""

    experiment: Experiment
    state: ExperimentState
    candidates: tuple[str, ...]
    """Whom the candidate asks, where every key is set."""
    missing: Mapping[str, str]
    """Those of them that cannot be asked here, and why; `candidate` where nobody can."""
    most_nusd: NanoUsd
    """What one request costs at most with the candidate: of ab with the fallbacks behind it."""
    budget: Mapping[Window, NanoUsd]
    """What all shadows may cost in a window; empty for ab, whose answers are paid by who asks."""
    judge_budget: Mapping[Window, NanoUsd]
    """What their judge may cost in a window; empty where there is none."""


def outlooks(here: Config, keyed: Config, *, clock: Clock) -> tuple[ExperimentOutlook, ...]:
    """Return what every experiment would do; `keyed` is the configuration where every key is set."""
    zone = ZoneInfo(here.settings.budgets.time_zone)
    today = clock.now().astimezone(zone).date()
    return tuple(_outlook(each, here, keyed, today=today, clock=clock) for each in here.experiments)


def _outlook(
    experiment: Experiment, here: Config, keyed: Config, *, today: date, clock: Clock
) -> ExperimentOutlook:
    settings = experiment.settings
    is_shadow = settings.mode is ExperimentMode.SHADOW
    config = keyed.with_candidate(experiment.name)
    reached = reached_by(config, settings.use_case, clock=clock)
    named = settings.candidate.named
    judge = () if settings.judge is None else (settings.judge.deployment,)
    own = [each for each in reached if not named or each.name in named]
    missing = {name: str(here.catalog.off[name]) for name in (*named, *judge) if name in here.catalog.off}
    if not own:
        missing["candidate"] = _NONE
    budget = _windows(shadow_limit(experiment.name, settings))
    most = most_nusd(
        config, settings.use_case, own if is_shadow else reached, today, attempts=1 if is_shadow else None
    )
    return ExperimentOutlook(
        experiment,
        experiment.state(today),
        tuple(each.name for each in own),
        missing,
        min([most, *budget.values()]),
        budget,
        _windows(judge_limit(experiment.name, settings)),
    )


def _windows(limit: LimitSettings | None) -> Mapping[Window, NanoUsd]:
    amounts = (
        (window, getattr(limit, window.value, None)) for window in (Window.DAY, Window.WEEK, Window.MONTH)
    )
    return {window: amount for window, amount in amounts if amount is not None}
