"""What ours costs beside what else there is, in one run: calls, streams, throughput and memory.

Every subject asks practice providers of its own run, in a process of its own. Rounds of the subjects follow
one another, so that a busy machine is busy for all; the ratio to a default `litellm.Router` is taken in each
round, and its median and range printed. CPU is that of the subject's process, threads included.

    python -m benchmarks.peers [--calls 100] [--rounds 7]
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

from benchmarks.peer_subjects import CACHE_HIT, SUBJECTS
from benchmarks.stage import Child, Providers, rounds_of

REFERENCE = "Router"
TEXT = "Dạ, đơn hàng của anh đã rời kho hôm qua lúc 9 giờ sáng và sẽ đến trong ngày mai. " * 6
SERVING: dict[str, Any] = {"text": TEXT, "usd_per_mtok": (0.1, 0.5)}
"""What the practice providers say, and for how many dollars a million tokens."""
WAITING_S = 0.3
WAITING_IN_FLIGHT = 100
WAITING_CALLS = 12 * WAITING_IN_FLIGHT
"""So many that the first burst, which all begin at once, is a small part of them."""
PIECE_S = 0.001

AIMS = {
    "calls": "orchestrator at most 0.35, our chat model at most 0.60",
    "streams": "orchestrator at most 0.25, its first piece no later than the Router's",
    "throughput": f"orchestrator at least 0.90 of the ideal {WAITING_IN_FLIGHT / WAITING_S:.0f} a second",
    "memory": "orchestrator at most 30 KB",
}

Taken = dict[str, list[dict[str, float]]]


def median_of(rounds: Iterable[dict[str, float]], figure: str) -> float:
    """Return the median of one figure."""
    return statistics.median(measured[figure] for measured in rounds)


def tell_cpu(title: str, taken: Taken, *, beside: str, unit: str, reference: str = REFERENCE) -> None:
    """Print the CPU of a call or stream, its ratio to the reference's, and one figure beside it."""
    print(f"\n{title:24} CPU ms   ratio to {reference} (min..max)   {unit}")
    for name, rounds in taken.items():
        pairs = zip(rounds, taken[reference], strict=True)
        ratios = sorted(measured["cpu_ms"] / other["cpu_ms"] for measured, other in pairs)
        print(
            f"  {name:20} {median_of(rounds, 'cpu_ms'):8.3f}   "
            f"{statistics.median(ratios):6.3f} ({ratios[0]:.3f}..{ratios[-1]:.3f})   "
            f"{median_of(rounds, beside):14.2f}"
        )


def tell_throughput(taken: Taken) -> None:
    """Print calls a second, beside what the provider's latency allows."""
    ideal = WAITING_IN_FLIGHT / WAITING_S
    print(f"\n{WAITING_IN_FLIGHT} in flight, {WAITING_S * 1e3:.0f} ms away    calls/s   of the ideal")
    for name, rounds in taken.items():
        per_s = median_of(rounds, "per_s")
        print(f"  {name:24} {per_s:9.1f}   {per_s / ideal:10.2f}")


def main() -> int:
    """Measure and print; return 0 whatever the numbers are, for they are read by people."""
    parser = argparse.ArgumentParser(description="ours beside its peers")
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with ExitStack() as running:
        quick = running.enter_context(Providers(**SERVING))
        slow = running.enter_context(Providers(**SERVING, latency_s=WAITING_S))
        dripping = running.enter_context(Providers(**SERVING, piece_latency_s=PIECE_S))
        addresses = json.dumps(
            {
                "quick": quick.address("openai"),
                "slow": slow.address("openai"),
                "dripping": dripping.address("openai"),
            }
        )
        children = {
            name: running.enter_context(Child("benchmarks.peer_subjects", name, addresses))
            for name in SUBJECTS
            if name != CACHE_HIT
        }
        for child in children.values():
            child.wait_ready()
        compare(children, calls=options.calls, rounds=options.rounds)
    print(f"\n{os.cpu_count()} cores; " + "; ".join(f"{what}: {aim}" for what, aim in AIMS.items()))
    return 0


def compare(children: dict[str, Child], *, calls: int, rounds: int) -> None:
    """Take and print one table after the other."""
    for in_flight in (1, 50, 100):
        order = {"what": "calls", "at": "quick", "number": calls, "in_flight": in_flight}
        taken = rounds_of(children, order, rounds=rounds)
        tell_cpu(f"calls, {in_flight} in flight", taken, beside="latency_ms", unit="median latency ms")
    for at, title in (("quick", "streams in one burst"), ("dripping", "streams, 1 ms a piece")):
        order = {"what": "streams", "at": at, "number": max(10, calls // 5), "in_flight": 5}
        taken = rounds_of(children, order, rounds=rounds)
        tell_cpu(title, taken, beside="first_ms", unit="first piece ms")
    order = {"what": "calls", "at": "slow", "number": WAITING_CALLS, "in_flight": WAITING_IN_FLIGHT}
    tell_throughput(rounds_of(children, order, rounds=max(1, rounds // 3)))
    print("\nmemory a call in flight, KB")
    for name, child in children.items():
        print(f"  {name:24} {child.ask({'what': 'memory', 'at': 'slow'})['kb']:9.1f}")


if __name__ == "__main__":
    sys.exit(main())
