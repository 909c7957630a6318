"""What the whole stack costs a call, beside bare `litellm.Router` in the same run.

The subjects are three of `benchmarks.peers`: the Router without the callbacks that LiteLLM brings, the
orchestrator, and the orchestrator answering from its cache. The provider has no latency.

    python -m benchmarks.overhead [--calls 200] [--rounds 11]
"""

import argparse
import json
import os
import sys
from contextlib import ExitStack

from benchmarks.peer_subjects import CACHE_HIT
from benchmarks.peers import SERVING, tell_cpu
from benchmarks.stage import Child, Providers, rounds_of

REFERENCE = "light Router"
SUBJECTS = (REFERENCE, "orchestrator", CACHE_HIT)
AIM_OVERHEAD = 0.35
AIM_CACHE_HIT = 1 / 50


def main() -> int:
    """Measure and print; return 0 whatever the numbers are, for they are read by people."""
    parser = argparse.ArgumentParser(description="overhead of the orchestrator beside bare litellm.Router")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    with ExitStack() as running:
        providers = running.enter_context(Providers(**SERVING))
        addresses = json.dumps({"quick": providers.address("openai")})
        children = {
            name: running.enter_context(Child("benchmarks.peer_subjects", name, addresses))
            for name in SUBJECTS
        }
        for child in children.values():
            child.wait_ready()
        for in_flight in (1, 50, 100):
            order = {"what": "calls", "at": "quick", "number": options.calls, "in_flight": in_flight}
            taken = rounds_of(children, order, rounds=options.rounds)
            tell_cpu(
                f"{in_flight} in flight",
                taken,
                beside="latency_ms",
                unit="median latency ms",
                reference=REFERENCE,
            )
    print(
        f"\naims: orchestrator at most {AIM_OVERHEAD}, cache hit at most {AIM_CACHE_HIT}; {os.cpu_count()} cores"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
