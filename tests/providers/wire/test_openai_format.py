"""OpenAI's format is read strictly: an answer is whole, or it is a failure that says why."""

from typing import Any

import pytest

from orchestrator.core.money import NanoUsd
from orchestrator.core.provider_answer import ProviderAnswer, UnreadableAnswerError
from orchestrator.core.reply import Delta
from orchestrator.providers.wire.answer_draft import CUT_BY_THOUGHT
from orchestrator.providers.wire.openai_format import OpenAiReader, read_openai_answer
from orchestrator.providers.wire.sse import EventReader
from orchestrator.providers.wire.tool_call_assembly import CUT_CALL
from orchestrator.providers.wire.usage_reading import CONTRADICTION
from tests.providers.wire import openai_exchanges as openai
from tests.providers.wire.exchange import (
    Exchange,
    assert_as_meant,
    assert_failure_as_meant,
    json_bytes,
    params,
    sse,
)


def read_stream(body: bytes, *, reports_cost: bool = False) -> tuple[ProviderAnswer, list[Delta]]:
    """Return the answer in the bytes of a stream, and its pieces, as `http` reads them."""
    events, stream = EventReader(), OpenAiReader(reports_cost=reports_cost)
    deltas: list[Delta] = []
    for event in (*events.feed(body), *events.close()):
        deltas += stream.take(event)
    return stream.whole(), deltas


def read(exchange: Exchange) -> ProviderAnswer:
    streamed = exchange in openai.STREAMED
    return (
        read_stream(exchange.body)[0] if streamed else read_openai_answer(exchange.body, reports_cost=False)
    )


def test_there_are_more_than_a_hundred_exchanges_and_no_two_of_a_name() -> None:
    assert len(openai.EXCHANGES) >= 150
    assert len({each.name for each in openai.EXCHANGES}) == len(openai.EXCHANGES)


@pytest.mark.parametrize("exchange", params(openai.EXCHANGES, good=True))
def test_a_whole_answer_is_read_as_it_was_meant(exchange: Exchange) -> None:
    assert_as_meant(exchange, read(exchange))


@pytest.mark.parametrize("exchange", params(openai.EXCHANGES, good=False))
def test_what_is_no_whole_answer_is_a_failure(exchange: Exchange) -> None:
    with pytest.raises(UnreadableAnswerError) as caught:
        read(exchange)
    assert_failure_as_meant(exchange, caught.value)


@pytest.mark.parametrize("exchange", [each for each in openai.STREAMED if each.failure is None], ids=str)
def test_the_pieces_of_a_stream_make_up_its_answer(exchange: Exchange) -> None:
    answer, deltas = read_stream(exchange.body)
    assert "".join(delta.text for delta in deltas) == answer.text
    pieces = [piece for delta in deltas for piece in delta.tool_calls]
    for place, call in enumerate(answer.tool_calls):
        own = [piece for piece in pieces if piece.index == place]
        assert [piece.name for piece in own if piece.name] == [call.name]
        assert "".join(piece.arguments or "" for piece in own) in {call.arguments, ""}


def test_a_failed_answer_brings_along_what_it_used_and_said() -> None:
    body = openai.body(openai.said("Xin"), "stop", error={"code": 502})
    with pytest.raises(UnreadableAnswerError) as caught:
        read_openai_answer(body, reports_cost=False)
    answer = caught.value.answer
    assert answer is not None
    assert (answer.text, answer.usage.output_tokens, answer.upstream_id) == ("Xin", 5, "gen-1")


def test_no_word_of_the_provider_stands_in_an_error() -> None:
    body = json_bytes({"error": {"message": "your prompt was: bí mật", "code": 500}})
    with pytest.raises(UnreadableAnswerError) as caught:
        read_openai_answer(body, reports_cost=False)
    assert "bí mật" not in str(caught.value)


def _cost_of(usage: dict[str, Any], *, reports_cost: bool = True) -> NanoUsd | None:
    body = openai.body(openai.said("Chào"), usage={**openai.USAGE, **usage})
    return read_openai_answer(body, reports_cost=reports_cost).reported_cost_nusd


@pytest.mark.parametrize(
    ("usage", "cost_nusd"),
    [
        ({"cost": 0.0001}, 100_000),
        ({"cost": "0.0001"}, 100_000),
        ({"cost": 0.1}, 100_000_000),
        ({"cost": 1e-10}, 1),
        ({"cost": 0}, 0),
        ({"cost": 0.95, "cost_details": {"upstream_inference_cost": 0.95}}, 950_000_000),
        ({"cost": 0.95, "is_byok": False, "cost_details": {"upstream_inference_cost": 19}}, 950_000_000),
        ({"cost": 0, "cost_details": {"upstream_inference_cost": 0.036}}, 36_000_000),
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.036}}, 36_000_000),
        ({"cost": 0.002, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.036}}, 38_000_000),
        ({"cost": 0.002, "is_byok": True, "cost_details": {"upstream_inference_prompt_cost": 0.01, "upstream_inference_completions_cost": 0.026}}, 38_000_000),
        ({"cost": 0.002, "is_byok": "true", "cost_details": {"upstream_inference_cost": 0.036}}, 38_000_000),
        ({"cost": 0.002, "is_byok": [], "cost_details": []}, None),
        ({"cost": "1_0"}, None),
        ({"cost": "１"}, None),
        ({"cost": 0.002, "is_byok": True}, None),
        ({"cost": 0.002, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, None),
        ({"cost": -0.1}, None),
        ({"cost": True}, None),
        ({"cost": "free"}, None),
        ({"cost": None}, None),
        ({"cost": 1e300}, None),
    ],
)  # fmt: skip
def test_the_reported_cost_is_what_is_charged_in_whole_nano_dollars(usage, cost_nusd) -> None:
    assert _cost_of(usage) == cost_nusd


def test_a_cost_is_believed_of_the_provider_alone_that_reports_one() -> None:
    assert _cost_of({"cost": 0.1}, reports_cost=False) is None


def test_an_answer_says_who_served_it_and_what_it_heard_and_spoke() -> None:
    usage = {
        **openai.USAGE,
        "prompt_tokens_details": {"audio_tokens": 7},
        "completion_tokens_details": {"audio_tokens": 3},
    }
    data = {**openai.HEAD, "service_tier": "priority", "usage": usage}
    data["choices"] = [{"message": openai.said("Chào"), "finish_reason": "stop"}]
    answer = read_openai_answer(json_bytes(data), reports_cost=True)
    assert (answer.served_model, answer.service_tier, answer.upstream_id) == (
        "openai/gpt-6-luna",
        "priority",
        "gen-1",
    )
    assert (answer.usage.audio_input_tokens, answer.usage.audio_output_tokens) == (7, 3)


@pytest.mark.parametrize(
    ("name", "notice"),
    [
        ("whole-usage-total-above-parts", CONTRADICTION),
        ("whole-length-without-text", CUT_BY_THOUGHT),
        ("stream-second-call-cut-by-length", CUT_CALL),
    ],
)
def test_what_is_read_otherwise_than_written_is_said(name: str, notice: str) -> None:
    exchange = next(each for each in openai.EXCHANGES if each.name == name)
    assert notice in read(exchange).notices


def test_blocks_of_thought_go_back_as_they_came_pieces_joined() -> None:
    blocks = [
        {"type": "reasoning.text", "text": "h", "index": 0, "format": "anthropic-claude-v1"},
        {"type": "reasoning.text", "text": "m", "index": 0},
        {"type": "reasoning.text", "signature": "sig", "index": 0},
        {"type": "reasoning.encrypted", "data": "AA==", "id": "call_1", "index": 1},
    ]
    chunks = (openai.chunk({"reasoning_details": [block]}) for block in blocks)
    exchange = openai.streamed("blocks", *chunks, openai.piece("Chào"), openai.STOP, openai.COUNTED)
    answer, _ = read_stream(exchange.body)
    assert answer.reasoning == "hm"
    assert [dict(block) for block in answer.reasoning_details] == [
        {
            "type": "reasoning.text",
            "text": "hm",
            "index": 0,
            "format": "anthropic-claude-v1",
            "signature": "sig",
        },
        blocks[3],
    ]


def test_two_answers_in_one_stream_are_never_mixed() -> None:
    """One was asked for; a server that sends two would have their words read in turns."""
    second = openai.piece("Chào chị")
    second["choices"][0]["index"] = 1
    with pytest.raises(UnreadableAnswerError, match="mixes two answers"):
        read_stream(sse([openai.piece("Chào anh"), second, openai.STOP, openai.COUNTED]))
    only_second = sse([second, {**openai.STOP, "choices": [{**openai.STOP["choices"][0], "index": 1}]}])
    assert read_stream(only_second)[0].text == "Chào chị"


def test_a_stream_is_complete_with_its_usage_though_no_end_mark_comes() -> None:
    events, stream = EventReader(), OpenAiReader(reports_cost=False)
    seen = []
    for data in (openai.piece("Chào"), openai.STOP, openai.COUNTED):
        for event in events.feed(b"data: " + json_bytes(data) + b"\n\n"):
            stream.take(event)
        seen.append((stream.has_finished, stream.is_complete))
    assert seen == [(False, False), (True, False), (True, True)]


def _counting(output_tokens: int, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": 100, "completion_tokens": output_tokens, **more}


def _piece(text: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}], **more}


def _thought(data: str) -> dict[str, Any]:
    block = {"type": "reasoning.encrypted", "data": data}
    return {"choices": [{"index": 0, "delta": {"content": "", "reasoning_details": [block]}}]}


_COUNT_ALONE: dict[str, Any] = {"choices": []}


@pytest.mark.parametrize(
    ("pieces", "output_tokens"),
    [
        ([_piece("Chào", "stop"), {**_COUNT_ALONE, "usage": _counting(5)}, {**_COUNT_ALONE, "usage": _counting(50)}], 50),
        ([_piece("Chào", "stop"), {**_COUNT_ALONE, "usage": _counting(50)}, {**_COUNT_ALONE, "usage": _counting(5)}], 50),
        ([_piece("Chào", "stop", usage=_counting(50)), {**_COUNT_ALONE, "usage": _counting(0)}], 50),
        ([_piece("Chào", "stop", usage=_counting(50)), {**_COUNT_ALONE, "usage": None}], 50),
        ([_piece("Chào", "stop", usage=_counting(50)), {**_COUNT_ALONE, "usage": _counting(-3)}], None),
        ([_piece("Chào", "stop", usage=_counting(0))], None),
        ([_piece("Chào", usage=_counting(5)), _piece(finish="stop")], None),
        ([_piece(finish="length", usage=_counting(0))], 0),
        # Where Groq and Moonshot say it.
        ([_piece("Chào", x_groq={"id": "r"}), _piece(finish="stop", x_groq={"id": "r", "usage": _counting(5)})], 5),
        ([_piece("Chào", x_groq={"usage": _counting(5)}), _piece(finish="stop", x_groq={"id": "r"})], None),
        ([_piece("Chào"), {"choices": [{"delta": {}, "finish_reason": "stop", "usage": _counting(5)}]}], 5),
        # Of the whole answer, though the finish comes behind it.
        ([_piece("Chào"), {**_COUNT_ALONE, "usage": _counting(5)}, _piece("", "stop")], 5),
        ([_piece("Chào"), {**_COUNT_ALONE, "usage": _counting(5)}, _piece(""), _piece("", "stop")], None),
        ([_piece("Chào"), {**_COUNT_ALONE, "usage": _counting(5)}, _piece("bạn"), _piece(finish="stop")], None),
        ([_piece("Chào"), {**_COUNT_ALONE, "usage": _counting(5)}, _piece("bạn", "stop")], None),
        ([_piece("Chào"), {**_COUNT_ALONE, "usage": _counting(5)}, _thought("…"), _piece(finish="stop")], None),
    ],
)  # fmt: skip
def test_of_several_counts_the_dearer_is_believed_and_none_of_no_output_beside_words(
    pieces, output_tokens
) -> None:
    """However the bytes were cut: what comes behind the first count may arrive with it."""
    answer, _ = read_stream(sse(pieces))
    assert answer.usage.estimated is (output_tokens is None)
    assert answer.usage.output_tokens == (output_tokens or 0)


def test_of_two_counts_the_smaller_cached_part_is_believed() -> None:
    counts = [_counting(5, prompt_tokens_details={"cached_tokens": cached}) for cached in (90, 10, 50)]
    pieces = [_piece("Chào", "stop"), *({**_COUNT_ALONE, "usage": usage} for usage in counts)]
    assert read_stream(sse(pieces))[0].usage.cached_input_tokens == 10


@pytest.mark.parametrize("finishes", [("length", "stop"), ("stop", "length"), ("content_filter", "stop")])
def test_an_answer_that_is_said_to_be_cut_stays_cut(finishes) -> None:
    pieces = [_piece("Chào"), *(_piece(finish=finish) for finish in finishes)]
    assert read_stream(sse(pieces))[0].finish_reason in {"length", "content_filter"}


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ([None, {"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}], "a"),
        ([{"index": 1, "delta": {"content": "b"}}, {"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}], "a"),
        ([{"index": 0, "message": {"content": "all at once"}, "finish_reason": "stop"}], "all at once"),
    ],
)  # fmt: skip
def test_the_one_answer_is_found_among_odd_choices(choices, text) -> None:
    answer, deltas = read_stream(sse([{"choices": [None]}, {"choices": choices}]))
    assert (answer.text, "".join(delta.text for delta in deltas)) == (text, text)


def test_a_whole_message_beside_pieces_is_not_read_twice() -> None:
    """Perplexity repeats in each piece all that came so far."""
    cumulative = _piece("chào", "stop")
    cumulative["choices"][0]["message"] = {"content": "Xin chào"}
    assert read_stream(sse([_piece("Xin "), cumulative]))[0].text == "Xin chào"


def test_a_tool_call_that_is_null_is_none() -> None:
    said = _piece("Chào", "stop")
    said["choices"][0]["delta"]["tool_calls"] = [None]
    assert read_stream(sse([said]))[0].tool_calls == ()
