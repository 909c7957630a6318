"""How long a decision takes with 1,000 deployments: from a checked request to its plan, nothing sent."""

import copy
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.stage import orchestrator_at
from orchestrator.core.clock import SystemClock
from orchestrator.core.request import ChatRequest
from orchestrator.pipeline.call import Call
from orchestrator.pipeline.planning import planned_for

_DEPLOYMENTS = 1_000
_MODEL = "gpt-6-luna"
_PLANS = 3_000
_AIM_P50_US, _AIM_P99_US = 100, 1_000


def tell_plan_time() -> None:
    """Plan many requests of several sizes, and print the middle and the slowest hundredth."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        orchestrator = orchestrator_at(Path(folder), {"openai": "http://127.0.0.1:9"}, _enlarge)
        try:
            services, clock = orchestrator._services, SystemClock()  # noqa: SLF001 -- the step alone is measured
            snapshot = orchestrator._snapshot  # noqa: SLF001
            taken_us = []
            for number in range(_PLANS):
                text = "Đơn hàng của tôi đang ở đâu? " * (1 + number % 40)
                request = ChatRequest.of(text, use_case="cost_sensitive", max_tokens=100 + number % 300)
                call = Call.of(request, snapshot, clock=clock)
                began_ns = time.perf_counter_ns()
                planned_for(call, services)
                taken_us.append((time.perf_counter_ns() - began_ns) / 1e3)
        finally:
            orchestrator.close()
    # The first of each size looks at all deployments, for all that follow.
    p50, p99 = statistics.median(taken_us), statistics.quantiles(taken_us, n=100)[98]
    print(
        f"\ndecision with {_DEPLOYMENTS:,} deployments, {_PLANS:,} plans: p50 {p50:,.0f} µs (aim {_AIM_P50_US}: "
        f"{_met(p50, _AIM_P50_US)}), p99 {p99:,.0f} µs (aim {_AIM_P99_US:,}: {_met(p99, _AIM_P99_US)})"
    )


def _met(taken_us: float, aim_us: float) -> str:
    return "met" if taken_us <= aim_us else "MISSED"


def _enlarge(data: dict[str, Any]) -> None:
    asked = [name for name, entry in data["deployments"].items() if entry["provider"] == "openai"]
    for number in range(_DEPLOYMENTS - len(asked)):
        data["models"][f"copy-{number}"] = copy.deepcopy(data["models"][_MODEL])
        entry = copy.deepcopy(data["deployments"][f"openai/{_MODEL}"])
        entry.update(model=f"copy-{number}", upstream=f"copy-{number}")
        data["deployments"][f"openai/copy-{number}"] = entry
