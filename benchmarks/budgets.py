"""Do budgets hold under concurrent calls? Ours beside LiteLLM's own, by the provider's own bill.

One budget of about ten calls, 200 calls that want it, 1, 20 and 200 of them at a time. Each subject and
level has a process of its own (ours once has two, on one ledger) and the same practice provider, whose
bill is divided by the limit. What is above 1 was overspent. Beside it stands how much of the limit was spent
when a call was refused for the first time, which a budget that refuses too early keeps low.

    python -m benchmarks.budgets [--calls 200] [--in-flight 1,20,200]
"""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.stage import Child, Providers, answer_orders, orchestrator_at
from orchestrator.core.errors import BudgetExceededError

MODEL, MAX_TOKENS = "gpt-6.1-sol", 1000
USD_PER_MTOK = (2.0, 10.0)
LIMIT_USD = 0.103
"""Ten calls cost $0.10 and some input."""
AIM, FIRST_REFUSAL_AIM = 1.0, 0.97
LATENCY_S = 0.05

Ask = Callable[[int], Awaitable[object]]
"""Asks once; raises when it is refused."""


async def orchestrator(base_url: str, folder: Path) -> Ask:
    """Return a call of ours, with the limit in the ledger of `folder`."""

    def change(data: dict[str, Any]) -> None:
        data["budgets"] = {"limits": [{"scope": "all", "month": LIMIT_USD}]}

    made = orchestrator_at(folder, {"openai": base_url}, change)
    await asyncio.to_thread(made.warm_up)

    async def ask(number: int) -> object:
        return await made.acomplete(
            messages(number), model=f"openai/{MODEL}", max_tokens=MAX_TOKENS, cache="off"
        )

    return ask


async def provider_budget(base_url: str, _: Path) -> Ask:
    """Return a call of a Router with `provider_budget_config`, as LiteLLM's manual builds it."""
    litellm = litellm_bare()
    router = litellm.Router(
        model_list=[{"model_name": MODEL, "litellm_params": parameters(base_url) | prices()}],
        provider_budget_config={"openai": {"budget_limit": LIMIT_USD, "time_period": "30d"}},
        num_retries=0,
    )
    await asyncio.sleep(0.5)  # its budget is written to its cache by a task

    async def ask(number: int) -> object:
        return await router.acompletion(model=MODEL, messages=messages(number), max_tokens=MAX_TOKENS)

    return ask


async def max_budget(base_url: str, _: Path) -> Ask:
    """Return a call of LiteLLM with `litellm.max_budget`."""
    litellm = litellm_bare()
    litellm.max_budget = LIMIT_USD

    async def ask(number: int) -> object:
        return await litellm.acompletion(
            messages=messages(number), max_tokens=MAX_TOKENS, **parameters(base_url)
        )

    return ask


async def budget_manager(base_url: str, folder: Path) -> Ask:
    """Return a call between `BudgetManager`'s look and its booking, as LiteLLM's manual has it."""
    litellm = litellm_bare()
    os.chdir(folder)  # it writes a file beside whoever uses it
    manager = litellm.BudgetManager(project_name="benchmark")
    manager.create_budget(total_budget=LIMIT_USD, user="all")

    async def ask(number: int) -> object:
        asked = messages(number)
        cost_usd = manager.projected_cost(model=f"openai/{MODEL}", messages=asked, user="all")
        if cost_usd > manager.get_total_budget("all"):
            raise PermissionError
        answer = await litellm.acompletion(messages=asked, max_tokens=MAX_TOKENS, **parameters(base_url))
        manager.update_cost(completion_obj=answer, user="all")
        return answer

    return ask


SUBJECTS = {
    "orchestrator": (orchestrator, 1),
    "orchestrator, 2 processes": (orchestrator, 2),
    "Router(provider_budget_config)": (provider_budget, 1),
    "litellm.max_budget": (max_budget, 1),
    "litellm.BudgetManager": (budget_manager, 1),
}
OURS = tuple(name for name in SUBJECTS if name.startswith("orchestrator"))


def messages(number: int) -> list[dict[str, str]]:
    """Return the question of one call; each call asks another."""
    return [{"role": "user", "content": f"Viết một bài dài về đơn hàng DH{number}."}]


def parameters(base_url: str) -> dict[str, Any]:
    """Return where LiteLLM finds the model."""
    return {"model": f"openai/{MODEL}", "api_key": "practice", "api_base": base_url, "max_retries": 0}


def prices() -> dict[str, float]:
    """Return the model's prices as LiteLLM writes them."""
    return {
        "input_cost_per_token": USD_PER_MTOK[0] / 1e6,
        "output_cost_per_token": USD_PER_MTOK[1] / 1e6,
    }


def litellm_bare() -> Any:
    """Return LiteLLM without our guard, knowing the model's price."""
    from orchestrator.providers.litellm.loading import load_litellm

    litellm = load_litellm()
    litellm.callbacks.clear()
    litellm.register_model({f"openai/{MODEL}": {"litellm_provider": "openai", "mode": "chat", **prices()}})
    return litellm


async def spend(ask: Ask, *, calls: int, in_flight: int) -> tuple[int, float]:
    """Ask `calls` times, `in_flight` at a time.

    Return how many were answered, and which part of the limit was spent at the first refusal; 1.0 without one.
    """
    numbers, answered = iter(range(calls)), 0
    first_refusal: list[float] = []

    async def worker() -> None:
        nonlocal answered
        for number in numbers:
            try:
                await ask(number)
            except Exception as error:  # noqa: BLE001 -- each subject refuses with errors of its own
                if not first_refusal:
                    first_refusal.append(spent_at(error, answered))
                continue
            answered += 1

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return answered, first_refusal[0] if first_refusal else 1.0


def spent_at(error: Exception, answered: int) -> float:
    """Return which part of the limit was spent when a call was refused: as ours says, else by the answers."""
    if isinstance(error, BudgetExceededError):
        return (error.limit - error.left - error.held) / error.limit
    return answered * MAX_TOKENS * USD_PER_MTOK[1] / 1e6 / LIMIT_USD


def be(subject: str, base_url: str, folder: Path) -> None:
    """Be one process of a subject."""
    with asyncio.Runner() as runner:
        ask = runner.run(SUBJECTS[subject][0](base_url, folder))
        answer_orders(
            lambda order: runner.run(spend(ask, calls=order["calls"], in_flight=order["in_flight"]))
        )


def measure(providers: Providers, subject: str, *, calls: int, in_flight: int) -> tuple[int, float, float]:
    """Return how many calls of a subject were answered, and what was charged over the limit.

    And which part of the limit was spent at the first refusal.
    """
    providers.break_with(())
    processes = SUBJECTS[subject][1]
    with ExitStack() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory())
        told = ("--subject", subject, "--base-url", providers.address("openai"), "--folder", folder)
        children = [running.enter_context(Child("benchmarks.budgets", *told)) for _ in range(processes)]
        for child in children:
            child.wait_ready()
        for child in children:
            child.send({"calls": calls, "in_flight": in_flight})
        counts = [child.receive() for child in children]
    answered, first = sum(count for count, _ in counts), min(first for _, first in counts)
    return answered, providers.seen()[1] / 1e9 / LIMIT_USD, first


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description="spent over limit, ours beside LiteLLM's budgets")
    parser.add_argument("--calls", type=int, default=200, help="of each process")
    parser.add_argument("--in-flight", default="1,20,200")
    parser.add_argument("--subject", choices=SUBJECTS, help=argparse.SUPPRESS)
    parser.add_argument("--base-url", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Print spent over limit; return 1 when ours spent more than its limit, or refused too early."""
    options = parsed()
    logging.disable(logging.CRITICAL)
    if options.subject:
        be(options.subject, options.base_url, options.folder)
        return 0
    levels = [int(level) for level in options.in_flight.split(",")]
    print(
        f"budget ${LIMIT_USD}, calls of $0.01: the provider's bill / limit (calls that were answered) and spent "
        "at the first refusal\n"
    )
    print(f"{'in flight':32}" + "".join(f"{level:>23}" for level in levels))
    worst, earliest = 0.0, 1.0
    with Providers(
        text="tiếng Việt " * MAX_TOKENS, latency_s=LATENCY_S, usd_per_mtok=USD_PER_MTOK
    ) as providers:
        for subject in SUBJECTS:
            cells = []
            for level in levels:
                answered, share, first = measure(providers, subject, calls=options.calls, in_flight=level)
                cells.append(f"{share:>10.3f} {f'({answered})':>5}  {first:.3f}")
                if subject in OURS:
                    worst, earliest = max(worst, share), min(earliest, first)
            print(f"  {subject:30}" + "".join(cells), flush=True)
    kept = worst <= AIM and earliest >= FIRST_REFUSAL_AIM
    aims = f"ours at most {AIM:.3f}, first refused at {FIRST_REFUSAL_AIM} or above"
    print(f"\naim: {aims}, {'kept' if kept else 'MISSED'}; {os.cpu_count()} cores")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
