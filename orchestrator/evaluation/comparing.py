"""How answers are compared in a vote, what an escalation checks, and which vendor made which model."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.config.loader import Config
from orchestrator.evaluation.case import EvaluationError
from orchestrator.evaluation.outcomes import Outcomes
from orchestrator.policies.normal_form import CompareBy, CompareSettings
from orchestrator.policies.settings import CheckSettings


def compare_of(by: str | None, labels: Sequence[str]) -> CompareSettings | None:
    """Return how answers are compared in a vote; None where they are free text.

    Raises:
        EvaluationError: there is no such way, or labels that nothing can be.
    """
    if by is None:
        return CompareSettings(by=CompareBy.LABEL, labels=tuple(labels)) if labels else None
    try:
        way = CompareBy(by)
    except ValueError:
        ways = ", ".join(CompareBy)
        raise EvaluationError(
            f"--compare '{by}': answers are compared by {ways}; free text cannot be"
        ) from None
    compare = CompareSettings(by=way, labels=tuple(labels))
    if compare.by is CompareBy.LABEL and len(set(labels)) < 2:  # noqa: PLR2004 -- one is no choice
        raise EvaluationError("--compare label needs --label, at least twice")
    return compare


def checks_of(labels: Sequence[str], schema: Mapping[str, Any] | None) -> tuple[CheckSettings, ...]:
    """Return what an escalation can check without a model."""
    checks = [CheckSettings(labels=tuple(labels))] if labels else []
    return (*checks, CheckSettings(json_schema=dict(schema))) if schema else tuple(checks)


def vendors_of(config: Config, outcomes: Outcomes) -> dict[str, str]:
    """Return who made the model of each deployment, by our names."""
    settings = config.settings
    return {name: settings.models[settings.deployments[name].model].vendor for name in outcomes.answers}


def note_of_vendors(vendors: dict[str, str], reference: str) -> str | None:
    """Return why no agreement could be tried, where all candidates are of one vendor."""
    makers = {vendor for name, vendor in vendors.items() if name != reference}
    if len(makers) > 1:
        return None
    maker = next(iter(makers), None)
    who = f"every candidate is of vendor {maker}" if maker else "there is no candidate beside the reference"
    return f"no agreement was tried: {who}, and voters are of different vendors; add a model of another one"
