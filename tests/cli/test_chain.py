"""`orchestrator chain`: typed in, typed out."""

import sys
from pathlib import Path

import orjson

TRIAGE = Path(__file__).resolve().parents[2] / "examples/ticket_triage"


def test_the_list_names_every_chain_with_its_input(run):
    """--list shows what there is, and as JSON the schemas of input and output."""
    ran = run("chain", "--list")
    assert ran.code == 0
    assert "customer_service" in ran.out
    assert "[customer_name]" in ran.out
    listed = run("chain", "--list", "--json").json["chains"]
    assert {"name", "description", "input", "output"} <= listed[0].keys()


def test_a_chain_answers_in_its_output_model(run, practice):
    """The JSON result holds the validated answer, every try, and the exact cost."""
    chain_input = orjson.dumps({"text": "Hàng bị vỡ!", "labels": ["complaint", "question"]}).decode()
    ran = run("chain", "cost_sensitive", "--input", chain_input, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["value"]["label"] in {"complaint", "question"}
    assert ran.json["cost_nusd"] == practice.bill.total_nusd() > 0
    assert ran.json["tries"][-1]["mistakes"] == []


def test_the_input_may_come_from_a_file_or_a_pipe(run, practice, tmp_path):
    """@file and - are read as UTF-8."""
    chain_input = orjson.dumps({"question": "Đơn DH1001 đâu rồi?"})
    path = tmp_path / "input.json"
    path.write_bytes(chain_input)
    for ran in (
        run("chain", "customer_service", "-i", f"@{path}"),
        run("chain", "customer_service", stdin=chain_input),
    ):
        assert ran.code == 0, ran.err
        assert ran.out.startswith("answer: ")
        assert "used: first" in ran.err


def test_wrong_input_names_the_field_and_what_is_taken(run, practice):
    """Broken JSON, a missing and an unknown field each get their own line; nothing is sent."""
    ran = run("chain", "customer_service", "-i", '{"questoin": "hi"}')
    assert ran.code == 2
    assert "'question' is missing" in ran.err
    assert "unknown field 'questoin'" in ran.err
    assert "takes an object with: question" in ran.err
    assert "is not JSON" in run("chain", "customer_service", "-i", "{question").err
    assert "cannot be read" in run("chain", "customer_service", "-i", "@/no/such/file").err
    assert not practice.requests


def test_an_unknown_chain_or_language_is_a_usage_error(run):
    """The likely name, or all of them, are in the message."""
    ran = run("chain", "customer_servic", "-i", "{}")
    assert ran.code == 2
    assert "Did you mean 'customer_service'?" in ran.err
    assert run("chain", "customer_service", "-i", "{}", "--language", "fr").code == 2
    assert "name a chain" in run("chain").err


def test_a_project_runs_the_chains_that_it_made(run, practice, monkeypatch):
    """Also where its folder is called `chains`, as the shipped ones are; alone, one needs no name."""
    monkeypatch.chdir(TRIAGE)
    monkeypatch.setattr(sys, "path", list(sys.path))
    kept = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "chains"}
    for name in kept:
        monkeypatch.delitem(sys.modules, name)
    try:
        assert "triage" in run("chain", "--list", "--from", "chains.triage").out
        ran = run("chain", "--from", "chains.triage:triage", "-i", '{"text": "Where is it?"}', "--json")
        assert ran.code == 0, ran.err
        assert ran.json["chain"] == "triage"
        assert ran.json["cost_nusd"] == practice.bill.total_nusd() > 0
        unknown = run("chain", "tirage", "--from", "chains.triage")
        assert (unknown.code, "Did you mean 'triage'?" in unknown.err) == (2, True)
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "chains"]:
            del sys.modules[name]
        sys.modules.update(kept)


STRICT = """
from pydantic import BaseModel
from orchestrator.chains import make_chain


class Note(BaseModel):
    text: str


strict = make_chain("customer_service", Note, Note, name="strict", prompts="Repeat it.", guardrails=[lambda note: "no"])
"""


def test_a_guardrail_that_made_up_answers_break_is_not_said_to_want_a_stronger_model(
    run, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "strict_chain.py").write_text(STRICT)
    ran = run("chain", "--from", "strict_chain", "-i", '{"text": "hi"}', "--practice")
    assert (ran.code, "know nothing of guardrails" in ran.err) == (5, True), ran.err
    monkeypatch.delitem(sys.modules, "strict_chain")
