"""`orchestrator eval`: priced, asked, scored, with files and exit codes for CI."""

import orjson
import pytest

LUNA, FLASH = "openrouter/gpt-6-luna", "google/gemini-3.1-flash-lite"
ROWS = ({"id": "a", "prompt": "Đơn DH1001 đâu?", "expected": "DH1001"}, {"id": "b", "prompt": "hi", "expected": "nothing of it"})  # fmt: skip


@pytest.fixture
def options(tmp_path):
    path = tmp_path / "golden.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in ROWS))
    return (
        "eval",
        "--data",
        str(path),
        "--scorer",
        "contains",
        "--model",
        LUNA,
        "--use-case",
        "cost_sensitive",
    )


def test_files_for_people_and_for_ci_and_a_threshold(run, practice, options, tmp_path):
    page, report = tmp_path / "page.html", tmp_path / "report.xml"
    files = ("--html", str(page), "--junit", str(report), "--language", "vi")
    ran = run(*options, "--yes", "--json", "--min-score", "0.4", *files)
    assert ran.code == 0, ran.err
    assert ran.json["ok"] is True
    assert ran.json["subjects"][0]["cost_nusd"] == practice.bill.total_nusd() > 0
    assert "at most $" in ran.err
    assert {path.stat().st_mode & 0o777 for path in (page, report)} == {0o600}, (
        "they hold prompts and answers"
    )
    assert "Đánh giá: đạt" in page.read_text(encoding="utf-8")
    assert 'failures="1"' in report.read_text(encoding="utf-8")
    again = run(*options, "--yes", "--min-score", "0.9")
    assert again.code == 1
    assert "at least 0.9 is asked for" in again.out
    assert len(practice.requests) == 2


def test_the_table_tells_the_difference_to_the_first_model_at_any_width(run, practice, options, monkeypatch):
    for width in ("60", "80"):
        monkeypatch.setenv("COLUMNS", width)
        models = ("google/gemini-3.1-flash-lite", "openrouter/claude-sonnet-5.5", "openai/gpt-6.1-sol")
        ran = run(*options, *(word for model in models for word in ("--model", model)), "--yes")
        assert ran.code == 0, ran.err
        if width == "80":
            # One row a model, not a list a model.
            assert ran.out.count("answered") == 1
            assert ran.out.count("2/2") == 4
        assert "beside the first" in ran.out
        assert "+0.000 [" in ran.out
        assert max(map(len, ran.out.splitlines())) <= int(width)


def test_the_price_alone_sends_nothing(run, practice, options):
    ran = run(*options, "--dry-run")
    assert ran.code == 0
    assert "2 answers to ask: about $" in ran.out
    assert run(*options, "--dry-run", "--json").json["calls"] == 2
    assert not practice.requests


@pytest.mark.parametrize("option", ["--max-cost-usd", "--judge-max-cost-usd"])
def test_a_limit_that_is_no_amount_is_refused_by_its_name_before_the_price_is_shown(run, options, option):
    ran = run(*options, option, "0,5", "--dry-run")
    assert (ran.code, ran.out) == (2, "")
    assert f"{option}: not an amount of dollars; write plain digits such as 100 or 0.50" in ran.err.replace(
        "'" + option + "'", option
    )


def test_nothing_is_paid_without_a_word(run, practice, options):
    ran = run(*options)
    assert ran.code == 2
    assert "say --yes" in ran.err
    assert not practice.requests


def test_chains_answer_rows_with_an_input(run, practice, tmp_path):
    path = tmp_path / "inputs.jsonl"
    path.write_bytes(orjson.dumps({"input": {"question": "Đơn DH1001 đâu rồi?"}, "language": "vi"}))
    options = ("eval", "--data", str(path), "--scorer", "cost:0.5", "--chain", "customer_service", "--yes")
    unpriced = run(*options).err
    assert "1 answer to ask: what a chain costs is not known ahead\n" in unpriced
    assert "set --max-cost-usd" in unpriced
    assert "'no_such_project' cannot be imported" in run(*options, "--chain", "no_such_project:triage").err
    ran = run(*options, "--max-cost-usd", "1", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["rows"][0]["subject"] == "chain:customer_service"
    assert ran.json["rows"][0]["cost_nusd"] == practice.bill.total_nusd() > 0


def test_bad_data_and_unwritable_files_are_usage_errors(run, practice, options, tmp_path):
    (tmp_path / "golden.jsonl").write_text('{"prompt": "x"}', encoding="utf-8")
    ran = run(*options, "--yes")
    assert ran.code == 2
    assert "golden.jsonl:1: 'expected' is missing" in ran.err
    assert not practice.requests


def test_a_policy_is_refused_before_it_is_paid_where_it_could_prove_nothing(run, practice, options, tmp_path):
    policy = ("--policy", str(tmp_path / "p.json"), "--yes")
    for more, words in (
        ((), "name the reference first"),
        (("--model", FLASH, "--practice"), "proves nothing"),
        (("--model", FLASH, "--max-tokens", "7"), "leave --max-tokens out"),
    ):
        ran = run(*options, *more, *policy)
        assert (ran.code, words in " ".join(ran.err.split())) == (2, True), ran.err
    assert not practice.requests
    ran = run(*options, "--model", FLASH, *policy)
    assert "no policy is written: google/gemini-3.1-flash-lite is not proven" in ran.out
    assert "on 2 rows (at least 40 are needed)" in ran.out
    assert not (tmp_path / "p.json").exists()
