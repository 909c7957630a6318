"""A wrong use of the command line reads as every other error does: one line that says what is meant."""

import orjson
import pytest

from orchestrator.cli import EXIT_INTERRUPTED


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (("aks",), "No such command 'aks'. Did you mean 'ask'? See 'orchestrator --help'"),
        (("ledger", "zzz"), "No such command 'zzz'; known: backup, compact, correct, export, "),
        (("ask", "--modle", "x"), "unknown option '--modle'. Did you mean '--model'? See 'orchestrator ask --help'"),
        (("--zzzz",), "unknown option '--zzzz'; known: --config, "),
        (("ask", "--max-tokens"), "Option '--max-tokens' requires an argument"),
        (("ask", "--max-tokens", "few"), "Invalid value for '--max-tokens': write a whole number. See "),
        (("serve", "--port", "-1"), "Invalid value for '--port': write at least 0. See "),
        (("serve", "--port", "70000"), "Invalid value for '--port': write at most 65535. See "),
        (("requests", "--limit", "x"), "Invalid value for '--limit': write a whole number. See "),
        (("ask", "hi", "--model", "gpt6"), "unknown model 'gpt6'. Did you mean 'gpt-6.1-sol'?"),
        (("keys", "make", "--tenant", "a", "--role", "X"), "Invalid value for '--role': 'X' is not one of 'call', "),
        (("keys", "make"), "Missing option '--tenant'. See 'orchestrator keys make --help'"),
        (("eval", "--language", "fr"), "Invalid value for '--language': 'fr' is not one of 'vi', 'en'. See "),
        (("ask", "a", "b"), "Got unexpected extra argument(s) (b). See 'orchestrator ask --help'"),
    ],
)  # fmt: skip
def test_a_wrong_use_is_one_clear_line(run, command, line):
    """No box and no usage text; a group's unknown command is met with those that there are."""
    ran = run(*command)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith(f"error: {line}")
    assert ran.err.count("\n") == 1


def test_a_program_that_asks_for_json_reads_the_error_of_a_wrong_use(run):
    """One object on standard output, as of every command that failed."""
    ran = run("ask", "--max-tokens", "few", "--json")
    assert ran.code == 2
    assert orjson.loads(ran.out)["error"]["type"] == "CommandError"


@pytest.mark.parametrize("value", ["x" * 5_000, "x y " * 2_000], ids=["a word", "words"])
@pytest.mark.parametrize(
    "command",
    [
        *(
            ("report", "--month"),
            ("report", "--tenant"),
            ("ledger", "reconcile", "--as"),
            ("chain", "--from"),
        ),
        *(("drill",), ("requests",), ("keys", "revoke"), ("experiment", "show"), ("--config",), ()),
        *(("ledger", "restore"), ("eval", "--practice", "--data"), ("serve", "--demo", "--host")),
    ],
)
def test_no_error_repeats_a_long_value(run, command, value):
    ran = run(*command, value)
    assert ran.code != 0
    assert len(ran.err) < 2_500
    assert "…" in ran.err or "xxx" not in ran.err
    told = run(*command, value, "--json").out
    assert len(told) < 3_000


def test_ctrl_c_at_a_question_is_an_interruption(run, monkeypatch):
    """As anywhere else: 130."""

    def interrupted(*_arguments, **_options):
        import typer

        raise typer.Abort

    monkeypatch.setattr("orchestrator.core.clock.SystemClock.now", interrupted)
    assert run("keys", "list").code == EXIT_INTERRUPTED
