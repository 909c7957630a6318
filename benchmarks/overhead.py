"""What the whole stack costs a call, beside bare `litellm.Router` in the same run.

A practice provider without latency runs in a process of its own. Rounds of the subjects follow
one another, so that a busy machine is busy for all of them; the ratio of each round is taken, and
its median and range printed. CPU is that of this process, threads included.

    python -m benchmarks.overhead [--calls 200] [--rounds 7]
"""

import argparse
import asyncio
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml

AIM_OVERHEAD = 1.15
AIM_CACHE_HIT = 1 / 20

_SERVER = """
import sys
from orchestrator.practice import PracticeServer
server = PracticeServer(requests_kept=1)
server.start()
print(server.base_url("openai"), flush=True)
sys.stdin.read()
server.stop()
"""


@dataclass(frozen=True, slots=True)
class Round:
    """One subject's share of a round."""

    cpu_ms: float
    wall_ms: float
    latency_ms: float


Ask = Callable[[int], Awaitable[object]]


async def measure(ask: Ask, *, calls: int, in_flight: int) -> Round:
    """Return what `calls` calls cost each, `in_flight` of them at a time."""
    latencies_s: list[float] = []
    numbers = iter(range(calls))

    async def worker() -> None:
        for number in numbers:
            began_s = time.perf_counter()
            await ask(number)
            latencies_s.append(time.perf_counter() - began_s)

    cpu_s, wall_s = time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    return Round(1e3 * cpu_s / calls, 1e3 * wall_s / calls, 1e3 * statistics.median(latencies_s))


def subjects(base_url: str, folder: Path) -> tuple[dict[str, Ask], Callable[[], None]]:
    """Return bare Router, the orchestrator, and a cache hit of it, by name; and how to close them."""
    from orchestrator import CacheUse, Orchestrator
    from orchestrator.config import embedded_path, load_config
    from orchestrator.gateway.router import load_litellm

    data = yaml.safe_load(embedded_path().read_text(encoding="utf-8"))
    data["providers"]["openai"].update(requests_per_min=10_000_000, tokens_per_min=10_000_000_000)
    data["budgets"]["limits"] = [{"scope": "all", "request": 1, "day": 1_000_000, "month": 1_000_000}]
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    environment = {
        "ORCHESTRATOR_HOME": str(folder),
        "OPENAI_API_KEY": "practice",
        "OPENAI_BASE_URL": base_url,
    }
    orchestrator = Orchestrator(load_config(path, today=date(2026, 11, 23), environment=environment))
    orchestrator.warm_up()

    params = {"model": "openai/gpt-6-luna", "api_key": "practice", "api_base": base_url, "max_retries": 0}
    litellm = load_litellm()
    from orchestrator.gateway.callbacks import GUARD

    bare = litellm.Router(model_list=[{"model_name": "gpt-6-luna", "litellm_params": params}], num_retries=0)

    def messages(number: int) -> list[dict[str, str]]:
        return [{"role": "user", "content": f"Đơn hàng DH{number} của tôi đang ở đâu?"}]

    async def ask_bare(number: int) -> object:
        # Our guard is LiteLLM's process-wide callback, and bare means without it.
        if GUARD in litellm.callbacks:
            litellm.callbacks.remove(GUARD)
        return await bare.acompletion(model="gpt-6-luna", messages=messages(number), max_tokens=200)

    async def ask_ours(number: int) -> object:
        if GUARD not in litellm.callbacks:
            litellm.callbacks.append(GUARD)
        return await orchestrator.acomplete(
            messages(number), model="openai/gpt-6-luna", max_tokens=200, cache=CacheUse.REFRESH
        )

    async def ask_cache(number: int) -> object:
        return await orchestrator.acomplete(messages(number), model="openai/gpt-6-luna", max_tokens=200)

    return {"bare Router": ask_bare, "orchestrator": ask_ours, "cache hit": ask_cache}, orchestrator.close


async def compare(asks: dict[str, Ask], *, calls: int, rounds: int, in_flight: int) -> dict[str, list[Round]]:
    """Return the rounds of every subject, taken in turn; the first round warms up and is not counted."""
    taken: dict[str, list[Round]] = {name: [] for name in asks}
    for number in range(rounds + 1):
        for name, ask in asks.items():
            measured = await measure(ask, calls=calls, in_flight=in_flight)
            if number:
                taken[name].append(measured)
    return taken


def tell(taken: dict[str, list[Round]], *, in_flight: int) -> None:
    """Print medians, and the ratios to bare Router of the same rounds."""
    print(
        f"\n{in_flight} in flight      CPU ms a call   median latency ms   CPU ratio to bare Router (min..max)"
    )
    for name, rounds in taken.items():
        pairs = zip(rounds, taken["bare Router"], strict=True)
        ratios = sorted(one.cpu_ms / bare.cpu_ms for one, bare in pairs)
        print(
            f"  {name:14} {statistics.median(r.cpu_ms for r in rounds):10.3f} "
            f"{statistics.median(r.latency_ms for r in rounds):18.3f}   "
            f"{statistics.median(ratios):12.3f} ({ratios[0]:.3f}..{ratios[-1]:.3f})"
        )


def main() -> int:
    """Measure and print; return 0 whatever the numbers are, for they are read by people."""
    parser = argparse.ArgumentParser(description="overhead of the orchestrator beside bare litellm.Router")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server,
    ):
        assert server.stdout is not None
        asks, close = subjects(server.stdout.readline().strip(), Path(folder))
        try:
            for in_flight in (1, 50):
                taken = asyncio.run(
                    compare(asks, calls=options.calls, rounds=options.rounds, in_flight=in_flight)
                )
                tell(taken, in_flight=in_flight)
        finally:
            close()
            assert server.stdin is not None
            server.stdin.close()
    print(
        f"\naims: orchestrator at most {AIM_OVERHEAD}, cache hit at most {AIM_CACHE_HIT}; {os.cpu_count()} cores"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
