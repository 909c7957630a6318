"""What a configuration cannot promise and what its experiments would do, in words."""

from collections.abc import Iterator, Mapping

from orchestrator.catalog.catalog import MissingKey
from orchestrator.core.formatting import count_text
from orchestrator.core.money import NanoUsd, format_usd
from orchestrator.experiments.experiment import ExperimentState
from orchestrator.experiments.settings import ExperimentMode
from orchestrator.ledger.periods import Window
from orchestrator.whatif.experiment_outlook import ExperimentOutlook
from orchestrator.whatif.static_proof import UseCaseProof


def warnings_of(proof: UseCaseProof) -> Iterator[str]:
    """Yield a line for each weakness of a use case, and what would mend it."""
    if not proof.chain:
        yield f"{proof.use_case}: no deployment can answer it: see 'orchestrator route'"
        return
    for name, reason in proof.unreachable.items():
        yield f"{proof.use_case}: {name} stands in its route and is never asked: {reason}"
    points = [point for point in proof.single_points if not point.shared_by]
    if points:
        parts = ", ".join(f"{point.kind} {point.name}" for point in points)
        yield (
            f"{proof.use_case}: everything hangs on one {parts}: add a fallback that needs none of "
            f"{'it' if len(points) == 1 else 'them'}"
        )
    for point in proof.single_points:
        if point.shared_by:
            *others, last = point.shared_by
            yield f"{proof.use_case}: {', '.join(others)} and {last} share one key: give each its own"


def keyless_words(keyless: Mapping[str, MissingKey]) -> Iterator[str]:
    """Yield a line for each provider without a key: what to set, and which deployments cannot be used."""
    for provider in dict.fromkeys(key.provider for key in keyless.values()):
        names = [name for name, key in keyless.items() if key.provider == provider]
        yield f"{keyless_notice(keyless[names[0]])}; {count_text(len(names), 'deployment')} cannot be used: {', '.join(names)}"


def keyless_notice(key: MissingKey) -> str:
    """Return how a configuration tells it in one line."""
    return f"provider {key.provider} is off: {key}"


def outlook_words(outlook: ExperimentOutlook) -> str:
    """Return what an experiment would do."""
    experiment, settings = outlook.experiment, outlook.experiment.settings
    is_shadow = settings.mode is ExperimentMode.SHADOW
    whom = "requests" if is_shadow else "users"
    most = format_usd(outlook.most_nusd)
    candidate = settings.candidate.constant or f"policy {settings.candidate.kind}"
    asked = f"{candidate} is asked {'beside what answers' if is_shadow else 'instead'}"
    state = outlook.state.value.replace("_", " ")
    money = f"at most {most} a request, paid by who asks"
    if is_shadow:
        money = f"at most {most} each, and {_windows(outlook.budget)} together"
    if settings.judge is not None:
        money += f"; {settings.judge.deployment} compares, for {_windows(outlook.judge_budget)}"
    share = "all" if outlook.state is ExperimentState.PROMOTED else f"{settings.share * 100:.4g} %"
    return (
        f"experiment {experiment.name}: {settings.mode.value} on {settings.use_case}, {state}: {asked} for {share} of "
        f"{whom}, {money}"
    )


def _windows(budget: Mapping[Window, NanoUsd]) -> str:
    return " and ".join(f"{format_usd(most)} a {window}" for window, most in budget.items())


def missing_words(outlook: ExperimentOutlook) -> Iterator[str]:
    """Yield who of its candidate, or as its judge, cannot be asked, a line each."""
    for name, reason in outlook.missing.items():
        yield f"experiment {outlook.experiment.name}: {name} cannot be asked here: {reason}"
