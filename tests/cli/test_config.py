"""`orchestrator config`: every mistake with its place, secrets never shown."""

import copy
import os
from pathlib import Path

import orjson
import pytest
import yaml

SECRET = "sk-or-v1-verysecret"


def test_check_says_ok_and_what_is_off(run):
    """A good file exits 0; a provider without a key is a notice and no error."""
    ran = run("config", "check")
    assert ran.code == 0
    assert ran.out.startswith("ok: ")
    assert "notice: provider openrouter is off: it has no key" in ran.out


def test_check_says_what_each_use_case_promises(run, tmp_path, shipped_data):
    """Worst dollars and seconds, availability, and whatever everything hangs on."""
    ran = run("config", "check", "--json")
    proofs = {proof["use_case"]: proof for proof in ran.json["use_cases"]}
    service = proofs["customer_service"]
    assert service["most_s"] == 30
    assert service["most_nusd"] > 0
    assert service["assumed"] is True
    assert service["availability"] > 0.999
    assert service["single_points"] == []
    data = copy.deepcopy(shipped_data)
    for name in ("google", "openai", "local"):
        data["providers"][name]["enabled"] = False
    path = tmp_path / "config.yaml"
    path.write_bytes(orjson.dumps(data))
    ran = run("--config", str(path), "config", "check")
    assert ran.code == 0
    assert "customer_service: everything hangs on one provider openrouter, key openrouter" in ran.out


def test_check_names_every_mistake_with_its_place_and_exits_2(run, tmp_path):
    """Mistakes come all at once, each with file, line and column and the likely word."""
    path = _changed(tmp_path, {"default_use_case: customer_service": "default_use_case: custmer_service",
                               "deployment: openrouter/claude-opus-5.5,": "deployment: openrouter/claude-opus-5.4,"})  # fmt: skip
    ran = run("--config", str(path), "config", "check")
    assert ran.code == 2
    lines = ran.err.splitlines()
    assert any(f"{path}:" in line and "Did you mean 'customer_service'?" in line for line in lines)
    assert any("Did you mean 'openrouter/claude-opus-5.5'?" in line for line in lines)
    assert run("--config", str(path), "config", "check", "--json").json["ok"] is False


def test_another_command_says_the_same_mistake_in_the_same_words(run, tmp_path):
    """A broken file stops every command with exit code 2 and its line."""
    path = _changed(tmp_path, {"version: 1": "version: 2"})
    ran = run("--config", str(path), "ask", "hi")
    assert ran.code == 2
    assert ran.err.startswith(f"error: {path}:")


def test_a_missing_file_is_named(run, tmp_path):
    """A file that is not there is one line that says how to name another."""
    ran = run("--config", str(tmp_path / "no.yaml"), "config", "check")
    assert ran.code == 2
    assert "cannot be read" in ran.err


def test_show_never_shows_a_secret(run, monkeypatch):
    """Keys are masked, and so are credentials inside addresses."""
    monkeypatch.setenv("OPENROUTER_API_KEY", SECRET)
    monkeypatch.setenv("LOCAL_MODEL_BASE_URL", f"https://user:{SECRET}@proxy.example/api/v1")
    for arguments in ((), ("--json",)):
        ran = run("config", "show", *arguments)
        assert ran.code == 0
        assert SECRET not in ran.out
        assert "proxy.example" in ran.out
    monkeypatch.setenv("OPENROUTER_BASE_URL", f"https://proxy.example/api/v1?token={SECRET}")
    refused = run("config", "show")
    assert refused.code == 2
    assert SECRET not in refused.out + refused.err


def test_what_show_prints_is_a_configuration_that_loads(run, tmp_path, monkeypatch):
    """The effective YAML has every default filled in, money in dollars, and passes the check again."""
    monkeypatch.setenv("OPENROUTER_API_KEY", SECRET)
    shown = run("config", "show").out
    data = yaml.load(shown, Loader=yaml.CSafeLoader)
    limit = {"scope": "all", "request": 0.5, "day": 100, "month": 2500, "rollover": {"enabled": False}}
    assert data["budgets"]["limits"][0] == limit
    assert data["circuit_breaker"]["max_open_s"] == 8
    path = tmp_path / "shown.yaml"
    path.write_text(shown, "utf-8")
    assert run("--config", str(path), "config", "check").code == 0


def test_the_schema_knows_every_key_of_the_shipped_file(run, tmp_path, shipped_data):
    """The JSON schema is valid JSON, and may be written to a file."""
    schema = run("config", "schema").json
    assert set(shipped_data) <= set(schema["properties"])
    path = tmp_path / "schema.json"
    assert run("config", "schema", "--output", str(path)).code == 0
    assert orjson.loads(path.read_bytes()) == schema
    assert run("config", "schema", "--output", str(tmp_path)).code == 2


@pytest.mark.parametrize("named", [True, False])
def test_path_prints_the_file_in_use(run, named, tmp_path):
    """`config path` names the file that --config or the environment chose."""
    other = tmp_path / "other.yaml"
    ran = run("--config", str(other), "config", "path") if named else run("config", "path")
    assert ran.out.strip() == (str(other) if named else os.environ["ORCHESTRATOR_CONFIG"])


def _changed(folder: Path, changes: dict[str, str]) -> Path:
    text = Path(os.environ["ORCHESTRATOR_CONFIG"]).read_text("utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "broken.yaml"
    path.write_text(text, "utf-8")
    return path
