"""Percentiles are those of the values written out one by one."""

import math

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.reports.durations import durations_of


@given(st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 5)), min_size=1, max_size=30))
def test_counted_percentiles_equal_those_of_the_written_out_values(counts):
    values = sorted(value for value, count in counts for _ in range(count))
    durations = durations_of(counts)
    assert durations.count == len(values)
    assert durations.p50_s == values[math.ceil(len(values) / 2) - 1] / 1000
    assert durations.p95_s == values[math.ceil(95 * len(values) / 100) - 1] / 1000


def test_of_nothing_nothing_is_said():
    assert durations_of([]) is None
