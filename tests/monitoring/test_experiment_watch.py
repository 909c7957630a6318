"""A live process follows decisions within a second, and rolls back by itself what is proven worse."""

import shutil

import orjson
import pytest

from orchestrator.core.alerts import AlertKind
from orchestrator.experiments.comparison import Finding
from orchestrator.experiments.decision import (
    DecidedBy,
    Verdict,
    decided,
    decision_path,
    read_decision,
    write_decision,
)
from orchestrator.experiments.experiment import ExperimentState
from orchestrator.experiments.standing import standing_of
from orchestrator.monitoring import experiment_watch
from orchestrator.monitoring.alert_watch import AlertWatch
from orchestrator.monitoring.experiment_watch import ExperimentWatch
from tests.experiments.conftest import (
    AB,
    CANDIDATE_WORDS,
    LIVE_WORDS,
    eventually,
    experimenting,
    user_on,
    voices,
)

__all__ = ["experimenting", "voices"]


def decide(orchestrator, verdict):
    experiment = orchestrator.config.experiments[0]
    decision = decided(
        "faq",
        verdict,
        candidate=experiment.candidate,
        at=orchestrator.clock.now(),
        by=DecidedBy.COMMAND,
        reason="",
    )
    write_decision(decision_path(orchestrator.config.path, "faq"), decision)


def state_of(orchestrator):
    return orchestrator.config.experiments[0].state(orchestrator.clock.now().date())


def test_a_live_process_follows_a_promotion_and_a_roll_back(experimenting, environment, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    orchestrator = experimenting(AB, watch=True)
    live, candidate = user_on(orchestrator, "live"), user_on(orchestrator, "candidate")

    def answers():
        return [
            orchestrator.complete("Hi", tenant="acme", user=user, cache="off").text
            for user in (live, candidate)
        ]

    assert answers() == [LIVE_WORDS, CANDIDATE_WORDS]
    decide(orchestrator, Verdict.PROMOTED)
    eventually(lambda: state_of(orchestrator) is ExperimentState.PROMOTED)
    assert answers() == [CANDIDATE_WORDS, CANDIDATE_WORDS]
    decide(orchestrator, Verdict.ROLLED_BACK)
    eventually(lambda: state_of(orchestrator) is ExperimentState.ROLLED_BACK)
    assert answers() == [LIVE_WORDS, LIVE_WORDS]


@pytest.fixture
def worse(experimenting, monkeypatch, tmp_path):
    """An experiment whose candidate is proven worse by a rating of one user of each side."""
    alerts = {
        "path": str(tmp_path / "alerts"),
        "rules": {"tried": {"kind": "experiment_worse", "channels": ["log"]}},
        "channels": {
            "log": {
                "kind": "command",
                "argv": [shutil.which("tee"), str(tmp_path / "told")],
                "language": "vi",
            }
        },
    }
    orchestrator = experimenting({**AB, "rule": "roll_back_when_worse"}, alerts=alerts)
    monkeypatch.setattr("orchestrator.experiments.confidence.UNITS_MIN", 1)
    for number in range(60):
        reply = orchestrator.complete("Hi", user=f"u{number}")
        orchestrator.feedback(reply.request_id, score=1 if reply.text == CANDIDATE_WORDS else 5)
    zone = orchestrator.config.settings.budgets.time_zone
    known = standing_of(
        orchestrator.config.experiments[0],
        orchestrator.ledger_view,
        now=orchestrator.clock.now(),
        time_zone=zone,
    )
    assert known.finding is Finding.WORSE
    return orchestrator


def test_what_is_proven_worse_is_rolled_back_once_and_told(worse):
    alerts = []
    worse.on_alert(alerts.append)
    watch = ExperimentWatch(worse, clock=worse.clock)
    (decision,) = watch.look()
    assert read_decision(decision_path(worse.config.path, "faq"), "faq") == decision
    # Another process, or this one before it has taken the file over, says nothing of it again.
    assert watch.look() == ()
    ((kind, message),) = [(alert.kind, alert.message) for alert in alerts]
    assert kind is AlertKind.EXPERIMENT_WORSE
    assert "experiment 'faq' is rolled back: rating" in message


def test_what_is_rolled_back_goes_to_the_channels_of_its_rule_in_their_language(worse, tmp_path):
    with AlertWatch(worse, clock=worse.clock):
        assert ExperimentWatch(worse, clock=worse.clock).look()
        told = eventually(
            lambda: (tmp_path / "told").is_file() and orjson.loads((tmp_path / "told").read_bytes() or b"{}")
        )["text"]
    assert "Thử nghiệm kém hơn, đã hoàn tác: faq" in told
    assert "rating: 5.00 → 1.00 (" in told
    assert "Quy tắc tried" in told
    assert "rolled back" not in told


def test_the_watch_looks_by_itself_and_outlives_a_folder_that_cannot_be_written(worse, caplog):
    folder = worse.config.path.parent / "experiments"
    folder.write_text("in the way", encoding="utf-8")
    with ExperimentWatch(worse, clock=worse.clock):
        eventually(lambda: "experiments are not looked at" in caplog.text)
        folder.unlink()
        eventually(lambda: read_decision(folder / "faq.json", "faq"))
    assert experiment_watch.LOOK_EVERY_S >= 1
