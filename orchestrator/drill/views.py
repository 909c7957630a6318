"""The results of a drill as the plain data that `--json` prints."""

from typing import Any

from orchestrator.core.formatting import money
from orchestrator.drill.drill import Drill, Result


def plain_drill(drill: Drill) -> dict[str, Any]:
    """Return a drill with every case in it."""
    return {
        "ok": not drill.exit_code,
        "cases": len(drill.results),
        "failed": len(drill.failed),
        "speed": drill.speed,
        **money("booked", drill.booked_nusd),
        **money("billed", drill.billed_nusd),
        "results": [_plain_result(result) for result in drill.results],
    }


def _plain_result(result: Result) -> dict[str, Any]:
    return {
        "use_case": result.case.use_case,
        "broken": result.case.broken,
        "class": result.case.kind,
        "stream": result.case.stream,
        "verdict": result.verdict.value,
        "saw": result.saw,
        "answered_by": result.answered_by,
        "took_s": round(result.took_s, 4),
        "sends": result.sends,
        **money("cost", result.cost_nusd),
    }
