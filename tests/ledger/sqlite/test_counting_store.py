"""What is counted in memory grants and refuses as the file does."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.core.clock import SystemClock
from orchestrator.core.money import NanoUsd
from orchestrator.ledger.periods import Window, period_of
from orchestrator.ledger.records import CounterLimit, Hold
from orchestrator.ledger.sqlite.counting_store import CountingStore
from orchestrator.ledger.sqlite.store import SqliteStore
from tests.ledger.store_contract import StoreContract, attempt, new_hold

SCOPES = ("all", "tenant:acme", "tenant:beta", "provider:p")
EVENING = datetime(2026, 11, 29, 22, 30, tzinfo=UTC)


@pytest.fixture
def stores(tmp_path):
    """A ledger in memory and one in a file, both empty."""
    clock = SystemClock()
    path = tmp_path / "ledger.sqlite3"
    file = SqliteStore(path, lock_timeout_s=60, clock=clock, on_late=lambda _, __: None)
    yield CountingStore(clock=clock), file
    file.close()


def random_limits(chance):
    """Return limits of some scopes and windows, of which some roll over."""
    return [
        CounterLimit(scope, window, NanoUsd(chance.randint(6, 12) * most), NanoUsd(chance.choice([0, most])))
        for scope in SCOPES
        for window, most in ((Window.HOUR, 500), (Window.DAY, 2_000), (Window.MONTH, 6_000))
        if chance.random() < 0.5
    ]


@pytest.mark.parametrize("seed", range(4))
def test_holds_are_granted_and_refused_as_the_file_does(stores, seed):
    """Over the end of an hour, a day, a week and a month, with what rolls over."""
    chance = random.Random(seed)  # noqa: S311 -- repeatable, no secret
    limits, moment, held = random_limits(chance), EVENING, []
    answers = {True: 0, False: 0}
    for number in range(120):
        moment += timedelta(minutes=chance.randint(0, 60 if number < 100 else 600))
        scopes = ("all", chance.choice(SCOPES[1:3]), "provider:p")
        named = [limit for limit in limits if limit.scope in scopes]
        bound = chance.choice([0, 500, 1_000, 4_000])
        new = new_hold(f"op{number}", bound=bound, scopes=scopes, limits=named, moment=moment)
        counted, booked = (store.hold(new) for store in stores)
        assert isinstance(counted, Hold) == isinstance(booked, Hold)
        answers[isinstance(counted, Hold)] += 1
        if isinstance(counted, Hold):
            held.append((counted, booked))
        else:
            assert counted == booked
        if held and chance.random() < 0.6:
            both, cost = held.pop(chance.randrange(len(held))), chance.choice([0, 300, 900, 5_000])
            for _ in range(chance.choice([1, 2])):
                for store, hold in zip(stores, both, strict=True):
                    store.settle(hold, attempt(cost))
        assert_equal(stores, moment)
    assert min(answers.values()) > 10


def assert_equal(stores, moment):
    """Every counter of the moment says the same."""
    keys = period_of(moment, "UTC").keys
    counted, booked = (store.counters(*keys) for store in stores)
    assert counted == booked
    first, second = (store.counter("all", keys[0]) for store in stores)
    assert first == second
    assert stores[0].began_at() == stores[1].began_at()


def test_it_leaves_no_file_and_no_row(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = CountingStore(clock=SystemClock())
    hold = store.hold(new_hold())
    assert isinstance(hold, Hold)
    store.settle_deferred(hold, attempt(300))
    store.close()
    assert store.counter("all", hold.period.day).spent == 300
    assert store.token_samples(5) == ()
    assert list(tmp_path.iterdir()) == []


class TestCountingStore:
    """The promises of every store that are about money, and look at no row."""

    @pytest.fixture
    def store(self):
        return CountingStore(clock=SystemClock())

    test_the_first_limit = (
        StoreContract.test_the_first_limit_in_the_order_of_the_caller_is_the_one_that_refuses
    )
    test_what_is_spent_comes_first = (
        StoreContract.test_a_limit_that_what_is_spent_passes_comes_before_one_that_only_holds_pass
    )
    test_every_scope_is_counted = StoreContract.test_without_a_limit_a_scope_is_counted_all_the_same
    test_a_cost_above_its_hold = StoreContract.test_a_cost_above_its_hold_is_booked_in_full
    test_the_windows_of_a_hold = StoreContract.test_a_settlement_books_into_the_windows_of_its_hold
