"""`orchestrator keys`: made once, listed without the key, revoked for good."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest


def test_a_key_is_shown_once_listed_and_revoked(run, home):
    made = run(
        "keys",
        "make",
        "--tenant",
        "acme",
        "--name",
        "Máy chủ",
        "--expires",
        "90d",
        "--use-case",
        "cost_sensitive",
    )
    key = made.out.strip()
    assert (made.code, key[:4]) == (0, "nfk_")
    key_id = key.split("_")[1]
    assert f"tag:key:{key_id}" in made.err
    listed = run("keys", "list")
    assert key_id in listed.out
    assert "valid" in listed.out
    expires = datetime.fromisoformat(run("keys", "list", "--json").json["keys"][0]["expires_at"])
    day, time = f"{expires.astimezone(ZoneInfo('Asia/Ho_Chi_Minh')):%Y-%m-%d %H:%M}".split()
    assert day in listed.out
    assert time in listed.out
    assert key not in listed.out + run("keys", "list", "--json").out
    assert run("keys", "revoke", key_id).code == 0
    assert run("keys", "list", "--json").json["keys"][0]["state"] == "revoked"
    (file,) = (home / "server-keys").glob("*.json")
    assert key.split("_")[2] not in file.read_text()


def test_a_key_as_json_has_everything_a_script_needs(run):
    made = run("keys", "make", "--tenant", "acme", "--role", "call", "--role", "operate", "--json").json
    assert made["key"].startswith(f"nfk_{made['id']}_")
    assert made["roles"] == ["call", "operate"]
    assert made["scope"] == f"tag:key:{made['id']}"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("make", "--tenant", " "), "'tenant'"),
        (("make", "--tenant", "acme", "--expires", "soon"), "90d"),
        (("make", "--tenant", "acme", "--use-case", "cost_sensitiv"), "cost_sensitive"),
        (("revoke", "nobody"), "keys list"),
    ],
)
def test_what_cannot_be_a_key_is_refused(run, arguments, word):
    refused = run("keys", *arguments)
    assert refused.code == 2
    assert word in refused.err


def test_without_keys_the_list_says_how_to_make_one(run):
    assert "keys make" in run("keys", "list").out
