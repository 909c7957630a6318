"""What is predicted for a configuration is what really happens under it."""

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.core.clock import SystemClock
from orchestrator.ledger.kept_plan import OwnTerms
from orchestrator.ledger.opening import open_view
from orchestrator.whatif.comparison import WhatIf
from orchestrator.whatif.outcomes import Fate
from orchestrator.whatif.recorded_traffic import NoTrafficError, read_traffic
from orchestrator.whatif.replay import ReplaySettings
from orchestrator.whatif.views import plain_what_if
from orchestrator.whatif.whatif import TimeRange, what_if
from tests.support.virtual_time import BEGAN
from tests.whatif.conftest import SPAN

ONE_MODEL = {"routing": {"max_candidates": 1}}


@pytest.fixture
def configured(make_config, tmp_path):
    """Make configurations that share nothing but a folder, without the local model."""

    def made(name, changes=None):
        own = {"ledger": {"path": f"{tmp_path}/{name}.sqlite3"}, "local_model": {"enabled": False}}
        return make_config({**own, **(changes or {})})

    return made


def asked(old, new, **settings) -> WhatIf:
    return what_if(old, new, SPAN, settings=ReplaySettings(**settings), clock=SystemClock())


def test_in_two_processes_it_says_the_same(configured, record, monkeypatch):
    monkeypatch.setattr("orchestrator.whatif.at_once._can_be_divided", lambda: True)
    old, new = configured("old"), configured("new", ONE_MODEL)
    record(old, share=0.1)
    in_turn, at_once = (plain_what_if(asked(old, new, at_once=how)) for how in (False, True))
    assert in_turn["before"] != in_turn["after"]
    assert {**in_turn, "replay_s": 0} == {**at_once, "replay_s": 0}


def half_of(cost_nusd):
    """Return a limit of the day that is used up in the middle of the traffic."""
    limit = {"scope": "tenant:acme", "day": f"{cost_nusd / 2 / 1e9:.6f}"}
    return {"budgets": {"limits": [limit], "tiers": []}}


def turned_round(config):
    """Return the change that asks the first fallback of customer service before its primary."""
    use_case = config.settings.use_cases["customer_service"]
    steps = [step.model_dump() for step in (use_case.fallbacks[0], use_case.primary, *use_case.fallbacks[1:])]
    return {"use_cases": {"customer_service": {"primary": steps[0], "fallbacks": steps[1:]}}}


def test_the_configuration_in_use_is_replayed_as_it_was_recorded(configured, record):
    old = configured("old")
    kinds, cost = record(old, share=0.1)
    assert kinds["degraded"]
    result = asked(old, old)
    assert result.recorded.requests == 120
    assert result.recorded.cost_nusd == cost
    assert result.before.total.count(Fate.DEGRADED) == kinds["degraded"]
    assert result.before.total.cost_nusd == pytest.approx(cost, rel=0.03)
    assert result.after.total == result.before.total
    assert (result.tenants, result.use_cases) == ((), ())


def test_the_cost_of_another_order_is_what_it_really_costs(configured, record):
    old = configured("old")
    new = configured("new", turned_round(old))
    # Enough traffic reaches the fallback that its own sends say what it costs.
    record(old, count=200, share=0.15)
    kinds, cost = record(new, count=200, share=0.15)
    result = asked(old, new)
    assert result.after.total.cost_nusd == pytest.approx(cost, rel=0.03)
    assert abs(result.after.total.count(Fate.DEGRADED) - kinds["degraded"]) <= 0.05 * 200
    (use_case,) = result.use_cases
    assert use_case.name == "customer_service"


@pytest.mark.parametrize("terms", [{}, {"max_tokens": 24}], ids=["use_case", "own"])
def test_a_smaller_budget_refuses_as_many_as_it_really_does(configured, record, terms):
    # With cheaper models to ask nothing would be refused for long.
    old = configured("old", ONE_MODEL)
    _, cost = record(old, **terms)
    new = configured("new", {**ONE_MODEL, **half_of(cost)})
    kinds, _ = record(new, **terms)
    result = asked(old, new)
    refused = result.after.total.count(Fate.REFUSED)
    assert kinds["refused"]
    assert abs(refused - kinds["refused"]) <= 0.01 * 120
    (tenant,) = result.tenants
    assert (tenant.name, tenant.worse) == ("acme", refused)


def test_what_requests_asked_for_themselves_is_asked_again(configured, record):
    old = configured("old")
    record(old, count=3, max_tokens=24, deadline_s=9.5, model="google/gemini-3.8-flash")
    view = open_view(old.settings.ledger)
    traffic = read_traffic(view, since=SPAN.since, until=SPAN.until, time_zone="UTC", fresh_s={})
    assert {request.terms for request in traffic.requests} == {
        OwnTerms("google/gemini-3.8-flash", max_tokens=24, deadline_s=9.5)
    }
    assert {send.deployment for request in traffic.requests for send in request.sends} == {
        "google/gemini-3.8-flash"
    }
    assert asked(old, configured("new", turned_round(old))).after.total.cost_nusd == pytest.approx(
        sum(request.cost_nusd for request in traffic.requests), rel=0.03
    )


def test_what_was_spent_before_the_range_counts(configured, record):
    old = configured("old", ONE_MODEL)
    _, cost = record(old)
    new = configured("new", {**ONE_MODEL, **half_of(cost)})
    # The first half of the traffic has spent the whole of it.
    middle = BEGAN + timedelta(minutes=5, seconds=30)
    later = TimeRange(middle, SPAN.until)
    result = what_if(old, new, later, settings=ReplaySettings(), clock=SystemClock())
    assert 0 < result.recorded.requests < 120
    assert result.after.total.count(Fate.REFUSED) >= 0.9 * result.recorded.requests


def test_the_same_seed_gives_the_same_answer_and_no_ledger_is_touched(configured, record):
    old = configured("old")
    new = configured("new", turned_round(old))
    record(old, count=60, share=0.2)
    before = hashlib.sha256(Path(old.settings.ledger.path).read_bytes()).digest()
    first, second = (plain_what_if(asked(old, new, seed=3)) for _ in range(2))
    assert {**first, "replay_s": 0} == {**second, "replay_s": 0}
    assert hashlib.sha256(Path(old.settings.ledger.path).read_bytes()).digest() == before
    assert not Path(new.settings.ledger.path).exists()


def test_a_model_without_evidence_is_named(configured, record):
    old = configured("old")
    new = configured("new", turned_round(old))
    record(old, count=30)
    result = asked(old, new)
    (ground, *_) = result.grounds
    assert ground.is_thin
    assert any(
        notice.startswith(ground.deployment)
        and f"has {ground.own} of the 20 recorded sends" in notice
        and "let some traffic go there" in notice
        for notice in result.notices
    )


def test_a_range_without_traffic_says_how_to_reach_it(configured, record):
    old = configured("old")
    record(old, count=1)
    later = TimeRange(SPAN.until, SPAN.until.replace(year=2027))
    with pytest.raises(NoTrafficError, match="reach further back with --since"):
        what_if(old, old, later, settings=ReplaySettings(), clock=SystemClock())
    with pytest.raises(NoTrafficError, match="there is no ledger at"):
        asked(configured("other"), old)
