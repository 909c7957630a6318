"""An unusual day is named with its cause; usual days are not."""

import random
from collections import defaultdict

from orchestrator.reports.unusual_spend import unusual_days
from orchestrator.reports.usage_sums import Cause, UsageSums

DAYS = [f"2026-11-{number:02}" for number in range(1, 22)]


def _spent(seed, extra=()):
    chance, sums, by_cause = random.Random(seed), UsageSums(), defaultdict(dict)  # noqa: S311 -- invented days
    costs = {
        (day, tenant, model): chance.randrange(900, 1100)
        for day in DAYS for tenant in ("acme", "beta") for model in ("big", "small")
    }  # fmt: skip
    for key, more in extra:
        costs[key] += more
    for (day, tenant, model), cost in costs.items():
        by_cause[Cause(tenant, "chat", model)][day] = cost
        sums.days[day].cost_nusd += cost
    return sums, by_cause


def _unusual(spent, days):
    sums, by_cause = spent
    return unusual_days(sums, days, lambda: by_cause)


def test_a_day_that_costs_twice_as_much_is_named_with_who_made_it_so():
    key = (DAYS[11], "beta", "small")
    (day,) = _unusual(_spent(1, [(key, 4_000)]), DAYS)
    assert (day.day, day.tenant, day.use_case, day.model) == (DAYS[11], "beta", "chat", "small")
    assert 3_800 < day.rise_nusd < 4_200
    assert day.cost_nusd > 1.8 * day.usual_nusd


def test_usual_days_are_none():
    assert all(_unusual(_spent(seed), DAYS) == () for seed in range(20))


def test_of_few_days_nothing_is_said():
    assert _unusual(_spent(1, [((DAYS[0], "acme", "big"), 90_000)]), DAYS[:6]) == ()
