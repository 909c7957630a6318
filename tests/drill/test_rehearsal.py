"""A rehearsal answers whole, at list prices, without a key, a network or a trace on the disk."""

from pathlib import Path

from orchestrator import Orchestrator
from orchestrator.config.loader import embedded_path
from orchestrator.drill.practice_config import addresses
from orchestrator.drill.rehearsal import practice_server, rehearsal

KEYS = ("OPENROUTER_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY")


def test_it_answers_without_a_key_and_says_that_it_is_practice(monkeypatch, tmp_path) -> None:
    """The first choice, in any language, at its price; what was booked is gone at the end."""
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with rehearsal() as orchestrator:
        reply = orchestrator.complete("Đơn DH1001 của tôi ở đâu?", use_case="customer_service")
        ledger = Path(orchestrator.config.settings.ledger.path)
        assert ledger.exists()
    assert "practice answer" in reply.text
    assert "Đơn DH1001 của tôi ở đâu?" in reply.text
    assert (reply.deployment, reply.degraded) == ("openrouter/gpt-6.1-sol", None)
    assert reply.cost_nusd > 0
    assert not ledger.exists()
    assert list(tmp_path.iterdir()) == []


def test_no_key_of_the_environment_is_used(monkeypatch) -> None:
    """And no address: what is asked in a rehearsal stays on this machine."""
    for name in KEYS:
        monkeypatch.setenv(name, "sk-real")
    monkeypatch.setenv("OPENROUTER_BASE_URL", "https://openrouter.invalid/api/v1")
    with rehearsal() as orchestrator:
        used = [one for one in orchestrator.config.catalog.deployments.values() if not one.is_local]
        assert {one.provider.api_key.get_secret_value() for one in used if one.provider.api_key} == {
            "practice"
        }
        assert all(str(one.provider.base_url).startswith("http://127.0.0.1:") for one in used)


def test_a_practice_server_of_ones_own_tests_bills_what_the_ledger_books(monkeypatch, tmp_path) -> None:
    """At the prices of the configuration, and no model that it does not have."""
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(tmp_path))
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    with practice_server(api_keys={"practice"}) as server:
        for name, value in addresses(server).items():
            monkeypatch.setenv(name, value)
        with Orchestrator.from_config(embedded_path(), watch=False) as orchestrator:
            reply = orchestrator.complete("Xin chào", model="openai/gpt-6-luna")
        assert reply.cost_nusd == server.bill.total_nusd() > 0
