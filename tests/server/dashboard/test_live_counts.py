"""The last hour, by tenant: what was booked in it, in bounded memory."""

import pytest

from orchestrator.core.errors import UnavailableError
from orchestrator.server.dashboard import live_counts
from orchestrator.server.dashboard.live_counts import LiveCounts


def observed(orchestrator, clock):
    counts = LiveCounts(clock=clock)
    orchestrator.observe(counts)
    return counts


def test_an_hour_holds_what_was_booked_in_it_and_nothing_older(practised, clock):
    counts = observed(practised, clock)
    first = practised.complete("first?", tenant="acme")
    clock.advance(1800)
    second = practised.complete("second?", tenant="lotus")
    practised.complete("second?", tenant="lotus")
    everybody, acme = counts.sums(), counts.sums("acme")
    assert everybody.cost_nusd == first.cost_nusd + second.cost_nusd
    answered = sum(count.requests for count in everybody.models.values())
    assert answered == 2, "a repetition from the cache says nothing of models"
    assert acme.cost_nusd == first.cost_nusd
    assert acme.models[first.model].sends == 1
    assert acme.models[first.model].average_s == pytest.approx(first.attempts[0].latency_s, abs=0.05)
    clock.advance(1801)
    assert counts.sums().cost_nusd == second.cost_nusd
    assert counts.sums("acme").models == {}


def test_failures_are_counted_and_the_latest_come_first(make_orchestrator, practice, clock):
    practice.faults.add("*:status=401")
    orchestrator = make_orchestrator({"local_model": {"enabled": False}})
    counts = observed(orchestrator, clock)
    with pytest.raises(UnavailableError):
        orchestrator.complete("Hello?", tenant="acme")
    sums = counts.sums("acme")
    assert sum(count.failed for count in sums.models.values()) >= 1
    assert all(count.average_s is None for count in sums.models.values())
    assert {(failure.failure, failure.status) for failure in counts.failures()} == {("unauthorized", 401)}


def test_a_provider_that_fails_all_the_time_pushes_out_no_failure_of_another(
    make_orchestrator, practice, clock, monkeypatch
):
    monkeypatch.setattr(live_counts, "_FAILURES_MAX", 2)
    practice.faults.add("*:status=401")
    orchestrator = make_orchestrator({"local_model": {"enabled": False}}, clock=clock)
    counts = observed(orchestrator, clock)
    for _ in range(3):
        with pytest.raises(UnavailableError):
            orchestrator.complete("Hello?", cache="off")
        clock.advance(600)
    providers = [failure.provider for failure in counts.failures()]
    assert {"openrouter", "google", "openai"} >= set(providers)
    assert len(set(providers)) > 1
    assert all(providers.count(provider) <= 2 for provider in providers)
    moments = [failure.at for failure in counts.failures()]
    assert moments == sorted(moments, reverse=True)
