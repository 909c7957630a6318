"""`orchestrator doctor`: its table, its JSON, its exit codes."""


def test_all_well_is_said_and_exits_0(run, practice):
    """Every tier of the table with what was seen, in 80 columns."""
    ran = run("doctor", "--provider", "openai")
    assert ran.code == 0
    assert "all is well" in ran.out
    for word in (
        "configuration",
        "ledger",
        "cache",
        "LiteLLM",
        "openai",
        "key",
        "models",
        "prompt",
        "errors",
    ):
        assert word in ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= 80


def test_a_failing_provider_exits_4_and_says_what_to_do(run, practice, monkeypatch):
    """A script sees 4; people see the way out; programs get every check as JSON."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong")
    ran = run("doctor", "--provider", "openai")
    assert ran.code == 4
    assert "providers.openai.api_key" in " ".join(ran.out.split())
    ran = run("doctor", "--provider", "openai", "--json")
    assert ran.code == 4
    assert (ran.json["ok"], ran.json["exit_code"]) == (False, 4)
    assert {"tier", "check", "verdict", "detail", "todo", "took_s"} == ran.json["checks"][0].keys()
    assert "sk-wrong" not in ran.out + ran.err


def test_an_unknown_provider_is_a_usage_error(run):
    """A misspelt --provider exits 2."""
    ran = run("doctor", "--provider", "opnai")
    assert ran.code == 2
    assert "Did you mean 'openai'?" in ran.err


def test_a_provider_that_is_named_and_off_is_a_failure(run):
    """Nothing of it was tested, so nothing is well; without its name it is off, which is none."""
    ran = run("doctor", "--provider", "openai", "--json")
    (check,) = [each for each in ran.json["checks"] if each["tier"] == "openai"]
    assert (ran.code, check["verdict"], check["detail"]) == (
        4,
        "fail",
        "off: it has no key; set OPENAI_API_KEY",
    )
    assert run("doctor", "--no-live").code == 0


def test_no_live_needs_no_network_and_no_key(run):
    """--no-live looks at this machine and exits 0."""
    ran = run("doctor", "--no-live")
    assert ran.code == 0
    assert "off: it has no key" in " ".join(ran.out.split())
