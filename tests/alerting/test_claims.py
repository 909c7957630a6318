"""Of many processes one tells, and one tells that it is over."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.alerting import claims as claims_module
from orchestrator.alerting.claims import KEPT_FOR, Claims

DAY = timedelta(days=1)


def test_of_many_at_once_one_may_tell_and_one_may_tell_the_end(tmp_path, clock):
    everyone = [Claims(str(tmp_path / "alerts")) for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        for number in range(20):
            taken = pool.map(
                lambda claims, n=number: claims.take("r", f"s{n}", now=clock.now(), valid_for=DAY), everyone
            )
            assert sum(taken) == 1
            assert sum(pool.map(lambda claims, n=number: claims.release("r", f"s{n}"), everyone)) == 1


def test_what_stands_too_long_may_be_told_again_by_one(tmp_path, clock):
    everyone = [Claims(str(tmp_path)) for _ in range(8)]
    assert everyone[0].take("r", "s", now=clock.now(), valid_for=DAY)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(60):
            clock.advance(DAY.total_seconds())
            taken = list(
                pool.map(lambda claims: claims.take("r", "s", now=clock.now(), valid_for=DAY), everyone)
            )
            assert sum(taken) == 1


def test_what_a_dead_process_told_may_be_told_again_but_for_its_day(tmp_path, clock):
    claims, dead = Claims(str(tmp_path)), Claims(str(tmp_path))
    host, _, _ = claims._process.rsplit(":", 2)
    place = claims._process.rsplit(":", 1)[1].rpartition(".")[0]
    dead._process = f"{host}:4194304:{place}.1"
    for subject, again in (("openrouter", True), ("period 2026-11-23 all 80", False)):
        assert dead.take("r", subject, now=clock.now(), valid_for=DAY)
        assert claims.take("r", subject, now=clock.now(), valid_for=DAY) is again


def test_a_damaged_claim_is_no_claim_and_old_ones_are_tidied(tmp_path, clock):
    claims = Claims(str(tmp_path))
    assert claims.take("r", "s", now=clock.now(), valid_for=DAY)
    next(tmp_path.glob("*.claim")).write_bytes(b"{")
    assert claims.take("r", "s", now=clock.now(), valid_for=DAY)
    assert claims.last("r").subject == "s"
    assert [claim.subject for claim in claims.standing(periods=())] == ["s"]
    claims.tidy(now=clock.now() + KEPT_FOR + DAY)
    assert list(tmp_path.glob("*.claim")) == []


def test_a_claim_that_is_taken_again_while_old_ones_are_tidied_stands(tmp_path, clock, monkeypatch):
    """Else the next process would tell the same alert once more."""
    claims, other = Claims(str(tmp_path)), Claims(str(tmp_path))
    assert claims.take("r", "s", now=clock.now(), valid_for=DAY)
    clock.advance(KEPT_FOR.total_seconds() + 1)
    look = claims_module.read_bounded

    def looked(file: Path, **bounds: int) -> bytes:
        monkeypatch.setattr(claims_module, "read_bounded", look)
        held = look(file, **bounds)
        assert other.take("r", "s", now=clock.now(), valid_for=DAY)
        return held

    # Between its look at the file and what it does with it.
    monkeypatch.setattr(claims_module, "read_bounded", looked)
    claims.tidy(now=clock.now())
    assert not other.take("r", "s", now=clock.now(), valid_for=DAY)


def test_it_is_known_whether_anybody_looks_at_the_rules(tmp_path, clock):
    claims, dead = Claims(str(tmp_path / "alerts")), Claims(str(tmp_path / "alerts"))
    host, _, _ = claims._process.rsplit(":", 2)
    place = claims._process.rsplit(":", 1)[1].rpartition(".")[0]
    dead._process = f"{host}:4194304:{place}.1"
    minute = timedelta(minutes=1)
    assert not claims.is_watched(now=clock.now(), within=minute)
    dead.note_watch(now=clock.now())
    assert not claims.is_watched(now=clock.now(), within=minute), "a dead one looks at nothing"
    claims.note_watch(now=clock.now())
    assert claims.is_watched(now=clock.now(), within=minute)
    clock.advance(61)
    assert not claims.is_watched(now=clock.now(), within=minute), "it hangs"
    claims.note_watch(now=clock.now())
    claims.end_watch()
    assert not claims.is_watched(now=clock.now(), within=minute)
    clock.advance(KEPT_FOR.total_seconds() + 1)
    claims.tidy(now=clock.now())
    assert list((tmp_path / "alerts").iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="there are no such rights")
def test_nobody_is_silenced_from_a_folder_that_everybody_may_write(tmp_path, clock):
    """A claim that a stranger left there kept an alert from being told; told twice is better."""
    claims = Claims(str(tmp_path))
    assert claims.take("r", "s", now=clock.now(), valid_for=DAY)
    tmp_path.chmod(0o777)
    with pytest.raises(OSError, match="every user of this machine may write"):
        Claims(str(tmp_path)).take("r", "s", now=clock.now(), valid_for=DAY)


def test_a_claim_is_for_its_owner_whatever_the_folder_was(tmp_path, clock):
    """It names a tenant."""
    before = os.umask(0)
    try:
        tmp_path.chmod(0o775)
        claims = Claims(str(tmp_path))
        assert claims.take("r", "tenant:acme", now=clock.now(), valid_for=DAY)
        claims.note_watch(now=clock.now())
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
