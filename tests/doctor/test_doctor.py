"""The connection test: each tier, each kind of failure, and what it tells to do."""

import sqlite3
from pathlib import Path

import pytest

from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import UnknownNameError
from orchestrator.doctor.doctor import EXIT_OK, EXIT_STATE, EXIT_TIER, run_checks
from orchestrator.doctor.results import CheckResult
from tests.support.prefixed import prefixed, prefixed_server

EVERY_CHECK = ["key", "models", "prompt", "format", "time", "errors", "headroom"]


def _of(findings, tier):
    return {result.name: result for result in findings.checks if result.tier == tier}


def test_a_healthy_provider_passes_every_check_of_the_source(configured, check, practice):
    """Key, models, prompt, format, time and error handling pass; headroom where the provider tells it."""
    findings = check(configured(), provider="openrouter")
    assert findings.exit_code == EXIT_OK
    checks = _of(findings, "openrouter")
    assert list(checks) == EVERY_CHECK
    assert {result.verdict for result in checks.values()} == {CheckResult.PASS}
    assert checks["time"].took_s > 0


@pytest.mark.parametrize("provider", ["google", "openai"])
def test_a_provider_that_tells_no_headroom_is_not_blamed(configured, check, provider):
    """What cannot be known is skipped with the reason, and the rest passes."""
    findings = check(configured(), provider=provider)
    assert findings.exit_code == EXIT_OK
    checks = _of(findings, provider)
    assert checks["headroom"].verdict is CheckResult.SKIPPED
    assert {result.verdict for name, result in checks.items() if name != "headroom"} == {CheckResult.PASS}


def test_its_prompt_is_budgeted_and_booked_on_an_account_of_its_own(configured, check, practice):
    """The check goes through the orchestrator: its cost is in the ledger, and equals the bill."""
    config = configured()
    check(config, provider="openrouter")
    with sqlite3.connect(config.settings.ledger.path) as connection:
        tenants = {tenant for (tenant,) in connection.execute("SELECT tenant FROM operations")}
        cost = connection.execute("SELECT sum(cost_nusd) FROM attempts").fetchone()[0]
    connection.close()
    assert tenants == {"probe:doctor"}
    assert cost == practice.bill.total_nusd() > 0


@pytest.mark.parametrize("provider", ["openrouter", "google", "openai"])
def test_a_refused_key_fails_once_and_skips_the_rest(configured, check, practice, provider):
    """A wrong key is one failure that names the setting; nothing is generated with it."""
    variable = {"openrouter": "OPENROUTER_API_KEY", "google": "GEMINI_API_KEY", "openai": "OPENAI_API_KEY"}[
        provider
    ]
    findings = check(configured(**{variable: "sk-wrong-secret"}), provider=provider)
    assert findings.exit_code == EXIT_TIER
    checks = _of(findings, provider)
    assert checks["key"].verdict is CheckResult.FAIL
    assert f"providers.{provider}.api_key" in checks["key"].todo
    assert {result.verdict for name, result in checks.items() if name != "key"} == {CheckResult.SKIPPED}
    assert "sk-wrong-secret" not in repr(findings)
    assert practice.bill.count() == 0


def test_an_address_where_nothing_listens_is_a_network_failure(configured, check):
    """A wrong base_url is told apart from a wrong key."""
    findings = check(configured(OPENAI_BASE_URL="http://127.0.0.1:9/v1"), provider="openai")
    assert findings.exit_code == EXIT_TIER
    key = _of(findings, "openai")["key"]
    assert "cannot be reached" in key.detail
    assert "providers.openai.base_url" in key.todo


def test_an_address_of_something_else_is_noticed(configured, check, practice):
    """A web page where a provider should be is no provider."""
    findings = check(configured(OPENAI_BASE_URL=f"{practice.url}/practice/health"), provider="openai")
    assert findings.exit_code == EXIT_TIER


def test_a_model_that_is_no_longer_offered_is_named(configured, check, practice):
    """A retired model fails the models check, by our name, with what to do."""
    practice._reception._desk.models["openai"] = ("gpt-6-luna",)
    findings = check(configured(), provider="openai")
    models = _of(findings, "openai")["models"]
    assert models.verdict is CheckResult.FAIL
    assert "openai/gpt-6.1-sol" in models.detail
    assert "openai/gpt-6-luna" not in models.detail
    assert "config.yaml" in models.todo


def test_a_provider_that_fails_the_prompt_fails_the_tier(configured, check, practice):
    """An outage during the check is told, with exit code 4."""
    practice.faults.add("openai:status=503")
    config = configured()
    findings = check(config, provider="openai")
    assert findings.exit_code == EXIT_TIER
    checks = _of(findings, "openai")
    assert checks["prompt"].verdict is CheckResult.FAIL
    assert checks["format"].verdict is CheckResult.SKIPPED
    assert checks["key"].verdict is CheckResult.PASS
    assert checks["prompt"].detail.count("unavailable") == 1
    with sqlite3.connect(config.settings.ledger.path) as connection:
        ids = [
            identity
            for (identity,) in connection.execute("SELECT id FROM operations")
            if f"'orchestrator requests show {identity}'" in checks["prompt"].todo
        ]
    connection.close()
    assert len(ids) == 1


def test_a_server_that_answers_for_any_model_is_noticed(configured, check, practice):
    """Error handling is tested with a model that does not exist; an answer is a failure."""
    object.__setattr__(practice._reception._desk, "models", None)
    errors = _of(check(configured(), provider="openai"), "openai")["errors"]
    assert errors.verdict is CheckResult.FAIL
    assert "does not exist" in errors.detail


def test_without_a_key_nobody_waits_for_litellm(configured):
    """It takes most of the time of the whole check, and the model on board needs nothing of it."""
    keys = dict.fromkeys(("OPENROUTER_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"), "")
    steps = []
    run_checks(configured(**keys), clock=SystemClock(), provider="openai", say=steps.append)
    assert steps == ["checking this machine", "asking "]


@pytest.mark.live
def test_without_keys_the_local_model_is_checked_and_the_others_are_off(configured, check):
    """No key at all is no failure: the local tier answers, the others say what they lack."""
    keys = dict.fromkeys(("OPENROUTER_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"), "")
    findings = check(configured(**keys))
    assert findings.exit_code == EXIT_OK
    local = _of(findings, "local")
    assert local["prompt"].verdict is CheckResult.PASS
    assert local["models"].detail.endswith("is on board")
    for tier in ("openrouter", "google", "openai"):
        assert _of(findings, tier)["key"].verdict is CheckResult.SKIPPED
        assert "it has no key" in _of(findings, tier)["key"].detail


def test_a_server_in_place_of_the_local_model_is_asked_for_its_models(configured, check, practice):
    """LOCAL_MODEL_BASE_URL leads the local tier's checks to that server."""
    findings = check(configured(LOCAL_MODEL_BASE_URL="http://127.0.0.1:9/v1"), provider="local")
    assert findings.exit_code == EXIT_TIER
    local = _of(findings, "local")
    assert "cannot be reached" in local["models"].detail
    assert "LOCAL_MODEL_BASE_URL" in local["models"].todo
    assert local["prompt"].verdict is CheckResult.SKIPPED


def test_without_live_nothing_is_asked(configured, check, practice):
    """--no-live looks at this machine alone."""
    findings = check(configured(), live=False)
    assert findings.exit_code == EXIT_OK
    assert not practice.requests
    assert {result.name for result in findings.checks if result.tier == "here"} == {
        "configuration",
        "ledger",
        "cache",
        "LiteLLM",
    }


def test_a_ledger_that_cannot_be_written_comes_first(configured, check, practice):
    """Exit code 6, and nothing is sent that could not be booked."""
    config = configured()
    Path(config.settings.ledger.path).mkdir(parents=True)
    findings = check(config)
    assert findings.exit_code == EXIT_STATE
    assert _of(findings, "here")["ledger"].verdict is CheckResult.FAIL
    assert not practice.requests


def test_a_cache_that_cannot_be_written_is_told(configured, check):
    """A file where the cache's folder should be is a failure of state."""
    config = configured()
    path = Path(config.settings.cache.path)
    path.parent.mkdir(parents=True)
    path.write_text("not a folder")
    findings = check(config, live=False)
    assert findings.exit_code == EXIT_STATE
    assert "cache.path" in _of(findings, "here")["cache"].todo


def test_an_unknown_provider_is_refused(configured, check):
    """--provider knows what was meant."""
    with pytest.raises(UnknownNameError, match="Did you mean 'openrouter'"):
        check(configured(), provider="openruter")


def test_a_provider_of_litellm_is_checked_by_its_prompt(make_config, check):
    """Its wire has no list of models that is known here, so nothing is asked of it but answers."""
    with prefixed_server() as server:
        findings = check(make_config(prefixed(server)), provider="anthropic")
    checks = _of(findings, "anthropic")
    assert list(checks) == EVERY_CHECK
    asked = {
        result.verdict for name, result in checks.items() if name in {"prompt", "format", "time", "errors"}
    }
    assert asked == {CheckResult.PASS}
    assert findings.exit_code == EXIT_OK
