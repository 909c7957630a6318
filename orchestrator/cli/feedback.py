"""`orchestrator feedback`: what somebody thought of an answer."""

from contextlib import closing
from typing import Annotated

import typer

from orchestrator.cli.options import AsJson
from orchestrator.cli.output import errors_as_json, print_json, write
from orchestrator.cli.session import session_of


def feedback(  # noqa: PLR0913, PLR0917 -- an argument for each option
    context: typer.Context,
    request_id: Annotated[str, typer.Argument(metavar="ID", help="The id of a request, or its beginning.")],
    score: Annotated[int | None, typer.Option(help="1, useless, to 5, perfect.", show_default=False)] = None,
    corrected: Annotated[
        str | None, typer.Option(metavar="TEXT", help="A better answer, kept where replies are.")
    ] = None,
    source: Annotated[str, typer.Option(help="Who says so: each has one word.")] = "user",
    tenant: Annotated[str | None, typer.Option(help="Only if it is this tenant's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Keep what somebody thought of an answer; doing it again takes the place of the first."""
    with errors_as_json(as_json):
        from orchestrator.config.effective import secrets_of
        from orchestrator.core.clock import SystemClock
        from orchestrator.ledger.budgets import Limits
        from orchestrator.ledger.opening import open_contents, open_ledger
        from orchestrator.requests.feedback import give_feedback

        settings, clock = session_of(context).config().settings, SystemClock()
        with (
            closing(open_ledger(settings.ledger, limits=Limits(settings.budgets), clock=clock)) as ledger,
            closing(open_contents(settings.ledger, clock=clock)) as contents,
        ):
            taken = give_feedback(
                ledger.store, contents, request_id, score=score, corrected=corrected, source=source,
                tenant=tenant, now=clock.now(), secrets=secrets_of(settings),
            )  # fmt: skip
    if as_json:
        kept = {"score": score, "corrected_is_kept": taken.corrected_is_kept}
        print_json({"request_id": taken.request_id, "source": source, **kept})
        return
    lost = "; the better answer itself is not, as 'record' in config.yaml says"
    write(
        f"feedback on {taken.request_id} is kept{lost if corrected and not taken.corrected_is_kept else ''}\n"
    )
