"""Proofs beside config.yaml: those that hold are found, and what proves nothing is left out."""

import orjson
import pytest

from orchestrator.config.measured_policies import measured_policies
from orchestrator.config.policy_files import measured_under

LUNA, SONNET = "openrouter/gpt-6-luna", "openrouter/claude-sonnet-5.5"


@pytest.fixture
def found(tmp_path, make_config):
    """Write a proof, changed as asked, and return what is found beside the configuration."""
    conditions = measured_under(make_config().settings, "cost_sensitive", (LUNA, SONNET))

    def find(config=None, *, raw=None, **changes):
        measured = {
            "day": "2026-11-20", "reference": SONNET, "margin": 0.01, "rows": 600, "confirmed_on": 400,
            "difference": {"mean": 0.0, "low": -0.004, "high": 0.004}, "cost_share": 0.4, "later": "field",
            "conditions": conditions,
        }  # fmt: skip
        content = {
            "use_case": "cost_sensitive",
            "policy": {"version": "7", "constant": LUNA},
            "measured": measured,
        }
        for key, value in changes.items():
            (content if key in content else measured)[key] = value
        (tmp_path / "policies").mkdir(exist_ok=True)
        (tmp_path / "policies" / "bulk.json").write_bytes(orjson.dumps(content) if raw is None else raw)
        return measured_policies(make_config(config or {}))

    return find


def test_a_proof_that_config_yaml_does_not_use_is_found(found):
    (policy,) = found()
    assert (policy.use_case, policy.file, policy.proof.reference) == (
        "cost_sensitive",
        "policies/bulk.json",
        SONNET,
    )
    assert policy.proof.is_not_inferior
    (worse,) = found(difference={"mean": 0.0, "low": -0.02, "high": 0.02})
    assert not worse.proof.is_not_inferior


def test_a_policy_that_is_in_force_is_no_news(found):
    assert found({"use_cases": {"cost_sensitive": {"policy": {"file": "policies/bulk.json"}}}}) == ()


@pytest.mark.parametrize("changes", [
    {"raw": b"{"}, {"raw": b"[]"}, {"raw": b"\xff\xfe"}, {"use_case": "of nobody"}, {"use_case": ["x"]},
    {"cost_share": None}, {"difference": {"mean": 0.0}}, {"reference": "p/unknown"}, {"margin": -1},
    {"conditions": {"max_tokens": 5}}, {"conditions": {"primary": SONNET}}, {"policy": {"constant": "p/unknown"}},
    {"day": "yesterday"}, {"measured": None},
])  # fmt: skip
def test_what_proves_nothing_is_left_out(found, changes):
    assert found(**changes) == ()
