"""Days that are over are summed, those of the ledger's own zone, and no other."""

from datetime import timedelta

from orchestrator.ledger.closed_days import sum_closed_days


def test_the_days_before_today_are_summed_once(books):
    now = books.clock.now()
    for back in (3, 2, 1, 0):
        books.clock.set(now - timedelta(days=back))
        books.request(f"op-{back}")
    summing = {"now": now, "time_zone": "Asia/Ho_Chi_Minh"}
    assert sum_closed_days(books.ledger.store, **summing, since=f"{now - timedelta(days=2):%Y-%m-%d}") == 2
    assert sum_closed_days(books.ledger.store, **summing) == 1
    assert sum_closed_days(books.ledger.store, **summing) == 0
    books.clock.set(now - timedelta(days=3))
    books.request("late")
    assert sum_closed_days(books.ledger.store, **summing) == 1
    assert books.verified().is_right


def test_where_there_is_no_ledger_nothing_is_made(books):
    assert sum_closed_days(books.ledger.store, now=books.clock.now(), time_zone="UTC") == 0
    assert not books.path.exists()
