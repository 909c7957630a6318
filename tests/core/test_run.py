"""A run is named once for all its calls, and its limit with it."""

import pytest

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.money import nano_usd
from orchestrator.core.payer import Payer
from orchestrator.core.request import ChatRequest
from orchestrator.core.run import RUN_DEPTH_MAX, Run, counted_for, counting


def test_a_request_names_its_run_and_what_all_calls_of_it_may_cost():
    request = ChatRequest.of("Xin chào", use_case="bulk", run="thread-42", max_cost_usd=0.5)
    assert request.run == Run("thread-42", nano_usd("0.5"))
    assert Payer.of(request).run == request.run
    assert request.max_cost_nusd is None, "that is the limit of one request"
    assert ChatRequest.of("Xin chào", use_case="bulk").run is None


def test_a_part_of_a_run_counts_for_the_whole_too():
    assert Run("thread-42/researcher/web").lineage == (
        "thread-42",
        "thread-42/researcher",
        "thread-42/researcher/web",
    )
    assert Run(" thread-42 / researcher").name == "thread-42/researcher"


@pytest.mark.parametrize("amount", [0, -1, True, "much", float("nan"), "1e400", [1]])
def test_a_limit_that_is_no_amount_is_refused(amount):
    with pytest.raises(InvalidRequestError, match="'max_cost_usd' must be dollars greater than 0"):
        ChatRequest.of("Xin chào", use_case="bulk", run="r", max_cost_usd=amount)


def test_a_limit_without_a_run_says_what_limits_one_request():
    with pytest.raises(
        InvalidRequestError, match="name it with 'run', or limit this one request with 'max_cost_nusd'"
    ):
        ChatRequest.of("Xin chào", use_case="bulk", max_cost_usd=1)
    with pytest.raises(InvalidRequestError, match="with the name of a run, not with a `Run`"):
        ChatRequest.of("Xin chào", use_case="bulk", run=Run("r"), max_cost_usd=1)


@pytest.mark.parametrize(
    "name", ["", "/", "a//b", "a/", "a/*", "x" * 129, 42, "a\u200bb", "/".join("a" * (RUN_DEPTH_MAX + 1))]
)
def test_what_is_no_name_of_a_run_is_refused(name):
    with pytest.raises(InvalidRequestError, match="'run'") as caught:
        ChatRequest.of("Xin chào", use_case="bulk", run=name)
    assert caught.value.field == "run"
    assert "got ''" not in str(caught.value) or name == "", "the whole name is shown"


@pytest.mark.parametrize("most", [0, -5, 0.5, True])
def test_a_run_of_ones_own_making_is_limited_in_nano_dollars(most):
    with pytest.raises(InvalidRequestError, match="more than nothing"):
        Run("r", most)


def test_a_part_is_named_by_its_own_name_or_the_whole_one_and_knows_the_limits_around_it():
    whole = Run("a", 50)
    assert whole.part("b", 20) == whole.part("a/b", 20) == Run("a/b", 20, (("a", 50),))
    assert whole.part("a") == whole
    assert whole.part("a", 20) == Run("a", 20), "of two limits the smaller holds"
    assert whole.part("a", 80) == whole
    innermost = whole.part("b", 20).part("c")
    assert {name: innermost.limit_of(name) for name in innermost.lineage} == {
        "a": 50,
        "a/b": 20,
        "a/b/c": None,
    }
    with pytest.raises(InvalidRequestError, match="at most"):
        Run("/".join("a" * RUN_DEPTH_MAX)).part("b")


def test_a_call_counts_for_the_run_around_it_unless_it_names_one():
    assert counted_for(None) is None
    with counting(Run("a", 50)):
        assert counted_for(None) == Run("a", 50)
        assert counted_for(Run("other", 5)) == Run("other", 5)
        assert counted_for(Run("a/b")) == Run("a/b", None, (("a", 50),))
        with counting(Run("inner")):
            assert counted_for(None) == Run("inner")
        assert counted_for(None) == Run("a", 50)
    assert counted_for(None) is None


def test_of_two_limits_for_a_run_around_the_smaller_holds_whoever_names_it():
    named_earlier = Run("a/b", None, (("a", 50),))
    for around in (Run("a", 20), Run("a/b", None, (("a", 20),))):
        assert named_earlier.inside(around).limit_of("a") == 20
    assert Run("a/b", None, (("a", 20),)).inside(Run("a", 50)).limit_of("a") == 20
