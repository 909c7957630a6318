"""A long day in minutes: 20,000 requests while providers flap, and what became of each of them.

Three practice providers in a process of their own go from healthy to flaky to down and back, each for a
second or two or a hundred attempts, and one of them is healthy at any time. Half of the requests are streams. In the end every
answer is compared with what was said, the ledger is reckoned again, and the process is looked at: memory,
tasks, sockets, threads.

    python -m benchmarks.soak [--requests 20000] [--in-flight 50] [--patience 1]
"""

import argparse
import asyncio
import gc
import json
import logging
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import yaml

from orchestrator.practice.odd_answers import GOOD_TEXT, gone_on_from_half

if TYPE_CHECKING:
    from orchestrator import Orchestrator

DEADLINE_S = 20.0
TIMEOUT_S = 5.0
"""For a first word, and between two; a busy machine needs a multiple of both, which is its patience."""
LATE_S = 0.1
ENDING_S = 5.0
"""In this time a task that closes something is done; what still runs then was left behind."""
AIM_WHOLE = 0.999
AIM_ATTEMPTS = 1.45
AIM_GROWTH_MB = 40
FAULTY_SHARE = 0.3

ANSWER = (
    "Đơn hàng của quý khách đã rời kho sáng nay và sẽ được giao trong ngày mai. "
    "Your order left the warehouse this morning and will be delivered tomorrow before noon."
)

WHOLE = frozenset({ANSWER, GOOD_TEXT, gone_on_from_half(ANSWER)})
"""What was said, by an odd answer too; or half an odd answer, gone on with."""

_SERVER = """
import json, random, sys, threading
from datetime import date
from orchestrator.config.loader import embedded_path
from orchestrator.drill.practice_config import practice_prices
from orchestrator.practice import Fault, PracticeServer, Scripted

FAULTS = ("status=500", "status=502", "status=503", "status=529", "status=429", "reset", "cut_stream=4",
          "end_stream=4", "malformed_chunk=4", "malformed_body", "empty_content", "error_in_200",
          "error_in_200,after_chunks=4", "slow_first_token,delay_s=0.2", "status=409",
          *(f"status=400,reason={reason}"
            for reason in ("output_limit", "location", "deprecated_model", "html", "empty")),
          "status=500,reason=huge", "redirect=307", "redirect=302",
          *(f"odd_answer={shape}"
            for shape in ("unknown_finish", "aborted", "error_beside_text", "cut_call", "nameless_call",
                          "host_failed", "error_in_message", "bare_code", "words_elsewhere", "nan_arguments")))
HARMLESS = tuple(f"odd_answer={shape}" for shape in (*("stray_chunks", "open_end", "odd_lines", "no_usage"), *("split_character", "finish_in_each", "stray_lines"))) + tuple(
    f"odd_bill={bill}" for bill in ("own_key", "zero_cost", "priority", "contradicting", "negative", "null", "huge"))
ASKED_TO_GO_ON = ("continues=afresh", "continues=other")
PROVIDERS = ("openrouter", "google", "openai")
answer, share, today = sys.argv[1], float(sys.argv[2]), date.fromisoformat(sys.argv[3])
chance = random.Random(7)
lock = threading.Lock()
state = dict.fromkeys(PROVIDERS, "healthy")
seen, faulty = {one: 0 for one in PROVIDERS}, {one: 0 for one in PROVIDERS}
# A turn ends by time or by attempts, so that faults are played however quick the machine is.
TURN_ATTEMPTS = 100
turn_over = threading.Event()


def take(provider, model, *, goes_on=False, embeds=False):
    with lock:
        seen[provider] += 1
        if sum(seen.values()) % TURN_ATTEMPTS == 0:
            turn_over.set()
        # Faults make up for the answers of the healthy, so that the whole comes near the share.
        short = sum(faulty.values()) < share * sum(seen.values())
        bad = state[provider] == "down" or (state[provider] == "flaky" and short)
        if not bad:
            return None
        kinds = FAULTS + HARMLESS + ASKED_TO_GO_ON * goes_on
        text = "status=503" if state[provider] == "down" else chance.choice(kinds)
        faulty[provider] += text not in HARMLESS
    return Fault.parse(f"{provider}:{text}")


def flap():
    healthy = "openrouter"
    while True:
        healthy = chance.choice([one for one in PROVIDERS if one != healthy])
        with lock:
            for one in PROVIDERS:
                state[one] = "healthy" if one == healthy else chance.choice(("healthy", "flaky", "flaky", "down"))
        turn_over.wait(chance.uniform(0.5, 2.0))
        turn_over.clear()


prices = practice_prices(embedded_path(), today=today)
server = PracticeServer(answerer=Scripted(matched={"": answer}), prices=prices, requests_kept=1)
server.faults.take = take
server.start()
threading.Thread(target=flap, daemon=True).start()
print(json.dumps({one: server.base_url(one) for one in PROVIDERS}), flush=True)
sys.stdin.readline()
server.wait_idle(timeout_s=20)
print(json.dumps({"seen": sum(seen.values()), "faulty": sum(faulty.values()), "billed": server.bill.total_nusd()}), flush=True)
server.stop()
"""


@dataclass(slots=True)
class Seen:
    """What became of the requests so far."""

    outcomes: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    slowest_s: float = 0.0
    memory_mb: list[float] = field(default_factory=list)


@contextmanager
def flapping_providers() -> Iterator[tuple[dict[str, str], "subprocess.Popen[str]"]]:
    """Run the practice providers in a process of their own; yield their addresses."""
    command = [sys.executable, "-c", _SERVER, ANSWER, str(FAULTY_SHARE), datetime.now(UTC).date().isoformat()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline()), server


def configured(folder: Path, bases: dict[str, str], *, patience: float) -> Path:
    """Write the shipped configuration with room for the load, and nobody on this machine to help out."""
    from orchestrator.config.loader import embedded_path

    data = yaml.load(embedded_path().read_bytes(), Loader=yaml.CSafeLoader)
    for name, provider in data["providers"].items():
        provider.update(requests_per_min=10_000_000, tokens_per_min=10_000_000_000)
        if name in bases:
            timeouts = dict.fromkeys(("first_token_timeout_s", "stall_timeout_s"), TIMEOUT_S * patience)
            provider.update(base_url=bases[name], api_key="practice", **timeouts)
    data["budgets"]["limits"] = [{"scope": "all", "day": 1_000_000}]
    data["local_model"]["enabled"] = False
    data["ledger"]["path"], data["cache"]["path"] = str(folder / "ledger.sqlite3"), str(folder / "cache")
    path = folder / "config.yaml"
    # JSON is YAML too, written in a hundredth of the time.
    path.write_bytes(orjson.dumps(data))
    return path


async def soak(
    orchestrator: "Orchestrator", seen: Seen, *, requests: int, in_flight: int, deadline_s: float
) -> None:
    """Ask `requests` times, `in_flight` at a time, every second one as a stream."""
    numbers = iter(range(requests))

    async def worker() -> None:
        for number in numbers:
            await _one(orchestrator, seen, number, deadline_s=deadline_s)
            if number % 1000 == 0:
                gc.collect()
                seen.memory_mb.append(_memory_mb())

    await asyncio.gather(*(worker() for _ in range(in_flight)))


async def _one(orchestrator: "Orchestrator", seen: Seen, number: int, *, deadline_s: float) -> None:
    from orchestrator.core.errors import OrchestratorError

    wanted = {"tenant": f"t{number % 5}", "cache": "off", "max_tokens": 100, "deadline_s": deadline_s}
    began_s = time.perf_counter()
    try:
        if number % 2:
            stream = orchestrator.stream(f"Câu hỏi {number}", **wanted)
            text = "".join([delta.text async for delta in stream])
            reply = stream.reply
        else:
            reply = await orchestrator.acomplete(f"Câu hỏi {number}", **wanted)
            text = reply.text
        outcome = "whole" if text in WHOLE and reply.text == text else "truncated or mixed"
        seen.attempts += len(reply.attempts)
    except OrchestratorError as exc:
        outcome = type(exc).__name__
    took_s = time.perf_counter() - began_s
    seen.slowest_s = max(seen.slowest_s, took_s)
    seen.outcomes[outcome] += 1
    if took_s > deadline_s + LATE_S:
        seen.outcomes["late"] += 1


def _memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def _threads() -> int:
    # LiteLLM has a pool of its own, of a fixed size, for as long as the process runs.
    return len([one for one in threading.enumerate() if not one.name.startswith("litellm")])


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def main() -> int:
    """Soak, print what became of it; return 0 when every aim is met."""
    from orchestrator import Orchestrator, format_usd
    from orchestrator.config.loader import load_config
    from orchestrator.ledger.reader import LedgerReader
    from orchestrator.ledger.verify import verify

    parser = argparse.ArgumentParser(description="20,000 requests while providers flap")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--patience", type=float, default=1.0, help="times the deadline and the timeouts")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    seen = Seen()
    with tempfile.TemporaryDirectory() as folder, flapping_providers() as (bases, server):
        files, threads = _open_files(), _threads()
        config = load_config(
            configured(Path(folder), bases, patience=options.patience), today=datetime.now(UTC).date()
        )
        began_s = time.perf_counter()
        with Orchestrator(config) as orchestrator:
            orchestrator.warm_up()
            asked = soak(
                orchestrator, seen, requests=options.requests, in_flight=options.in_flight,
                deadline_s=DEADLINE_S * options.patience,
            )  # fmt: skip
            asyncio.run(asked)
            tasks = orchestrator._loop.run(_running())  # noqa: SLF001 -- looks for leaks inside
        took_s = time.perf_counter() - began_s
        assert server.stdin is not None
        assert server.stdout is not None
        print(file=server.stdin, flush=True)
        told = json.loads(server.stdout.readline())
        with LedgerReader(Path(config.settings.ledger.path)) as reader:
            found = verify(reader, now=datetime.now(UTC))
            booked = sum(one.cost_nusd for one in found.sources.values())
        gc.collect()
        left = (_open_files() - files, _threads() - threads)
    whole = seen.outcomes["whole"] / options.requests
    growth = seen.memory_mb[-1] - seen.memory_mb[len(seen.memory_mb) // 4] if seen.memory_mb else 0.0
    checks = (
        ("whole answers", f"{whole:.4%}", whole >= AIM_WHOLE),
        ("truncated or mixed", str(seen.outcomes["truncated or mixed"]), not seen.outcomes["truncated or mixed"]),
        ("past the deadline", str(seen.outcomes["late"]), not seen.outcomes["late"]),
        ("attempts a request", f"{told['seen'] / options.requests:.3f}", told["seen"] / options.requests <= AIM_ATTEMPTS),
        ("counters equal their rows", str(found.counters_are_right), found.counters_are_right),
        ("holds left", str(found.rows["holds"]), found.rows["holds"] == 0),
        ("billed within booked", f"{format_usd(told['billed'])} of {format_usd(booked)}", told["billed"] <= booked),
        ("memory grown, after a quarter", f"{growth:.1f} MB", growth <= AIM_GROWTH_MB),
        ("tasks left", str(tasks), tasks == 0),
        ("files and threads left", f"{left[0]}, {left[1]}", left[0] <= 0 and left[1] <= 0),
    )  # fmt: skip
    print(
        f"{options.requests:,} requests, {options.in_flight} in flight, {took_s:.0f} s; "
        f"{told['faulty'] / told['seen']:.1%} of {told['seen']:,} attempts faulty; slowest {seen.slowest_s:.2f} s"
    )
    for name, value, kept in checks:
        print(f"  {'ok  ' if kept else 'MISS'} {name}: {value}")
    others = {name: count for name, count in seen.outcomes.items() if name not in {"whole", "late"}}
    print(f"  not whole: {others or 'none'}")
    return 0 if all(kept for _, _, kept in checks) else 1


async def _running() -> int:
    """Return how many other tasks run on the orchestrator's loop, and do not end when they are let."""
    left = {one for one in asyncio.all_tasks() if not _lasts(one)} - {asyncio.current_task()}
    if left:
        await asyncio.wait(left, timeout=ENDING_S)
    return len([one for one in left if not one.done()])


def _lasts(task: "asyncio.Task[object]") -> bool:
    # LiteLLM has one of its own for as long as the loop runs. What closes a generator has no such name.
    return getattr(task.get_coro(), "__qualname__", "") == "LoggingWorker._worker_loop"


if __name__ == "__main__":
    sys.exit(main())
