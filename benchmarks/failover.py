"""Whatever breaks: ours beside LiteLLM's Router and LangChain's fallbacks, same faults, same run.

The first provider of a chain fails in one way after another, and its fallback works. A class of fault is
handled when the whole answer arrives before the deadline or, where the request itself is wrong, its error.
Then: what a failed-over call costs beside a normal one, and how many attempts a request takes when
three in ten fail. Each subject has a process and practice providers of its own.

    python -m benchmarks.failover [--only stream] [--cases silence] [--cpu-rounds 5]
"""

import argparse
import logging
import os
import random
import socket
import statistics
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.failover_cases import CASES, HANDLED, HARMFUL, TEXT, Case, judged
from benchmarks.failover_subjects import DEADLINE_S, SUBJECTS, serve
from benchmarks.stage import Child, Providers

USD_PER_MTOK = (0.1, 0.15)
"""Not above the configured prices: OpenRouter is told the most that may be charged."""
AIM_CPU = 1.6
AIM_ATTEMPTS = 1.45

FAULTS_OF_MANY = (
    "status=500",
    "status=502",
    "status=503",
    "status=429",
    "reset",
    "malformed_body",
    "empty_content",
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one case."""

    outcome: str
    elapsed_s: float
    requests: int
    cost_nusd: int
    error: str | None

    def __str__(self) -> str:
        """Return it as a cell of the table."""
        return f"{self.outcome:11} {self.elapsed_s:4.1f} s {self.requests:2} {self.cost_nusd / 1000:4.0f}"


class Stage:
    """One subject with its practice providers."""

    def __init__(self, name: str, running: ExitStack) -> None:
        """Start both and warm the subject up."""
        self.name = name
        self._providers = running.enter_context(
            Providers(text=TEXT, piece_latency_s=0.002, usd_per_mtok=USD_PER_MTOK)
        )
        self._child = running.enter_context(Child("benchmarks.failover", "--subject", name))
        self._child.wait_ready()
        for stream in (False, True):
            warm = self.meet(Case("nothing"), stream=stream)
            if (warm.outcome, warm.requests) != ("whole", 1):
                raise RuntimeError(f"without faults {name} is not answered by the first it asks: {warm}")

    def meet(self, case: Case, *, stream: bool) -> Seen:
        """Let the subject meet one fault, once."""
        self._providers.break_with(_addressed(case.faults))
        order = {
            "do": "once",
            "stream": stream,
            "tools": case.tools,
            "addresses": self._addresses(case.address),
        }
        told = self._child.ask(order)
        requests, cost_nusd = self._providers.seen()
        return Seen(judged(told, case), told["elapsed_s"], requests, cost_nusd, told["error"])

    def cpu_ms(self, *, calls: int, fault: str | None) -> tuple[float, float]:
        """Return the CPU of a call in milliseconds, and the requests that the providers saw for it."""
        self._providers.break_with(_addressed([fault]) if fault else ())
        taken_ms = self._child.ask({"do": "cpu", "calls": calls, "addresses": self._addresses("")})
        return taken_ms, self._providers.seen()[0] / calls

    def many(self, *, calls: int, share: float) -> tuple[int, float]:
        """Return how many of `calls` got a whole answer when a share of attempts fails, and attempts a request."""
        self._providers.break_with([f"*:{fault},times=1" for fault in _drawn(calls * 8, share)])
        order = {"do": "many", "calls": calls, "in_flight": 10, "expected": TEXT}
        whole = self._child.ask({**order, "addresses": self._addresses("")})
        return whole, self._providers.seen()[0] / calls

    def _addresses(self, first: str) -> dict[str, str]:
        addresses = {name: self._providers.address(name) for name in ("openrouter", "openai")}
        if first == "refused":
            addresses["openrouter"] = f"http://127.0.0.1:{_closed_port()}/api/v1"
        elif first == "tls":
            addresses["openrouter"] = addresses["openrouter"].replace("http:", "https:")
        return addresses


def _addressed(faults: Iterable[str]) -> list[str]:
    return [fault if fault.startswith("*:") else f"openrouter:{fault}" for fault in faults]


def _drawn(count: int, share: float) -> Iterator[str]:
    """Yield faults and their absence by chance, but `share` of each hundred: what is met is what was asked for."""
    chance = random.Random(7)  # noqa: S311 -- repeatable, no secret
    faulty = round(100 * share)
    for _ in range(0, count, 100):
        hundred = chance.choices(FAULTS_OF_MANY, k=faulty) + ["slow_first_token=0"] * (100 - faulty)
        chance.shuffle(hundred)
        yield from hundred


def _closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def score(stages: list[Stage], cases: list[Case], modes: list[str]) -> None:
    """Let every subject meet every case, side by side, and print the tables and the scorecard."""
    print(
        f"outcome, time, requests the providers saw, their bill in millionths of a dollar; deadline {DEADLINE_S:g} s"
    )
    total = {stage.name: 0 for stage in stages}
    harm = {stage.name: 0 for stage in stages}
    with ThreadPoolExecutor(len(stages)) as pool:
        for mode in modes:
            print(f"\n{mode:26}" + "".join(f"{stage.name:30}" for stage in stages))
            for case in (case for case in cases if case.mode in {"", mode}):
                met = pool.map(lambda stage: stage.meet(case, stream=mode == "stream"), stages)  # noqa: B023 -- drained here
                seen = dict(zip(total, met, strict=True))
                print(f"  {case.name:24}" + "".join(f"{each!s:30}" for each in seen.values()), flush=True)
                for name, each in seen.items():
                    total[name] += each.outcome in HANDLED
                    harm[name] += each.outcome in HARMFUL
    asked = sum(case.mode in {"", mode} for case in cases for mode in modes)
    print(f"\nscorecard: classes handled of {asked}, and wrong answers handed over as good ones")
    for name, handled in total.items():
        print(f"  {name:16} {handled:3} of {asked}   {harm[name]:3}")


def weigh(stages: list[Stage], *, calls: int, rounds: int) -> None:
    """Print what a failed-over call costs beside a normal one."""
    taken: dict[str, list[tuple[float, float]]] = {stage.name: [] for stage in stages}
    attempts = {}
    for number in range(rounds + 1):
        for stage in stages:
            normal, _ = stage.cpu_ms(calls=calls, fault=None)
            failed_over, attempts[stage.name] = stage.cpu_ms(calls=calls, fault="status=429")
            if number:  # the first warms up
                taken[stage.name].append((normal, failed_over))
    print("\nCPU of a call in ms   normal   failed over once   ratio (min..max)     attempts")
    for name, pairs in taken.items():
        ratios = sorted(failed_over / normal for normal, failed_over in pairs)
        normal_ms, failed_over_ms = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(
            f"  {name:18} {normal_ms:8.2f} {failed_over_ms:18.2f}   "
            f"{statistics.median(ratios):5.2f} ({ratios[0]:.2f}..{ratios[-1]:.2f}) {attempts[name]:12.2f}"
        )
    print(f"  aim: ours at most {AIM_CPU:g}", flush=True)


def main() -> int:
    """Measure and print; return 0 whatever the numbers are, for they are read by people."""
    parser = argparse.ArgumentParser(description="faults, ours beside litellm.Router and LangChain")
    parser.add_argument("--only", choices=("whole", "stream"), help="one way of asking")
    parser.add_argument("--cases", default="", help="only classes whose name contains this")
    parser.add_argument("--cpu-calls", type=int, default=100)
    parser.add_argument("--cpu-rounds", type=int, default=5, help="0 leaves the CPU out")
    parser.add_argument("--many", type=int, default=300, help="requests at 30 %% faults; 0 leaves them out")
    parser.add_argument("--subject", choices=SUBJECTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.subject:
        serve(options.subject)
        return 0
    cases = [case for case in CASES if options.cases in case.name]
    modes = [options.only] if options.only else ["whole", "stream"]
    with ExitStack() as running:
        stages = [Stage(name, running) for name in SUBJECTS]
        score(stages, cases, modes)
        if options.cpu_rounds:
            weigh(stages, calls=options.cpu_calls, rounds=options.cpu_rounds)
        if options.many:
            print(f"\n30 % of attempts fail, {options.many} requests   whole answers   attempts a request")
            for stage in stages:
                whole, attempts = stage.many(calls=options.many, share=0.3)
                print(f"  {stage.name:38} {100 * whole / options.many:9.1f} % {attempts:18.2f}")
            print(f"  aim: ours at most {AIM_ATTEMPTS:g} attempts; {os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
