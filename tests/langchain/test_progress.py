"""Whoever watches a run sees what it waits for: a slot, a limit, an attempt, a fallback, a repair."""

import asyncio
import threading
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from pydantic import BaseModel

from orchestrator import Orchestrator
from orchestrator.chains import make_chain
from orchestrator.langchain.progress import Watch
from orchestrator.practice import FaultQueue, Scripted
from orchestrator.providers.in_memory import InMemoryTransport


class City(BaseModel):
    name: str


class Watcher(BaseCallbackHandler):
    """Keeps the steps it is told, and on which threads."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.threads: set[str] = set()

    def on_custom_event(self, name: str, data: Any, **_: Any) -> None:
        assert name == "orchestrator.progress"
        self.steps.append(data)
        self.threads.add(threading.current_thread().name)

    @property
    def told(self) -> list[str]:
        return [step["step"] for step in self.steps]


@pytest.fixture
def script() -> Scripted:
    return Scripted()


@pytest.fixture
def faults() -> FaultQueue:
    return FaultQueue()


@pytest.fixture
def quick(make_config, clock, script, faults) -> Orchestrator:
    transport = InMemoryTransport(clock=clock, answerer=script, faults=faults)
    config = make_config({"overload": {"in_flight": 1}})
    with Orchestrator(config, clock=clock, transport=transport) as orchestrator:
        yield orchestrator


async def events_of(runnable: Any, prompt: Any) -> list[dict[str, Any]]:
    return [
        event["data"]
        async for event in runnable.astream_events(prompt)
        if event["event"] == "on_custom_event" and event["name"] == "orchestrator.progress"
    ]


async def test_a_structured_model_tells_its_attempts_and_its_fallback(quick, script, faults):
    faults.add("openrouter:status=503")
    script.add('{"name": "Huế"}')
    steps = await events_of(quick.chat_model().with_structured_output(City), "Which city?")
    assert steps[0]["step"] == "attempt"
    assert steps[-1]["step"] == "fallback"
    assert steps[-1]["failure"] == "unavailable"
    assert steps[-1]["deployment"].startswith(("google/", "openai/"))


async def test_a_chain_tells_its_repair_and_its_next_model(quick, script):
    script.add("no", "no", '{"name": "Huế"}')
    chain = make_chain("customer_service", City, City, prompts="Which city is it?")(quick)
    steps = await events_of(chain, City(name="Hue"))
    assert [step["step"] for step in steps] == ["attempt", "repair", "attempt", "next_model", "attempt"]
    assert steps[1]["mistakes"][0].startswith("Invalid JSON")


def test_a_synchronous_call_tells_its_handlers_on_a_thread_of_its_own(quick, script):
    watcher = Watcher()
    chain = make_chain("customer_service", City, City, prompts="Which city is it?")(quick)
    script.add("no", '{"name": "Huế"}')
    chain.invoke(City(name="Hue"), {"callbacks": [watcher]})
    assert watcher.told == ["attempt", "repair", "attempt"]
    list(quick.chat_model().stream("Hi", {"callbacks": [watcher]}))
    assert watcher.told[3:] == ["attempt"]
    assert not any(name == "orchestrator" for name in watcher.threads)


async def test_a_wait_for_a_slot_is_told(make_config, clock):
    class Slow(Scripted):
        async def answer(self, request):
            began.set()
            await asyncio.to_thread(may_end.wait)
            yield "done"

    began, may_end, watcher = threading.Event(), threading.Event(), Watcher()
    transport = InMemoryTransport(clock=clock, answerer=Slow())
    config = make_config({"overload": {"in_flight": 1}})
    with Orchestrator(config, clock=clock, transport=transport) as orchestrator:
        first = asyncio.create_task(orchestrator.acomplete("Hi"))
        await asyncio.to_thread(began.wait)
        second = asyncio.create_task(
            orchestrator.chat_model("cost_sensitive").ainvoke("Ho", {"callbacks": [watcher]})
        )
        while not watcher.told:  # noqa: ASYNC110 -- the handler runs on this loop
            await asyncio.sleep(0)
        may_end.set()
        await asyncio.gather(first, second)
    assert watcher.told == ["queued", "attempt"]


async def test_a_wait_before_a_retry_is_told_with_its_length(quick, faults):
    watcher = Watcher()
    faults.add("openrouter:status=503,times=1")
    chat = quick.chat_model(model="openrouter/gpt-6-luna")
    await chat.ainvoke("Hi", {"callbacks": [watcher]})
    assert watcher.told == ["attempt", "waiting", "attempt"]
    assert watcher.steps[1]["wait_s"] > 0


def test_a_run_that_nobody_watches_starts_nothing():
    class Deaf(BaseCallbackHandler):
        pass

    assert Watch.of_config({"callbacks": [Deaf()]}) is None
    assert Watch.of_config(None) is None
    assert Watch.of_run(None) is None
    assert Watch.of_config({"callbacks": [Deaf(), Watcher()]}) is not None
