"""Chains and their results as the plain data that `--json` prints."""

from collections.abc import Iterable
from typing import Any

from orchestrator.chains.maker import ChainMaker
from orchestrator.chains.structured import ChainAttempt, ChainResult
from orchestrator.core.formatting import money


def plain_chains(makers: Iterable[ChainMaker[Any, Any]]) -> dict[str, Any]:
    """Return what chains do, with the JSON schemas of their inputs and outputs."""
    return {
        "chains": [
            {
                "name": maker.name,
                "description": maker.description,
                "input": maker.input_model.model_json_schema(),
                "output": maker.output_model.model_json_schema(),
            }
            for maker in makers
        ]
    }


def plain_result(maker: ChainMaker[Any, Any], result: ChainResult[Any]) -> dict[str, Any]:
    """Return what a chain answered, with every try on the way and its cost."""
    return {
        "chain": maker.name,
        "value": result.value.model_dump(mode="json"),
        "model": result.model,
        "stage": str(result.stage),
        "prompt_version": result.prompt_version,
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
