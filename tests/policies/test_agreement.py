"""Who is asked next, and whose answer counts: the rule of agreement, without anybody to ask."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.decision import AcceptedFor
from orchestrator.policies.agreement import Accept, Ask, Ballot, Order, decide

ORDER = Order(("a", "b"), ("c",), "j")


def test_voters_are_asked_together_then_tie_breakers_then_the_judge():
    assert decide(ORDER, ()) == Ask(("a", "b"))
    assert decide(ORDER, (Ballot("a", "1"),)) == Ask(("b",))
    ballots = (Ballot("a", "1"), Ballot("b", "2"))
    assert decide(ORDER, ballots) == Ask(("c",))
    assert decide(ORDER, (*ballots, Ballot("c", "3"))) == Ask(("j",))


def test_the_first_of_those_who_agree_answers():
    assert decide(ORDER, (Ballot("b", "1"), Ballot("a", "1"))) == Accept("a", AcceptedFor.AGREED)


def test_of_equal_answers_the_one_in_plain_words_is_returned():
    ballots = (Ballot("a", "1", is_plain=False), Ballot("b", "1"))
    assert decide(ORDER, ballots) == Accept("b", AcceptedFor.AGREED)


def test_failures_and_answers_without_a_value_never_agree():
    ballots = (Ballot("a", None, answered=False), Ballot("b", None), Ballot("c", None))
    assert decide(ORDER, ballots) == Ask(("j",))


def test_the_judge_counts_where_it_has_a_value():
    ballots = (Ballot("a", "1"), Ballot("b", "2"), Ballot("c", "3"))
    assert decide(ORDER, (*ballots, Ballot("j", "4"))) == Accept("j", AcceptedFor.JUDGED)
    assert decide(ORDER, (*ballots, Ballot("j", None))) == Accept("a", AcceptedFor.UNCONFIRMED)


def test_where_nobody_answered_there_is_nothing_to_accept():
    assert decide(ORDER, [Ballot(name, None, answered=False) for name in "abcj"]) is None


VALUES = st.one_of(st.none(), st.sampled_from("123"))


@given(st.tuples(VALUES, VALUES, VALUES, VALUES))
def test_it_always_ends_and_asks_nobody_twice(values):
    given_values = dict(zip("abcj", values, strict=True))
    ballots: list[Ballot] = []
    while isinstance(step := decide(ORDER, ballots), Ask):
        assert not {ballot.name for ballot in ballots} & set(step.names)
        ballots += [
            Ballot(name, given_values[name], answered=given_values[name] is not None) for name in step.names
        ]
    assert (step is None) == all(value is None for value in values)
