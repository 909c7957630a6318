"""`orchestrator ledger backup | restore`, as an operator uses them."""

from tests.support.filled_book import Book, Outcome


def test_a_ledger_is_backed_up_and_restored_by_two_commands(run, home, tmp_path):
    book = Book(home / "ledger.sqlite3")
    book.request(("m", Outcome.SUCCEEDED, 100))
    target = tmp_path / "b.sqlite3"
    taken = run("ledger", "backup", str(target))
    book.request(("m", Outcome.SUCCEEDED, 200))
    book.ledger.close()
    assert (taken.code, taken.err) == (0, "")
    assert "1 request, 1 attempt" in taken.out
    restored = run("ledger", "restore", str(target), "--json").json
    assert (restored["rows"]["operations"], restored["counters_are_right"]) == (1, True)
    assert restored["former"].startswith(f"{home}/ledger.sqlite3.before-")
    assert run("ledger", "verify", "--json").json["rows"]["operations"] == 1


def test_what_cannot_be_backed_up_or_restored_exits_6_and_says_why(run, home, tmp_path):
    for command in (("backup", tmp_path / "b"), ("restore", tmp_path / "b")):
        ran = run("ledger", command[0], str(command[1]))
        assert (ran.code, ran.out) == (6, "")
        assert "there is no file" in ran.err
    assert not home.exists()
