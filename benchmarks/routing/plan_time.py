"""How long a decision takes with 10, 100 and 1,000 deployments: from a checked request to its plan, nothing sent.

Filters, score, order and the analysis of the request, as the pipeline asks for them. Each decision is made five
times and its shortest time counts, so that other work on the machine is not measured; what the first request of
a kind takes, which prepares a shortlist for all that follow, is told apart.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.stage import enlarge, orchestrator_at
from orchestrator import Orchestrator
from orchestrator.core.clock import SystemClock
from orchestrator.core.language import Language, reply_language
from orchestrator.core.request import ChatRequest
from orchestrator.pipeline.call import Call
from orchestrator.pipeline.planning import planned_for
from orchestrator.routing.estimate import measure

_SIZES = (10, 100, 1_000)
_MODEL = "gpt-6-luna"
_REQUESTS = 1_000
_REPEATS = 5
_AIM_P50_US, _AIM_P99_US = 100, 1_000
_SENTENCE = "Đơn hàng của tôi đang ở đâu? "
_LONG_BYTES = 100_000


def tell_plan_time() -> None:
    """Plan many requests of several sizes in catalogues of several sizes, and print the middle and the slowest."""
    print("\ndecision, shortest of five, in µs")
    smallest_us: float | None = None
    for deployments in _SIZES:
        first_us, taken_us = _timed(deployments)
        p50, p99 = statistics.median(taken_us), statistics.quantiles(taken_us, n=100)[98]
        smallest_us = smallest_us or p50
        print(
            f"  {deployments:5,} deployments: p50 {p50:,.0f} ({p50 / smallest_us:.2f} of the fewest), p99 {p99:,.0f}; "
            f"made once, shortlists included: p99 {statistics.quantiles(first_us, n=100)[98]:,.0f}"
        )
    print(
        f"  aims with {_SIZES[-1]:,}: p50 {_AIM_P50_US} {_met(p50, _AIM_P50_US)}, "
        f"p99 {_AIM_P99_US:,} {_met(p99, _AIM_P99_US)}"
    )
    _tell_analysis()


def _timed(deployments: int) -> tuple[list[float], list[float]]:
    """Return the microseconds of each decision, made for the first time, and the shortest of five more."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        orchestrator = orchestrator_at(
            Path(folder),
            {"openai": "http://127.0.0.1:9"},
            lambda data: enlarge(data, deployments, model=_MODEL),
        )
        try:
            services = orchestrator._services  # noqa: SLF001 -- the step alone is measured
            calls = [_call(orchestrator, number) for number in range(_REQUESTS)]
            first_us = [_shortest_us(lambda call=call: planned_for(call, services), 1) for call in calls]
            taken_us = [_shortest_us(lambda call=call: planned_for(call, services)) for call in calls]
        finally:
            orchestrator.close()
    return first_us, taken_us


def _call(orchestrator: Orchestrator, number: int) -> Call:
    request = ChatRequest.of(
        _SENTENCE * (1 + number % 40), use_case="cost_sensitive", max_tokens=100 + number % 300
    )
    return Call.of(request, orchestrator._snapshot, clock=SystemClock())  # noqa: SLF001 -- the step alone is measured


def _tell_analysis() -> None:
    """Print what reading a request takes: its size and its language."""
    for name, text in (
        ("one sentence", _SENTENCE),
        ("100 KB", _SENTENCE * (_LONG_BYTES // len(_SENTENCE.encode()))),
    ):
        request = ChatRequest.of(text, use_case="cost_sensitive")
        size_us = _shortest_us(lambda request=request: measure(request))
        language_us = _shortest_us(
            lambda request=request: reply_language(request.messages, otherwise=Language.EN)
        )
        print(f"  analysis of {name} of Vietnamese: size {size_us:,.0f}, language {language_us:,.0f}")


def _shortest_us(work: Callable[[], object], repeats: int = _REPEATS) -> float:
    taken_ns = []
    for _ in range(repeats):
        began_ns = time.perf_counter_ns()
        work()
        taken_ns.append(time.perf_counter_ns() - began_ns)
    return min(taken_ns) / 1e3


def _met(taken_us: float, aim_us: float) -> str:
    return "met" if taken_us <= aim_us else "MISSED"
