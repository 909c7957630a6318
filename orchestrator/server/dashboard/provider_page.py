"""How providers and deployments are: circuits, health, room under their rate limits, latest failures."""

from collections.abc import Iterable, Iterator, Sequence

from orchestrator.core.language import Language
from orchestrator.reports.html_parts import html_table, section, text
from orchestrator.resilience.circuit_breaker import CircuitState
from orchestrator.server.dashboard.kinds import kind_in
from orchestrator.server.dashboard.live_counts import LiveFailure
from orchestrator.server.dashboard.snapshot import DeploymentState, Snapshot
from orchestrator.server.dashboard.viewer import Viewer
from orchestrator.server.dashboard.words import DASHBOARD_WORDS

_FAILURES_SHOWN = 30


def providers(viewer: Viewer, snapshot: Snapshot) -> Iterator[str]:
    """Yield the health of providers and deployments, and the latest failures; of every tenant."""
    words = DASHBOARD_WORDS[viewer.language]
    yield section("", _limited_providers(viewer, snapshot))
    yield f"<p class=soft>{text(words['room_note'])}</p>"
    rows = [
        (
            health.name, circuit_words(health.circuit, viewer.language),
            viewer.figures.duration(health.rests_s) if health.rests_s else "-", viewer.figures.share(health.seen.availability),
            viewer.figures.count(health.seen.samples), viewer.figures.duration(health.seen.median_latency_s),
        )
        for health in sorted(snapshot.deployments, key=lambda health: -health.seen.samples)
    ]  # fmt: skip
    names = ("deployment", "circuit", "rests", "availability", "samples", "latency")
    yield section(words["deployments"], html_table([words[name] for name in names], rows))
    yield section(words["failures"], _failures(viewer, snapshot.failures[:_FAILURES_SHOWN]))


def provider_table(viewer: Viewer, snapshot: Snapshot) -> str:
    """Return the health of each provider, in short."""
    words = DASHBOARD_WORDS[viewer.language]
    names = ("name", "circuit", "availability", "samples")
    rows = [row[: len(names)] for row in _provider_rows(viewer, snapshot)]
    return section(words["health"], html_table([words[name] for name in names], rows))


def circuit_words(state: CircuitState, language: Language) -> str:
    """Return what a circuit does, in a word or two."""
    name = "open_circuit" if state is CircuitState.OPEN else state.value
    return DASHBOARD_WORDS[language][name]


def _limited_providers(viewer: Viewer, snapshot: Snapshot) -> str:
    words = DASHBOARD_WORDS[viewer.language]
    names = ("name", "circuit", "availability", "samples", "room_requests", "room_tokens", "waiting")
    head = [words[name] for name in (*names, "last_failure")]
    return html_table(head, _provider_rows(viewer, snapshot), texts=1)


def _provider_rows(viewer: Viewer, snapshot: Snapshot) -> Iterator[Sequence[str]]:
    latest: dict[str, LiveFailure] = {}
    for failure in snapshot.failures:
        latest.setdefault(failure.provider, failure)
    for name in sorted({health.provider for health in snapshot.deployments}):
        of_provider = [health for health in snapshot.deployments if health.provider == name]
        samples = sum(health.seen.samples for health in of_provider)
        state, last = snapshot.providers[name], latest.get(name)
        room = state.room
        yield (
            name, circuit_words(state.circuit, viewer.language), viewer.figures.share(_healthy(of_provider)), viewer.figures.count(samples),
            f"{viewer.figures.count(room.requests)} / {viewer.figures.count(room.requests_per_min)}", f"{viewer.figures.count(room.tokens)} / {viewer.figures.count(room.tokens_per_min)}",
            viewer.figures.count(room.waiting),
            "-" if last is None else f"{viewer.moment(last.at)} {kind_in(last.failure, viewer.language)}",
        )  # fmt: skip


def _failures(viewer: Viewer, failures: Iterable[LiveFailure]) -> str:
    words = DASHBOARD_WORDS[viewer.language]
    rows = [
        (
            viewer.moment(failure.at), failure.deployment, kind_in(failure.failure, viewer.language),
            "-" if failure.status is None else str(failure.status),
        )
        for failure in failures
    ]  # fmt: skip
    if not rows:
        return f"<p>{text(words['none'])}</p>"
    head = [words[name] for name in ("time", "deployment", "failure", "status")]
    return html_table(head, rows, texts=len(head) - 1)


def _healthy(deployments: Iterable[DeploymentState]) -> float | None:
    """Return the part of all samples that was healthy, None without any."""
    seen = [health.seen for health in deployments if health.seen.availability is not None]
    samples = sum(snapshot.samples for snapshot in seen)
    healthy = sum((snapshot.availability or 0.0) * snapshot.samples for snapshot in seen)
    return healthy / samples if samples else None
