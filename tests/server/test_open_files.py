"""Clients never use up the open files that the ledger and the providers need."""

import subprocess
import sys

import pytest

from orchestrator.server.open_files import OWN_FILES

pytest.importorskip("resource", reason="only Unix bounds the open files of a process")

PROGRAM = """
import resource, sys
from orchestrator.server.open_files import room_for_connections
soft, hard, connections = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(room_for_connections(connections, in_flight=100), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "room", "soft_after"),
    [
        (300, 5000, 1000, 1000 + 100 + OWN_FILES),
        (5000, 5000, 1000, 5000),
        (300, 700, 700 - 100 - OWN_FILES, 700),
        (200, 200, 50, 200),
    ],
    ids=["raised as far as needed", "enough", "as far as the system lets it", "few"],
)
def test_connections_are_bounded_by_what_the_system_lets_this_process_open(soft, hard, room, soft_after):
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(soft), str(hard), "1000"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout.split() == [str(room), str(soft_after), str(hard)]
    assert ("server.connections = 1000" in ran.stderr) == (room < 1000)


def test_few_files_never_let_in_more_connections_than_are_asked_for():
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, "240", "240", "20"], capture_output=True, text=True, check=True
    )
    assert (ran.stdout.split(), ran.stderr) == (["20", "240", "240"], "")
