"""Whoever imports the guard, or any module that speaks to LiteLLM, asks no network."""

import os
import subprocess
import sys
from pathlib import Path

from orchestrator.core.offline_litellm import keep_litellm_local

PROGRAM = """
import socket

def refuse(*arguments, **options):
    print("ASKED", arguments)
    raise socket.gaierror("no network")

socket.getaddrinfo = socket.create_connection = refuse
from orchestrator import BudgetGuard
import litellm
print("LOADED", len(litellm.model_cost) > 1000)
"""


def test_the_guard_is_imported_without_a_network():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LITELLM")}
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM], capture_output=True, text=True, env=environment,
        cwd=Path(__file__).parents[2], timeout=300, check=False,
    )  # fmt: skip
    assert (ended.stdout, ended.stderr) == ("LOADED True\n", "")


def test_what_the_environment_says_stays(monkeypatch):
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "False")
    monkeypatch.delenv("LITELLM_LOG", raising=False)
    keep_litellm_local()
    assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "False"
    assert os.environ["LITELLM_LOG"] == "ERROR"


def test_a_file_of_variables_in_the_working_folder_is_not_read(tmp_path):
    """LiteLLM would fill the whole process from it: keys, a proxy, the switch of a tracing."""
    (tmp_path / ".env").write_text("HTTPS_PROXY=http://elsewhere.example\n", encoding="utf-8")
    # As in a notebook, where it is looked for in the working folder; else above LiteLLM's own.
    program = "import sys; sys.ps1 = '>'; import orchestrator.metering, litellm, os; print(os.environ.get('HTTPS_PROXY'))"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("LITELLM", "HTTPS_PROXY"))
    }
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])}, timeout=300, check=False,
    )  # fmt: skip
    assert ended.stdout == "None\n", ended.stderr
