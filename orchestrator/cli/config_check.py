"""What `orchestrator config check` says of a right file: its promises, with all keys and without some."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.output import out, table
from orchestrator.core.formatting import count_text
from orchestrator.core.money import format_usd
from orchestrator.core.request import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.config.loader import Config
    from orchestrator.whatif.experiment_outlook import ExperimentOutlook
    from orchestrator.whatif.static_proof import RecordedShare, UseCaseProof


@dataclass(frozen=True)
class ConfigCheck:
    """One right configuration, looked at as this machine sees it, and as one with every key would."""

    config: "Config"
    path: Path | None
    """As it was named; None where it was not."""

    @cached_property
    def keyed(self) -> tuple["UseCaseProof", ...]:
        """Return what each use case promises where every key is set."""
        from orchestrator.core.clock import SystemClock
        from orchestrator.whatif.static_proof import prove

        return prove(self._with_keys, self._recorded[0], clock=SystemClock())

    @cached_property
    def here(self) -> tuple["UseCaseProof", ...]:
        """Return what each promises without the keys that are missing."""
        from orchestrator.core.clock import SystemClock
        from orchestrator.whatif.static_proof import prove

        if not self.config.catalog.keyless:
            return self.keyed
        return prove(self.config, self._recorded[0], clock=SystemClock())

    @cached_property
    def outlooks(self) -> tuple["ExperimentOutlook", ...]:
        """Return what each experiment would do."""
        from orchestrator.core.clock import SystemClock
        from orchestrator.whatif.experiment_outlook import outlooks

        return outlooks(self.config, self._with_keys, clock=SystemClock())

    @property
    def notices(self) -> tuple[str, ...]:
        """Return what is worth a line, and why no record counts."""
        return (*self.config.notices, *self._recorded[1])

    @cached_property
    def _with_keys(self) -> "Config":
        from orchestrator.core.clock import SystemClock
        from orchestrator.whatif.isolated import load_keyed

        return load_keyed(self.path, today=SystemClock().now().date()).config

    @cached_property
    def _recorded(self) -> "tuple[RecordedShare, tuple[str, ...]]":
        from orchestrator.core.clock import SystemClock
        from orchestrator.core.errors import LedgerError
        from orchestrator.whatif.static_proof import recorded_answers

        try:
            return recorded_answers(self.config, clock=SystemClock()), ()
        except LedgerError as error:
            return {}, (f"availability is assumed throughout: {error}",)


def plain_check(check: ConfigCheck) -> Mapping[str, Any]:
    """Return it as JSON holds it."""
    from orchestrator.whatif.views import plain_outlook, plain_proof

    return {
        "ok": True,
        "path": str(check.config.path),
        "mistakes": [],
        "notices": list(check.notices),
        "keyless": {name: str(key) for name, key in check.config.catalog.keyless.items()},
        "use_cases": [plain_proof(proof) for proof in check.keyed],
        "use_cases_here": [plain_proof(proof) for proof in check.here],
        "experiments": [plain_outlook(outlook) for outlook in check.outlooks],
    }


def show_check(check: ConfigCheck) -> None:
    """Print it for people."""
    from orchestrator.whatif.proof_words import outlook_words

    config, settings = check.config, check.config.settings
    out().print(f"ok: {config.path}", markup=False, soft_wrap=True)
    out().print(
        f"{count_text(len(settings.models), 'model')}, "
        f"{len(config.catalog.usable)} of {len(settings.deployments)} deployments usable, "
        f"{count_text(len(settings.use_cases), 'use case')}, {len(settings.aliases)} {'alias' if len(settings.aliases) == 1 else 'aliases'}",
        style="dim",
        markup=False,
        soft_wrap=True,
    )
    _show_promises(check)
    for outlook in check.outlooks:
        out().print(outlook_words(outlook), markup=False, soft_wrap=True)
    for line in _notices(check):
        out().print(f"notice: {line}", style="yellow", markup=False, soft_wrap=True)


def _notices(check: ConfigCheck) -> "Iterator[str]":
    from orchestrator.whatif.proof_words import keyless_notice, keyless_words, missing_words, warnings_of

    keyless = check.config.catalog.keyless
    yield from keyless_words(keyless)
    for proof in check.keyed:
        yield from warnings_of(proof)
    for outlook in check.outlooks:
        yield from missing_words(outlook)
    shown = {keyless_notice(key) for key in keyless.values()}
    yield from (notice for notice in check.notices if notice not in shown)


def _show_promises(check: ConfigCheck) -> None:
    """Print what each use case promises; where keys are missing, without them and with every key."""
    is_whole = not check.config.catalog.keyless
    answers = ("answers",) if is_whole else ("answers here", "with every key")
    numbers = ("asked", "at most", "within", *answers)
    grid = table("use case", *numbers, numbers=numbers)
    for here, keyed in zip(check.here, check.keyed, strict=True):
        shares = [_answers(keyed)] if is_whole else [_answers(here), _answers(keyed)]
        cost = format_usd(keyed.most_nusd)
        grid.add_row(keyed.use_case, f"{len(keyed.chain)}", cost, f"{keyed.most_s:g} s", *shares)
    out().print(grid)


def _answers(proof: "UseCaseProof") -> str:
    if not proof.chain:
        return "nobody"
    share = f"{share_of_answers(proof.availability)}{' assumed' if proof.is_assumed else ''}"
    answered = [language for language in LANGUAGES if language not in proof.unanswered]
    return f"{share}, {'/'.join(answered)} only" if proof.unanswered else share


def share_of_answers(availability: float) -> str:
    """Return a share in percent, rounded down: nothing is promised to answer always."""
    return f"{floor(availability * 1e6) / 1e4:.4f}%"
