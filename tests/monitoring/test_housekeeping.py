"""Kept prompts go and days are summed when their time is over, also where nobody asks anything any more."""

import time
from dataclasses import replace
from pathlib import Path

from orchestrator import Orchestrator
from orchestrator.ledger.record_settings import RecordSettings
from orchestrator.ledger.usage import Selection
from orchestrator.monitoring.housekeeping import EVERY_S, Housekeeping

WAIT_S = 20.0


def test_a_quiet_server_deletes_what_has_expired(configured, clock):
    config = configured()
    record = RecordSettings.model_validate({"mode": "content", "keep_days": 1})
    settings = config.settings.model_copy(update={"record": record})
    with Orchestrator(replace(config, settings=settings), clock=clock) as orchestrator:
        reply = orchestrator.complete("Bí mật 4711", max_tokens=20)
        assert orchestrator.content(reply.request_id) is not None
        clock.advance(86_400 + EVERY_S)
        with Housekeeping(orchestrator, clock=clock):
            until_s = time.monotonic() + WAIT_S
            path = orchestrator._services.contents.location
            while time.monotonic() < until_s and b"4711" in everything_of(path):
                time.sleep(0.01)
        assert b"4711" not in everything_of(path)


def test_a_quiet_server_sums_the_days_that_are_over(configured, clock):
    with Orchestrator(configured(), clock=clock) as orchestrator:
        orchestrator.complete("Xin chào", max_tokens=20)
        day = f"{clock.now():%Y-%m-%d}"
        assert orchestrator.sum_closed_days() == 0, "today is not over"
        clock.advance(2 * 86_400)
        with Housekeeping(orchestrator, clock=clock):
            until_s = time.monotonic() + WAIT_S
            while time.monotonic() < until_s and unsummed(orchestrator):
                time.sleep(0.01)
        assert unsummed(orchestrator) == ()
        with orchestrator.ledger_view as view:
            assert [cost.day for cost in view.day_totals(Selection(day, day))] == [day]


def unsummed(orchestrator: Orchestrator) -> tuple[str, ...]:
    with orchestrator.ledger_view as view:
        return view.unsummed_days(since="2000-01-01", before="2100-01-01")


def everything_of(path: str) -> bytes:
    return b"".join(part.read_bytes() for part in Path(path).parent.glob(f"{Path(path).name}*"))
