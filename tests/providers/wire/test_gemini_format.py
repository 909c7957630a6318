"""Gemini's format is read strictly: an answer is whole, or it is a failure that says why."""

import pytest

from orchestrator.core.provider_answer import ProviderAnswer, UnreadableAnswerError
from orchestrator.core.reply import Delta
from orchestrator.providers.wire.gemini_format import GeminiReader, read_gemini_answer
from orchestrator.providers.wire.sse import EventReader
from orchestrator.providers.wire.usage_reading import CONTRADICTION
from tests.providers.wire import gemini_exchanges as gemini
from tests.providers.wire.exchange import (
    Exchange,
    assert_as_meant,
    assert_failure_as_meant,
    json_bytes,
    params,
)


def read_stream(body: bytes) -> tuple[ProviderAnswer, list[Delta]]:
    """Return the answer in the bytes of a stream, and its pieces, as `http` reads them."""
    events, stream = EventReader(), GeminiReader()
    deltas: list[Delta] = []
    for event in (*events.feed(body), *events.close()):
        deltas += stream.take(event)
    return stream.whole(), deltas


def read(exchange: Exchange) -> ProviderAnswer:
    return read_stream(exchange.body)[0] if exchange in gemini.STREAMED else read_gemini_answer(exchange.body)


def test_there_are_more_than_a_hundred_exchanges_and_no_two_of_a_name() -> None:
    assert len(gemini.EXCHANGES) >= 120
    assert len({each.name for each in gemini.EXCHANGES}) == len(gemini.EXCHANGES)


@pytest.mark.parametrize("exchange", params(gemini.EXCHANGES, good=True))
def test_a_whole_answer_is_read_as_it_was_meant(exchange: Exchange) -> None:
    assert_as_meant(exchange, read(exchange))


@pytest.mark.parametrize("exchange", params(gemini.EXCHANGES, good=False))
def test_what_is_no_whole_answer_is_a_failure(exchange: Exchange) -> None:
    with pytest.raises(UnreadableAnswerError) as caught:
        read(exchange)
    assert_failure_as_meant(exchange, caught.value)


@pytest.mark.parametrize("exchange", [each for each in gemini.STREAMED if each.failure is not None], ids=str)
def test_a_stream_that_fails_brings_along_its_usage_where_it_had_come_to_its_end(exchange: Exchange) -> None:
    with pytest.raises(UnreadableAnswerError) as caught:
        read(exchange)
    assert caught.value.answer is not None
    assert caught.value.answer.usage == exchange.usage


@pytest.mark.parametrize("exchange", [each for each in gemini.STREAMED if each.failure is None], ids=str)
def test_the_pieces_of_a_stream_make_up_its_answer(exchange: Exchange) -> None:
    answer, deltas = read_stream(exchange.body)
    assert "".join(delta.text for delta in deltas) == answer.text
    pieces = [piece for delta in deltas for piece in delta.tool_calls]
    assert [(each.index, each.id, each.name, each.arguments) for each in pieces] == [
        (place, call.id, call.name, call.arguments) for place, call in enumerate(answer.tool_calls)
    ]


def test_calls_without_an_id_get_one_of_their_answer_so_that_no_two_of_a_conversation_are_alike() -> None:
    answer = read_gemini_answer(json_bytes(gemini.response(gemini.WEATHER, gemini.TIME, finish="STOP")))
    assert [call.id for call in answer.tool_calls] == ["call_abc_0", "call_abc_1"]


def test_a_thought_signature_travels_in_the_id_of_its_call() -> None:
    signed = {"functionCall": {"name": "time", "id": "fc_1"}, "thoughtSignature": "c2ln"}
    answer = read_gemini_answer(json_bytes(gemini.response(signed, gemini.WEATHER, finish="STOP")))
    assert [call.id for call in answer.tool_calls] == ["fc_1__thought__c2ln", "call_abc_1"]


@pytest.mark.parametrize(
    "name", ["whole-signed-text", "whole-signature-in-empty-text", "stream-signature-last"]
)
def test_the_signature_of_a_text_is_kept_as_a_block_of_thought(name: str) -> None:
    answer = read(next(each for each in gemini.EXCHANGES if each.name == name))
    assert [dict(block) for block in answer.reasoning_details] == [
        {"type": "reasoning.encrypted", "data": "c2ln", "format": "google-gemini-v1", "index": 0}
    ]


def test_an_answer_says_who_served_it_and_what_it_heard() -> None:
    counts = {
        **gemini.COUNTS,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 3},
            {"modality": "AUDIO", "tokenCount": 7},
        ],
    }
    answer = read_gemini_answer(
        json_bytes(gemini.response(gemini.text("Chào"), finish="STOP", counts=counts))
    )
    assert (answer.served_model, answer.upstream_id) == ("gemini-3.8-flash", "abc")
    assert (answer.usage.audio_input_tokens, answer.usage.audio_output_tokens) == (7, 0)
    assert answer.reported_cost_nusd is None


def test_counts_that_contradict_each_other_are_read_the_dearer_way_and_said() -> None:
    exchange = next(each for each in gemini.EXCHANGES if each.name == "whole-usage-total-above-parts")
    assert CONTRADICTION in read(exchange).notices


def test_a_stream_is_complete_with_its_finish_and_usage_for_the_format_has_no_end_mark() -> None:
    stream, events = GeminiReader(), EventReader()
    seen = []
    for data in (gemini.PIECE, gemini.LAST):
        for event in events.feed(b"data: " + json_bytes(data) + b"\r\n\r\n"):
            stream.take(event)
        seen.append((stream.has_finished, stream.is_complete))
    assert seen == [(False, False), (True, True)]


@pytest.mark.parametrize(
    ("word", "named"), [("SAFETY", True), ("JAILBREAK", True), ("khách hàng Ánh", False)]
)
def test_a_blocked_prompt_says_why_in_words_that_are_known(word: str, named: bool) -> None:
    with pytest.raises(UnreadableAnswerError) as caught:
        read_gemini_answer(json_bytes({"promptFeedback": {"blockReason": word}}))
    assert caught.value.detail == ("the prompt was blocked" + (f": {word}" if named else ""))
