"""Groups of rows add up by use case, deployment and day."""

from types import SimpleNamespace

from orchestrator.ledger.usage import BeginningGroup, RepeatGroup, WaitingGroup
from orchestrator.reports.prompt_sums import read_prompt_sums


def test_days_of_a_use_case_add_up_and_stay_apart():
    view = SimpleNamespace(
        repeat_groups=lambda _: [RepeatGroup("d1", "bulk", 5, 2, 20, 3, 30), RepeatGroup("d2", "bulk", 7, 1, 1, 1, 1)],
        beginning_groups=lambda _: [
            BeginningGroup("d1", "bulk", "p/m", 4_096, 5, 2, 900), BeginningGroup("d1", "bulk", "p/m", 16_384, 3, 1, 9),
        ],
        waiting_groups=lambda _: [WaitingGroup("d1", "bulk", "p/m", 4, 40), WaitingGroup("d2", "bulk", "p/m", 1, 2)],
    )  # fmt: skip
    sums = read_prompt_sums(view, None)
    repeats = sums.repeats["bulk"]
    assert (repeats.requests, repeats.hourly, repeats.daily) == (12, 3, 4)
    assert repeats.hourly_by_day == {"d1": 20, "d2": 1}
    assert repeats.daily_by_day == {"d1": 30, "d2": 1}
    assert {key: sum(found.tokens_by_day.values()) for key, found in sums.beginnings.items()} == {
        ("bulk", "p/m", 4_096): 900,
        ("bulk", "p/m", 16_384): 9,
    }
    assert (sums.waiting["bulk", "p/m"].sends, sums.waiting["bulk", "p/m"].cost_by_day) == (
        5,
        {"d1": 40, "d2": 2},
    )
