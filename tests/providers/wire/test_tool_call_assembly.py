"""Pieces of tool calls find their own call, whatever a server writes for an index."""

import pytest

from orchestrator.core.provider_answer import UnreadableAnswerError
from orchestrator.core.reply import ToolCall
from orchestrator.providers.wire.tool_call_assembly import CALLS_MAX, ToolCallAssembly


def assembled(*pieces, was_cut: bool = False):
    assembly = ToolCallAssembly()
    deltas = [assembly.add(piece) for piece in pieces]
    calls, left_out = assembly.finish(was_cut=was_cut)
    return calls, left_out, [delta.index for delta in deltas]


def piece(arguments=None, *, name=None, **place):
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {**place, "function": function}


def test_a_name_that_is_repeated_with_each_of_many_pieces_costs_no_more_than_its_pieces(stopwatch) -> None:
    """Whether the arguments are whole by then is looked at where they may be."""
    assembly = ToolCallAssembly()
    watch = stopwatch()
    assembly.add(piece('{"x":"', name="f"))
    for _ in range(20_000):
        assembly.add(piece("word word word ", name="f"))
    assembly.add(piece('"}', name="f"))
    assembly.add(piece('{"y":1}', name="f"))
    assert watch.took_s() < 2
    calls, _ = assembly.finish(was_cut=False)
    assert [len(call.arguments) for call in calls] == [20_000 * 15 + 8, 7]


def test_id_and_name_repeated_with_each_of_many_pieces_cost_no_more_than_the_pieces(stopwatch) -> None:
    assembly = ToolCallAssembly()
    watch = stopwatch()
    for part in ('{"x":"', *["word " * 20] * 20_000, '"}'):
        assembly.add(piece(part, name="f", id="a", index=0))
    calls, _ = assembly.finish(was_cut=False)
    assert watch.took_s() < 2
    assert (len(calls), len(calls[0].arguments)) == (1, 20_000 * 100 + 8)


def test_more_calls_than_any_answer_has_are_none() -> None:
    assembly = ToolCallAssembly()
    for place in range(CALLS_MAX):
        assembly.add(piece("{}", name="f", id="a"), place=place)
    with pytest.raises(UnreadableAnswerError, match="more tool calls than any answer has"):
        assembly.add(piece("{}", name="f", id="a"), place=CALLS_MAX)


def test_ids_tell_apart_what_the_index_does_not_even_when_they_take_turns() -> None:
    calls, _, places = assembled(
        piece('{"x"', name="f", index=0, id="a"),
        piece('{"y"', name="g", index=0, id="b"),
        piece(":1}", index=0, id="a"),
        piece(":2}", index=0, id="b"),
    )
    assert calls == (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", '{"y":2}'))
    assert places == [0, 1, 0, 1]


def test_an_index_that_does_not_begin_at_0_makes_no_gap() -> None:
    calls, _, places = assembled(
        piece("{}", name="f", index=3, id="a"), piece("{}", name="g", index=7, id="b")
    )
    assert ([call.name for call in calls], places) == (["f", "g"], [0, 1])


def test_a_name_repeated_while_arguments_still_come_is_no_new_call() -> None:
    calls, _, _ = assembled(piece('{"x":', name="f"), piece("1}", name="f"))
    assert [call.arguments for call in calls] == ['{"x":1}']


def test_a_call_without_an_id_gets_one() -> None:
    calls, _, _ = assembled(piece("{}", name="f"), piece("{}", name="g"))
    assert [call.id for call in calls] == ["call_0", "call_1"]


@pytest.mark.parametrize("cut_at", ['{"x', "", None])
def test_the_call_that_a_limit_has_cut_is_left_out_and_said(cut_at: str | None) -> None:
    """Also before its arguments began, which are no `{}` then."""
    calls, left_out, _ = assembled(
        piece("{}", name="f", index=0), piece(cut_at, name="g", index=1), was_cut=True
    )
    assert ([call.name for call in calls], left_out) == (["f"], True)


@pytest.mark.parametrize(
    "broken", [piece('{"x', name="f", index=0), piece("{}", index=0), piece("7", name="f", index=0)]
)
def test_a_call_that_nothing_excuses_is_no_call(broken) -> None:
    with pytest.raises(UnreadableAnswerError, match="tool call 0 comes without"):
        assembled(broken)
    with pytest.raises(UnreadableAnswerError):
        assembled(broken, piece("{}", name="g", index=1), was_cut=True)


@pytest.mark.parametrize(
    "odd",
    ["text", None, 7, {"function": "f"}, {"function": {"name": ["f"]}}, {"id": [1], "function": {"name": "f"}}, {"function": {"name": "f", "arguments": 7}}],
)  # fmt: skip
def test_what_has_not_the_shape_of_a_call_is_refused(odd) -> None:
    with pytest.raises(UnreadableAnswerError):
        ToolCallAssembly().add(odd)


def test_two_calls_with_one_id_get_each_their_own() -> None:
    calls, _, places = assembled(
        piece('{"x"', name="f", index=0, id="call_0"),
        piece('{"y"', name="g", index=1, id="call_0"),
        piece(":1}", index=0, id="call_0"),
        piece(":2}", index=1, id="call_0"),
    )
    assert calls == (ToolCall("call_0", "f", '{"x":1}'), ToolCall("call_0_2", "g", '{"y":2}'))
    assert places == [0, 1, 0, 1]


@pytest.mark.parametrize("place", [{}, {"index": 0}])
def test_two_whole_calls_that_share_id_and_index_are_two(place) -> None:
    calls, _, _ = assembled(
        piece("{}", name="f", id="a", **place), piece('{"y":2}', name="g", id="a", **place)
    )
    assert calls == (ToolCall("a", "f", "{}"), ToolCall("a_2", "g", '{"y":2}'))


def test_a_call_that_is_said_once_more_is_called_once() -> None:
    said = piece('{"x":1}', name="f", index=0, id="a")
    calls, _, _ = assembled(piece('{"x"', name="f", index=0, id="a"), piece(":1}", index=0), said)
    assert calls == (ToolCall("a", "f", '{"x":1}'),)


def test_a_call_without_an_id_gets_none_of_another() -> None:
    calls, _, _ = assembled(piece("{}", name="f", index=0, id="call_1"), piece("{}", name="g", index=1))
    assert [call.id for call in calls] == ["call_1", "call_1_2"]


def test_whole_calls_are_as_many_as_are_listed() -> None:
    assembly = ToolCallAssembly()
    for place in range(2):
        assembly.add(piece("{}", name="f", index=0, id="a"), place=place)
    assert assembly.finish(was_cut=False)[0] == (ToolCall("a", "f", "{}"), ToolCall("a_2", "f", "{}"))
