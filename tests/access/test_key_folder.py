"""Keys on disk: hashed, private, whole, and known to a running server at once."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest

from orchestrator.access.api_keys import KeyValidity, Role, ServerKey, Token, hash_of
from orchestrator.access.key_folder import LOOK_S, KeyFolder, KeyRing
from orchestrator.core.errors import ConfigError, UnknownNameError
from tests.support.unprivileged import NOBODY

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def key_of(token: Token, **fields) -> ServerKey:
    standard = {"tenant": "công-ty", "name": "máy chủ", "roles": (Role.CALL, Role.READ), "created_at": NOW}
    return ServerKey(id=token.id, secret_hash=hash_of(token.secret), **{**standard, **fields})


@pytest.fixture
def folder(tmp_path):
    return KeyFolder(tmp_path / "state" / "keys")


def test_a_key_is_read_as_it_was_written_and_nothing_on_disk_opens_anything(folder):
    token = Token.new()
    key = key_of(token, use_cases=("bulk",), requests_per_min=3, expires_at=NOW, revoked_at=NOW)
    folder.put(key)
    assert folder.read() == ({key.id: key}, ())
    (file,) = folder.path.iterdir()
    assert token.secret not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_a_key_written_by_hand_has_its_tenant_as_it_is_counted_or_opens_nothing(folder):
    """Else its owner would not see the amounts of his own account."""
    token, other = Token.new(), Token.new()
    folder.put(key_of(token, tenant="Hà Nội"))
    folder.put(key_of(other))
    for key_id, tenant in ((token.id, "Ha\u0300  No\u0323\u0302i"), (other.id, "a\u200bb")):
        path = folder.path / f"{key_id}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "tenant": tenant}))
    keys, damaged = folder.read()
    assert keys[token.id].tenant == "Hà Nội"
    assert damaged == (f"{other.id}.json",)


def test_a_token_is_read_back_and_its_repr_keeps_the_secret():
    token = Token.new()
    assert str(token).startswith("nfk_")
    assert Token.read(str(token)) == token
    assert token.secret not in repr(token)
    for text in ("", "nfk_", f"{token} ", f"{token}0", str(token).upper(), f"sk-{token}", "nfk_é_ü"):
        assert Token.read(text) is None


def test_a_key_is_valid_until_it_expires_and_revoked_for_good():
    key = key_of(Token.new(), expires_at=NOW + timedelta(days=1))
    assert key.state(NOW) is KeyValidity.VALID
    assert key.state(NOW + timedelta(days=1)) is KeyValidity.EXPIRED
    assert replace(key, revoked_at=NOW).state(NOW) is KeyValidity.REVOKED


def test_a_running_server_sees_a_new_key_at_once_and_a_revoked_one_after_half_a_second(folder, clock):
    ring, first, token = KeyRing(folder, clock=clock), Token.new(), Token.new()
    assert ring.is_empty
    folder.put(key_of(first))
    assert not ring.is_empty
    assert ring.find(first) is not None
    folder.put(key_of(token))
    assert ring.find(token) is not None
    assert ring.find(replace(token, secret="0" * 64)) is None
    assert ring.find(Token.new()) is None
    folder.revoke(token.id, at=NOW)
    clock.advance(LOOK_S)
    assert ring.find(token).state(NOW) is KeyValidity.REVOKED
    assert not ring.is_empty


def test_a_wrong_key_makes_nobody_look_at_all_the_others(folder, clock, monkeypatch):
    """Of 2,000 keys that is 70 ms, during which no other request goes on."""
    token = Token.new()
    folder.put(key_of(token))
    ring = KeyRing(folder, clock=clock)
    assert ring.find(token) is not None
    monkeypatch.setattr(folder, "look", lambda: pytest.fail("all keys were looked at"))
    assert ring.find(Token.new()) is None


def test_keys_made_at_once_are_all_there(folder):
    tokens = [Token.new() for _ in range(20)]
    threads = [Thread(target=folder.put, args=(key_of(token),)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folder.read()[0].keys() == {token.id for token in tokens}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"version": 2}', '{"version": 1}', "[" * 9999])
def test_a_damaged_file_is_no_key_and_still_closes_the_server(folder, clock, text):
    good = key_of(Token.new())
    folder.put(good)
    (folder.path / "0123456789ab.json").write_text(text)
    assert folder.read() == ({good.id: good}, ("0123456789ab.json",))
    (folder.path / f"{good.id}.json").unlink()
    assert not KeyRing(folder, clock=clock).is_empty


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
def test_a_pipe_a_device_and_a_vast_file_are_no_keys_and_stop_nobody(folder, clock):
    """Every request of the server waited for a pipe that nobody writes into."""
    token = Token.new()
    folder.put(key_of(token))
    os.mkfifo(folder.path / "pipe.json")
    (folder.path / "zero.json").symlink_to("/dev/zero")
    (folder.path / "vast.json").touch()
    os.truncate(folder.path / "vast.json", 2**40)
    assert folder.read()[1] == ("pipe.json", "vast.json", "zero.json")
    assert KeyRing(folder, clock=clock).find(token)


def test_a_file_under_another_name_is_no_key(folder):
    key = key_of(Token.new())
    folder.put(key)
    (folder.path / f"{key.id}.json").rename(folder.path / "other.json")
    assert folder.read() == ({}, ("other.json",))


def test_a_key_that_is_not_there_is_not_revoked(folder):
    with pytest.raises(UnknownNameError, match="keys list"):
        folder.revoke("nobody", at=NOW)


def test_a_folder_that_is_a_file_says_so(tmp_path):
    (tmp_path / "keys").write_text("")
    folder = KeyFolder(tmp_path / "keys")
    with pytest.raises(ConfigError, match="server.keys_path"):
        folder.put(key_of(Token.new()))
    with pytest.raises(ConfigError, match="cannot read the keys"):
        folder.read()


def test_keys_in_a_folder_that_everybody_may_write_open_nothing(folder, clock):
    """Whoever has an account on the machine could put his own key there."""
    token = Token.new()
    folder.put(key_of(token))
    folder.path.chmod(0o777)
    ring = KeyRing(folder, clock=clock)
    for read in (folder.read, lambda: ring.find(token), lambda: folder.put(key_of(Token.new()))):
        with pytest.raises(ConfigError, match=r"may be anybody's: take that right away \('chmod o-w"):
            read()
    folder.path.chmod(0o770)
    assert ring.find(token) is not None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives a folder to another user")
def test_keys_in_a_folder_that_another_user_has_put_there_open_nothing(folder, clock):
    token = Token.new()
    folder.put(key_of(token))
    folder.path.parent.chmod(0o1777)
    os.chown(folder.path, NOBODY, NOBODY)
    ring = KeyRing(folder, clock=clock)
    for read in (folder.read, lambda: ring.find(token), lambda: folder.put(key_of(Token.new()))):
        with pytest.raises(ConfigError, match="cannot trust the keys.*another user of this machine has put"):
            read()
    folder.path.parent.chmod(0o755)
    assert ring.find(token) is not None
