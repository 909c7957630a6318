"""What `config check` says of a right file: with every key, without those missing, and of experiments."""

import copy

import orjson
import pytest

from orchestrator.cli.config_check import share_of_answers

SECRET = "sk-or-v1-verysecret"


def test_check_reckons_without_the_keys_that_are_missing_beside_all_of_them(run, monkeypatch):
    """What cannot be used is named with what to set, and promises nothing here."""
    monkeypatch.setenv("OPENROUTER_API_KEY", SECRET)
    checked = run("config", "check", "--json").json
    assert checked["keyless"]["google/gemini-3.8-flash"] == "it has no key; set GEMINI_API_KEY"
    keyed, here = checked["use_cases"][0], checked["use_cases_here"][0]
    assert here["availability"] < keyed["availability"]
    assert {part["deployment"].partition("/")[0] for part in here["chain"]} == {"openrouter"}
    shown = run("config", "check").out
    assert "answers here" in shown
    assert "with every key" in shown
    assert (
        "notice: provider google is off: it has no key; set GEMINI_API_KEY; 4 deployments cannot be" in shown
    )
    assert shown.count("provider google is off") == 1
    monkeypatch.setenv("GEMINI_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert "here" not in run("config", "check").out


def test_check_says_what_experiments_would_do_and_who_of_them_is_missing(run, tmp_path, shipped_data):
    data = copy.deepcopy(shipped_data)
    data["experiments"] = {
        "faq": {
            "use_case": "cost_sensitive", "candidate": "google/gemini-3.8-flash", "mode": "shadow", "share": 0.1,
            "budget": {"day": "1.00"}, "metric": "cost",
        },
        "tone": {
            "use_case": "customer_service", "candidate": "openrouter/gpt-6-luna", "mode": "ab", "share": 0.05,
            "metric": "rating",
        },
    }  # fmt: skip
    path = tmp_path / "config.yaml"
    path.write_bytes(orjson.dumps(data))
    ran = run("--config", str(path), "config", "check")
    assert ran.code == 0
    assert (
        "experiment faq: shadow on cost_sensitive, running: google/gemini-3.8-flash is asked beside"
        in ran.out
    )
    assert "for 10 % of requests, at most $0.01 each, and $1.00 a day together" in ran.out
    assert "is asked instead for 5 % of users, at most $4.09 a request, paid by who asks" in ran.out
    assert "experiment faq: google/gemini-3.8-flash cannot be asked here: it has no key" in ran.out
    faq, tone = run("--config", str(path), "config", "check", "--json").json["experiments"]
    assert faq["budget"] == {"day": {"limit_nusd": 1_000_000_000, "limit_usd": "1"}}
    assert faq["candidates"] == ["google/gemini-3.8-flash"]
    assert 0 < faq["most_nusd"] < tone["most_nusd"]


@pytest.mark.parametrize(
    ("availability", "shown"), [(0.99999999, "99.9999%"), (1.0, "100.0000%"), (0.9, "90.0000%")]
)
def test_a_share_is_rounded_down(availability, shown):
    assert share_of_answers(availability) == shown
