"""What the dashboard costs a server under load, and how quick its pages are meanwhile, in one run.

One worker of `orchestrator serve` answers from its cache, the most requests that it can, asked by a process of
its own. Rounds with nobody at the dashboard and with some who look at its overview, as the page's script does,
follow one another: ratios are taken in each pair, and their median and range printed. Then so many requests a
second are asked for as the aim says, and how many were answered.

    python -m benchmarks.dashboard_server [--seconds 4] [--rounds 5] [--viewers 5]
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx

from benchmarks.peer_subjects import MAX_TOKENS, messages
from benchmarks.peers import SERVING
from benchmarks.server_subjects import Asking, ServerProcess, our_server
from benchmarks.stage import Child, Providers, answer_orders

AIM_PER_SECOND = 1_000
AIM_KEPT = 0.95
"""Of the requests a second without viewers, and a page within a second."""
PAUSE_S = 0.5
"""A page asks again so long after it was answered."""
IN_FLIGHT = 32
DISTINCT = 200
"""Prompts; all but the first round of them are answered by the cache."""


@dataclass(frozen=True, slots=True)
class Round:
    """What some seconds of load gave."""

    per_second: float
    cpu_ms: float
    """Of the server, for each request; its pages included."""
    latencies_ms: list[float]
    pages_ms: list[float]


def main() -> int:
    """Measure and print; return 0 whatever the numbers are, for they are read by people."""
    parser = argparse.ArgumentParser(description="the dashboard while the server answers")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--viewers", type=int, default=5)
    options = parser.parse_args()
    with ExitStack() as running:
        addresses = {"openai": running.enter_context(Providers(**SERVING)).address("openai")}
        server = our_server(addresses, running)
        server.wait_ready()
        asking = {"url": server.asking.url, "model": server.asking.model, "headers": _cached(server.asking)}
        load = running.enter_context(Child("benchmarks.dashboard_server", "load", json.dumps(asking)))
        load.wait_ready()
        load.ask({"seconds": options.seconds, "per_second": None})
        for per_second, what in (
            (None, "as many as it can"),
            (AIM_PER_SECOND, f"{AIM_PER_SECOND:,} asked for"),
        ):
            pairs = [
                tuple(
                    _round(server, load, seconds=options.seconds, per_second=per_second, viewers=viewers)
                    for viewers in (0, options.viewers)
                )
                for _ in range(options.rounds)
            ]
            alone, with_viewers = zip(*pairs, strict=True)
            _tell(what, alone, with_viewers, viewers=options.viewers)
    print(
        f"\naims: {AIM_PER_SECOND:,} requests a second with viewers, {AIM_KEPT} of those without, a page "
        f"within 1,000 ms; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    return 0


def _cached(asking: Asking) -> Mapping[str, str]:
    return {name: value for name, value in asking.headers.items() if name != "x-nextflow-cache"}


def _round(
    server: ServerProcess, load: Child, *, seconds: float, per_second: int | None, viewers: int
) -> Round:
    pages_ms: list[float] = []
    ended = threading.Event()
    looking = [
        threading.Thread(target=_look, args=(server, ended, pages_ms), name=f"viewer-{number}")
        for number in range(viewers)
    ]
    before_s = server.cpu_s()
    for viewer in looking:
        viewer.start()
    try:
        taken = load.ask({"seconds": seconds, "per_second": per_second})
    finally:
        ended.set()
        for viewer in looking:
            viewer.join()
    latencies_ms = taken["latencies_ms"]
    cpu_ms = 1e3 * (server.cpu_s() - before_s) / len(latencies_ms)
    return Round(len(latencies_ms) / taken["seconds"], cpu_ms, latencies_ms, pages_ms)


def _look(server: ServerProcess, ended: threading.Event, pages_ms: list[float]) -> None:
    """Look at the overview until the round ends, as the page's script does."""
    url = server.asking.url.replace("/v1/chat/completions", "/dashboard/parts/overview?lang=vi")
    with httpx.Client(headers=_cached(server.asking), timeout=30) as client:
        while not ended.wait(PAUSE_S):
            began_s = time.perf_counter()
            client.get(url).raise_for_status()
            pages_ms.append(1e3 * (time.perf_counter() - began_s))


def _tell(what: str, alone: Sequence[Round], with_viewers: Sequence[Round], *, viewers: int) -> None:
    print(f"\n{what:20} requests a second   CPU ms   latency ms p50, p99   page ms p50, max")
    for name, rounds in (("nobody looks", alone), (f"{viewers} look", with_viewers)):
        latencies_ms = sorted(taken for each in rounds for taken in each.latencies_ms)
        pages_ms = [taken for each in rounds for taken in each.pages_ms]
        pages = f"{statistics.median(pages_ms):11.1f} {max(pages_ms):6.1f}" if pages_ms else ""
        print(
            f"  {name:18} {statistics.median(each.per_second for each in rounds):17.0f}   "
            f"{statistics.median(each.cpu_ms for each in rounds):6.3f}   {statistics.median(latencies_ms):12.1f} "
            f"{latencies_ms[len(latencies_ms) * 99 // 100]:6.1f}   {pages}"
        )
    for ratio, of in (("requests a second", "per_second"), ("CPU a request", "cpu_ms")):
        ratios = [
            getattr(looked, of) / getattr(unseen, of)
            for unseen, looked in zip(alone, with_viewers, strict=True)
        ]
        print(
            f"  {ratio}, with viewers / without: {statistics.median(ratios):.3f} "
            f"({min(ratios):.3f} to {max(ratios):.3f})",
            flush=True,
        )


async def _ask_for(asking: Mapping[str, Any], *, seconds: float, per_second: int | None) -> dict[str, Any]:
    """Ask as often as is wanted, or as can be answered, and return how long each answer took.

    Raises:
        RuntimeError: an answer was an error.
    """
    latencies_ms: list[float] = []
    began_s = time.perf_counter()
    numbers = iter(range(sys.maxsize))

    async def worker(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            if per_second is not None:
                await asyncio.sleep(began_s + number / per_second - time.perf_counter())
            if time.perf_counter() - began_s >= seconds:
                return
            await _ask(session, asking, number, latencies_ms)

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), headers=asking["headers"]
    ) as session:
        await asyncio.gather(*(worker(session) for _ in range(IN_FLIGHT)))
    return {"latencies_ms": latencies_ms, "seconds": time.perf_counter() - began_s}


async def _ask(
    session: aiohttp.ClientSession, asking: Mapping[str, Any], number: int, latencies_ms: list[float]
) -> None:
    body = {"model": asking["model"], "messages": messages(number % DISTINCT), "max_tokens": MAX_TOKENS}
    asked_s = time.perf_counter()
    async with session.post(asking["url"], json=body) as answer:
        text = await answer.text()
        if not answer.ok:
            raise RuntimeError(f"{asking['url']} answered {answer.status}: {text[:500]}")
    latencies_ms.append(1e3 * (time.perf_counter() - asked_s))


if __name__ == "__main__":
    if sys.argv[1:2] == ["load"]:
        addressed = json.loads(sys.argv[2])
        answer_orders(lambda order: asyncio.run(_ask_for(addressed, **order)))
    else:
        sys.exit(main())
