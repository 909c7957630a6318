"""Experiments of config.yaml: what they refer to, whether they are in each other's way, what was decided."""

from collections.abc import Iterator
from datetime import date
from itertools import combinations
from pathlib import Path

from orchestrator.catalog.models import Mode
from orchestrator.config.modes import model_at
from orchestrator.config.policy_references import broken_policy
from orchestrator.config.schema import RootSettings
from orchestrator.config.yaml_file import Document
from orchestrator.config.yaml_template import Path_
from orchestrator.core.unknown_names import unknown
from orchestrator.experiments.decision import Verdict, decision_path, read_decision
from orchestrator.experiments.experiment import Experiment, experiment_from, is_over
from orchestrator.experiments.settings import ExperimentSettings, judge_limit, shadow_limit
from orchestrator.ledger.budgets import LimitSettings
from orchestrator.routing.settings import UseCaseSettings


def broken_experiments(document: Document, settings: RootSettings) -> Iterator[str]:
    """Yield a line for each name of an experiment that leads nowhere."""
    for name, experiment in settings.experiments.items():
        path = ("experiments", name)
        if experiment.use_case not in settings.use_cases:
            where = document.where((*path, "use_case"))
            yield f"{where}: {unknown('use case', experiment.use_case, settings.use_cases)}"
        judge = experiment.judge
        if judge is not None and judge.deployment not in settings.deployments:
            where = document.where((*path, "judge", "deployment"))
            yield f"{where}: {unknown('deployment', judge.deployment, settings.deployments)}"
        model = experiment.candidate.constant
        if model in settings.models and model not in settings.deployments:
            served = sorted(key for key, place in settings.deployments.items() if place.model == model)
            where = document.where((*path, "candidate"))
            yield f"{where}: '{model}' is a model: name one of its deployments, {', '.join(served) or 'none'}"
            continue
        yield from broken_policy(document, settings, experiment.candidate, (*path, "candidate"))
        yield from _embedding(document, settings, experiment, path)


def _embedding(
    document: Document, settings: RootSettings, experiment: ExperimentSettings, path: Path_
) -> Iterator[str]:
    use_case = settings.use_cases.get(experiment.use_case)
    places = [(name, "candidate") for name in experiment.candidate.named]
    places += [] if experiment.judge is None else [(experiment.judge.deployment, "judge")]
    places += [] if use_case is None else [(use_case.primary.deployment, "use_case")]
    for name, key in places:
        model = model_at(settings, name)
        if model is not None and model[1].mode is not Mode.CHAT:
            yield f"{document.where((*path, key))}: '{name}' makes embeddings, and experiments are on chats"


def experiments_of(
    document: Document, settings: RootSettings, path: Path
) -> tuple[tuple[Experiment, ...], list[str]]:
    """Return the experiments with what was decided of them, and a line for each two on one use case at once.

    Raises:
        ConfigError: a file with a decision cannot be read; says what to do.
    """
    known = tuple(
        experiment_from(
            name,
            experiment,
            live=_live(settings.use_cases.get(experiment.use_case)),
            decision=read_decision(decision_path(path, name), name),
        )
        for name, experiment in settings.experiments.items()
    )
    mistakes = [
        f"{document.where(('experiments', second.name, 'use_case'))}: '{second.name}' and '{first.name}' are both on "
        f"use case '{second.settings.use_case}' at the same time: give them 'start' and 'end', roll one back, or "
        "take it out"
        for first, second in combinations([each for each in known if not is_over(each)], 2)
        if first.settings.use_case == second.settings.use_case and _overlap(first, second)
    ]
    return known, mistakes


def shadow_limits(settings: RootSettings) -> tuple[LimitSettings, ...]:
    """Return the limits of the shadows of all experiments, and of their judges."""
    limits = (
        limit_of(name, experiment)
        for name, experiment in settings.experiments.items()
        for limit_of in (shadow_limit, judge_limit)
    )
    return tuple(limit for limit in limits if limit is not None)


def with_candidate(settings: RootSettings, experiment: Experiment) -> RootSettings:
    """Return settings in which the candidate of an experiment is the policy of its use case."""
    name = experiment.settings.use_case
    # Made anew: a copy would keep the route that was computed of the other policy.
    fields = {**dict(settings.use_cases[name]), "policy": experiment.settings.candidate}
    use_case = UseCaseSettings.model_construct(**fields)
    return settings.model_copy(update={"use_cases": {**settings.use_cases, name: use_case}})


def _live(use_case: UseCaseSettings | None) -> tuple[object, ...]:
    """Return what answers without an experiment, as plain data."""
    if use_case is None:
        return ()
    measured = {"primary", "fallbacks", "order", "policy", "max_tokens"}
    return (use_case.model_dump(mode="json", include=measured),)


def _overlap(first: Experiment, second: Experiment) -> bool:
    (start, end), (other_start, other_end) = _days(first), _days(second)
    return start <= other_end and other_start <= end


def _days(experiment: Experiment) -> tuple[date, date]:
    settings: ExperimentSettings = experiment.settings
    is_promoted = experiment.decision is not None and experiment.decision.verdict is Verdict.PROMOTED
    start = None if is_promoted else settings.start
    end = None if is_promoted else settings.end
    return start or date.min, end or date.max
