"""What scripts rely on: quick help, one clear line for an error, an exit code that means something."""

import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from orchestrator import cli
from orchestrator.cli.app import EXIT_CODES
from orchestrator.cli.session import configure_log, show_warnings_of_a_server
from orchestrator.core.errors import (
    AllProvidersFailedError,
    BudgetExceededError,
    ConfigError,
    FailedStep,
    InvalidOutputError,
    LedgerError,
    OrchestratorError,
    step_lines,
)
from orchestrator.core.money import NanoUsd

COMMANDS = (
    (),
    ("demo",),
    ("ask",),
    ("chain",),
    ("route",),
    ("report",),
    ("doctor",),
    ("config",),
    ("config", "check"),
    ("practice",),
    ("practice", "fault"),
)
HEAVY = (
    "litellm",
    "langchain_core",
    "langchain_openai",
    "pandas",
    "numpy",
    "aiohttp",
    "yaml",
    "diskcache",
)
ROOT = Path(__file__).resolve().parents[2]


def test_help_loads_nothing_heavy():
    """Every --help answers without LiteLLM, LangChain, pandas and the like, which take seconds to import.

    Typer itself loads pydantic; everything together takes under half a second.
    """
    script = (
        "import sys\nfrom orchestrator.cli import main\n"
        f"for command in {COMMANDS!r}:\n    assert main([*command, '--help']) == 0\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    listed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True, timeout=300
    )
    assert listed.stdout.splitlines()[-1] == "LOADED []"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_help_names_the_exit_codes_or_its_group_does(run, command):
    """A script's author finds the exit codes in the help."""
    ran = run(*command, "--help")
    assert ran.code == 0
    help_text = " ".join(ran.out.split())
    assert "Usage: orchestrator" in help_text
    if len(command) < 2:
        assert " ".join(EXIT_CODES.split()[:6]) in help_text


def test_the_version_is_printed(run):
    """--version names the program and exits 0."""
    ran = run("--version")
    assert (ran.code, ran.out.split()[0]) == (0, "orchestrator")


@pytest.mark.parametrize(
    "command",
    [("nonsense",), ("ask", "--nonsense"), ("report", "--month"), ("ask", "--max-tokens", "x", "hi")],
)
def test_wrong_usage_exits_2_without_a_traceback(run, command):
    """A misspelt command or option is a usage error."""
    ran = run(*command)
    assert ran.code == 2
    assert "Traceback" not in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("config.yaml:3: no"), 2),
        (
            BudgetExceededError(
                scope="all",
                window="day",
                limit=NanoUsd(1),
                left=NanoUsd(0),
                needed=NanoUsd(2),
                resets_at=None,
            ),
            3,
        ),
        (AllProvidersFailedError("nobody"), 4),
        (InvalidOutputError("invalid"), 5),
        (LedgerError("full"), 6),
        (OrchestratorError("other"), 1),
    ],
)
def test_each_kind_of_error_has_its_exit_code(run, monkeypatch, error, code):
    """An error becomes `error: ...` on standard error, and the code that the help documents."""

    def fail(_arguments):
        raise error

    monkeypatch.setattr(cli, "_run", fail)
    ran = run("ask", "hi")
    assert ran.code == code
    assert ran.err.startswith("error: ")
    assert str(error).splitlines()[0] in ran.err
    assert "Traceback" not in ran.err


def test_that_nobody_answered_is_a_line_a_step_for_people_and_one_for_programs(run, monkeypatch):
    """A traceback and a terminal are read by a person, a log line and JSON by a program."""
    steps = (FailedStep("a/b", "unavailable 503"), FailedStep("c/d", "its circuit is open"))
    error = AllProvidersFailedError("nobody could answer", steps=steps)
    assert str(error).splitlines() == [
        "nobody could answer",
        "  a/b: unavailable 503",
        "  c/d: its circuit is open",
    ]
    assert error.in_one_line == "nobody could answer (a/b: unavailable 503; c/d: its circuit is open)"
    assert step_lines(error.in_one_line) == str(error).splitlines()
    assert step_lines("nobody could answer") == ["nobody could answer"]
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 -- our own

    def fail(_arguments):
        raise error

    monkeypatch.setattr(cli, "_run", fail)
    assert run("ask", "hi").err == "".join(f"error: {line}\n" for line in str(error).splitlines())
    monkeypatch.setattr("orchestrator.cli.session.log_is_json", lambda: True)
    with monkeypatch.context() as logging_to:
        lines = []
        logging_to.setattr(
            logging.getLogger("orchestrator.cli"),
            "error",
            lambda text, *parts, **_: lines.append(text % parts),
        )
        run("ask", "hi")
    assert lines == [error.in_one_line]


def test_a_bug_is_one_line_and_shows_its_traceback_on_demand(run, monkeypatch):
    """It exits 70 and says type and place, for its text may quote a prompt; ORCHESTRATOR_DEBUG=1 shows it."""

    def fail(_arguments):
        raise KeyError("surprise \x1b[2J")

    monkeypatch.setattr(cli, "_run", fail)
    ran = run("ask", "hi")
    assert ran.code == 70
    assert len(ran.err.splitlines()) == 1
    assert "ORCHESTRATOR_DEBUG=1" in ran.err
    assert "unexpected KeyError at " in ran.err
    assert "test_main.py" in ran.err
    assert "surprise" not in ran.err
    monkeypatch.setenv("ORCHESTRATOR_DEBUG", "1")
    shown = run("ask", "hi").err
    assert "Traceback" in shown
    assert "surprise" in shown
    assert "\x1b" not in shown


@pytest.mark.skipif(os.name == "nt", reason="Windows arguments are UTF-16")
def test_an_argument_that_is_not_utf8_is_refused(shell):
    """Bytes that are no UTF-8 never reach a model as something else."""
    ran = shell(b"ask", b"caf\xe9")
    assert ran.code == 2
    assert "argument 2 is not UTF-8" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
@pytest.mark.parametrize(
    "command", [("config", "schema"), ("prices",), ("--help",)], ids=lambda words: words[0]
)
def test_a_reader_that_has_gone_ends_every_verb_as_it_ends_other_tools(command):
    """`orchestrator prices | head -1` says nothing, whoever of us prints: plain text, a table, or the help."""
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    process.stdout.close()
    error_text = process.stderr.read().decode()
    process.stderr.close()
    assert (process.wait(timeout=300), error_text) == (141, "")


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_says_stopped_and_loses_no_booking(practice, home, run):
    """Ctrl-C in the middle of a call exits 130, and what may have been billed is in the ledger."""
    practice.faults.add("*:silence")
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "ask", "hello", "--deadline-s", "100"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    while not practice.requests:
        assert process.poll() is None, process.stderr.read().decode()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _out, error_text = process.communicate(timeout=300)
    assert process.returncode == 130
    assert error_text.decode().splitlines()[-1] == "stopped"
    assert "Traceback" not in error_text.decode()
    report = run("report", "--json").json
    assert report["outcomes"]["cancelled"] == 1
    assert report["cost_by_source"]["bound"]["cost_nusd"] > 0
    assert all(budget["held_nusd"] == 0 for budget in report["budgets"])
    listing = run("requests").out
    assert "cancelled" in listing
    assert "cancelled: cancelled" not in listing


def test_a_terminal_without_vietnamese_still_gets_an_answer(shell, monkeypatch):
    """What an encoding has not is shown as a mark; JSON is UTF-8 all the same."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    ran = shell("route", "--model", "local/smollm2-135m-instruct", "đơn hàng")
    assert ran.code == 0
    assert "deployment" in ran.out
    assert "đơn" in str(shell("ask", "hi", "--use-case", "đơn", "--json").json)


def test_with_log_json_the_log_and_errors_are_json_lines(run, practice):
    """--log-json: attempts, the request that ended and the error of a command, each one object."""
    practice.faults.add("openrouter:status=503,times=1")
    ran = run("--log-json", "ask", "mã 4711", "--tenant", "acme", "--model", "gpt-6.1-sol", "--json")
    lines = [orjson.loads(line) for line in ran.err.splitlines()]
    (ended,) = [line for line in lines if line["logger"] == "orchestrator.requests"]
    assert (ended["outcome"], ended["tenant"]) == ("succeeded", "acme")
    assert ended["cost_nusd"] == ran.json["cost_nusd"] == practice.bill.total_nusd()
    assert {line["request_id"] for line in lines} == {ran.json["request_id"]}
    assert "4711" not in ran.err
    (error,) = [orjson.loads(line) for line in run("--log-json", "requests", "show", "zz").err.splitlines()]
    assert (error["error"], error["exit_code"]) == ("InvalidRequestError", 2)
    assert run("requests", "show", "zz").err.startswith("error: ")


def test_with_log_json_a_changed_configuration_that_was_taken_over_is_told(capsys):
    """Who has changed a key sees that it is in use."""
    configure_log(verbose=False, as_json=True)
    logging.getLogger("orchestrator.config").info("took over the changed configuration")
    configure_log(verbose=False)
    assert orjson.loads(capsys.readouterr().err)["message"] == "took over the changed configuration"


def test_a_server_shows_what_operations_must_hear_of_also_without_verbose(capsys):
    """Alerts, refused changes and its own warnings, each once; of other loggers nothing."""
    configure_log(verbose=False)
    show_warnings_of_a_server()
    capsys.readouterr()
    for name in ("orchestrator.alerts", "orchestrator.dispatch"):
        logging.getLogger(name).error("of %s", name)
    assert capsys.readouterr().err == "ERROR orchestrator.alerts: of orchestrator.alerts\n"
    configure_log(verbose=True)
    show_warnings_of_a_server()
    logging.getLogger("orchestrator.alerts").error("once")
    assert capsys.readouterr().err == "ERROR orchestrator.alerts: once\n"
    configure_log(verbose=False)


def test_what_somebody_wrote_begins_no_line_of_an_error(run):
    """A form feed and the ends of lines of Unicode are shown, and `error: ` stands once."""
    ran = run("report", "--month", "x\x0cerror: a\x85b\u2028c")
    assert ran.code == 2
    assert ran.err.count("error: ") == 2
    assert len(ran.err.splitlines()) == 1
