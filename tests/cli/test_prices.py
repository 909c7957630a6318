"""`orchestrator prices`: its table, its JSON, a refresh from a real server, and exit codes."""

import json

import pytest

from orchestrator.practice import PracticeServer


@pytest.fixture
def served(monkeypatch):
    """A list of one model, dearer than config.yaml says, without a key."""
    from orchestrator.core.money import NanoUsdPerMtok
    from orchestrator.practice import PracticePrice

    price = PracticePrice(NanoUsdPerMtok(10**8), NanoUsdPerMtok(10**9), NanoUsdPerMtok(10**7))
    prices = {("openrouter", "openai/gpt-6-luna"): price}
    with PracticeServer(prices=prices, models={"openrouter": ("openai/gpt-6-luna",)}) as server:
        monkeypatch.setenv("OPENROUTER_BASE_URL", server.base_url("openrouter"))
        yield server


def test_the_table_names_every_deployment_in_80_columns(run, home):
    ran = run("prices")
    assert ran.code == 0
    for word in ("openrouter/gpt-6-luna", "local/smollm2-135m-instruct", "config", "2026-11-09"):
        assert word in ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 80
    assert "openrouter/gpt-6-luna: above 272,000 tokens: 0.2 / 0.75 / 0.02" in ran.out
    assert len(run("prices", "--all").out.splitlines()) > len(ran.out.splitlines())


def test_programs_read_every_price_exactly(run, home):
    prices = {line["deployment"]: line for line in json.loads(run("prices", "--json").out)["prices"]}
    luna = prices["openrouter/gpt-6-luna"]
    assert luna["price"]["output_usd_per_mtok"] == "0.5"
    assert luna["price"]["origin"] == "config"
    assert luna["price"]["tiers"][0]["above_input_tokens"] == 272_000
    assert [other["origin"] for other in luna["others"]] == ["snapshot"]


def test_a_refresh_is_kept_and_then_compared(run, home, served):
    """A script that watches prices: refresh, then diff says 1 and which."""
    assert run("prices", "diff").code == 0
    ran = run("prices", "refresh")
    assert (ran.code, ran.out.startswith("1 prices kept in ")) == (0, True)
    assert (home / "prices" / "openrouter.json").is_file()
    ran = run("prices", "diff")
    assert ran.code == 1
    assert "output: 0.5 → 1 (+100.0 %)" in ran.out
    differences = json.loads(run("prices", "diff", "--json").out)
    assert differences["equal"] is False
    (changed,) = [comparison for comparison in differences["prices"] if comparison["verdict"] == "changed"]
    assert changed["deployment"] == "openrouter/gpt-6-luna"
    assert json.loads(run("prices", "refresh", "--json").out)["models"] == 1


def test_offline_a_refresh_exits_4_and_says_what_is_used(run, home, monkeypatch):
    monkeypatch.setenv("OPENROUTER_BASE_URL", "http://127.0.0.1:9/v1")
    ran = run("prices", "refresh")
    assert ran.code == 4
    assert "no list was kept before, so the other sources are used" in ran.err
    assert json.loads(run("prices", "refresh", "--json").out)["error"]["exit_code"] == 4
