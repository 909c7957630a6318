"""From a golden file and outcomes, asked or recorded, to a calibration; all is checked before it counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from orchestrator.config.loader import Config
from orchestrator.core.bounded_file import read_bounded
from orchestrator.core.unknown_names import unknown
from orchestrator.evaluation.calibration import Calibration, choose_policy
from orchestrator.evaluation.candidates import candidates_of
from orchestrator.evaluation.case import EvaluationError, ScoredRow
from orchestrator.evaluation.comparing import (
    checks_of,
    compare_of,
    note_of_vendors,
    vendors_of,
)
from orchestrator.evaluation.dataset import rows_of
from orchestrator.evaluation.outcomes import outcomes_of, recorded
from orchestrator.evaluation.scorers import SCHEMA_BYTES_MAX, needs_expected, scorer_of
from orchestrator.policies.normal_form import impossible_labels


@dataclass(frozen=True, slots=True)
class CalibrationQuestion:
    """For what a policy is sought, and how answers are told from each other."""

    use_case: str
    reference: str
    scorers: tuple[str, ...]
    labels: tuple[str, ...] = ()
    compare: str | None = None
    margin: float = 0.01
    version: str = "1"

    @classmethod
    def of(
        cls, config: Config, use_case: str, *, reference: str | None = None, **fields: Any
    ) -> "CalibrationQuestion":
        """Check what is asked for; without a reference it is the primary, without scorers `label`.

        Raises:
            UnknownNameError: there is no such use case.
            EvaluationError: there is no such deployment, or a label that no model can give.
        """
        settings = config.settings.use_cases[config.use_case_named(use_case)]
        chosen = reference or settings.primary.deployment
        if chosen not in config.settings.deployments:
            raise EvaluationError(
                f"--reference: {unknown('deployment', chosen, config.settings.deployments)}"
            )
        labels = tuple(fields.pop("labels", ()))
        wrong = impossible_labels(labels)
        if wrong:
            raise EvaluationError(
                f"--label {wrong[0]!r}: no answer can be told to be this one: it is of marks alone, or the same as "
                "another but for case"
            )
        scorers = tuple(fields.pop("scorers", ())) or (("label",) if labels else ())
        compare_of(fields.get("compare"), labels)
        return cls(use_case, chosen, scorers, labels, **fields)

    def models(self, config: Config, named: Sequence[str] = ()) -> list[str]:
        """Return the deployments that are measured: the reference, and those named or of the route.

        Raises:
            EvaluationError: one of them is no deployment.
        """
        settings = config.settings.use_cases[self.use_case]
        route = [settings.primary.deployment, *(step.deployment for step in settings.fallbacks)]
        for name in named:
            if name not in config.settings.deployments:
                raise EvaluationError(f"--model: {unknown('deployment', name, config.settings.deployments)}")
        usable = config.catalog.usable
        others = [name for name in route if name in usable and not usable[name].is_local]
        return list(dict.fromkeys([self.reference, *(named or others)]))

    def recorded(self, config: Config, data: Any, path: Path) -> list[ScoredRow]:
        """Return the recorded outcomes of the golden rows.

        Raises:
            EvaluationError: one line for each mistake of either file.
        """
        rows = rows_of(data, needs_expected=needs_expected(self.scorers), labels=self.labels)
        scorers = [scorer_of(spec) for spec in self.scorers]
        return recorded(path, rows, scorers=scorers, models=config.settings.deployments)


def calibration_of(
    config: Config, question: CalibrationQuestion, results: Sequence[ScoredRow]
) -> Calibration:
    """Return what is proposed for a use case by these outcomes.

    Raises:
        EvaluationError: the reference has no outcome.
    """
    outcomes = outcomes_of(results, reference=question.reference)
    vendors = vendors_of(config, outcomes)
    compare = compare_of(question.compare, question.labels)
    policies = candidates_of(
        outcomes, reference=question.reference, vendors=vendors, compare=compare,
        checks=checks_of(question.labels, _schema_of(question.scorers)), version=question.version,
    )  # fmt: skip
    done = choose_policy(outcomes, policies, reference=question.reference, margin=question.margin)
    note = note_of_vendors(vendors, question.reference) if compare is not None else None
    return replace(done, unsure=(*done.unsure, note)) if note else done


def _schema_of(scorers: Sequence[str]) -> Mapping[str, Any] | None:
    """Return the JSON schema that a scorer names, for escalations check by it too."""
    for spec in scorers:
        kind, _, argument = spec.partition(":")
        if kind == "schema":
            schema: Mapping[str, Any] = orjson.loads(read_bounded(argument, bytes_max=SCHEMA_BYTES_MAX))
            return schema
    return None
