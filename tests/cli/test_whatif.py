"""`orchestrator whatif`: recorded traffic under another configuration, from the command line."""

import re

import pytest

from orchestrator.cli.whatif import _slower
from tests.support.planted_traffic import TODAY, Traffic

SINCE = f"{TODAY.replace(day=1)}"


@pytest.fixture
def recorded(home):
    """A ledger of two days."""
    Traffic(home / "ledger.sqlite3", seed=2, days=2, a_day=30).write()
    return home / "ledger.sqlite3"


@pytest.fixture
def changed(tmp_path):
    """The shipped configuration with a budget of almost nothing for one tenant."""
    from tests.cli.conftest import CONFIG

    text = CONFIG.read_text("utf-8")
    path = tmp_path / "new.yaml"
    path.write_text(
        text.replace("  limits:\n", '  limits:\n    - {scope: "tenant:acme", day: 0.000001}\n', 1), "utf-8"
    )
    return path


def test_it_tells_what_changes_for_whom_and_on_what_it_rests(run, recorded, changed):
    before = recorded.read_bytes()
    ran = run("whatif", str(changed), "--since", SINCE, "--json")
    assert ran.code == 0, ran.err
    told = ran.json
    assert told["recorded"]["requests"] == told["after"]["requests"] == 60
    assert told["after"]["refused"] > told["before"]["refused"]
    assert told["since"][-6:] == told["until"][-6:] == "+07:00", "both in the zone of the budgets"
    assert told["tenants"][0]["name"] == "acme"
    assert told["tenants"][0]["worse"] > 0
    assert {"deployment", "rests_on", "recorded_sends", "thin"} <= told["evidence"][0].keys()
    assert "no key is set here for google, openai, openrouter" in ran.err
    assert recorded.read_bytes() == before


def test_people_get_tables(run, recorded, changed):
    ran = run("whatif", str(changed), "--since", SINCE)
    assert ran.code == 0, ran.err
    for words in (
        "60 requests",
        "refused",
        "answered by the first choice",
        "latency p95",
        "most in a minute",
        "acme",
        "notice: ",
    ):
        assert words in ran.out
    assert re.search(r"latency p50 +[\d.]+ m?s +[\d.]+ m?s +[\d.]+ m?s", ran.out)


def test_a_narrow_terminal_keeps_tables_apart_and_a_small_change_its_size(
    run, recorded, changed, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "60")
    ran = run("whatif", str(changed), "--since", SINCE)
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    (tenants,) = (n for n, line in enumerate(lines) if line.split()[:2] == ["tenant", "requests"])
    assert lines[tenants - 1].strip() == ""
    assert [_slower(change_s) for change_s in (-0.004, 0.0, 1.5)] == ["-4.0 ms", "+0.0 ms", "+1.50 s"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.yaml"], "nothing.yaml"),
        (["config.yaml", "--since", "yesterday"], "'yesterday' is no moment"),
        (["config.yaml", "--since", "1m"], "reach further back with --since"),
        (["config.yaml", "--since", "2026-11-20", "--until", "2026-11-10"], "ends before it begins"),
    ],
)
def test_what_cannot_be_replayed_says_what_to_do(run, recorded, arguments, words):
    ran = run("whatif", *arguments)
    assert ran.code == 2
    assert words in ran.err


def test_a_broken_new_configuration_says_its_line(run, recorded, changed):
    changed.write_text(changed.read_text("utf-8").replace("version: 1", "version: 2"), "utf-8")
    ran = run("whatif", str(changed), "--json")
    assert ran.code == 2
    assert f"{changed}:" in ran.json["error"]["message"]
