"""That the ledger cannot be used is told by one of the processes that notice it, and its end by one."""

import threading
from datetime import UTC, datetime

import pytest

from orchestrator.alerting.claims import Claims
from orchestrator.core.alerts import Alert, AlertKind, AlertState
from orchestrator.ledger.usability import CALM_S
from orchestrator.monitoring.alert_watch import AlertWatch
from orchestrator.monitoring.shared_alerts import SharedAlerts

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def alert(cause, state=AlertState.BEGAN, kind=AlertKind.LEDGER_UNAVAILABLE):
    return Alert(kind, cause, None, NOW, state)


@pytest.fixture
def workers(clock):
    return SharedAlerts(clock), SharedAlerts(clock)


def told(workers, claims, *alerts):
    """Return how many workers tell each alert."""
    return [sum(worker.is_ours(each, claims) for worker in workers) for each in alerts]


def test_each_cause_is_told_once_over_all_workers_and_the_end_once(workers, tmp_path):
    claims, over = Claims(str(tmp_path)), alert("well again", AlertState.OVER)
    assert told(workers, claims, alert("disk"), alert("gone"), alert("disk"), over, over) == [1, 1, 0, 1, 0]
    assert told(workers, claims, alert("disk"), over) == [1, 1], "it is a new fault"


def test_what_happens_to_a_request_is_told_by_its_own_process(workers, tmp_path):
    late = alert("late", kind=AlertKind.BOOKED_LATE)
    assert told(workers, Claims(str(tmp_path)), late, late) == [2, 2]


def test_where_no_word_can_be_left_each_tells_for_itself(workers, tmp_path):
    (tmp_path / "file").touch()
    claims = Claims(str(tmp_path / "file" / "alerts"))
    assert told(workers, claims, alert("disk"), alert("well again", AlertState.OVER)) == [2, 2]


def test_what_was_handed_to_nobody_is_told_by_the_next(workers, tmp_path):
    (first, second), claims = workers, Claims(str(tmp_path))
    assert first.is_ours(alert("disk"), claims)
    first.withdraw(alert("disk"), claims)
    assert second.is_ours(alert("disk"), claims)


class Looking(AlertWatch):
    """Says when its thread has had its first look, behind which it sleeps."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.has_looked = threading.Event()

    def look(self):
        alerts = super().look()
        self.has_looked.set()
        return alerts


def test_workers_that_watch_a_lost_ledger_say_so_once(make_orchestrator, clock, tmp_path):
    changes = {"alerts": {"path": str(tmp_path / "alerts"), "check_every_s": 3600}}
    heard, orchestrators = [], [make_orchestrator(changes, clock=clock) for _ in range(2)]
    for each in orchestrators:
        each.complete("Hi")
        each.on_alert(lambda told: heard.append(told.state))
    watches = [Looking(each, clock=clock).start() for each in orchestrators]
    assert all(watch.has_looked.wait(timeout=600) for watch in watches)
    ledger = orchestrators[0].ledger_view.path
    away = ledger.with_name("away")
    ledger.rename(away)
    assert [each.ledger_problem() is None for each in orchestrators] == [False, False]
    assert heard == [AlertState.BEGAN]
    away.rename(ledger)
    clock.advance(CALM_S)
    assert [each.ledger_problem() for each in orchestrators] == [None, None]
    assert heard == [AlertState.BEGAN, AlertState.OVER]
    for watch in watches:
        watch.stop()
