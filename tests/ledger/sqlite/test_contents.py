"""Prompts and replies: for their owner alone, for their time, and gone when they are deleted."""

import os
import stat
from datetime import timedelta

import orjson
import pytest

from orchestrator.core.errors import LedgerError
from orchestrator.ledger.contents import CONTENT_MAX_BYTES, TEXT_MAX, KeptContent, kept_messages, kept_text
from orchestrator.ledger.opening import LedgerSettings, open_contents

SECRET_WORDS = "mã khách hàng 4711"


@pytest.fixture
def contents(tmp_path, clock):
    opened = open_contents(LedgerSettings(path=str(tmp_path / "ledger.sqlite3")), clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def keep(contents, clock):
    def kept(name="op", *, tenant="acme", days=30, messages="[]"):
        now = clock.now()
        contents.keep(KeptContent(name, tenant, now, now + timedelta(days=days), messages, SECRET_WORDS))

    return kept


def bytes_of(folder) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


async def test_what_is_kept_is_found_until_its_time_is_over(contents, keep, clock):
    keep(days=2)
    assert contents.find("op", now=clock.now()).reply == SECRET_WORDS
    assert contents.find("another", now=clock.now()) is None
    clock.advance(2 * 86_400)
    assert contents.find("op", now=clock.now()) is None, "also before it is deleted"
    assert contents.delete_expired(now=clock.now()) == 1


def test_looking_deleting_and_correcting_make_no_file(contents, clock, tmp_path):
    assert contents.find("op", now=clock.now()) is None
    assert (contents.delete_tenant("acme"), contents.delete_expired(now=clock.now())) == (0, 0)
    assert not contents.keep_corrected("op", "better")
    assert list(tmp_path.iterdir()) == []


async def test_the_file_is_its_owners_alone_whatever_the_umask(contents, keep):
    before = os.umask(0)
    try:
        keep()
    finally:
        os.umask(before)
    for path in contents.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


async def test_what_is_deleted_for_a_tenant_is_in_no_byte_of_any_file(contents, keep, clock, tmp_path):
    keep("op1")
    keep("op2", tenant="other")
    assert SECRET_WORDS.encode() in bytes_of(tmp_path)
    assert contents.delete_tenant("acme") == 1
    assert contents.find("op2", now=clock.now()) is not None
    assert contents.delete_tenant("other") == 1
    assert SECRET_WORDS.encode() not in bytes_of(tmp_path)


async def test_what_is_kept_sweeps_what_is_expired(contents, keep, clock):
    keep("old", days=1)
    clock.advance(86_401)
    for number in range(101):
        keep(f"new{number}")
    assert contents.delete_expired(now=clock.now()) == 0


async def test_the_better_answer_stands_beside_the_reply(contents, keep, clock):
    keep()
    assert contents.keep_corrected("op", "tốt hơn")
    assert contents.find("op", now=clock.now()).corrected == "tốt hơn"


async def test_while_the_file_cannot_be_written_little_waits_in_memory(contents, keep, tmp_path):
    contents.path.mkdir()
    for number in range(70):
        with pytest.raises(LedgerError):
            keep(f"op{number}")
    assert len(contents.file.deferred) == 64


def test_a_prompt_is_bounded_and_holds_no_key():
    picture = "data:image/png;base64," + "A" * (2 * TEXT_MAX)
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": "my key is sk-0123456789, short"}]}]  # fmt: skip
    kept = kept_messages(messages, secrets=["sk-0123456789", "short", ""])
    assert len(kept) < TEXT_MAX + 500
    parts = orjson.loads(kept)[0]["content"]
    assert parts[0]["image_url"]["url"].endswith(f"[cut: {len(picture):,} characters]")
    assert parts[1]["text"] == "my key is ********, short"
    assert len(kept_text("ữ" * CONTENT_MAX_BYTES, secrets=[]).encode()) < CONTENT_MAX_BYTES + 100


async def test_whoever_opens_the_file_deletes_what_expired_meanwhile(contents, keep, clock, tmp_path):
    keep("op1", days=2)
    contents.close()
    clock.advance(3 * 86_400)
    again = open_contents(LedgerSettings(path=str(tmp_path / "ledger.sqlite3")), clock=clock)
    assert again.find("op2", now=clock.now()) is None
    assert SECRET_WORDS.encode() not in bytes_of(tmp_path)
    assert again.delete_expired(now=clock.now()) == 1, "it is counted where somebody asks"
    assert again.delete_expired(now=clock.now()) == 0
    again.close()
