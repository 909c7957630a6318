"""`orchestrator requests`: what was asked is found again, without a word of prompt or reply."""

import csv
import io

import pytest

from tests.cli.conftest import CONFIG

QUESTION = "Bí mật của khách: mã số 4711"


def test_without_a_ledger_there_is_no_request_and_none_is_made(run, home):
    assert (run("requests").code, home.exists()) == (0, False)
    assert run("requests", "--json").json == {"requests": []}
    ran = run("requests", "show", "01a2")
    assert (ran.code, home.exists()) == (2, False)
    assert "no request has been recorded yet" in ran.err


def test_the_id_of_an_answer_leads_to_its_plan_attempts_and_costs(run, practice):
    practice.faults.add("openrouter:status=503,times=1")
    reply = run("ask", QUESTION, "--tenant", "acme", "--user", "lan", "--tag", "trial", "--json").json
    detail = run("requests", "show", reply["request_id"], "--json").json
    assert (detail["id"], detail["tenant"], detail["user"], detail["tags"]) == (
        reply["request_id"], "acme", "lan", ["trial"],
    )  # fmt: skip
    assert detail["cost_nusd"] == reply["cost_nusd"] == practice.bill.total_nusd()
    assert detail["degraded"] == reply["degraded"]
    assert [step["deployment"] for step in detail["plan"]["candidates"]] == [
        step["deployment"] for step in reply["plan"]["candidates"]
    ]
    assert [step["reason_kinds"] for step in detail["plan"]["candidates"]] == [
        step["reason_kinds"] for step in reply["plan"]["candidates"]
    ]
    assert [(row["deployment"], row["failure"], row["cost_nusd"]) for row in detail["attempt_rows"]] == [
        (row["deployment"], row["failure"], row["cost_nusd"]) for row in reply["attempts"]
    ]
    assert all(row["held_nusd"] >= row["cost_nusd"] for row in detail["attempt_rows"])


@pytest.mark.parametrize("columns", [80, 60])
def test_the_screens_fit_and_have_no_word_of_prompt_or_reply(run, practice, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    practice.faults.add("openrouter:status=503,times=1")
    reply = run("ask", QUESTION, "--tenant", "công-ty-thương-mại", "--json").json
    screens = [run("requests").out, run("requests", "show", reply["request_id"]).out]
    for screen in screens:
        assert max(map(len, screen.splitlines())) <= columns
        assert "…" not in screen
    everything = "".join(screens) + run("requests", "--json").out + run("requests", "--csv").out
    assert "4711" not in everything
    assert reply["text"] not in everything
    assert reply["request_id"][:16] in screens[0]
    for word in ("plan", "attempts", "unavailable 503", "held", "degraded: "):
        assert word in screens[1]


def test_where_nothing_fits_it_says_what_was_looked_for_and_asks_nobody_to_ask(run, practice):
    assert "'orchestrator ask' makes one" in run("requests").out
    run("ask", QUESTION)
    shown = " ".join(run("requests", "--tag", "nonesuch", "--failed", "--since", "24h").out.split())
    assert "None of the recorded requests fits --failed --tag nonesuch --since 2" in shown
    assert "makes one" not in shown
    shown = " ".join(run("requests", "--use-case", "customer_servce").out.split())
    assert "unknown use case 'customer_servce'. Did you mean 'customer_service'?" in shown
    assert run("requests", "--tag", "nonesuch", "--json").json == {"requests": []}


def test_every_command_takes_the_same_moments(run, practice, tmp_path):
    run("ask", QUESTION)
    for command in (("requests",), ("report",)):
        for moment in ("24h", "2026-11-01", "2026-11-01T14:30", "2026-11-01T14:30:00+07:00"):
            assert run(*command, "--since", moment, "--json").code == 0, (command, moment)
        for moment in ("20261101", "yesterday", "7w"):
            assert run(*command, "--since", moment).code == 2, (command, moment)


def test_filters_and_csv(run, practice):
    for tenant in ("acme", "globex"):
        run("ask", f"hello {tenant}", "--tenant", tenant)
    practice.faults.add("*:status=503")
    run("ask", "is anybody there?", "--tenant", "acme", "--model", "gpt-6.1-sol")
    rows = list(csv.DictReader(io.StringIO(run("requests", "--csv", "--tenant", "acme").out)))
    assert [row["outcome"] for row in rows] == ["failed", "succeeded"]

    def tenants(*options: str) -> list[str]:
        return [row["tenant"] for row in run("requests", "--json", *options).json["requests"]]

    assert tenants("--failed") == ["acme"]
    assert tenants("--since", "1h") == ["acme", "globex", "acme"]
    assert tenants("--until", "2020-01-01") == []
    assert tenants("--dear", "--limit", "2", "--model", "gpt-6.1-sol") != []
    assert tenants("--before", rows[0]["id"]) == ["globex", "acme"]
    assert "failed: all providers failed" in " ".join(run("requests", "--failed").out.split())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--json", "--csv"), "--json and --csv"),
        (("--dear", "--slow"), "--dear and --slow"),
        (("--limit", "0"), "1 to 1000"),
        (("--since", "yesterday"), "is no moment"),
        (("--since", "2026-11-28", "--until", "2026-11-27"), "ends before it begins"),
        (("--since", "1h", "--until", "2h"), "ends before it begins"),
        (("--before", "x"), "no request id"),
        (("show", "'; DROP"), "no request id"),
    ],
)
def test_what_cannot_be_looked_for_is_refused(run, options, words):
    ran = run("requests", *options)
    assert ran.code == 2
    assert words in ran.err


def test_a_damaged_ledger_is_an_error_of_the_ledger(run, home):
    home.mkdir()
    (home / "ledger.sqlite3").write_bytes(b"Dear diary, this is no database. " * 100)
    ran = run("requests")
    assert ran.code == 6
    assert "cannot read the ledger" in ran.err


def test_what_is_forgotten_of_a_tenant_is_in_no_byte_of_any_file(run, practice, home, tmp_path, monkeypatch):
    """Kept contents, cached replies and replies of idempotency keys, their logs included; others' stay."""
    config = tmp_path / "config.yaml"
    config.write_text(f"{CONFIG.read_text(encoding='utf-8')}\nrecord: content\n", encoding="utf-8")
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(config))
    texts = {}
    for tenant in ("acme", "globex"):
        ran = run("ask", f"{QUESTION} {tenant}", "--tenant", tenant, "--idempotency-key", "k", "--json")
        texts[tenant] = ran.json["text"]
    assert texts["acme"] != texts["globex"]
    ran = run("requests", "forget", "--tenant", "acme", "--json")
    assert ran.json == {"deleted": 1, "cached": 1, "of_keys": 1}
    stored = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert f"{QUESTION} acme".encode() not in stored
    assert texts["acme"].encode() not in stored
    assert texts["globex"].encode() in stored
