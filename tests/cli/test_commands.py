"""A command is loaded when it is named; a list of commands has all of them."""

import subprocess
import sys

from orchestrator.cli.commands import HOME_OF, Commands


def test_a_command_is_made_once_with_the_end_of_its_help() -> None:
    commands = Commands(epilog="the end")
    report = commands["report"]
    assert (report.name, report.epilog) == ("report", "the end")
    assert commands["report"] is report
    assert commands.get("repot") is None


def test_a_list_has_every_command_under_its_own_name() -> None:
    commands = Commands(epilog="the end")
    assert {name: command.name for name, command in commands.items()} == {name: name for name in HOME_OF}
    assert all(command.help and command.epilog == "the end" for command in commands.values())


def test_one_command_loads_no_other() -> None:
    program = (
        "import sys\nfrom orchestrator.cli import main\nassert main(['config', 'path']) == 0\n"
        "print(*(name for name in sys.modules if name.startswith('orchestrator.cli.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.rpartition(".")[2] for name in done.stdout.splitlines()[-1].split()}
    homes = {home.split(":")[0] for home in HOME_OF.values()}
    assert loaded & homes == {"config"}
