"""A receiver of webhooks, and alerts to send."""

from collections.abc import Callable, Iterator

import pytest

from orchestrator.core.alerts import Alert, AlertKind, AlertState, SubjectFacts
from tests.support.receiver import Receiver
from tests.support.receiver import receiver as serve


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A web server of the test's own."""
    with serve() as seen:
        yield seen


@pytest.fixture
def alert(clock) -> Callable[..., Alert]:
    def make(name: str = "openrouter", **changes: object) -> Alert:
        facts = SubjectFacts(name, "open")
        fields = {"state": AlertState.BEGAN, "rule": "down", "facts": facts, **changes}
        return Alert(AlertKind.PROVIDER_DOWN, f"{name} is down", None, clock.now(), **fields)

    return make
