"""`orchestrator practice`: practice providers in the foreground, and the commands that steer them."""

from typing import Annotated, Any

import typer

from orchestrator.cli.bill_table import show_bill
from orchestrator.cli.options import AsJson
from orchestrator.cli.output import CommandError, errors_as_json, out, print_json, write
from orchestrator.cli.session import session_of

DEFAULT_PORT = 8399

app = typer.Typer(
    help=(
        "Run practice providers for those of config.yaml on a loopback port, with faults on demand and a "
        "bill. While they run, the commands below talk to them from another terminal."
    ),
    invoke_without_command=True,
)

_Port = Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes any free one.")]
_RunningPort = Annotated[int, typer.Option(min=1, max=65535, help="The port they listen on.")]


@app.callback()
def run(
    context: typer.Context,
    port: _Port = DEFAULT_PORT,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="A fault from the start, such as openrouter:status=503; may be repeated.", show_default=False
        ),
    ] = None,
    answers: Annotated[
        str, typer.Option(help="scripted, or local: the model on this machine writes them.")
    ] = "scripted",
    key: Annotated[str, typer.Option(help="The only API key they accept.")] = "practice",
) -> None:
    """Run practice providers until Ctrl-C, then print their bill."""
    if context.invoked_subcommand is not None:
        return
    from orchestrator.cli.foreground import Rehearsal, rehearse

    if answers not in {"scripted", "local"}:
        raise CommandError(f"--answers '{answers}': choose scripted or local")
    if not key.strip():
        raise CommandError("--key is empty: give any text, such as practice")
    rehearse(
        Rehearsal(
            port=port,
            on_usual_port=port == DEFAULT_PORT,
            faults=tuple(fault or ()),
            generated=answers == "local",
            key=key,
            config_path=session_of(context).config_path,
        )
    )


@app.command()
def fault(
    text: Annotated[
        str, typer.Argument(help="Such as openrouter:status=503 or google:cut_stream=3,times=1.")
    ],
    port: _RunningPort = DEFAULT_PORT,
    as_json: AsJson = False,
) -> None:
    """Add a fault to running practice providers.

    It reads <provider>:<kind>[=<value>][,<name>=<value>...], * is any provider, and without times=
    it stays until cleared. `orchestrator practice kinds` lists the kinds.
    """
    with errors_as_json(as_json):
        waiting = _control("POST", "faults", port=port, body={"faults": [text]})
    _show_faults(waiting, as_json=as_json)


@app.command()
def kinds(as_json: AsJson = False) -> None:
    """List the kinds of faults with the values that they have of themselves, and their units."""
    from orchestrator.practice.fault_words import kinds_in_words

    listed = list(kinds_in_words())
    if as_json:
        print_json({"kinds": [{"text": text, "words": words} for text, words in listed]})
        return
    write("".join(_fault_line(text, words) for text, words in listed))


@app.command()
def faults(port: _RunningPort = DEFAULT_PORT, as_json: AsJson = False) -> None:
    """List the faults that wait for their requests."""
    with errors_as_json(as_json):
        waiting = _control("GET", "faults", port=port)
    _show_faults(waiting, as_json=as_json)


@app.command()
def clear(port: _RunningPort = DEFAULT_PORT, as_json: AsJson = False) -> None:
    """Drop every fault."""
    with errors_as_json(as_json):
        cleared = _control("DELETE", "faults", port=port)
    if as_json:
        print_json(cleared)
        return
    count = cleared["dropped"]
    out().print("1 fault dropped" if count == 1 else f"{count} faults dropped")


@app.command()
def bill(port: _RunningPort = DEFAULT_PORT, as_json: AsJson = False) -> None:
    """Print what the practice providers charged so far."""
    with errors_as_json(as_json):
        charged = _control("GET", "bill", port=port)
    if as_json:
        print_json(charged)
        return
    show_bill(charged)


def _show_faults(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    waiting = answer["faults"]
    lines = "".join(_fault_line(fault["text"], fault["words"]) for fault in waiting)
    write(lines or "no faults: every request is answered\n")


def _fault_line(text: str, words: str) -> str:
    return f"{text:<32}  {words}".rstrip() + "\n"


def _control(method: str, path: str, *, port: int, body: dict[str, Any] | None = None) -> dict[str, Any]:
    from orchestrator.drill.practice_control import ask_practice

    return ask_practice(method, path, port=port, body=body)
