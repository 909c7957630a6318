"""The providers of a test: they answer and fail as it says, and remember what they were asked.

All of it happens in this process, without a network.
"""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from orchestrator.client import Orchestrator
from orchestrator.config.loader import load_config
from orchestrator.config.placeholder_keys import with_placeholder_keys
from orchestrator.drill.practice_config import prices_of
from orchestrator.pipeline.recorded_answers import answer_file
from orchestrator.practice import (
    Bill,
    FaultQueue,
    PracticeAnswer,
    PracticeRequest,
    PracticeToolCall,
    Scripted,
)
from orchestrator.practice.answers import Piece
from orchestrator.practice.bill import PracticePrices
from orchestrator.providers.in_memory import InMemoryTransport
from orchestrator.testing.clock import TestClock


class Practice:
    """Practice providers in front of which a test puts an orchestrator."""

    def __init__(self, *, home: Path, config: Path | str | None = None) -> None:
        """Keep ledger and cache in `home`; `config` as in `Orchestrator.from_config`."""
        self.clock = TestClock()
        """The time of all that happens; sleeps are over at once."""
        self.requests: list[PracticeRequest] = []
        """What the models were asked, in order: `.model`, `.provider`, `.messages`, `.max_tokens`."""
        self._home = home
        self._config = config
        self._script = _Remembering(self.requests)
        self._transport = InMemoryTransport(clock=self.clock, answerer=self._script, faults=FaultQueue())
        self._opened: list[Orchestrator] = []

    @property
    def faults(self) -> FaultQueue:
        """What goes wrong next: `faults.add("openai:status=500,times=1")`; named as `practice` does."""
        return self._transport.faults

    @property
    def bill(self) -> Bill:
        """What the providers charged, at the prices of the configuration that was opened last."""
        return self._transport.bill

    def say(self, *replies: str | PracticeToolCall | PracticeAnswer) -> None:
        """Have the models answer so, in this order; after that they answer by rule, and fit every schema."""
        self._script.add(*replies)

    def say_where(self, matched: Mapping[str, str | PracticeToolCall | PracticeAnswer]) -> None:
        """Have them answer so whenever a key occurs in the user's last message, whatever its order."""
        self._script.match(matched)

    def open(self, *, record: Path | str | None = None, replay: Path | str | None = None) -> Orchestrator:
        """Return an orchestrator in front of these providers; it is closed with the test.

        `record` and `replay` as in `Orchestrator.from_config`: with `replay` not even these are asked.

        Raises:
            ConfigError: the configuration cannot be used.
            StateError: the answers cannot be read, or both files are named.
        """
        answers = answer_file(record=record, replay=replay)
        environment = with_placeholder_keys(self._config, replace=True)
        environment["ORCHESTRATOR_HOME"] = str(self._home)
        today = self.clock.now().date()
        config = load_config(self._config, today=today, environment=environment)
        self._transport.prices = PracticePrices(prices_of(config, today=today))
        self._opened.append(
            Orchestrator(config, clock=self.clock, transport=self._transport, answers=answers)
        )
        return self._opened[-1]

    def close(self) -> None:
        """Close every orchestrator that was opened."""
        while self._opened:
            self._opened.pop().close()


class _Remembering:
    """A script that notes what was asked."""

    def __init__(self, requests: list[PracticeRequest]) -> None:
        self._requests = requests
        self._script = Scripted()

    def add(self, *replies: str | PracticeToolCall | PracticeAnswer) -> None:
        self._script.add(*replies)

    def match(self, matched: Mapping[str, str | PracticeToolCall | PracticeAnswer]) -> None:
        self._script.match(matched)

    async def answer(self, request: PracticeRequest) -> AsyncIterator[Piece]:
        self._requests.append(request)
        async for piece in self._script.answer(request):
            yield piece
