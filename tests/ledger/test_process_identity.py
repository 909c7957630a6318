"""A process is known by more than its number, so that another with that number is not taken for it."""

import os
import socket
import subprocess
import sys

import pytest

from orchestrator.ledger.process_identity import Life, life_of, own_process

HOST = socket.gethostname()


def test_this_process_is_alive():
    assert own_process().startswith(f"{HOST}:{os.getpid()}:")
    assert life_of(own_process()) is Life.ALIVE


def text_of_another(program: str) -> str:
    code = f"import os; from orchestrator.ledger.process_identity import own_process; print(own_process(), flush=True); {program}"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    ).stdout.strip()


def test_a_process_that_ended_or_was_killed_is_dead():
    assert life_of(text_of_another("")) is Life.DEAD
    assert life_of(text_of_another("os.kill(os.getpid(), 9)")) is Life.DEAD


def test_a_process_that_got_the_number_of_a_dead_one_is_not_taken_for_it():
    host, pid, start = own_process().split(":")
    place, _, ticks = start.rpartition(".")
    assert life_of(f"{host}:{pid}:{place}.{int(ticks) - 1}") is Life.DEAD


def test_a_killed_child_that_nobody_waited_for_is_dead():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert life_of(f"{HOST}:{child.pid}") is Life.ALIVE
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert life_of(f"{HOST}:{child.pid}") is Life.DEAD


@pytest.mark.parametrize(
    "process",
    [
        "another-host:1:",
        "another-host:1",
        f"{HOST}:{os.getpid()}:otherboot.1.2",
        f"{HOST}:1:0000.{'9' * 10}.5",
        "",
        "nonsense",
        f"{HOST}:pid:start",
    ],
    ids=["machine", "machine, shorter", "boot", "container", "nothing", "nonsense", "no number"],
)
def test_of_another_machine_boot_or_container_nobody_here_can_say(process):
    assert life_of(process) is Life.ELSEWHERE


def test_a_process_of_schema_1_is_known_by_its_number():
    assert life_of(f"{HOST}:{os.getpid()}") is Life.ALIVE
    number = text_of_another("").split(":")[1]
    assert life_of(f"{HOST}:{number}") is Life.DEAD
