"""Whom `benchmarks.failover` compares: ours, LiteLLM's Router and LangChain's fallbacks, each at its best.

All have the same four models at the same two practice providers, in the same order, and 1.5 s for an
attempt. The settings of the others are those their manuals advise for fallbacks within seconds; retries
of their own are off: they would only use up the deadline, for these faults do not go away.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.stage import answer_orders, orchestrator_at

DEADLINE_S = 5.0
CAP_S = 8.0
"""Whoever has not ended by then is hung."""
ATTEMPT_S = 1.5
CHAIN = (
    ("openrouter", "openai/gpt-6-luna"),
    ("openai", "gpt-6-luna"),
    ("openrouter", "anthropic/claude-sonnet-5.5"),
    ("openai", "gpt-6.1-terra"),
)
"""(provider, the model's name there)"""
MAX_TOKENS = 20_000
"""As many as the longest answer has, of 20,000 words."""
QUESTION = "Đơn hàng DH{} của tôi đang ở đâu?"

TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("find_order", "list_orders")
]

Addresses = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller was handed."""

    text: str
    """The words, or the tool calls as JSON."""
    finish: str | None
    """Why it ended, as the subject says."""


class Subject(Protocol):
    """Somebody who can be asked; raises when there is no answer."""

    async def ask(self, number: int, *, stream: bool, tools: bool = False) -> Answer:
        """Return the answer, to a question that may offer tools."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


def answer_of(text: str, calls: Iterable[tuple[Any, Any]]) -> str:
    """Return an answer as one text, its tool calls as name and arguments, however these are written."""
    read = [(name, _read(arguments)) for name, arguments in calls]
    return json.dumps(read) if read else text


def _read(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments or {}
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


class Ours:
    """The orchestrator, with the chain as its route."""

    def __init__(self, addresses: Addresses, *, attempt_s: float = ATTEMPT_S) -> None:
        self._stack = ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        self._orchestrator = orchestrator_at(Path(folder), addresses, lambda data: _route(data, attempt_s))
        self._stack.callback(self._orchestrator.close)
        self._orchestrator.warm_up()

    async def ask(self, number: int, *, stream: bool, tools: bool = False) -> Answer:
        """Ask as a caller with five seconds would."""
        wanted: dict[str, Any] = {"max_tokens": MAX_TOKENS, "deadline_s": DEADLINE_S, "cache": "off"}
        if tools:
            wanted["tools"] = TOOLS
        prompt = QUESTION.format(number)
        if stream:
            pieces = self._orchestrator.stream(prompt, **wanted)
            text = "".join([delta.text async for delta in pieces])
            reply = pieces.reply
        else:
            reply = await self._orchestrator.acomplete(prompt, **wanted)
            text = reply.text
        calls = ((call.name, call.arguments) for call in reply.tool_calls)
        return Answer(answer_of(text, calls), reply.finish_reason)

    def close(self) -> None:
        """Close the orchestrator."""
        self._stack.close()


def _route(data: dict[str, Any], attempt_s: float) -> None:
    for provider in data["providers"].values():
        provider.update(timeout_s=attempt_s, first_token_timeout_s=attempt_s, stall_timeout_s=attempt_s)
    steps = [
        {"deployment": f"{provider}/{model.rpartition('/')[2]}", "reason": "in this order"}
        for provider, model in CHAIN
    ]
    data["use_cases"]["customer_service"].update(
        primary=steps[0], fallbacks=steps[1:], order="route", quality_floor=0
    )
    data["routing"]["max_candidates"] = len(CHAIN)
    data["retry_profiles"]["interactive"]["min_turn_s"] = attempt_s
    data["budgets"] = {"limits": [{"scope": "all", "day": 1_000_000}]}


class Router:
    """LiteLLM's Router with general, context and content fallbacks."""

    def __init__(self, addresses: Addresses, *, attempt_s: float = ATTEMPT_S, cooldowns: bool = True) -> None:
        from orchestrator.providers.litellm.loading import load_litellm

        litellm = load_litellm()
        litellm.callbacks.clear()
        self._join = litellm.stream_chunk_builder
        chain = [{"a": ["b", "c", "d"]}]
        self._router = litellm.Router(
            model_list=[
                {
                    "model_name": name,
                    "litellm_params": {
                        "model": f"{provider}/{model}",
                        "api_key": "practice",
                        "api_base": addresses[provider],
                        "max_retries": 0,
                    },
                }
                for name, (provider, model) in zip("abcd", CHAIN, strict=True)
            ],
            fallbacks=chain,
            context_window_fallbacks=chain,
            content_policy_fallbacks=chain,
            num_retries=0,
            timeout=attempt_s,
            stream_timeout=attempt_s,
            allowed_fails=1,
            cooldown_time=30,
            disable_cooldowns=not cooldowns,
        )

    async def ask(self, number: int, *, stream: bool, tools: bool = False) -> Answer:
        """Ask its first model group."""
        answer = await self._router.acompletion(
            model="a",
            messages=[{"role": "user", "content": QUESTION.format(number)}],
            max_tokens=MAX_TOKENS,
            stream=stream,
            **({"tools": TOOLS} if tools else {}),
        )
        if not stream:
            return _read_by_litellm(answer)
        pieces = [piece async for piece in answer]
        if tools:
            return _read_by_litellm(self._join(pieces))
        choices = [piece.choices[0] for piece in pieces if piece.choices]
        finishes = [choice.finish_reason for choice in choices if choice.finish_reason]
        return Answer(
            "".join(str(choice.delta.content or "") for choice in choices), finishes[-1] if finishes else None
        )

    def close(self) -> None:
        """Take its callbacks out of LiteLLM's lists."""
        self._router.discard()


def _read_by_litellm(answer: Any) -> Answer:
    choice = answer.choices[0]
    calls = ((call.function.name, call.function.arguments) for call in choice.message.tool_calls or ())
    return Answer(answer_of(str(choice.message.content or ""), calls), choice.finish_reason)


class LangChain:
    """`ChatOpenAI` with fallbacks."""

    def __init__(self, addresses: Addresses, *, attempt_s: float = ATTEMPT_S) -> None:
        from langchain_openai import ChatOpenAI
        from pydantic import SecretStr

        first, *others = (
            ChatOpenAI(
                model=model,
                base_url=addresses[provider],
                api_key=SecretStr("practice"),
                max_completion_tokens=MAX_TOKENS,
                timeout=attempt_s,
                stream_chunk_timeout=attempt_s,
                max_retries=0,
            )
            for provider, model in CHAIN
        )
        self._model = first.with_fallbacks(others)

    async def ask(self, number: int, *, stream: bool, tools: bool = False) -> Answer:
        """Ask its runnable."""
        prompt, offered = QUESTION.format(number), {"tools": TOOLS} if tools else {}
        if not stream:
            return _read_by_langchain(await self._model.ainvoke(prompt, **offered))
        chunks = [chunk async for chunk in self._model.astream(prompt, **offered)]
        if tools:
            return _read_by_langchain(sum(chunks[1:], chunks[0]))
        finishes = [finish for chunk in chunks if (finish := chunk.response_metadata.get("finish_reason"))]
        return Answer("".join(str(chunk.content) for chunk in chunks), finishes[-1] if finishes else None)

    def close(self) -> None:
        """Keep nothing open that the next one would meet."""


def _read_by_langchain(message: Any) -> Answer:
    calls = ((call["name"], call["args"]) for call in message.tool_calls)
    return Answer(answer_of(str(message.content), calls), message.response_metadata.get("finish_reason"))


SUBJECTS: Mapping[str, Callable[..., Subject]] = {
    "orchestrator": Ours,
    "litellm.Router": Router,
    "LangChain": LangChain,
}


def serve(name: str) -> None:
    """Be one subject: answer the orders of `benchmarks.failover`, `{"do": ..., ...}`."""
    measured: dict[str, Subject] = {}
    with asyncio.Runner() as runner:

        def answer(order: dict[str, Any]) -> Any:
            work = {"once": _once, "many": _many, "cpu": _cpu}[order.pop("do")]
            return runner.run(work(name, measured, **order))

        answer_orders(answer)


async def _once(
    name: str, _: dict[str, Subject], *, addresses: Addresses, stream: bool, tools: bool
) -> dict[str, Any]:
    """Ask a fresh subject once and tell what came, in which time."""
    subject = SUBJECTS[name](addresses)
    began_s = time.perf_counter()
    told: dict[str, Any] = {"text": "", "finish": None, "error": None, "hung": False}
    try:
        async with asyncio.timeout(CAP_S) as cap:
            answer = await subject.ask(1, stream=stream, tools=tools)
        told.update(text=answer.text, finish=answer.finish)
    except Exception as exc:  # noqa: BLE001 -- each subject fails with errors of its own
        told["error"] = f"{type(exc).__name__} {getattr(exc, 'status_code', '')}".strip()
        told["hung"] = cap.expired()
    told["elapsed_s"] = time.perf_counter() - began_s
    subject.close()
    return told


async def _many(
    name: str, _: dict[str, Subject], *, addresses: Addresses, calls: int, in_flight: int, expected: str
) -> int:
    """Ask a fresh subject many times; return how many answers were whole."""
    subject = SUBJECTS[name](addresses)
    numbers, whole = iter(range(calls)), 0

    async def worker() -> None:
        nonlocal whole
        for number in numbers:
            try:
                async with asyncio.timeout(CAP_S):
                    answer = await subject.ask(number, stream=False)
            except Exception:  # noqa: BLE001, S112 -- each subject fails with errors of its own
                continue
            # Not in one line with the `await`, which would add to what was before it.
            whole += answer.text == expected

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    subject.close()
    return whole


async def _cpu(name: str, measured: dict[str, Subject], *, addresses: Addresses, calls: int) -> float:
    """Return the CPU of one call in milliseconds, of the whole process, by the same subject each time."""
    if name not in measured:
        # Patient, so that a busy machine fails no attempt; and with cooldowns the Router would soon no
        # longer ask the provider that fails.
        kept = {"cooldowns": False} if name == "litellm.Router" else {}
        measured[name] = SUBJECTS[name](addresses, attempt_s=CAP_S, **kept)
    subject = measured[name]
    began_s = time.process_time()
    for number in range(calls):
        await subject.ask(number, stream=False)
    return 1e3 * (time.process_time() - began_s) / calls
