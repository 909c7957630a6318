"""Chains and their results as the plain data that `--json` prints."""

from collections.abc import Iterable
from typing import Any

from chains.fields import ChainOutput
from chains.spec import ChainSpec
from chains.structured import ChainAttempt, ChainResult
from orchestrator.core.formatting import money


def plain_chains(specs: Iterable[ChainSpec]) -> dict[str, Any]:
    """Return what chains do, with the JSON schemas of their inputs and outputs."""
    return {
        "chains": [
            {
                "name": spec.name,
                "description": spec.description,
                "input": spec.input_model.model_json_schema(),
                "output": spec.output_model.model_json_schema(),
            }
            for spec in specs
        ]
    }


def plain_result(spec: ChainSpec, result: ChainResult[ChainOutput]) -> dict[str, Any]:
    """Return what a chain answered, with every try on the way and its cost."""
    return {
        "chain": spec.name,
        "value": result.value.model_dump(mode="json"),
        "model": result.model,
        "stage": str(result.stage),
        "degraded": result.degraded,
        **money("cost", result.cost_nusd),
        "tries": [_plain_attempt(attempt) for attempt in result.tries],
    }


def _plain_attempt(attempt: ChainAttempt) -> dict[str, Any]:
    return {
        "stage": str(attempt.stage),
        "deployment": attempt.deployment,
        "model": attempt.model,
        **money("cost", attempt.cost_nusd),
        "cached": str(attempt.cached),
        "degraded": attempt.degraded,
        "request_id": attempt.request_id,
        "mistakes": list(attempt.mistakes),
    }
