"""Every observer sees every booking; one that fails is logged, and the next is told all the same."""

from datetime import UTC, datetime

import pytest

from orchestrator.core.reply import CacheState, Outcome, Usage
from orchestrator.ledger.observers import Observers
from orchestrator.ledger.records import RequestRecord

RECORD = RequestRecord(
    id="1", started_at=datetime(2026, 11, 23, tzinfo=UTC), tenant="acme", use_case="chat", user=None, tags=(),
    outcome=Outcome.SUCCEEDED, error=None, cached=CacheState.MISS, degraded=None, deployment=None,
    provider=None, model=None, attempts=0, usage=Usage(), cost_nusd=0, latency_s=0.1,
)  # fmt: skip


class Seeing:
    """Keeps the ids of requests, or fails."""

    def __init__(self, *, fails: bool = False) -> None:
        self.seen: list[str] = []
        self._fails = fails

    def attempt_settled(self, *_: object) -> None:
        """See nothing here."""

    def request_recorded(self, record: RequestRecord) -> None:
        if self._fails:
            raise ValueError
        self.seen.append(record.id)


def test_one_that_fails_hides_nothing_from_the_next(caplog: pytest.LogCaptureFixture) -> None:
    failing, seeing = Seeing(fails=True), Seeing()
    observers = Observers()
    observers.add(failing)
    observers.add(seeing)
    observers.request_recorded(RECORD)
    assert seeing.seen == ["1"]
    assert "an observer of the ledger failed" in caplog.text
