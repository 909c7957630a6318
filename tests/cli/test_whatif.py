"""`orchestrator whatif`: recorded traffic under another configuration, from the command line."""

import pytest

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
