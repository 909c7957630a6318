"""The facts that alert rules look at: an orchestrator's counters, circuits and prices, and its ledger's."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cached_property

from orchestrator.alerting.conditions import USUAL_DAYS, DaySpend
from orchestrator.catalog.price_book import PriceBook, PriceQuery
from orchestrator.client import Orchestrator
from orchestrator.config.loader import Config
from orchestrator.core.clock import Clock
from orchestrator.core.money import NanoUsd
from orchestrator.ledger.budgets import Limits, period_of
from orchestrator.ledger.records import BudgetStatus
from orchestrator.ledger.verify import Difference, differences
from orchestrator.reports.budget_status import budget_status
from orchestrator.resilience.circuit_breaker import CircuitState
from orchestrator.resilience.traffic_counts import TrafficCounts


class LastFound:
    """What is looked for seldom, kept from one look to the next."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.ended: tuple[Config, date, Mapping[str, date]] | None = None
        self.differences: tuple[float, tuple[Difference, ...]] | None = None


class LiveSources:
    """The facts of one look; what several rules need is fetched once."""

    def __init__(self, orchestrator: Orchestrator, *, clock: Clock, last: LastFound) -> None:
        """Fetch nothing yet."""
        self._orchestrator = orchestrator
        self._clock = clock
        self._last = last
        self._config = orchestrator.config

    @cached_property
    def now(self) -> datetime:
        """Return the moment of this look."""
        return self._clock.now()

    @property
    def traffic(self) -> TrafficCounts:
        """Return how the requests of this process ended."""
        return self._orchestrator.traffic

    def budgets(self) -> tuple[BudgetStatus, ...]:
        """Return how every limited scope stands.

        Raises:
            LedgerError: the ledger cannot be read; so do the others that read it.
        """
        return self._budgets

    @cached_property
    def _budgets(self) -> tuple[BudgetStatus, ...]:
        # Those that ops wrote: what our own probes may cost is used up day after day, and no news.
        limits = Limits(self._config.settings.budgets)
        return budget_status(self._orchestrator.ledger_view, limits, moment=self.now)

    def day_spend(self) -> DaySpend:
        """Return what was spent today and before."""
        return self._day_spend

    @cached_property
    def _day_spend(self) -> DaySpend:
        view = self._orchestrator.ledger_view
        zone = self._config.settings.budgets.time_zone
        if not view.exists:
            return DaySpend(date.fromisoformat(period_of(self.now, zone).day), {}, {})
        with view:
            today = date.fromisoformat(period_of(self.now, view.time_zone or zone).day)
            days = [f"{today - timedelta(days=back)}" for back in range(USUAL_DAYS + 1)]
            counters = view.counters(*days)
        before: dict[str, list[NanoUsd]] = {}
        for counter in counters:
            if counter.period != days[0] and counter.spent:
                before.setdefault(counter.scope, []).append(counter.spent)
        spent = {counter.scope: counter.spent for counter in counters if counter.period == days[0]}
        return DaySpend(today, spent, {scope: tuple(costs) for scope, costs in before.items()})

    def provider_circuits(self) -> Mapping[str, CircuitState]:
        """Return the circuit of every provider."""
        return self._orchestrator.health.provider_circuits()

    def circuits(self) -> Mapping[str, CircuitState]:
        """Return the circuit of every deployment."""
        return self._orchestrator.circuits()

    def ended_models(self) -> Mapping[str, date]:
        """Return the models in use that have ended, and when; looked up once a day."""
        today = self.now.date()
        if self._last.ended is None or self._last.ended[:2] != (self._config, today):
            self._last.ended = (self._config, today, _ended(self._config, today))
        return self._last.ended[2]

    def differences(self, *, every_s: float) -> tuple[Difference, ...]:
        """Return the counters that differ from their rows."""
        now_s = self._clock.monotonic_s()
        if self._last.differences is None or now_s - self._last.differences[0] >= every_s:
            view = self._orchestrator.ledger_view
            unequal: tuple[Difference, ...] = ()
            if view.exists:
                with view:
                    unequal = tuple(differences(view))
            self._last.differences = (now_s, unequal)
        return self._last.differences[1]


def _ended(config: Config, today: date) -> dict[str, date]:
    book = PriceBook(config.settings.prices, today=today)
    ended: dict[str, date] = {}
    for deployment in config.catalog.usable.values():
        listed = book.end_of(PriceQuery.at(deployment.provider, deployment.upstream))
        days = [day for day in (deployment.model.ends, listed) if day is not None]
        if days and min(days) < today:
            ended[deployment.model_name] = min(days)
    return ended
