"""Means and percentiles of counted milliseconds: exact, however many rows were counted."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Durations:
    """How long something took, in seconds."""

    count: int
    mean_s: float
    p50_s: float
    """By nearest rank: the smallest that at least half of them did not pass."""
    p95_s: float


def durations_of(counts: Iterable[tuple[int, int]]) -> Durations | None:
    """Return the durations of `(milliseconds, how often)`, None when nothing was counted."""
    ordered = sorted(counts)
    total = sum(count for _, count in ordered)
    if not total:
        return None
    return Durations(
        total,
        sum(duration_ms * count for duration_ms, count in ordered) / total / 1000,
        _ranked_ms(ordered, -(-total * 50 // 100)) / 1000,
        _ranked_ms(ordered, -(-total * 95 // 100)) / 1000,
    )


def _ranked_ms(ordered: list[tuple[int, int]], rank: int) -> int:
    passed = 0
    for duration_ms, count in ordered:
        passed += count
        if passed >= rank:
            return duration_ms
    return ordered[-1][0]
