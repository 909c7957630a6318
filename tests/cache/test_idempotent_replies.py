"""A reply that was stored is given back whole or not at all, and no error of the store is passed over."""

import pickle
import sqlite3
import stat
from contextlib import closing

import pytest
from pydantic import ValidationError

from orchestrator.cache.idempotent_replies import IdempotencySettings, KeptReplies
from orchestrator.core.errors import StateError

BODY = b'{"text": "xin ch\xc3\xa0o"}'


@pytest.fixture
def kept(tmp_path):
    made = KeptReplies(IdempotencySettings(path=str(tmp_path / "replies")))
    yield made
    made.close()


def change(kept, value):
    with closing(sqlite3.connect(kept.path / "cache.db")) as connection, connection:
        assert connection.execute("UPDATE Cache SET value = ?", (value,)).rowcount == 1


def test_a_reply_is_given_back_as_often_as_it_is_asked_for_also_after_a_restart(kept, tmp_path):
    kept.put("op", BODY)
    again = KeptReplies(IdempotencySettings(path=str(tmp_path / "replies")))
    assert [kept.get("op"), again.get("op"), again.get("op"), again.get("other")] == [BODY, BODY, BODY, None]
    again.close()


def test_a_large_reply_lies_in_a_file_and_comes_back_whole(kept):
    large = b"x" * 1_000_000
    kept.put("op", large)
    assert kept.get("op") == large
    next(kept.path.rglob("*.val")).write_bytes(b"cut")
    assert kept.get("op") is None


def test_none_is_dropped_to_make_room(kept):
    """Two thousand replies of a kilobyte are all there, and one goes when it is told to."""
    for number in range(2000):
        kept.put(f"op-{number}", b"x" * 1000)
    kept.drop("op-7")
    kept.drop("op-7")
    assert [number for number in range(2000) if kept.get(f"op-{number}") is None] == [7]


@pytest.mark.parametrize("value", [b"", b"short", b"x" * 100, BODY])
def test_what_is_not_what_was_stored_is_no_reply(kept, value):
    kept.put("op", BODY)
    change(kept, value)
    assert kept.get("op") is None


def test_a_planted_pickle_is_refused(kept):
    kept.put("op", BODY)
    with closing(sqlite3.connect(kept.path / "cache.db")) as connection, connection:
        connection.execute("UPDATE Cache SET mode = 4, value = ?", (pickle.dumps("x"),))
    with pytest.raises(StateError, match="cannot read the replies"):
        kept.get("op")


def test_only_its_owner_may_enter_the_folder(kept):
    kept.put("op", BODY)
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o700


def test_a_folder_that_others_may_write_is_an_error(kept):
    kept.put("op", BODY)
    kept.close()
    kept.path.chmod(0o777)
    with pytest.raises(StateError, match="others may write it"):
        kept.get("op")


def test_a_folder_that_cannot_be_made_is_an_error_with_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    kept = KeptReplies(IdempotencySettings(path=str(tmp_path / "file" / "replies")))
    with pytest.raises(StateError, match=r"make the folder writable, or set idempotency\.path"):
        kept.check()


def test_a_key_is_kept_for_a_minute_at_least():
    """Shorter than a request may take it would promise nothing."""
    with pytest.raises(ValidationError):
        IdempotencySettings(keep_s=59)
