"""An answer is believed only when it has the shape of one."""

from types import SimpleNamespace
from typing import Any

import litellm
import pytest

from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import ProviderAnswer, UnreadableAnswerError
from orchestrator.core.reply import Usage
from orchestrator.providers.litellm.responses import StreamedAnswer, counted_usage, read_answer


def response(content: str | None = "Chào chị", finish: str = "stop", **more: Any) -> SimpleNamespace:
    usage = SimpleNamespace(
        prompt_tokens=10,
        completion_tokens=4,
        cost=0.000_012_34,
        prompt_tokens_details=SimpleNamespace(cached_tokens=3),
        completion_tokens_details=SimpleNamespace(reasoning_tokens=2),
        cache_creation_input_tokens=1,
    )
    message = SimpleNamespace(content=content, tool_calls=more.pop("tool_calls", None))
    choice = SimpleNamespace(message=message, finish_reason=finish)
    return SimpleNamespace(choices=[choice], usage=usage, id="gen-1", **more)


def chunk(
    text: str = "", *, finish: str | None = None, usage: Any = None, tool: Any = None
) -> SimpleNamespace:
    delta = SimpleNamespace(content=text, tool_calls=[tool] if tool else None)
    return SimpleNamespace(
        id="gen-1", usage=usage, choices=[SimpleNamespace(delta=delta, finish_reason=finish)]
    )


def test_usage_and_cost_are_read_as_the_provider_gave_them() -> None:
    answer = read_answer(response(), reports_cost=True)
    assert answer.reported_cost_nusd == 12_340
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (10, 4)
    assert (answer.usage.cached_input_tokens, answer.usage.cache_write_tokens) == (3, 1)
    assert answer.usage.reasoning_tokens == 2
    assert answer.upstream_id == "gen-1"


def test_a_cost_is_read_only_from_a_provider_that_reports_one() -> None:
    assert read_answer(response(), reports_cost=False).reported_cost_nusd is None


@pytest.mark.parametrize("cost", [None, True, "many", -1.0, float("nan"), float("inf"), [1]])
def test_a_cost_that_is_none_is_not_booked_as_one(cost: Any) -> None:
    told = SimpleNamespace(cost=cost, prompt_tokens=10, completion_tokens=5)
    assert counted_usage(told, reports_cost=True).reported_cost_nusd is None


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("prompt_tokens_details", "cached_tokens"),
        ("completion_tokens_details", "reasoning_tokens"),
        (None, "cache_creation_input_tokens"),
        (None, "completion_tokens"),
    ],
)
@pytest.mark.parametrize("count", [10**30, -1, float("inf")])
def test_a_count_that_no_ledger_can_hold_is_none(where: str | None, name: str, count: int) -> None:
    """One of 10**30 cached tokens would undo the transaction that books it, and every later one."""
    told = SimpleNamespace(prompt_tokens=10, completion_tokens=5)
    setattr(told, where or name, {name: count} if where else count)
    assert counted_usage(told, reports_cost=False).usage == Usage(estimated=True)


def test_a_missing_usage_is_marked_as_an_estimate() -> None:
    assert counted_usage(None, reports_cost=False).usage.estimated


def test_what_a_customers_own_key_is_charged_comes_through_litellm() -> None:
    told = {"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.036}}
    usage = litellm.Usage(prompt_tokens=10, completion_tokens=5, total_tokens=15, **told)
    assert counted_usage(usage, reports_cost=True).reported_cost_nusd == 36_000_000


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (SimpleNamespace(choices=[]), FailureKind.MALFORMED),
        (SimpleNamespace(choices=[SimpleNamespace(message=None)]), FailureKind.MALFORMED),
        (response(""), FailureKind.EMPTY),
        (response("  \n"), FailureKind.EMPTY),
        (response("\u200b\ufeff"), FailureKind.EMPTY),
        (response(None), FailureKind.EMPTY),
        (response("", finish="content_filter"), FailureKind.CONTENT_FILTERED),
        (response("half", finish="error"), FailureKind.MALFORMED),
    ],
)
def test_what_says_nothing_is_no_answer(broken: Any, kind: FailureKind) -> None:
    with pytest.raises(UnreadableAnswerError) as caught:
        read_answer(broken, reports_cost=True)
    assert caught.value.failure.kind is kind


def test_an_empty_answer_keeps_what_it_cost() -> None:
    with pytest.raises(UnreadableAnswerError) as caught:
        read_answer(response(""), reports_cost=True)
    assert caught.value.answer is not None
    assert caught.value.answer.reported_cost_nusd == 12_340


def test_an_answer_cut_at_max_tokens_may_be_empty() -> None:
    assert read_answer(response("", finish="length"), reports_cost=True).finish_reason == "length"


def test_the_pieces_of_a_stream_make_its_answer() -> None:
    streamed = StreamedAnswer()
    texts = [delta.text for one in ("Chào", " chị") if (delta := streamed.add(chunk(one))) is not None]
    assert streamed.add(chunk(finish="stop")) is None
    whole = streamed.whole(reports_cost=False)
    assert whole.text == "".join(texts) == "Chào chị"
    assert whole.usage.estimated


@pytest.mark.parametrize("odd", ["z" * 10_000, "gen\n1", "gen\u202e1", "", 7])
def test_an_id_that_is_no_name_is_not_kept(odd: Any) -> None:
    """It stood in the ledger, in replies and in traces as it came."""
    whole, piece = response(), chunk("Chào", finish="stop")
    whole.id = piece.id = odd
    streamed = StreamedAnswer()
    streamed.add(piece)
    assert read_answer(whole, reports_cost=False).upstream_id is None
    assert streamed.upstream_id is streamed.whole(reports_cost=False).upstream_id is None


def test_an_end_that_is_called_stop_is_one_with_tool_calls_where_they_are() -> None:
    """Agents look at it; the other formats are read so."""
    streamed = StreamedAnswer()
    function = SimpleNamespace(name="add", arguments="{}")
    streamed.add(chunk(tool=SimpleNamespace(index=0, id="call_1", function=function)))
    streamed.add(chunk(finish="stop"))
    assert streamed.whole(reports_cost=False).finish_reason == "tool_calls"


def test_a_tool_call_in_pieces_keeps_one_id_and_one_name() -> None:
    """Some providers repeat the id and the name with every piece."""
    streamed = StreamedAnswer()
    deltas = []
    for arguments in ('{"a"', ": 1}"):
        tool = SimpleNamespace(
            index=0, id="call_1", function=SimpleNamespace(name="add", arguments=arguments)
        )
        deltas.append(streamed.add(chunk(tool=tool)))
    streamed.add(chunk(finish="tool_calls"))
    call = streamed.whole(reports_cost=False).tool_calls[0]
    assert (call.id, call.name, call.arguments) == ("call_1", "add", '{"a": 1}')
    assert [delta.tool_calls[0].id for delta in deltas if delta] == ["call_1", None]


def test_no_two_calls_of_an_answer_have_one_id() -> None:
    tools = [
        SimpleNamespace(index=place, id="call_0", function=SimpleNamespace(name=name, arguments="{}"))
        for place, name in enumerate("fg")
    ]
    whole = read_answer(response(None, tool_calls=tools), reports_cost=False)
    streamed = StreamedAnswer()
    deltas = [streamed.add(chunk(tool=tool)) for tool in tools]
    streamed.add(chunk(finish="tool_calls"))
    for calls in (whole.tool_calls, streamed.whole(reports_cost=False).tool_calls):
        assert [(call.id, call.name) for call in calls] == [("call_0", "f"), ("call_0_2", "g")]
    assert [delta.tool_calls[0].id for delta in deltas if delta] == ["call_0", "call_0_2"]


def test_a_stream_without_an_end_is_no_answer() -> None:
    streamed = StreamedAnswer()
    streamed.add(chunk("Chào"))
    with pytest.raises(UnreadableAnswerError) as caught:
        streamed.whole(reports_cost=False)
    assert caught.value.failure.kind is FailureKind.INTERRUPTED


@pytest.mark.parametrize("arguments", ['{}{"a": 1}', '{"city":', "[1]", [1], 7, "true"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_without_arguments_that_can_be_read_is_none(arguments: Any, streamed: bool) -> None:
    tool = SimpleNamespace(index=0, id="a", function=SimpleNamespace(name="weather", arguments=arguments))
    with pytest.raises(UnreadableAnswerError) as caught:
        _answer_of([tool], finish="tool_calls", streamed=streamed)
    assert caught.value.failure.kind is FailureKind.MALFORMED


@pytest.mark.parametrize("cut_at", ['{"city"', "", None])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_that_the_limit_of_output_has_cut_is_left_out(streamed: bool, cut_at: str | None) -> None:
    whole, cut = (
        SimpleNamespace(index=at, id=f"{at}", function=SimpleNamespace(name="weather", arguments=arguments))
        for at, arguments in enumerate(("{}", cut_at))
    )
    answer = _answer_of([whole, cut], finish="length", streamed=streamed)
    assert [call.arguments for call in answer.tool_calls] == ["{}"]
    assert "cut off" in answer.notices[0]


def test_pieces_of_one_place_with_two_names_are_no_call() -> None:
    tools = [
        SimpleNamespace(index=0, id=None, function=SimpleNamespace(name=name, arguments="{}"))
        for name in "fg"
    ]
    with pytest.raises(UnreadableAnswerError):
        _answer_of(tools, finish="tool_calls", streamed=True)


def _answer_of(tools: list[Any], *, finish: str, streamed: bool) -> ProviderAnswer:
    if not streamed:
        return read_answer(response(None, finish, tool_calls=tools), reports_cost=False)
    pieces = StreamedAnswer()
    for tool in tools:
        pieces.add(chunk(tool=tool))
    pieces.add(chunk(finish=finish))
    return pieces.whole(reports_cost=False)
