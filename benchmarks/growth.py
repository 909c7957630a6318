"""What grows with the catalogue and with a request, beside a Router that sends the same.

A call of ours with 16, 100 and 1,000 deployments, routed and with its model pinned; then prompts of 1 KB, 100 KB
and 1 MB, 200 messages, and 128 tools. Rounds of the subjects follow one another, each in a process of its own; the
ratio of CPU is taken in each round, and its median printed. Last the cache alone, with a thousand entries and with
a million.

    python -m benchmarks.growth [--calls 20] [--rounds 5] [--cache-only]
"""

import argparse
import asyncio
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from benchmarks.peer_subjects import MODEL, light_litellm_router
from benchmarks.stage import Child, Providers, answer_orders, enlarge, orchestrator_at, rounds_of
from orchestrator.cache.response_cache import CacheSettings, ReplyCache

REFERENCE = "light Router"
DEPLOYMENTS = (16, 100, 1_000)
AIM_GROWTH = 1.3
MAX_TOKENS = 200
ENTRIES = (1_000, 1_000_000)
LOOKUPS = 500
KEPT_S = 3_600.0
PACKED = b'{"text": "Ok"}' * 20
"""Of about the size of a short answer."""
SENTENCE = "Đơn hàng của tôi đang ở đâu? "

SIZES: dict[str, Callable[[], dict[str, Any]]] = {
    "30 bytes": lambda: {"messages": [_said(SENTENCE)]},
    "1 KB": lambda: {"messages": [_said(_text(1_000))]},
    "100 KB": lambda: {"messages": [_said(_text(100_000))]},
    "1 MB": lambda: {"messages": [_said(_text(1_000_000))]},
    "200 messages": lambda: {"messages": [_said(SENTENCE, role) for role in ("user", "assistant") * 100]},
    "128 tools": lambda: {"messages": [_said(SENTENCE)], "tools": [_tool(number) for number in range(128)]},
}

Ask = Callable[..., Awaitable[object]]


def _said(text: str, role: str = "user") -> dict[str, str]:
    return {"role": role, "content": text}


def _text(size_bytes: int) -> str:
    return SENTENCE * (size_bytes // len(SENTENCE.encode()) + 1)


def _tool(number: int) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
    function = {"name": f"find_{number}", "description": "Find an order.", "parameters": parameters}
    return {"type": "function", "function": function}


def router(base_url: str) -> Ask:
    """Return a call of a Router without callbacks and logging; it knows one deployment and is always pinned."""
    routed = light_litellm_router(base_url)

    async def ask(*, pinned: bool, **request: Any) -> object:
        del pinned
        return await routed.acompletion(model=MODEL, max_tokens=MAX_TOKENS, **request)

    return ask


def ours(base_url: str, stack: ExitStack, *, deployments: int) -> Ask:
    """Return a call of an orchestrator whose catalogue has that many deployments that can be asked."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))

    def change(data: dict[str, Any]) -> None:
        data["budgets"]["limits"] = [{"scope": "all", "request": 100, "day": 1_000_000, "month": 1_000_000}]
        enlarge(data, deployments, model=MODEL)

    orchestrator = orchestrator_at(Path(folder), {"openai": base_url}, change)
    stack.callback(orchestrator.close)
    orchestrator.warm_up()

    async def ask(*, pinned: bool, messages: Any, **request: Any) -> object:
        model = f"openai/{MODEL}" if pinned else None
        return await orchestrator.acomplete(
            messages, model=model, max_tokens=MAX_TOKENS, cache="off", **request
        )

    return ask


async def measure(ask: Ask, *, calls: int, pinned: bool, size: str) -> float:
    """Return the CPU of a call in ms, one at a time."""
    requests = [SIZES[size]() for _ in range(calls)]
    began_s = time.process_time()
    for request in requests:
        await ask(pinned=pinned, **request)
    return 1e3 * (time.process_time() - began_s) / calls


def serve(subject: str, base_url: str) -> None:
    """Be one subject: the Router, or ours with as many deployments as it is named."""
    with ExitStack() as stack, asyncio.Runner() as runner:
        ask = router(base_url) if subject == REFERENCE else ours(base_url, stack, deployments=int(subject))
        answer_orders(lambda order: runner.run(measure(ask, **order)))


def filled_cache(folder: Path, entries: int) -> ReplyCache:
    """Return a cache with so many entries, written past it: one at a time a million take minutes."""
    cache = ReplyCache(CacheSettings(path=str(folder), max_bytes=16_000_000_000))
    cache.put("first", PACKED, ttl_s=KEPT_S)
    with closing(sqlite3.connect(folder / "cache.db")) as file, file:
        file.execute(
            "INSERT INTO Cache (key, raw, store_time, expire_time, access_time, tag, size, mode, value)"
            " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " SELECT lower(hex(randomblob(32))), raw, store_time, expire_time, access_time, tag, size, mode, value"
            " FROM n CROSS JOIN Cache WHERE key = 'first'",
            (entries - 1,),
        )
    return cache


def some_keys(cache: ReplyCache, entries: int) -> list[str]:
    """Return keys of the cache from all over it."""
    rows = [(random.randint(1, entries),) for _ in range(LOOKUPS)]  # noqa: S311 -- no secret
    with closing(sqlite3.connect(cache.path / "cache.db")) as file:
        return [file.execute("SELECT key FROM Cache WHERE rowid = ?", row).fetchone()[0] for row in rows]


def cpu_us(work: Callable[[str], object], keys: list[str]) -> float:
    """Return the CPU of one piece of work in µs."""
    began_s = time.process_time()
    for key in keys:
        work(key)
    return 1e6 * (time.process_time() - began_s) / len(keys)


def tell_cache(*, rounds: int) -> None:
    """Take and print what a hit and a write cost, the caches taken in turn."""
    with tempfile.TemporaryDirectory() as folder:
        caches = {entries: filled_cache(Path(folder) / str(entries), entries) for entries in ENTRIES}
        taken: dict[tuple[str, int], list[float]] = {}
        for number in range(rounds + 1):
            for entries, cache in caches.items():
                keys, new = some_keys(cache, entries), [f"{number}-{key}" for key in range(LOOKUPS)]
                hit_us = cpu_us(cache.get, keys)
                write_us = cpu_us(lambda key, into=cache: into.put(key, PACKED, ttl_s=KEPT_S), new)  # type: ignore[misc]
                # The first round warms up.
                if number:
                    taken.setdefault(("hit", entries), []).append(hit_us)
                    taken.setdefault(("write", entries), []).append(write_us)
        for cache in caches.values():
            cache.close()
    print("\ncache       entries   quickest µs   median µs")
    for (what, entries), times_us in sorted(taken.items()):
        print(f"  {what:6} {entries:10,} {min(times_us):13.0f} {statistics.median(times_us):11.0f}")


def ratio(taken: dict[str, list[float]], name: str, beside: str) -> float:
    """Return the median of the rounds' ratios."""
    return statistics.median(ours / other for ours, other in zip(taken[name], taken[beside], strict=True))


def main() -> int:
    """Measure and print; return 0 whatever the numbers are, for they are read by people."""
    parser = argparse.ArgumentParser(description="what grows with catalogue and request")
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cache-only", action="store_true", help="measure the cache alone")
    parser.add_argument("--subject", help=argparse.SUPPRESS)
    parser.add_argument("--base-url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.subject:
        serve(options.subject, options.base_url)
        return 0
    if not options.cache_only:
        tell_stack(calls=options.calls, rounds=options.rounds)
    tell_cache(rounds=options.rounds)
    return 0


def tell_stack(*, calls: int, rounds: int) -> None:
    """Take and print what grows with the catalogue and with a request."""
    with ExitStack() as running:
        providers = running.enter_context(Providers(text="Dạ, đang giao.", usd_per_mtok=(0.1, 0.5)))
        children = {}
        for name in (REFERENCE, *map(str, DEPLOYMENTS)):
            arguments = ("--subject", name, "--base-url", providers.address("openai"))
            children[name] = running.enter_context(Child("benchmarks.growth", *arguments))
        for child in children.values():
            child.wait_ready()
        tell(children, calls=calls, rounds=rounds)
    print(f"\naim: with 1,000 deployments at most {AIM_GROWTH} x 16; {os.cpu_count()} cores")


def tell(children: dict[str, Child], *, calls: int, rounds: int) -> None:
    """Take and print both tables."""
    smallest = str(DEPLOYMENTS[0])
    print("deployments            CPU ms   ratio to Router   ratio to 16 deployments")
    for pinned in (False, True):
        order = {"calls": calls, "pinned": pinned, "size": "30 bytes"}
        taken = rounds_of(children, order, rounds=rounds)
        for name in map(str, DEPLOYMENTS):
            print(
                f"  {name:>5} {'pinned' if pinned else 'routed':8} {statistics.median(taken[name]):12.2f}"
                f" {ratio(taken, name, REFERENCE):17.2f} {ratio(taken, name, smallest):25.2f}"
            )
    two = {name: children[name] for name in (REFERENCE, smallest)}
    print("\nrequest                CPU ms   Router CPU ms   ratio")
    for size in SIZES:
        taken = rounds_of(two, {"calls": calls, "pinned": True, "size": size}, rounds=rounds)
        print(
            f"  {size:16} {statistics.median(taken[smallest]):10.2f} {statistics.median(taken[REFERENCE]):15.2f}"
            f" {ratio(taken, smallest, REFERENCE):7.2f}"
        )


if __name__ == "__main__":
    sys.exit(main())
