"""A configuration for a replay touches nothing of the real one."""

from datetime import date
from pathlib import Path

from orchestrator.config.loader import embedded_path
from orchestrator.policies.normal_form import CompareBy
from orchestrator.whatif.isolated import isolated, load_keyed
from orchestrator.whatif.world import RIGHT

VOTE = {
    "voters": ["openrouter/gpt-6-luna", "google/gemini-3.1-flash-lite"],
    "judge": "openrouter/gpt-6.1-sol",
    "compare": {"by": "json"},
}


def test_every_provider_has_a_key_of_its_own_without_any_being_set():
    keyed = load_keyed(embedded_path(), today=date(2026, 11, 23), environment={})
    providers = keyed.config.settings.providers
    keys = {providers[name].api_key.get_secret_value() for name in keyed.assumed_keys}
    assert set(keyed.assumed_keys) == {"openrouter", "google", "openai"}
    assert len(keys) == 3
    assert not keyed.config.catalog.keyless


def test_files_are_new_and_gone_afterwards(make_config):
    config = make_config()
    with isolated(config) as own:
        paths = [own.settings.ledger.path, own.settings.cache.path, own.settings.idempotency.path]
        assert not {config.settings.ledger.path, config.settings.cache.path} & set(paths)
        folder = Path(own.settings.ledger.path).parent
        assert folder.is_dir()
    assert not folder.exists()


def test_policies_ask_the_same_models_and_accept_what_a_replay_answers(make_config):
    config = make_config({"use_cases": {"customer_service": {"policy": {"agreement": VOTE}}}})
    with isolated(config) as own:
        agreement = own.settings.use_cases["customer_service"].policy.agreement
    assert agreement.named == config.settings.use_cases["customer_service"].policy.agreement.named
    assert agreement.compare.by is CompareBy.LABEL
    assert RIGHT in agreement.compare.labels


def test_sides_that_answer_are_replayed_and_shadows_are_not(make_config):
    ab = {
        "use_case": "customer_service", "mode": "ab", "share": 0.5, "metric": "checks", "checks": [{"min_chars": 1}],
        "candidate": {"escalate": {"models": ["openrouter/gpt-6-luna", "openrouter/claude-sonnet-5.5"],
                                   "checks": [{"min_chars": 99}]}},
    }  # fmt: skip
    shadow = {**ab, "use_case": "cost_sensitive", "mode": "shadow", "budget": {"day": 1}}
    with isolated(make_config({"experiments": {"faq": ab, "bulk": shadow}})) as config:
        (experiment,) = config.experiments
        assert (experiment.name, experiment.settings.checks) == ("faq", ())
        policy = config.with_candidate("faq").settings.use_cases["customer_service"].policy
        assert policy.escalate.checks[0].labels == (RIGHT,)
