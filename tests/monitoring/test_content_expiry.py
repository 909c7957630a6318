"""Kept prompts go when their time is over, also where nobody asks anything any more."""

import time
from dataclasses import replace
from pathlib import Path

from orchestrator import Orchestrator
from orchestrator.ledger.record_settings import RecordSettings
from orchestrator.monitoring.content_expiry import EVERY_S, ContentExpiry

WAIT_S = 20.0


def test_a_quiet_server_deletes_what_has_expired(configured, clock):
    config = configured()
    record = RecordSettings.model_validate({"mode": "content", "keep_days": 1})
    settings = config.settings.model_copy(update={"record": record})
    with Orchestrator(replace(config, settings=settings), clock=clock) as orchestrator:
        reply = orchestrator.complete("Bí mật 4711", max_tokens=20)
        assert orchestrator.content(reply.request_id) is not None
        clock.advance(86_400 + EVERY_S)
        with ContentExpiry(orchestrator, clock=clock):
            until_s = time.monotonic() + WAIT_S
            path = orchestrator._services.contents.location
            while time.monotonic() < until_s and b"4711" in everything_of(path):
                time.sleep(0.01)
        assert b"4711" not in everything_of(path)


def everything_of(path: str) -> bytes:
    return b"".join(part.read_bytes() for part in Path(path).parent.glob(f"{Path(path).name}*"))
