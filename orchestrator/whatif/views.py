"""A comparison, and what a configuration promises, as the plain data that `--json` prints."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from orchestrator.core.formatting import money
from orchestrator.whatif.comparison import Affected, Latency, Side, Sum, WhatIf
from orchestrator.whatif.experiment_outlook import ExperimentOutlook
from orchestrator.whatif.outcomes import Fate
from orchestrator.whatif.proof_words import warnings_of
from orchestrator.whatif.static_proof import UseCaseProof


def plain_what_if(result: WhatIf) -> Mapping[str, Any]:
    """Return a comparison as JSON holds it: amounts in both units, times in seconds."""
    return {
        "since": result.began.isoformat(),
        "until": result.ended.isoformat(),
        "seed": result.seed,
        "replay_s": round(result.took_s, 3),
        "recorded": {**_plain_sum(result.recorded), "latency": _plain_latency(result.recorded_latency)},
        "before": _plain_side(result.before),
        "after": _plain_side(result.after),
        "tenants": [_plain_affected(each) for each in result.tenants],
        "use_cases": [_plain_affected(each) for each in result.use_cases],
        "evidence": [
            {
                "deployment": ground.deployment,
                "sends": ground.sends,
                "rests_on": ground.rests_on.value,
                "recorded_sends": ground.recorded,
                "thin": ground.is_thin,
            }
            for ground in result.grounds
        ],
        "left_out": dict(result.left_out),
        "notices": list(result.notices),
    }


def plain_proof(proof: UseCaseProof) -> Mapping[str, Any]:
    """Return what a configuration promises of a use case as JSON holds it."""
    return {
        "use_case": proof.use_case,
        "chain": [
            {
                "deployment": part.deployment,
                "availability": round(part.share, 6),
                "recorded_sends": part.recorded_sends,
                "assumed": part.recorded_sends is None,
            }
            for part in proof.chain
        ],
        "unreachable": dict(proof.unreachable),
        "single_points": [asdict(point) for point in proof.single_points],
        **money("most", proof.most_nusd),
        "most_s": proof.most_s,
        "availability": round(proof.availability, 8),
        "unanswered": list(proof.unanswered),
        "assumed": proof.is_assumed,
        "warnings": list(warnings_of(proof)),
    }


def plain_outlook(outlook: ExperimentOutlook) -> Mapping[str, Any]:
    """Return what an experiment would do as JSON holds it."""
    settings = outlook.experiment.settings
    return {
        "experiment": outlook.experiment.name,
        "use_case": settings.use_case,
        "mode": settings.mode.value,
        "state": outlook.state.value,
        "share": settings.share,
        "candidates": list(outlook.candidates),
        "missing": dict(outlook.missing),
        **money("most", outlook.most_nusd),
        "budget": {window.value: money("limit", limit) for window, limit in outlook.budget.items()},
        "judge": None if settings.judge is None else settings.judge.deployment,
        "judge_budget": {
            window.value: money("limit", limit) for window, limit in outlook.judge_budget.items()
        },
    }


def _plain_sum(sums: Sum) -> dict[str, Any]:
    counts = {fate.name.lower(): sums.count(fate) for fate in Fate}
    return {"requests": sums.requests, **money("cost", sums.cost_nusd), **counts}


def _plain_latency(latency: Latency | None) -> dict[str, Any] | None:
    return None if latency is None else asdict(latency)


def _plain_side(side: Side) -> dict[str, Any]:
    return {
        **_plain_sum(side.total),
        "latency": _plain_latency(side.latency),
        "repeated": side.repeated,
        "errors": dict(side.errors),
        "deployments": [
            {
                "deployment": name,
                "provider": load.provider,
                "sends": load.sends,
                "failed": load.failed,
                "input_tokens": load.input_tokens,
                "output_tokens": load.output_tokens,
                **money("cost", load.cost_nusd),
            }
            for name, load in side.loads.items()
        ],
        "most_sends_in_a_minute": dict(side.peaks),
    }


def _plain_affected(each: Affected) -> dict[str, Any]:
    return {
        "name": each.name,
        "before": _plain_sum(each.before),
        "after": _plain_sum(each.after),
        "worse": each.worse,
        "better": each.better,
    }
