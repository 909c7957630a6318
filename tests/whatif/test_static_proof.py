"""What a configuration promises by itself."""

import pytest

from orchestrator.core.clock import SystemClock
from orchestrator.whatif.proof_words import warnings_of
from orchestrator.whatif.static_proof import ASSUMED_AVAILABILITY, RecordedSends, prove, recorded_answers

PRIMARY, OTHER = "openrouter/gpt-6.1-sol", "google/gemini-3.8-flash"


def chain(*names, **more):
    """Return a use case that asks these, and nobody else."""
    steps = [{"deployment": name, "reason": "in this order"} for name in names]
    use_case = {"primary": steps[0], "fallbacks": steps[1:], "quality_floor": 0, **more}
    own = {"local_model": {"enabled": False}, "routing": {"max_candidates": len(names)}}
    return {**own, "use_cases": {"customer_service": use_case}}


def proof_of(config, clock, recorded=None):
    proofs = {proof.use_case: proof for proof in prove(config, recorded or {}, clock=clock)}
    return proofs["customer_service"]


def test_one_provider_behind_a_use_case_is_a_single_point_of_failure(make_config, clock):
    alone = proof_of(make_config(chain(PRIMARY, "openrouter/claude-sonnet-5.5")), clock)
    assert {point.kind for point in alone.single_points} >= {"provider", "key", "address"}
    assert "vendor" not in {point.kind for point in alone.single_points}
    assert any("everything hangs on one provider openrouter" in line for line in warnings_of(alone))
    # Two models that fail together are as good as one.
    assert alone.availability == pytest.approx(ASSUMED_AVAILABILITY)
    two = proof_of(make_config(chain(PRIMARY, OTHER)), clock)
    assert not {"provider", "vendor", "address"} & {point.kind for point in two.single_points}
    assert two.availability == pytest.approx(1 - (1 - ASSUMED_AVAILABILITY) ** 2)


def test_providers_that_share_one_key_are_named(make_config, clock):
    same = {name: {"api_key": "sk-of-both"} for name in ("openrouter", "google")}
    proof = proof_of(make_config({**chain(PRIMARY, OTHER), "providers": same}), clock)
    assert [(point.kind, point.shared_by) for point in proof.single_points] == [
        ("key", ("openrouter", "google"))
    ]
    assert list(warnings_of(proof)) == [
        "customer_service: openrouter and google share one key: give each its own"
    ]


def test_availability_comes_from_the_record_where_there_is_enough(make_config, clock):
    config = make_config(chain(PRIMARY, OTHER))
    recorded = {PRIMARY: RecordedSends(99, 90), OTHER: RecordedSends(3, 0)}
    proof = proof_of(config, clock, recorded)
    assert [part.recorded_sends for part in proof.chain] == [99, None]
    assert proof.availability == pytest.approx(1 - 0.1 * (1 - ASSUMED_AVAILABILITY))
    assert proof.is_assumed


def test_a_place_that_is_never_asked_is_named_with_its_reason(make_config, clock):
    changes = chain(PRIMARY, OTHER, "openai/gpt-6-luna")
    changes["routing"] = {"max_candidates": 2}
    proof = proof_of(make_config(changes), clock)
    assert list(proof.unreachable) == ["openai/gpt-6-luna"]
    assert any("never asked" in line and "max_candidates" in line for line in warnings_of(proof))
    off = make_config({**chain(PRIMARY, OTHER), "deployments": {OTHER: {"enabled": False}}})
    assert "enabled: false" in proof_of(off, clock).unreachable[OTHER]


def test_the_worst_request_costs_no_more_than_its_limits(make_config, clock):
    free = proof_of(make_config(chain(PRIMARY, OTHER)), clock)
    limited = {"budgets": {"limits": [{"scope": "all", "request": "0.25", "day": 100}], "tiers": []}}
    config = make_config({**chain(PRIMARY, OTHER, deadline_s=12), **limited})
    proof = proof_of(config, clock)
    attempts = config.settings.retry_profiles["interactive"].attempts_per_deployment
    assert proof.most_nusd == 2 * attempts * 250_000_000 < free.most_nusd
    assert proof.most_s == 12


def test_what_is_recorded_is_counted_without_making_a_ledger(make_config, record, tmp_path):
    config = make_config({"ledger": {"path": f"{tmp_path}/l.sqlite3"}, "local_model": {"enabled": False}})
    assert recorded_answers(config, clock=SystemClock()) == {}
    assert not (tmp_path / "l.sqlite3").exists()
