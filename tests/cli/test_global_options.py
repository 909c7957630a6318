"""The global options stand before a command or behind it."""

import json
import logging

import pytest
from typer.core import TyperGroup

from orchestrator.cli.app import root
from tests.cli.conftest import CONFIG


@pytest.fixture
def other(tmp_path, monkeypatch):
    """A configuration that is found by its option alone."""
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(tmp_path / "nowhere.yaml"))
    path = tmp_path / "other.yaml"
    path.write_bytes(CONFIG.read_bytes())
    return str(path)


@pytest.mark.parametrize(
    "command",
    [
        ("config", "check"),
        ("config", "path"),
        ("report", "--json"),
        ("requests", "--json"),
        ("keys", "list"),
        ("ledger", "verify"),
        ("alerts", "list"),
    ],
    ids=" ".join,
)
def test_a_configuration_is_named_before_or_behind_a_command(run, other, command):
    assert run(*command).code == 2 or command == ("config", "path")
    printed = {
        run("--config", other, *command).out,
        run(*command, "--config", other).out,
        run(*command, f"--config={other}").out,
        run(command[0], "-c", other, *command[1:]).out,
    }
    assert len(printed) == 1
    assert printed != {""}


def test_the_log_is_configured_behind_a_command_too(run, home):
    home.mkdir()
    (home / "ledger.sqlite3").write_bytes(b"Dear diary, this is no database. " * 100)
    try:
        ran = run("report", "--log-json")
        assert json.loads(ran.err.splitlines()[-1])["exit_code"] == 6
        run("config", "check", "-v")
        assert logging.getLogger("orchestrator").handlers[0].level == logging.NOTSET
    finally:
        logging.getLogger("orchestrator.requests").setLevel(logging.NOTSET)


def test_every_command_takes_them():
    def below(group: TyperGroup):
        for command in group.commands.values():
            yield command
            if isinstance(command, TyperGroup):
                yield from below(command)

    commands = list(below(root()))
    assert len(commands) > 30
    for command in commands:
        options = [text for parameter in command.params for text in parameter.opts]
        assert {"--config", "-c", "--verbose", "-v", "--log-json"} <= set(options), command.name
        assert len(options) == len(set(options)), command.name
