"""`orchestrator demo`: the whole of it on this machine, in about a minute, with every claim checked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import AsJson
from orchestrator.cli.output import CommandError, errors_as_json, out, print_indented, print_json
from orchestrator.cli.session import session_of
from orchestrator.core.errors import UnavailableError
from orchestrator.core.formatting import seconds
from orchestrator.core.home_paths import expanded

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from orchestrator.cli.story.act import Act
    from orchestrator.cli.story.stage import DemoStage


@dataclass(frozen=True, slots=True)
class _Played:
    act: "Act"
    took_s: float


def demo(
    context: typer.Context,
    fast: Annotated[bool, typer.Option("--fast", help="Scripted answers and fewer of them.")] = False,
    keep: Annotated[Path | None, typer.Option(help="Keep ledger and cache in this empty folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """See it work: no key, no network. Practice providers, a real local model, real money in a real ledger.

    Requests are routed, priced and answered, survive outages, come from the cache, respect a budget, and
    end in a report. Every claim is computed from what happened; one that does not hold makes the exit code 1.
    """
    with errors_as_json(as_json):
        if session_of(context).config_path is not None:
            raise CommandError("the demo always uses the shipped configuration; leave --config out")
        played = _as_json(fast, keep) if as_json else _as_text(fast, keep)
    if not all(scene.act.held for scene in played):
        raise typer.Exit(1)


def _acts() -> "tuple[tuple[str, Callable[[DemoStage], Act]], ...]":
    from orchestrator.cli.story import agreeing, asking, books, breaking, limit, outage, saving

    return (
        ("asking", asking.play),
        ("asking again", saving.play),
        ("spending at the limit", limit.play),
        ("letting cheap models vote", agreeing.play_agreement),
        ("breaking a stream", breaking.play),
        ("taking OpenRouter down", outage.play_one_down),
        ("taking everything down: every provider is tried before the local model", outage.play_all_down),
        ("closing the books", books.play),
    )


def _as_json(fast: bool, keep: Path | None) -> list[_Played]:
    from orchestrator.cli.story.stage import open_stage
    from orchestrator.core.clock import SystemClock

    clock = SystemClock()
    began_s = clock.monotonic_s()
    with open_stage(fast=fast, keep=keep, say=_silent) as stage:
        voice = stage.voice
        played = list(_play(stage, _silent))
    acts = [
        {
            "title": scene.act.title,
            "took_s": round(scene.took_s, 3),
            "claims": [claim.as_json() for claim in scene.act.claims],
            "facts": dict(scene.act.facts),
        }
        for scene in played
    ]
    held = all(scene.act.held for scene in played)
    print_json(
        {"held": held, "answers_by": voice, "took_s": round(clock.monotonic_s() - began_s, 3), "acts": acts}
    )
    return played


def _as_text(fast: bool, keep: Path | None) -> list[_Played]:
    from orchestrator.cli.story.scene import can_mark, shown
    from orchestrator.cli.story.stage import open_stage
    from orchestrator.core.clock import SystemClock

    console, clock = out(), SystemClock()
    began_s = clock.monotonic_s()
    played: list[_Played] = []
    with _progress(console) as (say, step), open_stage(fast=fast, keep=keep, say=say) as stage:
        _greet(console, stage)
        for scene in _play(stage, say):
            played.append(scene)
            step()
            ascii_only = not can_mark(console)
            console.print(shown(scene.act, number=len(played), took_s=scene.took_s, ascii_only=ascii_only))
    _part(console, played, took_s=clock.monotonic_s() - began_s, keep=keep)
    return played


def _play(stage: "DemoStage", say: Callable[[str], None]) -> Iterator[_Played]:
    for waiting, play in _acts():
        say(waiting)
        began_s = stage.clock.monotonic_s()
        yield _Played(_act(play, stage), stage.clock.monotonic_s() - began_s)


def _act(play: "Callable[[DemoStage], Act]", stage: "DemoStage") -> "Act":
    try:
        return play(stage)
    except UnavailableError as error:
        if stage.fast or not stage.has_local_model:
            raise
        raise UnavailableError(
            f"the model on this machine was too slow just now ({type(error).__name__}): close what keeps the machine "
            "busy, or see the same with scripted answers: orchestrator demo --fast"
        ) from error


def _silent(_: str) -> None:
    """Print nothing: a program reads the output."""


@contextmanager
def _progress(console: "Console") -> Iterator[tuple[Callable[[str], None], Callable[[], None]]]:
    """Show below the printed text what is being waited for; on a terminal only."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns: tuple[Any, ...] = (
        SpinnerColumn(),
        TextColumn("{task.description}", style="dim", markup=False),
        BarColumn(bar_width=16),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("setting up", total=len(_acts()))
        yield _sayer(progress, task), _stepper(progress, task)


def _sayer(progress: "Progress", task: "TaskID") -> Callable[[str], None]:
    return lambda text: progress.update(task, description=text)


def _stepper(progress: "Progress", task: "TaskID") -> Callable[[], None]:
    return lambda: progress.advance(task)


def _greet(console: "Console", stage: "DemoStage") -> None:
    console.print("NextFlow orchestrator, on this machine alone", style="bold")
    console.print(
        f"Practice providers play OpenRouter, Google and OpenAI at {stage.providers.url}, at the prices of "
        f"config.yaml. Their answers are written by {stage.voice}."
    )
    if not stage.has_local_model:
        console.print(
            "Answers are scripted. "
            "For real ones: pip install 'nextflow-orchestrator[local]' and its weights.",
            style="yellow",
            markup=False,
        )
    elif not stage.fast:
        console.print(
            "It is real, tiny, and knows little Vietnamese: judge the handling, not the prose.", style="dim"
        )
    console.print()


def _part(console: "Console", played: list[_Played], *, took_s: float, keep: Path | None) -> None:
    claims = [claim for scene in played for claim in scene.act.claims]
    broken = [claim for claim in claims if not claim.held]
    if broken:
        console.print(f"{len(broken)} of {len(claims)} claims did not hold:", style="bold red")
        for claim in broken:
            print_indented(console, claim.text)
    else:
        console.print(
            f"All {len(claims)} claims held. {seconds(took_s)}, no key, no network.", style="bold green"
        )
    if keep is not None:
        kept = expanded(keep).absolute()
        console.print(
            f"Kept: {kept}\nORCHESTRATOR_HOME={kept} orchestrator report", markup=False, soft_wrap=True
        )
    console.print("Next: orchestrator doctor, orchestrator route --help, config.yaml", style="dim")
