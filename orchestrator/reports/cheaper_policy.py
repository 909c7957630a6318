"""A cheaper policy that was measured to be no worse: the only reason to name another model.

What it saves is what the sends to its reference cost, less the share of that which it was measured to cost. A
price alone is no reason: a use case without a measurement that holds is named by `unmeasured`.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from orchestrator.catalog.price import WHOLE
from orchestrator.config.measured_policies import MeasuredPolicy
from orchestrator.core.formatting import percent
from orchestrator.core.money import NanoUsd
from orchestrator.reports.phrase import Numeral, Phrase
from orchestrator.reports.recommendation import (
    MONTH_DAYS,
    MoneyMeaning,
    NotKnown,
    Recommendation,
    RecommendationKind,
)
from orchestrator.reports.resampling import interval_of_sum
from orchestrator.reports.usage_sums import UsageSums

_SENDS_MIN = 20
_SHARE_MIN = 0.02
"""Of what a use case costs: below it a change is worth nobody's time."""


def cheaper_policies(
    sums: UsageSums, measured: Sequence[MeasuredPolicy], days: Sequence[str]
) -> Iterator[Recommendation]:
    """Yield the policy that saves most for each use case that has one; `days` have begun."""
    best: dict[str, Recommendation] = {}
    for policy in measured:
        change = _change(sums, policy, days)
        if change is not None and change.month_nusd > getattr(best.get(policy.use_case), "month_nusd", 0):
            best[policy.use_case] = change
    yield from best.values()


def unmeasured(sums: UsageSums, measured: Sequence[MeasuredPolicy]) -> Iterator[NotKnown]:
    """Yield the use cases that cost money and of which no measurement holds."""
    spending = {key.use_case for key, tally in sums.cells.items() if tally.cost_nusd and key.use_case}
    without = spending - {policy.use_case for policy in measured}
    if without:
        yield NotKnown("cheaper_model", tuple(sorted(without)))


def _change(sums: UsageSums, policy: MeasuredPolicy, days: Sequence[str]) -> Recommendation | None:
    proof, use_case = policy.proof, policy.use_case
    saved: defaultdict[str, int] = defaultdict(int)
    paid_points = round(proof.share * WHOLE)
    sends = on_reference = cost = 0
    for key, tally in sums.cells.items():
        if key.use_case == use_case:
            sends += tally.requests
            cost += tally.cost_nusd
            if key.deployment == proof.reference:
                on_reference += tally.requests
                saved[key.day] += tally.cost_nusd * (WHOLE - paid_points) // WHOLE
    whole = sum(saved.values())
    if not proof.is_not_inferior or on_reference < _SENDS_MIN or whole <= 0 or whole < _SHARE_MIN * cost:
        return None
    scale = MONTH_DAYS / len(days)
    return Recommendation(
        RecommendationKind.CHEAPER_MODEL,
        use_case,
        MoneyMeaning.SAVED,
        NanoUsd(round(scale * whole)),
        interval_of_sum([saved.get(day, 0) for day in days], scale=scale),
        on_reference,
        sends,
        _evidence(policy),
        Phrase("apply_cheaper_model", {"use_case": use_case, "file": policy.file}),
        figure=proof.confirmed_on,
    )


def _evidence(policy: MeasuredPolicy) -> Phrase:
    proof = policy.proof
    mean, low, high = (
        Numeral(f"{100 * value:+.1f}")
        for value in (proof.difference.mean, proof.difference.low, proof.difference.high)
    )
    return Phrase(
        "rows_cheaper_model",
        {
            "use_case": policy.use_case, "reference": proof.reference, "file": policy.file, "day": f"{proof.day}",
            "count": Numeral(f"{proof.confirmed_on:,}"), "rows": Numeral(f"{proof.rows:,}"),
            "mean": mean, "low": low, "high": high,
            "margin": Numeral(f"{100 * proof.margin:g}"), "share": Numeral(percent(proof.share)),
        },
    )  # fmt: skip
