"""Providers: what they would still take this minute, and what they failed with last."""

from zoneinfo import ZoneInfo

import pytest

from orchestrator.core.errors import UnavailableError
from orchestrator.core.language import Language
from orchestrator.server.dashboard.live_counts import LiveCounts
from orchestrator.server.dashboard.provider_page import providers
from orchestrator.server.dashboard.snapshot import Snapshots
from orchestrator.server.dashboard.viewer import Viewer

VIEWER = Viewer(None, frozenset(), Language.EN, ZoneInfo("UTC"))


def test_room_under_the_rate_limit_and_the_last_failure_are_shown(make_orchestrator, practice, clock):
    practice.faults.add("openrouter:status=401")
    rate = {"requests_per_min": 7, "tokens_per_min": 1_000_000}
    orchestrator = make_orchestrator(
        {"providers": {"openrouter": rate}, "local_model": {"enabled": False}}, clock=clock
    )
    counts = LiveCounts(clock=clock)
    orchestrator.observe(counts)
    snapshots = Snapshots(orchestrator, counts, clock=clock)
    reply = orchestrator.complete("Hello?")
    failed = sum(attempt.provider == "openrouter" for attempt in reply.attempts)
    assert failed >= 1
    page = "".join(providers(VIEWER, snapshots.latest()))
    assert f"<span>{7 - failed} / 7</span></td>" in page
    assert page.count("unauthorized") == 1 + failed, "in its provider's row, and among the latest failures"
    clock.advance(61)
    assert "<span>7 / 7</span></td>" in "".join(providers(VIEWER, snapshots.latest()))


def test_a_provider_that_asks_for_no_more_rests(make_orchestrator, practice, clock):
    practice.faults.add("*:status=429,retry_after_s=30")
    orchestrator = make_orchestrator({"local_model": {"enabled": False}}, clock=clock)
    snapshots = Snapshots(orchestrator, LiveCounts(clock=clock), clock=clock)
    with pytest.raises(UnavailableError):
        orchestrator.complete("Hello?", deadline_s=5)
    rests = [state for state in snapshots.latest().deployments if state.rests_s]
    assert rests
    assert "30.00 s" in "".join(providers(VIEWER, snapshots.latest()))
