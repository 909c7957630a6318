"""Outcomes that are counted as they come give the numbers of a count of all of them."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.resilience.outcome_window import REMEMBERED, OutcomeWindow

steps = st.lists(
    st.one_of(
        st.tuples(st.just("outcome"), st.booleans()),
        st.tuples(st.just("outcomes"), st.integers(1, 300)),
        st.tuples(st.just("wait"), st.floats(0, 400)),
        st.tuples(st.just("count"), st.sampled_from([0.0, 1.0, 100.0, 600.0])),
        st.tuples(st.just("clear"), st.none()),
    ),
    max_size=60,
)


class RecountedWindow:
    """The plain way: every outcome that is remembered is looked at for each count."""

    def __init__(self):
        self.outcomes = []

    def add(self, at_s, *, healthy):
        self.outcomes = [*self.outcomes, (at_s, healthy)][-REMEMBERED:]

    def clear(self):
        self.outcomes = []

    def counts(self, now_s, *, window_s):
        recent = [healthy for at_s, healthy in self.outcomes if at_s >= now_s - window_s]
        return len(recent), sum(recent)


@given(steps)
def test_the_counts_are_those_of_a_recount(steps):
    """Whatever comes, goes, is forgotten or cleared, and however the window is changed between two counts."""
    window, recounted, now_s = OutcomeWindow(), RecountedWindow(), 0.0
    for step, value in steps:
        match step:
            case "outcome":
                window.add(now_s, healthy=value)
                recounted.add(now_s, healthy=value)
            case "outcomes":
                for number in range(value):
                    window.add(now_s, healthy=number % 3 == 0)
                    recounted.add(now_s, healthy=number % 3 == 0)
            case "wait":
                now_s += value
            case "count":
                assert window.counts(now_s, window_s=value) == recounted.counts(now_s, window_s=value)
            case "clear":
                window.clear()
                recounted.clear()
    assert window.counts(now_s, window_s=600) == recounted.counts(now_s, window_s=600)


def test_what_is_older_than_the_remembered_ones_is_forgotten():
    window = OutcomeWindow()
    for number in range(REMEMBERED + 10):
        window.add(0.0, healthy=number < 10)
    assert window.counts(0.0, window_s=600) == (REMEMBERED, 0)
