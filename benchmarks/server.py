"""What `/v1` takes a core, beside LiteLLM's proxy, and what HTTP adds to a call, in one run.

Both servers run alone in a process and are asked over loopback by this one, whose CPU does not count. Beside
them stand a bare `litellm.Router` and our orchestrator without HTTP, as in `benchmarks.overhead`. Rounds of all
four follow one another, so that a busy machine is busy for all; ratios are taken in each round, and their
median and range printed. Requests a second and core are requests by the CPU that the process took for them.

The proxy is asked where a Python is named that has `litellm[proxy]`; it needs packages of its own.

    python -m benchmarks.server [--calls 300] [--rounds 7] [--proxy-python PATH]
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

import aiohttp

from benchmarks.peer_subjects import MAX_TOKENS, messages
from benchmarks.peers import SERVING
from benchmarks.server_subjects import OURS, PROXY, ServerProcess, litellm_proxy, our_server, proxy_version
from benchmarks.stage import Child, Providers

ROUTER, WITHOUT_HTTP = "light Router", "orchestrator"
IN_FLIGHT = (1, 50, 100)
AIM_PROXY = 4.0
AIM_LAYER = 0.5

Figures = Mapping[str, float]
Measure = Callable[[int, int], Figures]
"""Takes calls and how many of them are in flight."""


def main() -> int:
    """Measure and print; return 0 whatever the numbers are, for they are read by people."""
    parser = argparse.ArgumentParser(description="/v1 beside LiteLLM's proxy and a bare litellm.Router")
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--proxy-python", default=sys.executable, metavar="PATH")
    options = parser.parse_args()
    version = proxy_version(options.proxy_python)
    with ExitStack() as running:
        addresses = {"openai": running.enter_context(Providers(**SERVING)).address("openai")}
        servers = {OURS: our_server(addresses, running)}
        if version is not None:
            servers[PROXY] = litellm_proxy(options.proxy_python, addresses, running)
        children = {
            name: running.enter_context(
                Child("benchmarks.peer_subjects", name, json.dumps({"quick": addresses["openai"]}))
            )
            for name in (ROUTER, WITHOUT_HTTP)
        }
        for child in children.values():
            child.wait_ready()
        for server in servers.values():
            server.wait_ready()
        measures = {name: _of_child(child) for name, child in children.items()}
        measures |= {name: _of_server(server) for name, server in servers.items()}
        for in_flight in IN_FLIGHT:
            taken = _rounds(measures, calls=options.calls, rounds=options.rounds, in_flight=in_flight)
            _tell(in_flight, taken)
    proxy = (
        f"{PROXY} {version}" if version else f"{PROXY}: absent, no litellm[proxy] in {options.proxy_python}"
    )
    print(
        f"\naims: at least {AIM_PROXY:g} × the proxy's requests a core, HTTP at most {AIM_LAYER} of a bare "
        f"Router call; {proxy}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    return 0


def _of_child(child: Child) -> Measure:
    def measure(calls: int, in_flight: int) -> Figures:
        figures: Figures = child.ask(
            {"what": "calls", "at": "quick", "number": calls, "in_flight": in_flight}
        )
        return figures

    return measure


def _of_server(server: ServerProcess) -> Measure:
    def measure(calls: int, in_flight: int) -> Figures:
        before_s = server.cpu_s()
        latencies_s = asyncio.run(_ask(server, calls=calls, in_flight=in_flight))
        return {
            "cpu_ms": 1e3 * (server.cpu_s() - before_s) / calls,
            "latency_ms": 1e3 * statistics.median(latencies_s),
        }

    return measure


async def _ask(server: ServerProcess, *, calls: int, in_flight: int) -> list[float]:
    """Ask so often, and return how many seconds each answer took.

    Raises:
        RuntimeError: an answer was an error.
    """
    asking, numbers = server.asking, iter(range(calls))
    latencies_s: list[float] = []

    async def worker(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            body = {"model": asking.model, "messages": messages(number), "max_tokens": MAX_TOKENS}
            began_s = time.perf_counter()
            async with session.post(asking.url, json=body, headers=asking.headers) as answer:
                text = await answer.text()
                if not answer.ok:
                    raise RuntimeError(f"{asking.url} answered {answer.status}: {text[:500]}")
            latencies_s.append(time.perf_counter() - began_s)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(worker(session) for _ in range(in_flight)))
    return latencies_s


def _rounds(
    measures: Mapping[str, Measure], *, calls: int, rounds: int, in_flight: int
) -> list[dict[str, Figures]]:
    """Return what every subject took, round by round; the first round warms up and is not counted."""
    taken = [
        {name: measure(calls, in_flight) for name, measure in measures.items()} for _ in range(rounds + 1)
    ]
    return taken[1:]


def _tell(in_flight: int, taken: Sequence[Mapping[str, Figures]]) -> None:
    print(f"\n{f'{in_flight} in flight':20} CPU ms   a second and core   median latency ms")
    for name in taken[0]:
        cpu_ms = statistics.median(figures[name]["cpu_ms"] for figures in taken)
        latency_ms = statistics.median(figures[name]["latency_ms"] for figures in taken)
        print(f"  {name:18} {cpu_ms:8.3f}   {1e3 / cpu_ms:17.0f}   {latency_ms:17.2f}")
    if PROXY in taken[0]:
        _tell_ratio(
            f"requests a core, {OURS} / {PROXY}", [_cpu_ms(of, PROXY) / _cpu_ms(of, OURS) for of in taken]
        )
    layer = [(_cpu_ms(of, OURS) - _cpu_ms(of, WITHOUT_HTTP)) / _cpu_ms(of, ROUTER) for of in taken]
    _tell_ratio(f"HTTP alone / {ROUTER}", layer)


def _cpu_ms(figures: Mapping[str, Figures], name: str) -> float:
    return figures[name]["cpu_ms"]


def _tell_ratio(name: str, ratios: Sequence[float]) -> None:
    print(f"  {name}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)


if __name__ == "__main__":
    sys.exit(main())
