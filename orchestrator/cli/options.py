"""The options that several commands share, each with one wording."""

from typing import Annotated

import typer

from orchestrator.core.moments import FORMS

Prompt = Annotated[str | None, typer.Argument(help="The question; - or nothing reads standard input.")]
UseCase = Annotated[str | None, typer.Option("--use-case", help="A use case of config.yaml.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Whose budget pays.")]
User = Annotated[str | None, typer.Option("--user", help="The user, for budgets and the report.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="A tag; may be repeated.")]
Model = Annotated[
    str | None, typer.Option("--model", help="A model, an alias or a deployment, and no other.")
]
MaxTokens = Annotated[int | None, typer.Option("--max-tokens", help="The most output tokens.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="WHEN", help=f"From then on: {FORMS}.", show_default=False),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until", metavar="WHEN", help="Until then, written alike; now if left out. A day is included.",
        show_default=False,
    ),
]  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def overrides_of(**options: object) -> dict[str, object]:
    """Return the fields of a request that the options set."""
    return {name: value for name, value in options.items() if value is not None}
