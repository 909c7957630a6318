"""An answer says something, or says why it does not."""

from contextlib import nullcontext

import pytest

from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import ProviderAnswer, UnreadableAnswerError
from orchestrator.core.reply import ToolCall, Usage
from orchestrator.core.sampling import Sampling
from orchestrator.providers.wire.answer_checks import check_says_something, check_was_offered, unreadable


def answer(text: str = "", *, finish: str = "stop", calls: tuple[ToolCall, ...] = ()) -> ProviderAnswer:
    return ProviderAnswer(text, calls, finish, Usage(1, 1), None, None)


@pytest.mark.parametrize(
    "whole",
    [
        answer("Chào"),
        answer("Chào", finish="content_filter"),
        answer(finish="length"),
        answer(calls=(ToolCall("a", "f", "{}"),), finish="tool_calls"),
    ],
)
def test_words_tool_calls_and_a_limit_that_was_reached_are_answers(whole) -> None:
    check_says_something(whole)


@pytest.mark.parametrize(
    ("nothing", "kind"),
    [
        (answer(), FailureKind.EMPTY),
        (answer(" \n"), FailureKind.EMPTY),
        (answer("\u200b\ufeff\0"), FailureKind.EMPTY),
        (answer("Em tìm ngay", finish="tool_calls"), FailureKind.MALFORMED),
        (answer(finish="tool_calls"), FailureKind.EMPTY),
        (answer(finish="content_filter"), FailureKind.CONTENT_FILTERED),
    ],
)
def test_nothing_is_a_failure_that_brings_its_usage_along(nothing, kind) -> None:
    with pytest.raises(UnreadableAnswerError) as caught:
        check_says_something(nothing)
    assert (caught.value.failure.kind, caught.value.answer) == (kind, nothing)


def test_an_error_says_what_is_wrong_and_where() -> None:
    error = unreadable(FailureKind.MALFORMED, "'choices' is missing")
    assert (str(error), error.detail) == (
        "answer could not be read: 'choices' is missing",
        "'choices' is missing",
    )


@pytest.mark.parametrize(
    ("tools", "is_right"),
    [
        (None, False),
        ([], False),
        (["f"], True),
        (["g", "f"], True),
        (["g"], False),
        (["F"], False),
    ],
)
def test_a_tool_that_was_not_offered_cannot_be_called(tools, is_right: bool) -> None:
    offered = tools and tuple({"type": "function", "function": {"name": name}} for name in tools)
    called = answer("Đợi", calls=(ToolCall("a", "f", "{}"),), finish="tool_calls")
    sampling = Sampling(tools=offered)
    check_was_offered(answer("Đợi"), sampling)
    if is_right:
        check_was_offered(called, sampling)
        return
    with pytest.raises(UnreadableAnswerError) as caught:
        check_was_offered(called, sampling)
    assert (caught.value.failure.kind, caught.value.answer) == (FailureKind.MALFORMED, called)


def test_a_call_of_a_vendors_own_tool_is_known_to_the_vendor_alone() -> None:
    called = answer("Đợi", calls=(ToolCall("a", "f", "{}"),), finish="tool_calls")
    check_was_offered(called, Sampling(tools=({"type": "custom", "name": "f"},)))


@pytest.mark.parametrize(("choice", "is_right"), [(None, True), ("auto", True), ("none", False)])
def test_a_call_that_the_caller_forbade_is_no_answer(choice, is_right: bool) -> None:
    sampling = Sampling(tools=({"type": "function", "function": {"name": "f"}},), tool_choice=choice)
    check_was_offered(answer("Đợi"), sampling)
    called = answer("Đợi", calls=(ToolCall("a", "f", "{}"),), finish="tool_calls")
    with nullcontext() if is_right else pytest.raises(UnreadableAnswerError):
        check_was_offered(called, sampling)


@pytest.mark.parametrize(("forced", "called", "is_right"), [("f", "f", True), ("f", "g", False)])
def test_another_tool_than_the_one_that_had_to_be_called_is_no_answer(forced, called, is_right) -> None:
    tools = tuple({"type": "function", "function": {"name": name}} for name in "fg")
    sampling = Sampling(tools=tools, tool_choice={"type": "function", "function": {"name": forced}})
    calling = answer("Đợi", calls=(ToolCall("a", called, "{}"),), finish="tool_calls")
    with nullcontext() if is_right else pytest.raises(UnreadableAnswerError):
        check_was_offered(calling, sampling)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "f"}}])
def test_words_in_the_place_of_a_call_that_has_to_be_are_no_answer(choice) -> None:
    """Where the limit or a filter cut it off, its finish reason tells that."""
    sampling = Sampling(tools=({"type": "function", "function": {"name": "f"}},), tool_choice=choice)
    for finish in ("length", "content_filter"):
        check_was_offered(answer("Em tìm ngay", finish=finish), sampling)
    with pytest.raises(UnreadableAnswerError) as caught:
        check_was_offered(answer("Em tìm ngay"), sampling)
    assert (caught.value.failure.kind, caught.value.answer) == (
        FailureKind.UNSUPPORTED,
        answer("Em tìm ngay"),
    )
