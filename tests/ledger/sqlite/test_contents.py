"""Prompts and replies in a file: for their owner alone, and gone from every byte when they are deleted."""

import os
import stat

import orjson
import pytest

from orchestrator.core.errors import LedgerError
from orchestrator.ledger.contents import CONTENT_MAX_BYTES, TEXT_MAX, kept_messages, kept_text
from orchestrator.ledger.opening import LedgerSettings, open_contents
from tests.ledger.content_contract import SECRET_WORDS, ContentContract


def bytes_of(folder) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


class TestContents(ContentContract):
    @pytest.fixture
    def opened(self, tmp_path, clock):
        return lambda: open_contents(LedgerSettings(path=str(tmp_path / "ledger.sqlite3")), clock=clock)

    def test_looking_deleting_and_correcting_make_no_file(self, contents, clock, tmp_path):
        super().test_looking_deleting_and_correcting_make_nothing(contents, clock)
        assert list(tmp_path.iterdir()) == []

    async def test_the_file_is_its_owners_alone_whatever_the_umask(self, contents, keep):
        before = os.umask(0)
        try:
            keep()
        finally:
            os.umask(before)
        for path in contents.path.parent.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path

    async def test_what_is_deleted_for_a_tenant_is_in_no_byte_of_any_file(self, contents, keep, tmp_path):
        keep("op1")
        keep("op2", tenant="other")
        assert SECRET_WORDS.encode() in bytes_of(tmp_path)
        assert (contents.delete_tenant("acme"), contents.delete_tenant("other")) == (1, 1)
        assert SECRET_WORDS.encode() not in bytes_of(tmp_path)

    async def test_what_expired_is_in_no_byte_once_it_is_opened_again(
        self, contents, keep, opened, clock, tmp_path
    ):
        keep(days=2)
        contents.close()
        clock.advance(3 * 86_400)
        again = opened()
        assert again.find("op", now=clock.now()) is None
        assert SECRET_WORDS.encode() not in bytes_of(tmp_path)
        again.close()

    async def test_while_the_file_cannot_be_written_little_waits_in_memory(self, contents, keep):
        contents.path.mkdir()
        for number in range(70):
            with pytest.raises(LedgerError):
                keep(f"op{number}")
        assert len(contents.file.deferred) == 64


def test_a_secret_that_the_cut_goes_through_is_masked_first():
    secret = "sk-0123456789-abcdefghij"
    text = "x" * (TEXT_MAX - 20) + secret + "y" * 100
    kept = kept_messages([{"role": "user", "content": text}], secrets=[secret])
    assert "sk-0123" not in kept


def test_a_prompt_is_bounded_and_holds_no_key():
    picture = "data:image/png;base64," + "A" * (2 * TEXT_MAX)
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": "my key is sk-0123456789, short"}]}]  # fmt: skip
    kept = kept_messages(messages, secrets=["sk-0123456789", "short", ""])
    assert len(kept) < TEXT_MAX + 500
    parts = orjson.loads(kept)[0]["content"]
    assert parts[0]["image_url"]["url"].endswith(f"[cut: {len(picture):,} characters]")
    assert parts[1]["text"] == "my key is ********, short"
    assert len(kept_text("ữ" * CONTENT_MAX_BYTES, secrets=[]).encode()) < CONTENT_MAX_BYTES + 100


def test_of_two_keys_that_begin_alike_the_longer_is_masked_whole() -> None:
    short, long = "sk-1234567890ab", "sk-1234567890ab-of-the-other-project"
    assert kept_text(f"{long} {short}", secrets=(short, long)) == "******** ********"
