"""An orchestrator whose providers are practice providers with a script."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator import Orchestrator, load_config
from orchestrator.core.clock import Clock, SystemClock
from orchestrator.practice import FaultQueue, PracticeAnswer, PracticeRequest, PracticeServer, Scripted
from orchestrator.providers.in_memory import InMemoryTransport

CONFIG = Path(__file__).parents[2] / "config.yaml"


@pytest.fixture
def script() -> Scripted:
    """What the practice providers say, in order; then they answer by rule."""
    return Scripted()


@pytest.fixture
def server(script: Scripted, listed_prices) -> Iterator[PracticeServer]:
    """Practice providers on a loopback port."""
    with PracticeServer(answerer=script, prices=listed_prices) as running:
        yield running


@pytest.fixture
def make_orchestrator(server: PracticeServer, tmp_path: Path) -> Iterator[Callable[..., Orchestrator]]:
    """A maker of orchestrators on the shipped configuration, all of one test with one ledger and cache."""
    orchestrators: list[Orchestrator] = []

    def make(config: Path = CONFIG, *, clock: Clock | None = None, **more: str) -> Orchestrator:
        environment = {
            "ORCHESTRATOR_HOME": str(tmp_path),
            "OPENROUTER_API_KEY": "k",
            "GEMINI_API_KEY": "k",
            "OPENAI_API_KEY": "k",
            "OPENROUTER_BASE_URL": server.base_url("openrouter"),
            "GOOGLE_BASE_URL": server.base_url("google"),
            "OPENAI_BASE_URL": server.base_url("openai"),
            # Nobody listens there: a test that wants the local model says so.
            "LOCAL_MODEL_BASE_URL": "http://127.0.0.1:9/v1",
            **more,
        }
        today = (clock or SystemClock()).now().date()
        loaded = load_config(config, today=today, environment=environment)
        orchestrators.append(Orchestrator(loaded, clock=clock))
        return orchestrators[-1]

    yield make
    for orchestrator in orchestrators:
        orchestrator.close()


@pytest.fixture
def orchestrator(make_orchestrator: Callable[..., Orchestrator]) -> Orchestrator:
    """An orchestrator with all practice providers."""
    return make_orchestrator()


@pytest.fixture
def unhurried(make_orchestrator: Callable[..., Orchestrator], clock: Clock) -> Orchestrator:
    """The same on a clock of the test: whatever it waits for passes at once."""
    return make_orchestrator(clock=clock)


@pytest.fixture
def asked() -> list[PracticeRequest]:
    """What the models of `quick` were asked, in order."""
    return []


@pytest.fixture
def faults() -> FaultQueue:
    """What the models of `quick` do wrong."""
    return FaultQueue()


@pytest.fixture
def quick(
    make_config, clock, script: Scripted, asked: list[PracticeRequest], faults: FaultQueue
) -> Iterator[Orchestrator]:
    """An orchestrator whose models answer in this process, by the same script."""

    class Listening(Scripted):
        def reply_to(self, request: PracticeRequest) -> PracticeAnswer:
            asked.append(request)
            return script.reply_to(request)

    transport = InMemoryTransport(clock=clock, answerer=Listening(), faults=faults)
    with Orchestrator(make_config(), clock=clock, transport=transport) as orchestrator:
        yield orchestrator
