"""`orchestrator demo`: the main job, with every claim checked."""

import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.cli import demo as demo_module
from orchestrator.cli.story.act import Act, CheckedClaim
from orchestrator.core.clock import SystemClock
from orchestrator.core.errors import DeadlineExceededError, UnavailableError


def test_the_fast_demo_holds_all_its_claims_and_tells_them_as_json(run, home, monkeypatch):
    """Behind a company's proxy too: all is on this machine. Nothing is left in the user's home."""
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    ran = run("demo", "--fast", "--json")
    assert ran.code == 0, ran.out
    story = ran.json
    assert story["held"] is True
    assert len(story["acts"]) == 8
    claims = [claim for act in story["acts"] for claim in act["claims"]]
    assert len(claims) >= 18
    assert all(claim["held"] for claim in claims)
    budget = story["acts"][2]["facts"]
    assert 0 < budget["highest_nusd"] <= budget["limit_nusd"]
    assert budget["billed_nusd"] == budget["spent_nusd"]
    for account in story["acts"][-1]["facts"]["accounts"]:
        assert account["booked_nusd"] == account["billed_nusd"]
    assert not home.exists()


@pytest.mark.live
def test_the_whole_demo_is_answered_by_the_real_model_and_reads_well(run, tmp_path):
    """People see the story in 80 columns, by the model on this machine, and may keep its ledger."""
    kept = tmp_path / "kept"
    ran = run("demo", "--keep", str(kept))
    assert ran.code == 0, ran.out
    assert "written by SmolLM2-135M" in ran.out
    assert re.search(r"All \d+ claims held", ran.out)
    assert "\x1b" not in ran.out
    assert (
        max(
            len(line)
            for line in ran.out.splitlines()
            if "orchestrator report" not in line and "Kept" not in line
        )
        <= 80
    )
    assert (kept / "ledger.sqlite3").is_file()


def test_a_claim_that_does_not_hold_makes_the_exit_code_1(run, monkeypatch):
    """The demo says which claim broke, and a script notices."""
    broken = Act("An act", "An intro.", (), (CheckedClaim("water flows uphill", held=False),))
    monkeypatch.setattr(demo_module, "_acts", lambda: (("playing", lambda _stage: broken),))
    ran = run("demo", "--fast")
    assert ran.code == 1
    assert "1 of 1 claims did not hold" in ran.out
    assert "water flows uphill" in ran.out


def test_a_model_that_is_too_slow_here_is_told_with_what_to_do(monkeypatch):
    """On a busy machine it needs longer than its deadline; nothing is wrong with the program."""

    def play(_):
        raise DeadlineExceededError("no answer within 30 s")

    monkeypatch.setattr(demo_module, "_acts", lambda: (("asking", play),))
    stage = SimpleNamespace(fast=False, has_local_model=True, clock=SystemClock())
    with pytest.raises(UnavailableError, match="too slow just now .DeadlineExceededError.*demo --fast"):
        list(demo_module._play(stage, lambda _: None))
    stage.fast = True
    with pytest.raises(DeadlineExceededError):
        list(demo_module._play(stage, lambda _: None))


def test_without_the_local_model_answers_are_scripted_and_labelled(run, monkeypatch):
    """A machine without the extra `local` still sees the story, and is told what it sees."""
    from orchestrator.core.errors import LocalModelError
    from orchestrator.providers.local import model as local

    def missing(_settings):
        raise LocalModelError("no weights here")

    monkeypatch.setattr(local, "find_weights", missing)
    ran = run("demo")
    assert ran.code == 0, ran.out
    assert "a script, because the local model is not installed" in " ".join(ran.out.split())
    assert "no local model is installed" in " ".join(ran.out.split())


def test_keep_wants_an_empty_folder_and_config_is_refused(run, tmp_path):
    """A ledger with other bookings would make the claims false; another configuration is not the demo's."""
    (tmp_path / "something").write_text("here")
    ran = run("demo", "--keep", str(tmp_path))
    assert ran.code == 2
    assert "not empty" in ran.err
    config = Path(os.environ["ORCHESTRATOR_CONFIG"])
    assert run("--config", str(config), "demo").code == 2
