"""`orchestrator experiment`: what is known, on a terminal of any width and as JSON; decisions that are followed."""

import re

import orjson
import pytest
import yaml

from orchestrator import Orchestrator
from orchestrator.config.loader import load_config
from orchestrator.core.clock import SystemClock
from orchestrator.experiments.decision import decision_path
from orchestrator.experiments.experiment import ExperimentState
from orchestrator.providers.in_memory import InMemoryTransport
from tests.experiments.conftest import AB, CANDIDATE_WORDS, SHADOW, voices
from tests.support.receiver import receiver

__all__ = ["voices"]
EXPERIMENTS = {
    "faq": {**AB, "rule": "roll_back_when_worse", "start": "2026-01-01"},
    "bulk": {**SHADOW, "use_case": "cost_sensitive"},
}


@pytest.fixture
def config_path(tmp_path, shipped_data, monkeypatch):
    for name in ("OPENROUTER_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "a-key")
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(tmp_path / "home"))
    path = tmp_path / "config.yaml"
    path.write_bytes(
        orjson.dumps({**shipped_data, "experiments": EXPERIMENTS, "local_model": {"enabled": False}})
    )
    return path


@pytest.fixture
def experiment(run, config_path):
    return lambda *words: run("--config", str(config_path), "experiment", *words)


@pytest.fixture
def asked(config_path, voices, monkeypatch):
    """Sixty users, of whom the candidate's are content with nothing; the fewest that may be judged are 20."""
    monkeypatch.setattr("orchestrator.experiments.confidence.UNITS_MIN", 20)
    clock = SystemClock()
    config = load_config(config_path, today=clock.now().date())
    transport = InMemoryTransport(clock=clock, answerer=voices)
    with Orchestrator(config, clock=clock, transport=transport) as orchestrator:
        for number in range(60):
            reply = orchestrator.complete("Hi", use_case="customer_service", user=f"u{number}")
            orchestrator.feedback(reply.request_id, score=1 if reply.text == CANDIDATE_WORDS else 5)


def state(config_path):
    config = load_config(config_path, today=SystemClock().now().date())
    return config.experiments[0].state(SystemClock().now().date())


def test_without_experiments_it_says_where_to_write_some(run, config_path, shipped_data):
    config_path.write_text(yaml.safe_dump(shipped_data), encoding="utf-8")
    ran = run("--config", str(config_path), "experiment", "list")
    assert (ran.code, "write some under 'experiments'" in ran.out) == (0, True)
    ran = run("--config", str(config_path), "experiment", "show", "faq")
    assert (ran.code, "config.yaml has no 'experiments'" in ran.err) == (2, True)


@pytest.mark.parametrize("width", [60, 80])
def test_a_terminal_shows_both_sides_whole_and_json_says_the_same(experiment, asked, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    listed, shown = experiment("list"), experiment("show", "faq")
    assert (listed.code, shown.code) == (0, 0), listed.err + shown.err
    for ran in (listed, shown):
        tables = [line for line in ran.out.splitlines() if "─" in line or re.search(r"\(\d+\)", line)]
        assert all(len(line) <= width for line in tables)
    assert {"faq", "customer_service", "running", "rating", "worse"} <= set(listed.out.split())
    data = experiment("show", "faq", "--json").json
    rating = next(each for each in data["comparisons"] if each["metric"] == "rating")
    assert (data["finding"], rating["live"]["mean"], rating["candidate"]["mean"]) == ("worse", 5, 1)
    assert rating["live"]["units"] + rating["candidate"]["units"] == 60
    assert rating["difference"]["high"] < 0
    assert f"5.00 ({rating['live']['units']})" in shown.out
    assert [each["experiment"] for each in experiment("list", "--json").json["experiments"]] == [
        "faq",
        "bulk",
    ]
    budget = experiment("show", "bulk", "--json").json["shadow_budget"]
    assert [(each["window"], each["limit_nusd"]) for each in budget] == [("day", 1_000_000_000)]


def test_promote_refuses_what_is_proven_worse_unless_it_is_meant_and_roll_back_takes_it_back(
    experiment, asked, config_path
):
    refused = experiment("promote", "faq")
    assert refused.code == 2
    assert "'faq' is not proven to be as good: rating" in refused.err
    assert state(config_path) is ExperimentState.RUNNING
    promoted = experiment("promote", "faq", "--anyway")
    assert promoted.code == 0
    assert "make the candidate the policy of 'customer_service'" in " ".join(promoted.out.split())
    assert state(config_path) is ExperimentState.PROMOTED
    rolled_back = experiment("roll-back", "faq", "--json").json
    assert (rolled_back["verdict"], rolled_back["by"]) == ("rolled_back", "command")
    assert state(config_path) is ExperimentState.ROLLED_BACK
    assert "rolled back by command" in experiment("show", "faq").out


def test_check_does_what_the_rules_say_and_then_nothing_more(experiment, asked, config_path):
    ran = experiment("check")
    assert ran.code == 1
    assert "faq is rolled back: rating" in ran.out
    assert state(config_path) is ExperimentState.ROLLED_BACK
    assert "told to nobody: no rule of kind experiment_worse" in " ".join(ran.out.split())
    assert experiment("check", "--json").json == {"decisions": [], "channels": []}


def test_check_tells_the_channels_of_its_rule_and_says_what_came_back(experiment, asked, config_path):
    """Nobody reads the output of a job that runs every minute."""
    data = orjson.loads(config_path.read_bytes())
    with receiver() as ops, receiver() as broken:
        broken.statuses.append(404)
        channels = {
            "ops": {"kind": "slack", "url": ops.url},
            "broken": {"kind": "webhook", "url": broken.url},
        }
        rules = {"worse": {"kind": "experiment_worse"}, "money": {"kind": "budget", "channels": ["ops"]}}
        data["alerts"] = {"rules": rules, "channels": channels}
        config_path.write_bytes(orjson.dumps(data))
        ran = experiment("check", "--json")
        assert ran.code == 1, ran.err
        assert [(each["channel"], each["taken"]) for each in ran.json["channels"]] == [
            ("ops", True),
            ("broken", False),
        ]
        assert ["faq" in body["text"] for body in ops.bodies] == [True]
        assert experiment("check").code == 0
        assert len(ops.bodies) == 1


def test_an_unknown_name_is_an_error_that_names_the_known(experiment):
    for command in ("show", "promote", "roll-back"):
        ran = experiment(command, "fag")
        assert (ran.code, "Did you mean 'faq'?" in ran.err) == (2, True)


def test_a_candidate_of_which_nothing_is_known_is_promoted_only_if_it_is_meant(experiment, config_path):
    refused = experiment("promote", "faq")
    assert (refused.code, "too few answers to say anything" in refused.err) == (2, True)
    assert state(config_path) is ExperimentState.RUNNING


def test_a_damaged_decision_names_a_remedy_that_helps(experiment, config_path):
    assert experiment("roll-back", "faq").code == 0
    path = decision_path(config_path, "faq")
    path.write_text("garbage")
    refused = experiment("promote", "faq", "--anyway")
    assert (refused.code, "delete it, and decide again" in refused.err) == (2, True)
    path.unlink()
    assert experiment("promote", "faq", "--anyway").code == 0


def test_reports_leave_the_sides_of_experiments_to_their_own_command(run, config_path, asked):
    report = run("--config", str(config_path), "report", "--json")
    assert report.code == 0, report.err
    assert "arm:" not in report.out
    refused = run("--config", str(config_path), "report", "--tag", "arm:faq@1a2b3c4d:live")
    assert (refused.code, "orchestrator experiment show" in " ".join(refused.err.split())) == (2, True)


def test_show_says_the_share_in_percent_and_how_much_is_missing(experiment):
    shown = experiment("show", "faq").out
    assert "running, 50 % of users" in shown
    assert "missing: 100 users a side before anything is said" in shown
    assert "missing: 100 pairs before anything is said" in experiment("show", "bulk").out
