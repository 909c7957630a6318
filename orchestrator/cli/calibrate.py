"""`orchestrator calibrate`: the cheapest policy that is proven not worse than the reference."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.evaluate import (
    Data,
    DryRun,
    Labels,
    MaxCost,
    OnPractice,
    Results,
    Yes,
    confirmed,
    progress,
)
from orchestrator.cli.options import AsJson
from orchestrator.cli.output import CommandError, errors_as_json, listed, out, print_json
from orchestrator.cli.session import load_what_is_needed, session_of
from orchestrator.cli.written_files import write_file
from orchestrator.core.formatting import count_text
from orchestrator.core.home_paths import expanded

if TYPE_CHECKING:
    from datetime import date

    from orchestrator.client import Orchestrator
    from orchestrator.config.loader import Config
    from orchestrator.evaluation.calibrating import CalibrationQuestion
    from orchestrator.evaluation.calibration import Calibration
    from orchestrator.evaluation.case import ScoredRow

EXIT_KEPT = 1


def calibrate(  # noqa: PLR0913, PLR0917 -- an argument for each option
    context: typer.Context,
    use_case: Annotated[str, typer.Option("--use-case", help="The use case that the policy is for.")],
    data: Data,
    scorer: Annotated[
        list[str] | None, typer.Option("--scorer", help="As of eval; label where --label is set.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="A deployment; repeat it. Without: those of the use case's route."),
    ] = None,
    outcomes: Annotated[
        Path | None,
        typer.Option(help="Recorded outcomes (id, model, answer, cost_usd); nothing is asked then."),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="The deployment to be as good as; the primary by default.")
    ] = None,
    margin: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="How much worse is still as good.")
    ] = 0.01,
    compare: Annotated[
        str | None, typer.Option(help="How votes are compared: tool_calls, json, label, number, sql.")
    ] = None,
    label: Labels = None,
    version: Annotated[str | None, typer.Option(help="Of the policy; today by default.")] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="Write the policy file here; policies/USE_CASE.json by default."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Also write quality against cost as SVG.")] = None,
    results: Results = None,
    max_cost_usd: MaxCost = None,
    practice: OnPractice = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Propose the cheapest policy that is proven not worse than the reference, on rows not chosen by.

    Exit code 1: the reference stays, and no file is written. Nothing in force changes either way: config.yaml
    names the file, `policy: {file: PATH}`.
    """
    from orchestrator.core.clock import SystemClock
    from orchestrator.evaluation.calibrating import CalibrationQuestion, calibration_of

    day = SystemClock().now().date()
    with errors_as_json(as_json), session_of(context).orchestrator(practice=practice) as orchestrator:
        config = orchestrator.config
        question = CalibrationQuestion.of(
            config, use_case, reference=reference, scorers=scorer or (), labels=label or (), compare=compare,
            margin=margin, version=version or day.isoformat(),
        )  # fmt: skip
        measure = _Measure(orchestrator, question, expanded(data))
        if outcomes is not None:
            scored: list[ScoredRow] | None = question.recorded(config, expanded(data), expanded(outcomes))
        else:
            scored = measure.asked(
                question.models(config, model or ()), expanded(results) if results else None,
                limit=max_cost_usd, yes=yes, dry_run=dry_run, practice=practice, as_json=as_json,
            )  # fmt: skip
        if scored is None:
            return
        done = calibration_of(config, question, scored)
        path = (
            expanded(policy)
            if policy
            else session_of(context).config().path.parent / f"policies/{use_case}.json"
        )
        _write(done, config, use_case, path=path, plot=plot, day=day)
    _show(done, path, as_json=as_json)
    if done.proposed is None:
        raise typer.Exit(EXIT_KEPT)


@dataclass(frozen=True, slots=True)
class _Measure:
    """Asks the candidates."""

    orchestrator: "Orchestrator"
    question: "CalibrationQuestion"
    data: Path

    def asked(  # noqa: PLR0913 -- the options of the command
        self, models: list[str], path: Path | None, *, limit: str | None, yes: bool, dry_run: bool,
        practice: bool, as_json: bool,
    ) -> "list[ScoredRow] | None":  # fmt: skip
        """Return the outcomes of all models; None where nothing may be paid."""
        from orchestrator.evaluation.evaluate import Evaluation
        from orchestrator.evaluation.journal import results_beside

        question = self.question
        with Evaluation(
            self.orchestrator, self.data, scorers=question.scorers, models=models, use_case=question.use_case,
            results=path or results_beside(self.data), labels=question.labels, is_practice=practice,
        ) as evaluation:  # fmt: skip
            if not as_json:
                _print_too_few(len(evaluation.rows), question.margin)
            priced = evaluation.estimate()
            if not confirmed(priced, limit=limit, yes=yes or practice, dry_run=dry_run, as_json=as_json):
                return None
            load_what_is_needed(self.orchestrator)
            with progress() as say:
                scored = evaluation.run(max_cost_usd=limit, say=say)
            if evaluation.stopped:
                raise CommandError(f"the budget ended it before every model was asked: {evaluation.stopped}")
        return scored


def _print_too_few(rows: int, margin: float) -> None:
    """Say before anybody is paid that so few rows prove nothing within a margin, and what would do."""
    from orchestrator.evaluation.calibration import least_rows

    least = least_rows(margin)
    if rows < least:
        wide = next((points for points in (2, 3, 5, 10) if least_rows(points / 100) <= rows), None)
        or_wider = f", or --margin {wide / 100:g}, which takes {least_rows(wide / 100)}" if wide else ""
        out().print(
            f"{count_text(rows, 'row')}: --margin {margin:g} takes about {least}, even if no answer is worse; "
            f"{least - rows} more are missing{or_wider}",
            soft_wrap=True,
        )


def _write(
    done: "Calibration", config: "Config", use_case: str, *, path: Path, plot: Path | None, day: "date"
) -> None:
    """Write the policy, where one is proposed, and the plot."""
    if done.proposed is not None:
        from orchestrator.evaluation.policy_file import policy_text, write_policy

        write_policy(path, policy_text(done, done.proposed, config=config, use_case=use_case, day=day))
    if plot is not None:
        from orchestrator.evaluation.quality_plot import plot as drawn

        write_file("--plot", plot, drawn(done))


def _show(done: "Calibration", path: Path, *, as_json: bool) -> None:
    from orchestrator.evaluation.policy_file import plain_calibration

    if as_json:
        print_json({**plain_calibration(done), "policy_file": str(path) if done.proposed else None})
        return
    console, points = out(), round(100 * done.margin, 6)
    console.print(
        f"{count_text(done.rows, 'row')}: {done.chosen_on} chose, {done.confirmed_on} others confirm; "
        f"margin {points:g} {'point' if points == 1 else 'points'}"
    )
    if done.proposed is None:
        console.print(f"the reference {done.reference} stays: {done.reason}", soft_wrap=True)
    else:
        console.print(f"proposed: {done.reason}", soft_wrap=True)
        console.print(f"written to {path}; to use it: policy: {{file: {path}}}", soft_wrap=True)
    if done.unsure:
        console.print(listed("not sure", [("-", note) for note in done.unsure]))
