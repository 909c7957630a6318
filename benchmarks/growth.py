"""What grows with the catalogue and with a request, beside a Router that sends the same.

A call of ours with 16, 100 and 1,000 deployments, routed and with its model pinned; then prompts of 1 KB, 100 KB
and 1 MB, 200 messages, and 128 tools. Rounds of the subjects follow one another, each in a process of its own; the
ratio of CPU is taken in each round, and its median printed.

    python -m benchmarks.growth [--calls 20] [--rounds 5]
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.peer_subjects import MODEL, light_litellm_router
from benchmarks.stage import Child, Providers, answer_orders, enlarge, orchestrator_at, rounds_of

REFERENCE = "light Router"
DEPLOYMENTS = (16, 100, 1_000)
AIM_GROWTH = 1.3
MAX_TOKENS = 200
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


def ratio(taken: dict[str, list[float]], name: str, beside: str) -> float:
    """Return the median of the rounds' ratios."""
    return statistics.median(ours / other for ours, other in zip(taken[name], taken[beside], strict=True))


def main() -> int:
    """Measure and print; return 0 whatever the numbers are, for they are read by people."""
    parser = argparse.ArgumentParser(description="what grows with catalogue and request")
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--subject", help=argparse.SUPPRESS)
    parser.add_argument("--base-url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.subject:
        serve(options.subject, options.base_url)
        return 0
    with ExitStack() as running:
        providers = running.enter_context(Providers(text="Dạ, đang giao.", usd_per_mtok=(0.1, 0.5)))
        children = {}
        for name in (REFERENCE, *map(str, DEPLOYMENTS)):
            arguments = ("--subject", name, "--base-url", providers.address("openai"))
            children[name] = running.enter_context(Child("benchmarks.growth", *arguments))
        for child in children.values():
            child.wait_ready()
        tell(children, calls=options.calls, rounds=options.rounds)
    print(f"\naim: with 1,000 deployments at most {AIM_GROWTH} x 16; {os.cpu_count()} cores")
    return 0


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
