"""That a ledger cannot be used is told once for each cause, and that it can again, by whoever looks."""

import resource
import subprocess

import pytest

from orchestrator.core.alerts import Alerts, AlertState
from orchestrator.core.errors import LedgerError
from orchestrator.ledger.budgets import BudgetSettings, Limits
from orchestrator.ledger.ledger import Ledger
from orchestrator.ledger.usability import CALM_S, Usability


@pytest.fixture
def watched(books, clock):
    """A ledger in use whose alerts are kept in `told`."""
    alerts, books.told = Alerts(), []
    alerts.subscribe(lambda alert: books.told.append((alert.kind.value, alert.state, alert.message)))
    books.ledger = Ledger(books.ledger.store, limits=books.ledger.limits, clock=clock, alerts=alerts)
    books.send("before", 300)
    return books


def refuse(books, times=3):
    for _ in range(times):
        with pytest.raises(LedgerError):
            books.ledger.hold(books.claim("refused"))


def states(books):
    return [state for _, state, _ in books.told]


def test_a_lost_file_is_told_once_and_that_it_is_back_by_the_next_look(watched, clock):
    away = watched.path.with_name("away")
    watched.path.rename(away)
    refuse(watched)
    assert str(watched.ledger.look()) == watched.told[0][2]
    assert [(kind, state) for kind, state, _ in watched.told] == [("ledger_unavailable", AlertState.BEGAN)]
    away.rename(watched.path)
    assert watched.ledger.look() is None
    assert states(watched) == [AlertState.BEGAN], "it worked for no time yet"
    clock.advance(CALM_S)
    assert watched.ledger.look() is None
    assert states(watched) == [AlertState.BEGAN, AlertState.OVER]
    assert "can be used again" in watched.told[-1][2]


async def test_requests_notice_too_that_it_is_back_and_another_cause_is_told_again(watched, clock):
    away = watched.path.with_name("away")
    watched.path.rename(away)
    refuse(watched)
    away.rename(watched.path)
    clock.advance(CALM_S)
    await watched.ledger.ahold(watched.claim("after"))
    watched.path.rename(away)
    watched.path.touch()
    refuse(watched)
    assert states(watched) == [AlertState.BEGAN, AlertState.OVER, AlertState.BEGAN]
    assert "replaced by another file" in watched.told[-1][2]


def test_an_older_copy_stays_told_though_it_can_be_written(watched, clock, tmp_path):
    (tmp_path / "older").mkdir()
    parts = [*watched.path.parent.glob(f"{watched.path.name}*")]
    subprocess.run(["cp", *parts, tmp_path / "older"], check=True)
    watched.send("last", 300)
    log = tmp_path / "older" / f"{watched.path.name}-wal"
    for part in (watched.path.name, log.name):
        subprocess.run(["cp", tmp_path / "older" / part, watched.path.with_name(part)], check=True)
    refuse(watched)
    for _ in range(3):
        clock.advance(CALM_S)
        assert watched.ledger.look() is not None
    assert states(watched) == [AlertState.BEGAN]


def test_days_of_another_zone_and_a_full_disk_are_causes_too(watched):
    watched.ledger.limits = Limits(BudgetSettings(time_zone="Asia/Tokyo"))
    refuse(watched)
    watched.ledger.limits = Limits(BudgetSettings())
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, unlimited[1]))
    try:
        assert watched.ledger.look() is not None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert states(watched) == [AlertState.BEGAN, AlertState.BEGAN]
    assert "counts days of" in watched.told[0][2]


def test_of_a_ledger_that_was_never_used_the_caller_alone_is_told_until_somebody_watches(watched, clock):
    alerts, told = Alerts(), []
    alerts.subscribe(told.append)
    watched.path.unlink()
    ledger = Ledger(watched.ledger.store, limits=watched.ledger.limits, clock=clock, alerts=alerts)
    with pytest.raises(LedgerError):
        ledger.hold(watched.claim("refused"))
    assert told == []
    assert ledger.look() is not None
    assert len(told) == 1


def test_a_use_that_fails_after_the_ledger_works_again_is_no_new_fault(clock):
    """It had begun before, in a thread that was held up."""
    alerts, told = Alerts(), []
    alerts.subscribe(lambda alert: told.append(alert.state))
    usability = Usability(alerts, clock, "there")
    with pytest.raises(LedgerError, match="late"), usability.noted():
        with pytest.raises(LedgerError, match="gone"), usability.noted(at_first=True):
            raise LedgerError("gone")
        clock.advance(CALM_S)
        with usability.noted():
            pass
        raise LedgerError("late")
    assert told == [AlertState.BEGAN, AlertState.OVER]
