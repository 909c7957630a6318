"""Processes that spend as fast as they can: every way of asking, given up in every way.

python spender.py CONFIG CALLS SEED...
"""

import asyncio
import contextlib
import ctypes
import os
import random
import signal
import sys
import traceback
from datetime import date
from importlib import import_module

from orchestrator import CacheUse, Orchestrator, load_config
from orchestrator.core.errors import OrchestratorError

TODAY = date(2026, 11, 23)
TENANT = "acme"
PATIENCE_S = 100
"""Of all but those who are meant to be late: with 500 under way on a busy machine none would be answered in five."""
TOOL = {
    "type": "function",
    "function": {
        "name": "find_order",
        "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}},
    },
}


async def one(orchestrator: Orchestrator, chance: random.Random, number: int) -> None:
    """Ask once, in a way and with an end that chance decides."""
    wanted = {
        "tenant": TENANT,
        "cache": CacheUse.OFF,
        "max_tokens": chance.randint(20, 200),
        "deadline_s": PATIENCE_S,
    }
    prompt = f"Câu hỏi {number}: đơn hàng DH{chance.randint(1000, 9999)} đang ở đâu?"
    with contextlib.suppress(OrchestratorError, TimeoutError):
        await chance.choice(WAYS)(orchestrator, prompt, wanted, chance)


async def plain(orchestrator: Orchestrator, prompt: str, wanted: dict, chance: random.Random) -> None:
    await orchestrator.acomplete(prompt, **wanted)


async def streamed(orchestrator: Orchestrator, prompt: str, wanted: dict, chance: random.Random) -> None:
    async for _ in orchestrator.stream(prompt, **wanted):
        pass


async def abandoned(orchestrator: Orchestrator, prompt: str, wanted: dict, chance: random.Random) -> None:
    async with orchestrator.stream(prompt, **wanted) as stream:
        async for _ in stream:
            break


async def cancelled(orchestrator: Orchestrator, prompt: str, wanted: dict, chance: random.Random) -> None:
    await asyncio.wait_for(orchestrator.acomplete(prompt, **wanted), timeout=chance.uniform(0.0, 0.05))


async def late(orchestrator: Orchestrator, prompt: str, wanted: dict, chance: random.Random) -> None:
    await orchestrator.acomplete(prompt, **{**wanted, "deadline_s": chance.uniform(0.01, 0.2)})


async def with_tools(orchestrator: Orchestrator, prompt: str, wanted: dict, chance: random.Random) -> None:
    await orchestrator.acomplete(prompt, tools=[TOOL], **wanted)


async def in_a_thread(orchestrator: Orchestrator, prompt: str, wanted: dict, chance: random.Random) -> None:
    await asyncio.to_thread(orchestrator.complete, prompt, **wanted)


async def in_a_batch(orchestrator: Orchestrator, prompt: str, wanted: dict, chance: random.Random) -> None:
    """Through LangChain, three at once."""
    prompts = [f"{prompt} {part}" for part in range(3)]
    await orchestrator.chat_model(**wanted).abatch(prompts, return_exceptions=True)


async def repeated(orchestrator: Orchestrator, prompt: str, wanted: dict, chance: random.Random) -> None:
    """Three callers with one question, of a few: one asks, the others join it or find it kept."""
    again = {**wanted, "cache": CacheUse.USE, "max_tokens": 50}
    question = f"Giờ mở cửa của cửa hàng {chance.randint(1, 7)}?"
    asked = [orchestrator.acomplete(question, **again) for _ in range(3)]
    await asyncio.gather(*asked, return_exceptions=True)


WAYS = (plain, plain, streamed, abandoned, cancelled, late, with_tools, in_a_thread, in_a_batch, repeated)


async def spend(orchestrator: Orchestrator, *, seed: int, calls: int, in_flight: int) -> None:
    """Ask `calls` times, `in_flight` at a time."""
    chance = random.Random(seed)  # noqa: S311 -- repeatable, no secret
    numbers = iter(range(calls))

    async def worker() -> None:
        for number in numbers:
            await one(orchestrator, chance, seed * 100_000 + number)

    await asyncio.gather(*(worker() for _ in range(in_flight)))


LOADED_BEFORE = (
    "orchestrator.client",
    "orchestrator.langchain.chat_model",
    "langchain_core.tracers.langchain",
)
"""What every spender would load, for most of a second of a processor."""


def main() -> None:
    """Spend from a process for each seed; each says `ready` and its number, and all begin with the first line."""
    path, calls, *seeds = sys.argv[1:]
    for name in LOADED_BEFORE:
        import_module(name)
    may_begin, begin = os.pipe()
    spenders = [_forked(path, int(calls), int(seed), may_begin, begin) for seed in seeds]
    sys.stdin.readline()
    os.close(begin)
    ended = {os.waitstatus_to_exitcode(os.waitpid(spender, 0)[1]) for spender in spenders}
    sys.exit(0 if ended <= {0, -signal.SIGKILL} else 1)


def _forked(path: str, calls: int, seed: int, may_begin: int, begin: int) -> int:
    process = os.fork()
    if process:
        return process
    # PR_SET_PDEATHSIG is 1: nobody else would end it when its parent is gone.
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)
    os.close(begin)
    ended_as = 1
    try:
        with Orchestrator(load_config(path, today=TODAY)) as orchestrator:
            orchestrator.warm_up()
            print("ready", os.getpid(), flush=True)
            os.read(may_begin, 1)
            asyncio.run(spend(orchestrator, seed=seed, calls=calls, in_flight=25))
        ended_as = 0
    except BaseException:  # noqa: BLE001 -- a child must end here, whatever it met
        traceback.print_exc()
    os._exit(ended_as)


if __name__ == "__main__":
    main()
