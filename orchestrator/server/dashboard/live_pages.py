"""What is new within a second: overview, budgets, providers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from orchestrator.alerting.conditions import projected
from orchestrator.core.formatting import percent, seconds
from orchestrator.core.language import Language
from orchestrator.core.money import format_usd
from orchestrator.ledger.records import BudgetStatus
from orchestrator.reports.html_parts import bar, cards, html_table, section, text
from orchestrator.resilience.circuit_breaker import CircuitState
from orchestrator.resilience.traffic_counts import TrafficSums
from orchestrator.server.dashboard.live_counts import LiveFailure, LiveSums
from orchestrator.server.dashboard.snapshot import DeploymentState, Snapshot
from orchestrator.server.dashboard.words import words_in

_MODELS_SHOWN = 8
_OVERVIEW_BUDGETS = 6
_BUDGETS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks, and how it is written for him."""

    tenant: str | None
    """Whose data alone are shown; None for everybody's."""
    scopes: frozenset[str]
    """The budgets that are shown where `tenant` is named."""
    language: Language
    zone: ZoneInfo

    def sees(self, scope: str) -> bool:
        """Return whether the budget of a scope is shown."""
        return self.tenant is None or scope in self.scopes

    def moment(self, at: datetime) -> str:
        """Return a moment in his time zone."""
        return f"{at.astimezone(self.zone):%Y-%m-%d %H:%M:%S}"


def overview(
    viewer: Viewer, snapshot: Snapshot, live: LiveSums, traffic: TrafficSums, *, since: datetime
) -> Iterator[str]:
    """Yield the overview; what concerns every tenant only for those who may see it."""
    words = words_in(viewer.language)
    rate = live.failed / live.tried if live.tried else None
    numbers = [
        (words["tried"], f"{live.tried:,}"),
        (words["average"], seconds(live.average_s)),
        (words["p95"], seconds(traffic.p95_s if traffic.requests else None)),
        (words["errors"], percent(rate)),
        (words["cost_hour"], format_usd(live.cost_nusd)),
    ]
    if viewer.tenant is None:
        load = snapshot.load
        numbers[:0] = [(words["in_flight"], f"{load.in_flight:,}"), (words["waiting"], f"{load.waiting:,}")]
    yield cards(numbers)
    yield _budget_table(viewer, snapshot, count=_OVERVIEW_BUDGETS)
    yield _models(viewer, live)
    if viewer.tenant is None:
        yield _provider_table(viewer, snapshot)
    yield f"<p class=soft>{text(words['process'].format(since=viewer.moment(since)))}</p>"


def budgets(viewer: Viewer, snapshot: Snapshot) -> Iterator[str]:
    """Yield how every limit stands."""
    yield _budget_table(viewer, snapshot, count=_BUDGETS_SHOWN)


def providers(viewer: Viewer, snapshot: Snapshot) -> Iterator[str]:
    """Yield the health of providers and deployments, and the latest failures; of every tenant."""
    words = words_in(viewer.language)
    yield _provider_table(viewer, snapshot)
    rows = [
        (
            health.name, circuit_words(health.circuit, viewer.language), percent(health.seen.availability),
            f"{health.seen.samples:,}", seconds(health.seen.median_latency_s),
        )
        for health in snapshot.deployments
    ]  # fmt: skip
    names = ("deployment", "circuit", "availability", "samples", "latency")
    yield section(words["deployments"], html_table([words[name] for name in names], rows))
    yield section(words["failures"], _failures(viewer, snapshot.failures))


def circuit_words(state: CircuitState, language: Language) -> str:
    """Return what a circuit does, in a word or two."""
    name = "open_circuit" if state is CircuitState.OPEN else state.value
    return words_in(language)[name]


def _failures(viewer: Viewer, failures: Iterable[LiveFailure]) -> str:
    words = words_in(viewer.language)
    rows = [
        (
            viewer.moment(failure.at), failure.deployment, failure.failure.replace("_", " "),
            "-" if failure.status is None else str(failure.status),
        )
        for failure in failures
    ]  # fmt: skip
    if not rows:
        return f"<p>{text(words['none'])}</p>"
    head = [words[name] for name in ("time", "deployment", "failure", "status")]
    return html_table(head, rows, texts=len(head) - 1)


def _budget_table(viewer: Viewer, snapshot: Snapshot, *, count: int) -> str:
    words = words_in(viewer.language)
    shown = [budget for budget in snapshot.budgets if viewer.sees(budget.scope)]
    shown.sort(key=lambda status: (status.scope != "all", -_used(status), status.scope, status.window.value))
    if not shown:
        return section(words["budgets"], f"<p>{text(words['no_limits'])}</p>")
    names = ("scope", "used", "spent", "held", "limit", "projected", "resets")
    rows = [_budget_row(budget, viewer, snapshot.at) for budget in shown[:count]]
    return section(words["budgets"], html_table([words[name] for name in names], rows))


def _budget_row(budget: BudgetStatus, viewer: Viewer, now: datetime) -> tuple[str, ...]:
    words, share = words_in(viewer.language), _used(budget)
    scope = words["all"] if budget.scope == "all" else budget.scope
    pace = projected(budget, now)
    return (
        f"{scope} · {words[budget.window.value]}",
        bar(share, percent(share)),
        f"{format_usd(budget.spent)} · {percent(share)}",
        format_usd(budget.held),
        "-" if budget.limit is None else format_usd(budget.limit),
        words["young"] if pace is None else format_usd(pace),
        f"{budget.resets_at.astimezone(viewer.zone):%Y-%m-%d %H:%M}",
    )


def _used(budget: BudgetStatus) -> float:
    """Return which part of a limit is spent or held; a limit of nothing is used up."""
    if budget.limit is None:
        return 0.0
    return (budget.spent + budget.held) / budget.limit if budget.limit else 1.0


def _models(viewer: Viewer, live: LiveSums) -> str:
    words = words_in(viewer.language)
    dearest = sorted(live.models.items(), key=lambda item: (-item[1].cost_nusd, -item[1].sends, item[0]))
    sends = sum(count.sends for count in live.models.values())
    rows = [
        (
            name, f"{count.sends:,}", percent(count.sends / sends), format_usd(count.cost_nusd),
            seconds(count.average_s), percent(1 - count.failed / count.sends),
        )
        for name, count in dearest[:_MODELS_SHOWN]
    ]  # fmt: skip
    if not rows:
        return section(words["models"], f"<p>{text(words['none'])}</p>")
    names = ("name", "sends", "share", "cost", "latency", "success")
    return section(words["models"], html_table([words[name] for name in names], rows))


def _provider_table(viewer: Viewer, snapshot: Snapshot) -> str:
    words = words_in(viewer.language)
    rows = []
    for name in sorted({health.provider for health in snapshot.deployments}):
        of_provider = [health for health in snapshot.deployments if health.provider == name]
        state = snapshot.providers.get(name, CircuitState.CLOSED)
        samples = sum(health.seen.samples for health in of_provider)
        rows.append(
            (name, circuit_words(state, viewer.language), percent(_healthy(of_provider)), f"{samples:,}")
        )
    names = ("name", "circuit", "availability", "samples")
    return section(words["health"], html_table([words[name] for name in names], rows))


def _healthy(deployments: Iterable[DeploymentState]) -> float | None:
    """Return the part of all samples that was healthy, None without any."""
    seen = [health.seen for health in deployments if health.seen.availability is not None]
    samples = sum(snapshot.samples for snapshot in seen)
    healthy = sum((snapshot.availability or 0.0) * snapshot.samples for snapshot in seen)
    return healthy / samples if samples else None
