"""Orchestrators in memory with an experiment, and waiting for what happens behind an answer."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from orchestrator import Orchestrator
from orchestrator.providers.in_memory import InMemoryTransport
from tests.support.voices import Voices

SOL, LUNA = "openrouter/gpt-6.1-sol", "openrouter/gpt-6-luna"
"""What answers customer service, and the candidate."""
LIVE_WORDS, CANDIDATE_WORDS = "Live answer.", "Candidate answer."
WAIT_S = 60.0

AB: Mapping[str, Any] = {
    "use_case": "customer_service", "candidate": LUNA, "mode": "ab", "share": 0.5, "metric": "rating",
}  # fmt: skip
SHADOW: Mapping[str, Any] = {
    **AB, "mode": "shadow", "share": 1.0, "metric": "checks", "budget": {"day": 1.0},
    "checks": [{"min_chars": 13}],
}  # fmt: skip


@pytest.fixture
def voices() -> Voices:
    return Voices({"gpt-6-luna": CANDIDATE_WORDS, "": LIVE_WORDS})


@pytest.fixture
def experimenting(make_config, clock, listed_prices, voices) -> Iterator[Callable[..., Orchestrator]]:
    """Make an orchestrator of one experiment, `faq`; `transport` and more of config.yaml where a test says so."""
    opened: list[Orchestrator] = []

    def make(experiment: Mapping[str, Any], *, transport=None, watch=False, **changes: Any) -> Orchestrator:
        transport = transport or InMemoryTransport(clock=clock, answerer=voices, prices=listed_prices)
        config = make_config({"experiments": {"faq": dict(experiment)}, **changes})
        opened.append(Orchestrator(config, clock=clock, transport=transport, watch=watch))
        return opened[-1]

    yield make
    for orchestrator in opened:
        orchestrator.close()


def eventually(look: Callable[[], Any]) -> Any:
    """Return what a look returns as soon as it returns something; what is behind an answer takes a moment."""
    until_s = time.monotonic() + WAIT_S
    while time.monotonic() < until_s:
        if result := look():
            return result
        time.sleep(0.005)
    pytest.fail("it did not happen")


def user_on(orchestrator: Orchestrator, kind: str, *, tenant: str = "acme", skip: int = 0) -> str:
    """Return a user whose requests are on a side."""
    names = (f"u{number}" for number in range(1000))
    on_side = (
        name
        for name in names
        if f": {kind} (" in " ".join(orchestrator.explain("Hi", tenant=tenant, user=name).notices)
    )
    return [next(on_side) for _ in range(skip + 1)][-1]
