"""What is new within a second: overview, budgets, models."""

import os
from collections.abc import Collection, Iterator
from datetime import datetime

from orchestrator.alerting.conditions import projected
from orchestrator.core.language import Language
from orchestrator.core.payer import shadowed_experiment
from orchestrator.ledger.records import BudgetStatus
from orchestrator.reports.html_parts import Html, bar, cards, html_table, section, text
from orchestrator.resilience.traffic_counts import TrafficSums
from orchestrator.server.dashboard.live_counts import LiveSums, ModelCount
from orchestrator.server.dashboard.provider_page import provider_table
from orchestrator.server.dashboard.snapshot import Snapshot
from orchestrator.server.dashboard.viewer import Viewer
from orchestrator.server.dashboard.words import DASHBOARD_WORDS

_MODELS_SHOWN = 8
_OVERVIEW_BUDGETS = 6
_BUDGETS_SHOWN = 200


def overview(
    viewer: Viewer, snapshot: Snapshot, live: LiveSums, traffic: TrafficSums, *, since: datetime
) -> Iterator[str]:
    """Yield the overview; what concerns every tenant only for those who may see it."""
    words = DASHBOARD_WORDS[viewer.language]
    rate = traffic.failed / traffic.requests if traffic.requests else None
    numbers = [
        (words["tried"], viewer.figures.count(traffic.requests)),
        (words["average"], viewer.figures.duration(traffic.average_s)),
        (words["p95"], viewer.figures.duration(traffic.p95_s if traffic.requests else None)),
        (words["errors"], viewer.figures.share(rate)),
        (words["cost_hour"], viewer.figures.usd(live.cost_nusd)),
    ]
    if viewer.tenant is None:
        load = snapshot.load
        if live.experiments_nusd:
            numbers.append((words["experiments_part"], viewer.figures.usd(live.experiments_nusd)))
        numbers[:0] = [
            (words["in_flight"], viewer.figures.count(load.in_flight)),
            (words["waiting"], viewer.figures.count(load.waiting)),
        ]
    yield cards(numbers)
    yield _budget_table(viewer, snapshot, words["budgets"], count=_OVERVIEW_BUDGETS)
    yield _top_models(viewer, live)
    if viewer.tenant is None:
        yield provider_table(viewer, snapshot)
    yield process_note(viewer, since)


def budgets(viewer: Viewer, snapshot: Snapshot) -> Iterator[str]:
    """Yield how every limit stands."""
    yield _budget_table(viewer, snapshot, "", count=_BUDGETS_SHOWN)


def models(
    viewer: Viewer, live: LiveSums, embedding_models: Collection[str], *, since: datetime
) -> Iterator[str]:
    """Yield what every model did in the last hour: requests, share, sends, success, times, cost."""
    words = DASHBOARD_WORDS[viewer.language]
    yield section(words["models_hour"], _model_table(viewer, live, embedding_models))
    yield process_note(viewer, since)


def process_note(viewer: Viewer, since: datetime) -> str:
    """Return whose numbers those of the last hour are."""
    words = DASHBOARD_WORDS[viewer.language]["process"]
    return f"<p class=soft>{text(words.format(since=viewer.moment(since), process=os.getpid()))}</p>"


def _budget_table(viewer: Viewer, snapshot: Snapshot, title: str, *, count: int) -> str:
    words = DASHBOARD_WORDS[viewer.language]
    shown = [budget for budget in snapshot.budgets if viewer.sees(budget.scope)]
    shown.sort(key=lambda status: (status.scope != "all", -_used(status), status.scope, status.window.value))
    if not shown:
        return section(title, f"<p>{text(words['no_limits'])}</p>")
    names = ("scope", "used", "spent", "held", "limit", "projected", "resets")
    rows = [_budget_row(budget, viewer, snapshot.at) for budget in shown[:count]]
    return section(title, html_table([words[name] for name in names], rows))


def _budget_row(budget: BudgetStatus, viewer: Viewer, now: datetime) -> tuple[str, ...]:
    words, share = DASHBOARD_WORDS[viewer.language], _used(budget)
    scope = words["all"] if budget.scope == "all" else _payer_words(budget.scope, viewer.language)
    pace = projected(budget, now)
    return (
        f"{scope} · {words[budget.window.value]}",
        _budget_bar(viewer, share, _share_of(budget, pace)),
        f"{viewer.figures.usd(budget.spent)} · {viewer.figures.share(share)}",
        viewer.figures.usd(budget.held),
        viewer.figures.usd(budget.limit),
        words["young"] if pace is None else _with_share(viewer, pace, _share_of(budget, pace)),
        f"{budget.resets_at.astimezone(viewer.zone):%Y-%m-%d %H:%M}",
    )


def _payer_words(scope: str, language: Language) -> str:
    """Return a scope as a page says it: who pays for shadows is an experiment, and no tenant."""
    kind, _, name = scope.partition(":")
    experiment = shadowed_experiment(name) if kind == "tenant" else None
    return scope if experiment is None else f"{DASHBOARD_WORDS[language]['experiment']} {experiment}"


def _budget_bar(viewer: Viewer, share: float, pace_share: float | None) -> Html:
    """Return how much of a limit is used, with a line where this pace leads by the end of the period."""
    if not pace_share:
        return bar(share, viewer.figures.share(share))
    words = DASHBOARD_WORDS[viewer.language]["bar_words"].format(
        used=viewer.figures.share(share), pace=viewer.figures.share(pace_share)
    )
    return bar(share, words, mark=pace_share)


def _with_share(viewer: Viewer, pace: int, pace_share: float | None) -> str:
    return (
        viewer.figures.usd(pace)
        if pace_share is None
        else f"{viewer.figures.usd(pace)} · {viewer.figures.share(pace_share)}"
    )


def _share_of(budget: BudgetStatus, pace: int | None) -> float | None:
    return pace / budget.limit if budget.limit and pace is not None else None


def _used(budget: BudgetStatus) -> float:
    """Return which part of a limit is spent or held; a limit of nothing is used up."""
    if budget.limit is None:
        return 0.0
    return (budget.spent + budget.held) / budget.limit if budget.limit else 1.0


def _top_models(viewer: Viewer, live: LiveSums) -> str:
    words = DASHBOARD_WORDS[viewer.language]
    requests = sum(count.requests for count in live.models.values())
    rows = [
        (
            name, viewer.figures.count(count.requests), viewer.figures.share(count.requests / requests if requests else None),
            viewer.figures.usd(count.cost_nusd), viewer.figures.duration(count.average_s), viewer.figures.share(count.success),
        )
        for name, count in _dearest(live)[:_MODELS_SHOWN]
    ]  # fmt: skip
    if not rows:
        return section(words["models_hour"], f"<p>{text(words['none'])}</p>")
    names = ("name", "answered", "share", "cost", "latency", "success")
    return section(words["models_hour"], html_table([words[name] for name in names], rows))


def _model_table(viewer: Viewer, live: LiveSums, embedding_models: Collection[str]) -> str:
    words = DASHBOARD_WORDS[viewer.language]
    if not live.models:
        return f"<p>{text(words['none'])}</p>"
    whole = ModelCount()
    for count in live.models.values():
        whole.add(count)
    counts = [(name, count) for name, count in _dearest(live)]
    rows = [
        (
            f"{name} · {words['embeddings']}" if name in embedding_models else name,
            viewer.figures.count(count.requests), viewer.figures.share(count.requests / whole.requests if whole.requests else None),
            viewer.figures.count(count.sends), viewer.figures.share(count.success), viewer.figures.duration(count.average_s),
            viewer.figures.duration(count.average_first_s), viewer.figures.usd(count.cost_nusd),
        )
        for name, count in (*counts, (words["together"], whole))
    ]  # fmt: skip
    names = ("name", "answered", "share", "sends", "success", "latency", "first", "cost")
    return html_table([words[name] for name in names], rows)


def _dearest(live: LiveSums) -> list[tuple[str, ModelCount]]:
    return sorted(live.models.items(), key=lambda item: (-item[1].cost_nusd, -item[1].sends, item[0]))
