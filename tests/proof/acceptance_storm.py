"""Every door through which money leaves, asked until a budget refuses: here, and as a process of its own.

python acceptance_storm.py CONFIG

As a program it says `ready`, then takes a line of JSON for each storm: kind, tenant, calls, in_flight, clear. It
answers each with the number of calls that a budget refused.
"""

import asyncio
import base64
import gc
import json
import struct
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import litellm

from orchestrator import BudgetExceededError, BudgetGuard, CacheUse, Orchestrator, load_config
from orchestrator.config.loader import Config
from orchestrator.practice import PracticeAnswer, PracticeServer, PracticeToolCall, Scripted

MAX_TOKENS = 64
THOUGHT_TOKENS = 40
REFUSALS_ENOUGH = 2
"""Of one worker: what is left of its budget is then too little for any call of its kind."""
TOOL = {
    "type": "function",
    "function": {
        "name": "find_order",
        "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}},
    },
}
LONG_TEXT = " ".join(f"từ{number}" for number in range(200))
"""More than any answer may have, so that each is as dear as its limit allows."""
ANSWERER = Scripted(
    matched={
        "công cụ": PracticeToolCall("find_order", json.dumps({"order_id": "DH" + "7" * 180})),
        "suy nghĩ": PracticeAnswer(LONG_TEXT, reasoning_tokens=THOUGHT_TOKENS),
        "": LONG_TEXT,
    }
)


def data_address(mime_type: str, content: bytes) -> str:
    """Return a file as an address that holds it."""
    return f"data:{mime_type};base64,{base64.b64encode(content).decode()}"


_HEAD_OF_PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480)
FILES = [
    {"type": "text", "text": "Trong hình và tệp này có gì?"},
    {"type": "image_url", "image_url": {"url": data_address("image/png", _HEAD_OF_PNG)}},
    {"type": "file", "file": {"filename": "a.txt", "file_data": data_address("text/plain", b"DH1001")}},
]


@dataclass(frozen=True, slots=True)
class Storm:
    """One tenant's calls of one kind."""

    kind: str
    tenant: str
    calls: int
    in_flight: int
    clear: bool
    """The providers have no fault, so nothing but a budget may fail a call."""


class Doors:
    """One orchestrator and one guard of a process, and every way to spend with them."""

    def __init__(self, config: Config, practice_urls: dict[str, str]) -> None:
        self.orchestrator = Orchestrator(config)
        self.orchestrator.warm_up()
        # LiteLLM stays: no later search for what a client left open need look at it.
        gc.freeze()
        self._guard = BudgetGuard(config)
        litellm.callbacks.append(self._guard)
        self._urls = practice_urls
        self._natives: dict[tuple[str, str], Any] = {}

    def close(self) -> None:
        litellm.callbacks.remove(self._guard)
        self._guard.close()
        self.orchestrator.close()

    async def rage(self, storm: Storm) -> int:
        """Ask until budgets refuse, at most `calls` times; return how many calls they refused."""
        numbers = iter(range(storm.calls))
        refusals = await asyncio.gather(*(self._work(storm, numbers) for _ in range(storm.in_flight)))
        if storm.kind.startswith("native") and not storm.clear:
            # A vendor's client that trips over a stream leaves it open; collecting it settles it.
            gc.collect()
            for _ in range(100):
                await asyncio.sleep(0)
        return sum(refusals)

    async def _work(self, storm: Storm, numbers: Any) -> int:
        refused = 0
        for number in numbers:
            try:
                await self.ask(storm.kind, storm.tenant, number)
            except BudgetExceededError:
                refused += 1
                if refused == REFUSALS_ENOUGH:
                    break
            except Exception:
                # What a fault makes of a call is for other tests; what it costs is for this one.
                if storm.clear:
                    raise
        return refused

    async def ask(self, kind: str, tenant: str, number: int) -> None:
        """Ask once through a door; every second call of a door that can stream does."""
        door, _, name = kind.partition(" ")
        doors: dict[str, Callable[[str, str, int], Awaitable[None]]] = {
            "native": self._native,
            "guard": self._guarded,
        }
        await doors.get(door, self._core)(name or door, tenant, number)

    async def _core(self, name: str, tenant: str, number: int) -> None:
        message: dict[str, Any] = {"role": "user", "content": f"{_WORDS.get(name, 'Câu hỏi')} {number}"}
        wanted: dict[str, Any] = {"tools": [TOOL]} if name == "tools" else {}
        if name == "files":
            message["content"] = FILES
        wanted |= {
            "model": "gpt-6.1-sol" if name == "reasoning" else "gpt-6-luna",
            "tenant": tenant,
            "cache": CacheUse.OFF,
            "max_tokens": MAX_TOKENS,
        }
        streamed = name == "stream" or (name in {"tools", "reasoning"} and number % 2)
        if not streamed:
            await self.orchestrator.acomplete([message], **wanted)
            return
        async for _ in self.orchestrator.stream([message], **wanted):
            pass

    async def _native(self, name: str, tenant: str, number: int) -> None:
        if (name, tenant) not in self._natives:
            self._natives[name, tenant] = self.orchestrator.native(name, tenant=tenant, max_tokens=MAX_TOKENS)
        client = self._natives[name, tenant]
        if number % 2:
            await client.ainvoke(f"Câu hỏi {number}")
            return
        async for _ in client.astream(f"Câu hỏi {number}"):
            pass

    async def _guarded(self, name: str, tenant: str, number: int) -> None:
        answer = await litellm.acompletion(
            model=name,
            messages=[{"role": "user", "content": f"Câu hỏi {number}"}],
            api_base=self._urls[name.partition("/")[0]],
            api_key="practice",
            max_tokens=MAX_TOKENS,
            stream=bool(number % 2),
            metadata={"orchestrator": {"tenant": tenant}},
        )
        if number % 2:
            async for _ in answer:
                pass


_WORDS = {"tools": "Dùng công cụ find_order, câu hỏi", "reasoning": "Hãy suy nghĩ, câu hỏi"}


def urls_of(practice: PracticeServer) -> dict[str, str]:
    """Return where LiteLLM finds the practice providers, by its own names of them."""
    names = {"openai": "openai", "openrouter": "openrouter", "gemini": "google"}
    return {name: practice.base_url(provider) for name, provider in names.items()}


def line_of(storm: Storm) -> str:
    """Return a storm as the program takes it."""
    return json.dumps(asdict(storm))


def main() -> None:
    """Rage as often as a line says, until the standard input ends."""
    config = load_config(sys.argv[1], today=datetime.now(UTC).date())
    doors = Doors(config, json.loads(sys.argv[2]))
    with asyncio.Runner() as runner:
        print("ready", flush=True)
        for line in sys.stdin:
            print(runner.run(doors.rage(Storm(**json.loads(line)))), flush=True)
    doors.close()


if __name__ == "__main__":
    main()
