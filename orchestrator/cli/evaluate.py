"""`orchestrator eval`: a data set to several models, scored, within a budget."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import AsJson, UseCase
from orchestrator.cli.output import CommandError, dim, err, errors_as_json, out, print_json, table
from orchestrator.cli.session import load_what_is_needed, session_of
from orchestrator.cli.written_files import write_file
from orchestrator.core.formatting import count_text, seconds
from orchestrator.core.home_paths import expanded
from orchestrator.core.language import Language

if TYPE_CHECKING:
    from orchestrator.client import Orchestrator
    from orchestrator.evaluation.case import ScoredRow
    from orchestrator.evaluation.pricing import EvaluationPrice
    from orchestrator.evaluation.running import Say
    from orchestrator.evaluation.summary import SubjectStanding

EXIT_NOT_PASSED = 1
Data = Annotated[Path, typer.Option("--data", help="JSONL, CSV or Parquet: id, prompt, expected, language.")]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", help="A model or deployment; repeat it. Without: the use case as it stands."),
]
Scorers = Annotated[
    list[str],
    typer.Option(
        "--scorer",
        help="exact, label, contains, numeric:1%, schema:FILE, language:vi, cost:USD, latency:S, judge:MODEL, "
        "or module:function; repeat it.",
    ),
]
Labels = Annotated[
    list[str] | None, typer.Option("--label", help="A label that may be expected; others are refused.")
]
Results = Annotated[
    Path | None,
    typer.Option(
        "--results", help="The file of answers, to go on with or to begin; beside the data by default."
    ),
]


def _checked_dollars(amount: str | None) -> str | None:
    """Refuse what is no amount before anything is shown; the parser names the option."""
    from orchestrator.core.money import typed_limit

    try:
        if amount is not None:
            typed_limit(amount)
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from None
    return amount


MaxCost = Annotated[
    str | None,
    typer.Option(
        help="The most that all starts with this file may cost, in dollars.", callback=_checked_dollars
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before it is paid.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the price, and send nothing.")]
OnPractice = Annotated[
    bool,
    typer.Option("--practice", help="Ask practice providers: no key, nothing to pay, and no real answers."),
]


def evaluate(  # noqa: PLR0913, PLR0917 -- an argument for each option
    context: typer.Context,
    data: Data,
    scorer: Scorers,
    model: Models = None,
    chain: Annotated[
        list[str] | None,
        typer.Option(
            "--chain", help="A chain, or PACKAGE.MODULE:NAME of your own; rows need 'input'. Repeat it."
        ),
    ] = None,
    use_case: UseCase = None,
    label: Labels = None,
    max_tokens: Annotated[int | None, typer.Option(help="The most output tokens of an answer.")] = None,
    results: Results = None,
    max_cost_usd: MaxCost = None,
    judge_max_cost_usd: Annotated[
        str | None, typer.Option(help="The most that judges may cost.", callback=_checked_dollars)
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(min=0, max=1, help="Exit code 1 where a mean score is lower.")
    ] = None,
    retry_failed: Annotated[bool, typer.Option(help="Ask rows again that got no answer.")] = False,
    policy: Annotated[
        Path | None,
        typer.Option(
            help="Write the cheapest --model that is proven no worse than the first one as a policy file, such as "
            "policies/USE_CASE.json: 'orchestrator report' then says what it saves. Tested in the order named."
        ),
    ] = None,
    margin: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Of --policy: how much worse is still as good.")
    ] = 0.01,
    html: Annotated[Path | None, typer.Option(help="Also write a page.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Also write JUnit XML.")] = None,
    language: Annotated[Language, typer.Option(help="Of the page.")] = Language.EN,
    practice: OnPractice = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Measure models on your own data: priced first, within a budget, going on where it stopped.

    Exit code 1: a mean score is below --min-score, a row has no score, or the budget ended it.
    """
    from orchestrator.evaluation.evaluate import Evaluation
    from orchestrator.evaluation.journal import results_beside
    from orchestrator.evaluation.summary import plain_evaluation, standings, why_not_passed

    path = expanded(results) if results else results_beside(expanded(data))
    with errors_as_json(as_json), session_of(context).orchestrator(practice=practice) as orchestrator:
        keep = _Keep(orchestrator, policy, model or [], use_case, margin)
        keep.check(max_tokens, is_practice=practice)
        with Evaluation(
            orchestrator, expanded(data), scorers=scorer, results=path, models=model or (), use_case=use_case,
            max_tokens=max_tokens, labels=label or (), extra_subjects=_chains(orchestrator, chain or ()),
            is_practice=practice,
        ) as evaluation:  # fmt: skip
            if retry_failed:
                evaluation.journal.forget_failures()
            priced, may_pay = evaluation.estimate(), yes or practice
            if not confirmed(priced, limit=max_cost_usd, yes=may_pay, dry_run=dry_run, as_json=as_json):
                return
            load_what_is_needed(orchestrator)
            with progress() as say:
                outcomes = evaluation.run(
                    max_cost_usd=max_cost_usd, judge_max_cost_usd=judge_max_cost_usd, say=say
                )
            stopped = evaluation.stopped
        places = standings(outcomes)
        reasons = why_not_passed(places, min_score=min_score, stopped=stopped)
        _write_files(outcomes, places, reasons, html=html, junit=junit, min_score=min_score,
                     language=language, practice=practice)  # fmt: skip
        kept = keep.written(outcomes)
    if as_json:
        print_json({**plain_evaluation(outcomes, places, reasons, path=str(path)), **kept})
    else:
        _show(places, reasons, path)
        _show_kept(kept)
    if reasons:
        raise typer.Exit(EXIT_NOT_PASSED)


@dataclass(frozen=True, slots=True)
class _Keep:
    """Keeps what is proven as a policy file."""

    orchestrator: "Orchestrator"
    path: Path | None
    """None keeps nothing."""
    models: list[str]
    use_case: str | None
    margin: float

    def check(self, max_tokens: int | None, *, is_practice: bool) -> None:
        """Refuse before anything is paid what could prove nothing of the use case.

        Raises:
            CommandError, EvaluationError: it could not; says why.
        """
        from orchestrator.evaluation.proving import check_subjects

        if self.path is None:
            return
        config = self.orchestrator.config
        if self.use_case is None:
            raise CommandError("--policy is of a use case: name it with --use-case")
        if is_practice:
            raise CommandError("--policy with --practice: what practice providers answer proves nothing")
        own = config.settings.use_cases[config.use_case_named(self.use_case)].max_tokens
        if max_tokens not in {None, own}:
            raise CommandError(f"--policy: '{self.use_case}' has max_tokens {own}; leave --max-tokens out")
        check_subjects(config, self.models)

    def written(self, outcomes: "list[ScoredRow]") -> dict[str, str | None]:
        """Write the file where something is proven; return what is, and the file, for JSON."""
        from orchestrator.core.clock import SystemClock
        from orchestrator.evaluation.policy_file import proven_text, write_policy
        from orchestrator.evaluation.proving import cheapest, proven

        if self.path is None:
            return {}
        config = self.orchestrator.config
        tested = proven(config, outcomes, self.models, margin=self.margin)
        best = cheapest(tested)
        if best is None:
            return {"policy": tested[-1].text, "policy_file": None}
        day, use_case = SystemClock().now().date(), config.use_case_named(self.use_case)
        path = expanded(self.path)
        write_policy(path, proven_text(best, config=config, use_case=use_case, day=day))
        return {"policy": best.text, "policy_file": str(path)}


def _show_kept(kept: dict[str, str | None]) -> None:
    if not kept:
        return
    file = kept["policy_file"]
    written = "no policy is written" if file is None else f"written to {file} (policy: {{file: {file}}})"
    out().print(f"{written}: {kept['policy']}", soft_wrap=True, markup=False)


def confirmed(
    priced: "EvaluationPrice", *, limit: str | None, yes: bool, dry_run: bool, as_json: bool
) -> bool:
    """Print the price, and return whether it may be paid.

    Raises:
        CommandError: nobody can be asked, and --yes is not given.
    """
    from orchestrator.core.money import format_usd

    known = "what a chain costs is not known ahead"
    if priced.bound_nusd is not None:
        known = f"about {format_usd(priced.expected_nusd)}, at most {format_usd(priced.bound_nusd)} with every retry and fallback"
    kept = f", {priced.kept} are in the file already" if priced.kept else ""
    most = f"; never more than ${limit.lstrip('$')} of --max-cost-usd" if limit else ""
    text = f"{count_text(priced.calls, 'answer')} to ask{kept}: {known}{most}"
    if dry_run and as_json:
        from orchestrator.core.formatting import money

        prices = {**money("expected", priced.expected_nusd), **money("bound", priced.bound_nusd)}
        print_json({"calls": priced.calls, "kept": priced.kept, **prices})
        return False
    (out() if dry_run else err()).print(text, soft_wrap=True)
    if dry_run:
        return False
    if yes or not priced.calls or priced.bound_nusd == 0:
        return True
    if not err().is_terminal:
        raise CommandError("say --yes to pay it, or --dry-run to see the price alone")
    return typer.confirm("Pay it?", err=True)


@contextmanager
def progress() -> "Iterator[Say]":
    """Show how far it is, on a terminal only."""
    console = err()
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status(dim("asking")) as status:
        yield lambda text: status.update(dim(text))


def _chains(orchestrator: Any, names: "list[str] | tuple[str, ...]") -> list[Any]:
    if not names:
        return []
    from orchestrator.chains.own import own_chains
    from orchestrator.chains.shipped import shipped
    from orchestrator.core.unknown_names import unknown
    from orchestrator.evaluation.chain_subject import ChainSubject

    # First: a folder `chains/` of a project is found under this name as long as the shipped one is not.
    chains: dict[str, Any] = {
        name: made for name in names if ":" in name for made in own_chains(name).values()
    }
    chains |= shipped().CHAINS
    for name in names:
        if name not in chains:
            raise CommandError(unknown("chain", name, chains))
    return [ChainSubject(f"chain:{name}", chains[name], orchestrator) for name in names]


def _write_files(  # noqa: PLR0913 -- what the files are made of
    outcomes: "list[ScoredRow]", places: "list[SubjectStanding]", reasons: list[str], *, html: Path | None,
    junit: Path | None, min_score: float | None, language: Language, practice: bool,
) -> None:  # fmt: skip
    from orchestrator.evaluation.html_page import evaluation_page
    from orchestrator.evaluation.junit import junit as as_junit

    if html is not None:
        write_file(
            "--html",
            html,
            evaluation_page(outcomes, places, reasons, language=language, is_practice=practice),
        )
    if junit is not None:
        write_file("--junit", junit, as_junit(outcomes, places, min_score=min_score))


def _show(places: "list[SubjectStanding]", reasons: list[str], path: Path) -> None:
    from orchestrator.core.money import format_usd

    # So narrow that four models stand below each other in 80 columns.
    numbers = ("answered", "score", "95 %", "beside the first", "cost", "latency")
    listing = table("subject", *numbers, numbers=numbers)
    for place in places:
        quality = place.quality
        shown = (
            ("-", "-")
            if quality is None
            else (f"{quality.mean:.3f}", f"{quality.low:.3f}-{quality.high:.3f}")
        )
        beside = place.beside_first
        listing.add_row(
            place.subject, f"{place.rows - place.failed}/{place.rows}", *shown,
            "-" if beside is None else f"{beside.mean:+.3f} [{beside.low:+.3f}, {beside.high:+.3f}]",
            format_usd(place.cost_nusd), seconds(place.latency_s),
        )  # fmt: skip
    console = out()
    console.print(listing)
    for reason in reasons:
        console.print(f"not passed: {reason}", soft_wrap=True)
    err().print(f"answers are kept in {path}", style="dim", soft_wrap=True)
