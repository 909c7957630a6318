"""`orchestrator calibrate`: proposes by recorded outcomes, writes a file that config.yaml takes, or keeps what is."""

from datetime import UTC, datetime

import orjson
import pytest
import yaml

from orchestrator.config.loader import load_config

LUNA, FLASH = "openrouter/gpt-6-luna", "google/gemini-3.1-flash-lite"
SONNET = "openrouter/claude-sonnet-5.5"
LABELS = ("delivery", "refund", "other")


@pytest.fixture
def files(tmp_path):
    """Write a golden file, and outcomes in which all are right but two that seldom agree when wrong."""

    def write(rows, *, wrong_every):
        golden, outcomes = [], []
        for number in range(rows):
            expected = LABELS[number % 3]
            golden.append({"id": f"r{number}", "prompt": f"Classify {number}", "expected": expected})
            for place, (model, cost) in enumerate([(LUNA, 0.001), (FLASH, 0.002), (SONNET, 0.05)]):
                is_wrong = (number + 3 * place) % wrong_every == 0
                said = LABELS[(number + 1 + place) % 3] if is_wrong and model != SONNET else expected
                outcomes.append({"id": f"r{number}", "model": model, "answer": said, "cost_usd": cost})
        for name, records in (("golden", golden), ("outcomes", outcomes)):
            (tmp_path / f"{name}.jsonl").write_bytes(b"\n".join(map(orjson.dumps, records)))
        options = ["--data", str(tmp_path / "golden.jsonl"), "--outcomes", str(tmp_path / "outcomes.jsonl")]
        for label in LABELS:
            options += ["--label", label]
        return ("calibrate", "--use-case", "cost_sensitive", "--reference", SONNET, *options)

    return write


def test_a_proven_policy_is_written_and_config_yaml_takes_it(run, files, tmp_path, shipped_data):
    policy, plot = tmp_path / "policies" / "bulk.json", tmp_path / "plot.svg"
    ran = run(*files(700, wrong_every=10), "--policy", str(policy), "--plot", str(plot), "--json")
    assert ran.code == 0, ran.err
    assert ran.json["proposed"]["difference"]["low"] >= -0.01
    assert ran.json["proposed"]["cost_share"] < 0.5
    written = orjson.loads(policy.read_bytes())
    assert set(written["policy"]) == {"version", "agreement"}
    assert written["measured"]["rows"] == 700
    assert "agreement" in plot.read_text(encoding="utf-8")
    assert "<script" not in plot.read_text(encoding="utf-8")
    named = {**shipped_data, "use_cases": {**shipped_data["use_cases"]}}
    named["use_cases"]["cost_sensitive"] = {
        **named["use_cases"]["cost_sensitive"], "policy": {"file": "policies/bulk.json"},
    }  # fmt: skip
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(named), encoding="utf-8")
    config = load_config(
        path, today=datetime.now(UTC).date(), environment={"ORCHESTRATOR_HOME": str(tmp_path)}
    )
    assert config.settings.use_cases["cost_sensitive"].policy.agreement.judge == SONNET


def test_five_rows_keep_the_reference_and_the_file_that_is_there(run, files, tmp_path):
    policy = tmp_path / "bulk.json"
    policy.write_text("as it was", encoding="utf-8")
    ran = run(*files(5, wrong_every=10), "--policy", str(policy))
    assert ran.code == 1
    assert f"the reference {SONNET} stays: 5 rows are too few" in " ".join(ran.out.split())
    assert policy.read_text(encoding="utf-8") == "as it was"


def test_candidates_are_asked_where_nothing_was_recorded(run, practice, files, tmp_path):
    options = list(files(4, wrong_every=10))
    at = options.index("--outcomes")
    del options[at : at + 2]
    ran = run(*options, "--model", LUNA, "--yes", "--json")
    assert ran.code == 1, ran.err
    assert ran.json["rows"] == 4
    assert len(practice.requests) == 8
    assert (tmp_path / "golden.results.jsonl").is_file()


def test_so_few_rows_are_told_before_anybody_is_paid(run, practice, files):
    options = list(files(120, wrong_every=10))
    at = options.index("--outcomes")
    del options[at : at + 2]
    ran = run(*options, "--model", LUNA, "--dry-run")
    words = "120 rows: --margin 0.01 takes about 554, even if no answer is worse; 434 more are missing, or --margin 0.05"
    assert words in " ".join(ran.out.split())
    assert not practice.requests


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--reference", "gpt-7"), "unknown deployment 'gpt-7'"),
        (("--compare", "words"), "free text cannot be"),
        (("--label", "Refund"), "the same as another but for case"),
        (("--label", "..."), "no answer can be told"),
    ],
)
def test_what_cannot_be_compared_is_refused(run, files, options, words):
    ran = run(*files(5, wrong_every=10), *options)
    assert ran.code == 2
    assert words in " ".join(ran.err.split())


def test_candidates_of_one_vendor_are_named(run, files, tmp_path):
    arguments = files(90, wrong_every=10)
    path = tmp_path / "outcomes.jsonl"
    lines = [line for line in path.read_bytes().splitlines() if FLASH.encode() not in line]
    path.write_bytes(b"\n".join(lines))
    notes = run(*arguments, "--compare", "label", "--json").json["unsure"]
    assert any("no agreement was tried: every candidate is of vendor" in note for note in notes)
