"""`orchestrator chain`: run a use case's chain, typed in and typed out."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.output import CommandError, busy, err, errors_as_json, out, print_json, table, write
from orchestrator.cli.prompts import read_argument
from orchestrator.cli.session import load_what_is_needed, session_of
from orchestrator.core.errors import InvalidOutputError
from orchestrator.core.formatting import count_text
from orchestrator.core.language import Language

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

_LANGUAGES = tuple(Language)
_MADE_UP = (
    "hint: practice answers fit the fields and know nothing of guardrails, so no model is too weak here; "
    "a test says what they answer: practice.say(...), see docs/how-to/testing.md"
)


def chain(  # noqa: PLR0913, PLR0917 -- an argument for each option
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="A chain; see --list.")] = None,
    own: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="PACKAGE.MODULE[:NAME]",
            help="Your own chains, made there with make_chain, in the place of the shipped ones.",
        ),
    ] = None,
    input_text: Annotated[
        str,
        typer.Option("--input", "-i", help="The input as JSON, @file for a file's, - for standard input."),
    ] = "-",
    tenant: Annotated[str, typer.Option(help="Whose budget pays.")] = "default",
    language: Annotated[str, typer.Option(help="The language of prompts and answers: vi or en.")] = "vi",
    show_list: Annotated[bool, typer.Option("--list", help="List the chains and their inputs.")] = False,
    practice: Annotated[
        bool,
        typer.Option("--practice", help="Ask practice providers: no key, nothing to pay, made-up answers."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, with every try and its cost.")
    ] = False,
) -> None:
    """Run a chain: check its input, validate its answer, repair it once, then ask the next model."""
    with errors_as_json(as_json):
        chains = _chains(own)
        if show_list:
            _show_chains(chains, as_json=as_json)
            return
        spec = _spec_of(chains, name, own=own is not None)
        if language not in _LANGUAGES:
            raise CommandError(f"--language '{language}': choose {' or '.join(_LANGUAGES)}")
        chain_input = _input_of(spec, read_argument(input_text, what="input"))
        with session_of(context).orchestrator(practice=practice) as orchestrator:
            load_what_is_needed(orchestrator)
            with busy(f"running {spec.name}"):
                built = spec(orchestrator, tenant=tenant, language=language)
                result = _answered(built, chain_input, practice=practice)
    _show_result(spec, result, as_json=as_json)


def _answered(built: Any, chain_input: "BaseModel", *, practice: bool) -> Any:
    try:
        return built.with_details().invoke(chain_input)
    except InvalidOutputError:
        if practice:
            err().print(_MADE_UP, style="dim", markup=False, soft_wrap=True)
        raise


def _chains(own: str | None) -> "Mapping[str, Any]":
    from orchestrator.chains.own import own_chains
    from orchestrator.chains.shipped import hidden_by, shipped

    if own is not None:
        return own_chains(own)
    hiding = hidden_by()
    if hiding is not None:
        err().print(
            f"{hiding} is what 'import chains' finds here; the shipped chains are run all the same. "
            "In Python they are orchestrator.chains.shipped()",
            style="dim",
            markup=False,
            soft_wrap=True,
        )
    chains: Mapping[str, Any] = shipped().CHAINS
    return chains


def _spec_of(chains: "Mapping[str, Any]", name: str | None, *, own: bool) -> Any:
    from orchestrator.core.unknown_names import unknown

    if name is None and len(chains) == 1:
        return next(iter(chains.values()))
    if name is None:
        raise CommandError(f"name a chain: {', '.join(chains)}; 'orchestrator chain --list' tells more")
    if name not in chains:
        where = "" if own else " (your own are found with --from PACKAGE.MODULE)"
        raise CommandError(f"{unknown('chain', name, chains)}{where}")
    return chains[name]


def _input_of(spec: Any, text: str) -> "BaseModel":
    """Return the input of a chain, read from JSON text."""
    from pydantic import ValidationError

    model: type[BaseModel] = spec.input_model
    try:
        return model.model_validate_json(text)
    except ValidationError as exc:
        mistakes = [_mistake(error) for error in exc.errors(include_url=False, include_input=False)]
        needed = ", ".join(_fields(model))
        raise CommandError("\n".join([*mistakes, f"{spec.name} takes an object with: {needed}"])) from None


def _mistake(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "json_invalid":
        return f"--input is not JSON: {message.removeprefix('Invalid JSON: ')}"
    if error["type"] == "extra_forbidden":
        return f"--input: unknown field '{where}'"
    if error["type"] == "missing":
        return f"--input: '{where}' is missing"
    return f"--input: {where}: {message}" if where else f"--input: {message}"


def _fields(model: "type[BaseModel]") -> list[str]:
    return [name if field.is_required() else f"[{name}]" for name, field in model.model_fields.items()]


def _show_chains(chains: "Mapping[str, Any]", *, as_json: bool) -> None:
    if as_json:
        from orchestrator.chains.views import plain_chains

        print_json(plain_chains(chains.values()))
        return
    listing = table(
        "chain", "what it does", "input, [optional]", folded=("what it does", "input, [optional]")
    )
    for spec in chains.values():
        listing.add_row(spec.name, spec.description, ", ".join(_fields(spec.input_model)))
    out().print(listing)


def _show_result(spec: Any, result: Any, *, as_json: bool) -> None:
    from orchestrator.core.money import format_usd

    if as_json:
        from orchestrator.chains.views import plain_result

        print_json(plain_result(spec, result))
        return
    for name, part in result.value.model_dump(mode="json").items():
        write(f"{name}: {_one_line(part)}\n")
    parts = [
        result.tries[-1].deployment,
        format_usd(result.cost_nusd),
        f"{count_text(len(result.tries), 'answer')}, used: {result.stage}",
    ]
    if result.degraded:
        parts.append(f"degraded: {result.degraded}")
    parts.append(f"request {result.tries[-1].request_id}")
    err().print(" · ".join(parts), style="dim", markup=False, soft_wrap=True)


def _one_line(part: Any) -> str:
    import orjson

    return part if isinstance(part, str) else orjson.dumps(part).decode()
