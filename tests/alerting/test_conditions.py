"""What holds of each kind of rule, by the facts of one look."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest

from orchestrator.alerting.conditions import DaySpend, conditions_of
from orchestrator.alerting.settings import RuleSettings
from orchestrator.core.money import nano_usd
from orchestrator.ledger.periods import Window, period_of
from orchestrator.ledger.records import BudgetStatus
from orchestrator.ledger.verify import Difference
from orchestrator.resilience.circuit_breaker import CircuitState
from orchestrator.resilience.traffic_counts import TrafficCounts

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass
class Facts:
    traffic: TrafficCounts | None = None
    now: datetime = NOON
    statuses: tuple = ()
    days: DaySpend | None = None
    states: dict = field(default_factory=dict)
    unequal: tuple = ()

    def budgets(self):
        return self.statuses

    def day_spend(self):
        return self.days

    def provider_circuits(self):
        return self.states

    circuits = provider_circuits

    def ended_models(self):
        return {"old": date(2026, 11, 1)}

    def differences(self, *, every_s):
        return self.unequal


def subjects(facts: Facts, **rule) -> list[str]:
    held = conditions_of(RuleSettings.model_validate(rule), facts)
    return [condition.subject for condition in held if not condition.quiet]


def status(spent: str, scope: str = "all", window: Window = Window.DAY) -> BudgetStatus:
    windows = period_of(NOON, "UTC")
    period, begins, ends = windows.key(window), windows.begins_at(window), windows.ends_at(window)
    return BudgetStatus(scope, window, period, nano_usd("10"), nano_usd(spent), nano_usd("0"), ends, begins)


@pytest.mark.parametrize(
    ("spent", "mark"),
    [("4.999999999", []), ("5", ["50"]), ("8", ["80"]), ("9.999999999", ["80"]), ("10", ["100"])],
)
def test_of_the_marks_of_a_limit_the_highest_speaks_to_the_nano_dollar(spent, mark):
    facts = Facts(statuses=(status(spent), status("0", "tenant:acme")))
    assert subjects(facts, kind="budget") == [f"period 2026-11-23 all {name}" for name in mark]
    assert subjects(facts, kind="budget", scope="tenant:*") == []


@pytest.mark.parametrize(
    ("hour", "spent", "is_told"), [(1, "5", False), (12, "5", False), (12, "5.01", True)]
)
def test_an_overrun_is_foreseen_from_a_tenth_of_the_period_on(hour, spent, is_told):
    facts = Facts(now=NOON.replace(hour=hour), statuses=(status(spent),))
    assert bool(subjects(facts, kind="projected_overrun")) is is_told


def test_hours_and_weeks_have_their_own_marks_and_their_own_pace():
    half_past = NOON + timedelta(minutes=30)
    statuses = (status("5.01", window=Window.HOUR), status("8", window=Window.WEEK))
    facts = Facts(now=half_past, statuses=statuses)
    assert subjects(facts, kind="projected_overrun") == ["period 2026-11-23T12+00:00 all"]
    assert subjects(facts, kind="budget") == [
        "period 2026-11-23T12+00:00 all 50",
        "period 2026-W48 all 80",
    ]


def test_a_months_pace_is_that_of_the_month():
    early = Facts(statuses=(status("7.4", window=Window.MONTH),))
    assert subjects(early, kind="projected_overrun") == []
    early = Facts(statuses=(status("7.6", window=Window.MONTH),))
    assert subjects(early, kind="projected_overrun") == ["period 2026-11 all"]


def test_unusual_is_more_than_the_usual_day_and_names_who_grew():
    usual = {"all": (3, 2, 4), "tenant:acme": (1, 1, 1), "tenant:beta": (1, 1, 1), "use_case:x": (3, 2, 4)}
    today = {"all": 7, "tenant:acme": 1, "tenant:beta": 6, "use_case:x": 7}
    days = DaySpend(
        date(2026, 11, 23),
        {scope: nano_usd(str(usd)) for scope, usd in today.items()},
        {scope: tuple(nano_usd(str(usd)) for usd in costs) for scope, costs in usual.items()},
    )
    (condition,) = conditions_of(RuleSettings.model_validate({"kind": "unusual_spend"}), Facts(days=days))
    assert condition.facts.cause == "tenant:beta, use_case:x"
    assert subjects(Facts(days=days), kind="unusual_spend", scope="tenant:*") == [
        "period 2026-11-23 tenant:beta"
    ]
    assert subjects(Facts(days=days), kind="unusual_spend", factor=3) == []
    assert subjects(Facts(days=days), kind="unusual_spend", min_usd=8) == []


def test_a_circuit_that_is_not_closed_a_model_that_ended_a_counter_that_differs():
    states = {"a": CircuitState.OPEN, "b": CircuitState.CLOSED, "c": CircuitState.HALF_OPEN}
    amounts = [nano_usd("1"), nano_usd("0"), nano_usd("2"), nano_usd("0")]
    facts = Facts(states=states, unequal=(Difference("all", "2026-11", *amounts),))
    assert subjects(facts, kind="provider_down") == subjects(facts, kind="circuit_open") == ["a", "c"]
    assert subjects(facts, kind="model_ended") == ["old"]
    assert subjects(facts, kind="ledger_difference") == ["all 2026-11"]
    assert subjects(facts, kind="excess") == subjects(facts, kind="price_change") == []


def test_rates_latency_and_the_emergency_model_are_counted_by_scope(clock):
    counts = TrafficCounts(clock=clock)
    for number in range(20):
        outcome = {"succeeded": number > 4, "degraded": number > 14, "emergency": number == 19}
        counts.add(("all", "tenant:acme"), latency_s=30.0, **outcome)
    counts.add(("tenant:beta",), succeeded=False, degraded=False, emergency=False, latency_s=1)
    facts = Facts(traffic=counts)
    for kind in ("error_rate", "fallback_rate", "latency", "emergency_model"):
        assert subjects(facts, kind=kind) == ["all"], kind
        assert subjects(facts, kind=kind, scope="tenant:*") == ["tenant:acme"], kind
    assert subjects(facts, kind="error_rate", above_percent=25) == []
    assert subjects(facts, kind="latency", above_s=31) == []
    assert subjects(facts, kind="error_rate", scope="tenant:beta", min_requests=1) == ["tenant:beta"]
