"""What the whole stack costs a call, beside bare `litellm.Router` in the same run.

A practice provider without latency and each subject run in processes of their own, for LiteLLM's
callbacks are process-wide. Rounds of the subjects follow one another, so that a busy machine is busy
for all of them; the ratio of each round is taken, and its median and range printed. CPU is that of
the subject's process, threads included.

    python -m benchmarks.overhead [--calls 200] [--rounds 11]
"""

import argparse
import asyncio
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import yaml

SUBJECTS = ("bare Router", "orchestrator", "cache hit")
AIM_OVERHEAD = 0.35
AIM_CACHE_HIT = 1 / 50

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


def bare(base_url: str) -> Ask:
    """Return a call of a Router as LiteLLM's manual builds it."""
    from orchestrator.providers.litellm.loading import load_litellm

    params = {"model": "openai/gpt-6-luna", "api_key": "practice", "api_base": base_url, "max_retries": 0}
    litellm = load_litellm()
    litellm.callbacks.clear()
    router = litellm.Router(
        model_list=[{"model_name": "gpt-6-luna", "litellm_params": params}], num_retries=0
    )

    async def ask(number: int) -> object:
        return await router.acompletion(model="gpt-6-luna", messages=messages(number), max_tokens=200)

    return ask


def ours(base_url: str, folder: Path, *, cache_hit: bool) -> Ask:
    """Return a call of the orchestrator, sent or answered from its cache."""
    from orchestrator import CacheUse, Orchestrator
    from orchestrator.config.loader import embedded_path, load_config

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
    use = CacheUse.USE if cache_hit else CacheUse.REFRESH

    async def ask(number: int) -> object:
        return await orchestrator.acomplete(
            messages(number), model="openai/gpt-6-luna", max_tokens=200, cache=use
        )

    return ask


def messages(number: int) -> list[dict[str, str]]:
    """Return the question of one call; each call asks another."""
    return [{"role": "user", "content": f"Đơn hàng DH{number} của tôi đang ở đâu?"}]


def serve_rounds(subject: str, base_url: str, folder: Path) -> None:
    """Be one subject: a round for every `CALLS IN_FLIGHT` on standard input, its figures on standard output."""
    ask = (
        bare(base_url) if subject == SUBJECTS[0] else ours(base_url, folder, cache_hit=subject == SUBJECTS[2])
    )
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            calls, in_flight = map(int, line.split())
            measured = runner.run(measure(ask, calls=calls, in_flight=in_flight))
            print(json.dumps(asdict(measured)), flush=True)


@contextmanager
def started(subject: str, base_url: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a subject in a process of its own: LiteLLM's callbacks are process-wide, and would cost the others."""
    command = [sys.executable, "-m", "benchmarks.overhead", "--subject", subject, "--base-url", base_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        yield child
        assert child.stdin is not None
        child.stdin.close()


def compare(
    children: "dict[str, subprocess.Popen[str]]", *, calls: int, rounds: int, in_flight: int
) -> dict[str, list[Round]]:
    """Return the rounds of every subject, taken in turn; the first round warms up and is not counted."""
    taken: dict[str, list[Round]] = {name: [] for name in children}
    for number in range(rounds + 1):
        for name, child in children.items():
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(f"{calls} {in_flight}\n")
            child.stdin.flush()
            measured = Round(**json.loads(child.stdout.readline()))
            if number:
                taken[name].append(measured)
    return taken


def tell(taken: dict[str, list[Round]], *, in_flight: int) -> None:
    """Print medians, and the ratios to bare Router of the same rounds."""
    print(
        f"\n{in_flight} in flight      CPU ms a call   median latency ms   CPU ratio to bare Router (min..max)"
    )
    for name, rounds in taken.items():
        pairs = zip(rounds, taken[SUBJECTS[0]], strict=True)
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
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--subject", choices=SUBJECTS, help=argparse.SUPPRESS)
    parser.add_argument("--base-url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.subject:
        with tempfile.TemporaryDirectory() as folder:
            serve_rounds(options.subject, options.base_url, Path(folder))
        return 0
    with (
        subprocess.Popen(
            [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server,
        ExitStack() as running,
    ):
        assert server.stdout is not None
        assert server.stdin is not None
        base_url = server.stdout.readline().strip()
        children = {name: running.enter_context(started(name, base_url)) for name in SUBJECTS}
        for in_flight in (1, 50, 100):
            taken = compare(children, calls=options.calls, rounds=options.rounds, in_flight=in_flight)
            tell(taken, in_flight=in_flight)
        running.close()
        server.stdin.close()
    print(
        f"\naims: orchestrator at most {AIM_OVERHEAD}, cache hit at most {AIM_CACHE_HIT}; {os.cpu_count()} cores"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
