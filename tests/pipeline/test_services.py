"""What outlives a configuration goes by the limits of the next one, and keeps what it knows."""

from orchestrator.ledger.budgets import Window
from orchestrator.resilience.concurrency_limiter import Load


def test_nothing_is_opened_before_it_is_needed(bench) -> None:
    assert not bench.services.ledger.exists
    assert not bench.services.kept_replies.path.exists()


def test_another_configuration_brings_its_limits_and_loses_nothing(bench, make_config) -> None:
    ledger, health = bench.services.ledger, bench.services.dispatch.health
    health.observe("openrouter", healthy=False)
    bench.services.adopt(make_config({"budgets": {"limits": [{"scope": "tenant:acme", "day": 0.02}]}}))
    assert bench.services.ledger is ledger
    assert ledger.limits.of("tenant:acme", Window.DAY) == 20_000_000
    assert bench.services.dispatch.health is health
    assert bench.services.limiter.load == Load(0, 0)
