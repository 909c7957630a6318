"""A measured policy as a file that config.yaml names, with the proof in it.

    use_cases:
      tag_bulk:
        policy: {file: policies/tag_bulk.yaml}

`measured` says under what the proof holds; where the use case is another one since, the configuration is
refused (`config.policy_files`). JSON is YAML, so the file is written as JSON.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from orchestrator.config.loader import Config
from orchestrator.config.policy_files import measured_under
from orchestrator.core.money import format_usd
from orchestrator.core.whole_file import write_whole
from orchestrator.evaluation.calibration import Calibration, Measured
from orchestrator.evaluation.case import EvaluationError
from orchestrator.evaluation.proving import Proven
from orchestrator.evaluation.summary import plain_interval
from orchestrator.policies.settings import PolicySettings


def policy_text(done: Calibration, measured: Measured, *, config: Config, use_case: str, day: date) -> bytes:
    """Return the content of the file."""
    policy = measured.replayed.policy
    proof = {
        "day": day.isoformat(),
        "reference": done.reference,
        "margin": done.margin,
        "rows": done.rows,
        "confirmed_on": done.confirmed_on,
        "difference": plain_interval(measured.difference),
        "cost_share": round(measured.share, 4),
    }
    return _document(policy, proof, config=config, use_case=use_case)


def proven_text(found: Proven, *, config: Config, use_case: str, day: date) -> bytes:
    """Return the content of the file of one deployment that an evaluation has proven."""
    policy = PolicySettings(version=day.isoformat(), constant=found.deployment)
    proof = {
        "day": day.isoformat(),
        "reference": found.reference,
        "margin": found.margin,
        "rows": found.rows,
        "confirmed_on": found.compared,
        "difference": plain_interval(found.difference),
        "cost_share": round(found.share, 4),
    }
    return _document(policy, proof, config=config, use_case=use_case)


def _document(policy: PolicySettings, proof: dict[str, Any], *, config: Config, use_case: str) -> bytes:
    conditions = measured_under(config.settings, use_case, (proof["reference"], *policy.named))
    document = {
        "use_case": use_case,
        "policy": plain_policy(policy),
        "measured": {**proof, "conditions": conditions},
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"


def plain_policy(policy: PolicySettings) -> dict[str, Any]:
    """Return a policy as config.yaml has it: what is set and is not its default."""
    plain: dict[str, Any] = policy.model_dump(mode="json", exclude_defaults=True)
    return {"version": policy.version, **plain}


def write_policy(path: Path, text: bytes) -> None:
    """Write the file whole or not at all: a configuration that is watched may read it at any moment.

    Raises:
        EvaluationError: it cannot be written.
    """
    try:
        write_whole(path, text)
    except OSError as exc:
        raise EvaluationError(f"--policy {path}: cannot be written: {exc.strerror}") from None


def plain_calibration(done: Calibration) -> dict[str, Any]:
    """Return a calibration for JSON."""
    return {
        "reference": done.reference,
        "margin": done.margin,
        "rows": done.rows,
        "chosen_on": done.chosen_on,
        "confirmed_on": done.confirmed_on,
        "proposed": _plain(done.proposed),
        "tried": _plain(done.tried),
        "reason": done.reason,
        "missing_rows": done.missing_rows,
        "unsure": list(done.unsure),
    }


def _plain(measured: Measured | None) -> Mapping[str, Any] | None:
    if measured is None:
        return None
    return {
        "policy": plain_policy(measured.replayed.policy),
        "name": measured.replayed.name,
        "quality": plain_interval(measured.quality),
        "difference": plain_interval(measured.difference),
        "cost_share": measured.share,
        "cost": format_usd(measured.replayed.cost_nusd),
    }
