"""How well what-if predicts: two configurations, both run for real, and the second predicted from the first.

The same requests go to practice providers twice, each time over HTTP and on a new ledger: under A, then under
B, which asks another model first and gives one tenant half of the money it spent. From the ledger of A alone it
is predicted what B will cost, refuse and degrade.

    python -m benchmarks.whatif [--requests 600]
"""

import argparse
import asyncio
import json
import logging
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from orchestrator import Orchestrator
from orchestrator.config.loader import Config, embedded_path, load_config
from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import OrchestratorError
from orchestrator.whatif.comparison import Side, WhatIf
from orchestrator.whatif.outcomes import Fate
from orchestrator.whatif.replay import ReplaySettings
from orchestrator.whatif.whatif import TimeRange, what_if

AIM_COST, AIM_POINTS = 0.03, 1.0
FIRST, SECOND = "openrouter/gpt-6.1-sol", "google/gemini-3.8-flash"
TENANTS = ("acme", "beta", "gamma")
WORDS = ("đơn", "hàng", "giao", "trễ", "order", "refund")
IN_FLIGHT = 10
REPEATED_SHARE = 0.2
_SERVER = """
import json, random, sys, threading
from datetime import date
from orchestrator.config.loader import embedded_path
from orchestrator.drill.practice_config import practice_prices
from orchestrator.practice import Fault, PracticeServer

chance, lock = random.Random(int(sys.argv[1])), threading.Lock()
SHARES = {"openrouter": 0.025, "google": 0.015}

def take(provider, model, *, goes_on=False, embeds=False):
    with lock:
        fails, kind = chance.random() < SHARES.get(provider, 0.0), chance.choice(("503", "500", "429"))
    return Fault.parse(f"{provider}:status={kind}") if fails else None

server = PracticeServer(prices=practice_prices(embedded_path(), today=date.today()), requests_kept=1)
server.faults.take = take
server.start()
print(json.dumps({name: server.base_url(name) for name in ("openrouter", "google", "openai")}), flush=True)
sys.stdin.readline()
server.stop()
"""


@contextmanager
def providers(seed: int) -> Iterator[dict[str, str]]:
    """Run practice providers in a process of their own; yield the environment that leads to them."""
    command = [sys.executable, "-c", _SERVER, str(seed)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        addresses = json.loads(server.stdout.readline())
        keys = {"OPENROUTER_API_KEY": "practice", "GEMINI_API_KEY": "practice", "OPENAI_API_KEY": "practice"}
        yield {**keys, **{f"{name.upper()}_BASE_URL": address for name, address in addresses.items()}}
        server.communicate("\n", timeout=60)


def configured(
    folder: Path, name: str, environment: Mapping[str, str], order: tuple[str, str], limit_usd: str | None
) -> Config:
    """Return a configuration that asks two models in this order, and may give tenant beta a limit."""
    data: dict[str, Any] = yaml.safe_load(embedded_path().read_text("utf-8"))
    for provider in data["providers"].values():
        provider.update(requests_per_min=1_000_000, tokens_per_min=1_000_000_000)
    steps = [{"deployment": deployment, "reason": "in this order"} for deployment in order]
    data["use_cases"]["customer_service"].update(primary=steps[0], fallbacks=steps[1:], quality_floor=0)
    # A second use case asks the other model: that is the evidence.
    others = [{"deployment": deployment, "reason": "in this order"} for deployment in (SECOND, FIRST)]
    data["use_cases"]["data_analysis"].update(primary=others[0], fallbacks=others[1:], quality_floor=0)
    data["routing"] = {**data.get("routing", {}), "max_candidates": 2}
    data["local_model"] = {"enabled": False}
    data["ledger"] = {"path": str(folder / f"{name}.sqlite3")}
    data["cache"] = {"path": str(folder / f"cache-{name}")}
    limits = [] if limit_usd is None else [{"scope": "tenant:beta", "day": limit_usd}]
    data["budgets"] = {"time_zone": "Asia/Ho_Chi_Minh", "limits": limits, "tiers": []}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(data), "utf-8")
    return load_config(path, today=datetime.now(UTC).date(), environment=environment)


def run(config: Config, requests: int, *, seed: int) -> dict[str, int]:
    """Ask for real; return what each tenant spent, in nano-dollars."""
    chance, spent = random.Random(seed), dict.fromkeys(TENANTS, 0)  # noqa: S311 -- invented traffic
    asked: list[tuple[str, str, str]] = []
    for number in range(requests):
        if asked and chance.random() < REPEATED_SHARE:
            asked.append(chance.choice(asked))
            continue
        words = " ".join(chance.choice(WORDS) for _ in range(chance.randint(5, 200)))
        use_case = chance.choice(("customer_service", "data_analysis"))
        asked.append((chance.choice(TENANTS), use_case, f"{number}: {words}"))

    async def all_of_them(orchestrator: Orchestrator) -> None:
        slots = asyncio.Semaphore(IN_FLIGHT)

        async def one(tenant: str, use_case: str, prompt: str) -> None:
            async with slots:
                try:
                    reply = await orchestrator.acomplete(
                        prompt, tenant=tenant, use_case=use_case, max_tokens=400
                    )
                except OrchestratorError as error:
                    spent[tenant] += getattr(error, "cost_nusd", 0) or 0
                else:
                    spent[tenant] += reply.cost_nusd

        await asyncio.gather(*(one(*each) for each in asked))

    with Orchestrator(config) as orchestrator:
        orchestrator.warm_up()
        asyncio.run(all_of_them(orchestrator))
    return spent


def lines(predicted: Side, actual: WhatIf) -> tuple[list[str], bool]:
    """Return the table of what was predicted and what came, and whether the aims are met."""
    real, total = actual.recorded, predicted.total
    off = total.cost_nusd / real.cost_nusd - 1 if real.cost_nusd else 0.0
    rows = ["| | predicted | actual | apart | aim |", "|---|---|---|---|---|"]
    rows.append(f"| cost | ${total.cost_nusd / 1e9:.4f} | ${real.cost_nusd / 1e9:.4f} | {off:+.1%} | 3 % |")
    met = abs(off) <= AIM_COST
    for fate in (Fate.REFUSED, Fate.DEGRADED, Fate.FAILED):
        points = (total.share(fate) - real.share(fate)) * 100
        met = met and abs(points) <= AIM_POINTS
        shares = f"{total.share(fate):.1%} | {real.share(fate):.1%}"
        rows.append(f"| {fate.name.lower()} | {shares} | {points:+.2f} points | 1 point |")
    return rows, met


def _cpu_s() -> float:
    """Return the CPU time of this process and of its children that have ended."""
    return sum(os.times()[:4])


def main() -> int:
    """Print the tables; 0 when the aims are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    logging.getLogger("orchestrator").setLevel(logging.CRITICAL)
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        span = TimeRange(clock.now() - timedelta(minutes=1), clock.now() + timedelta(hours=2))
        with providers(options.seed) as environment:
            first = configured(folder, "a", environment, (FIRST, SECOND), None)
            began_s = _cpu_s()
            spent = run(first, options.requests, seed=options.seed)
            real_s = (_cpu_s() - began_s) / options.requests
        half = f"{spent['beta'] / 2e9:.6f}"
        with providers(options.seed + 1) as environment:
            second = configured(folder, "b", environment, (SECOND, FIRST), half)
            began_s = _cpu_s()
            predicted = what_if(first, second, span, settings=ReplaySettings(at_once=True), clock=clock)
            replay_s = (_cpu_s() - began_s) / (2 * predicted.recorded.requests)
            run(second, options.requests, seed=options.seed)
        actual = what_if(second, second, span, settings=ReplaySettings(), clock=clock)
    rows, met = lines(predicted.after, actual)
    print("\n".join(rows))
    print(
        f"\nA as recorded ${predicted.recorded.cost_nusd / 1e9:.4f}, replayed ${predicted.before.total.cost_nusd / 1e9:.4f}"
    )
    print(
        f"replayed {1 / replay_s:,.0f} requests a CPU second, reading and comparing included: each takes "
        f"1/{real_s / replay_s:.1f} of the CPU of a real one; aims {'met' if met else 'missed'}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
