"""No answer passes for whole that lacks words, a call or an error which the provider has sent.

And no value of a provider's, wherever it stands, breaks a reader: each is an answer or a failure with a name.
"""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.failures import FailureKind
from orchestrator.core.provider_answer import AttemptFailedError, ProviderAnswer, UnreadableAnswerError
from orchestrator.providers.wire.answer_draft import LEFT_OUT_CODE, LEFT_OUT_FILE
from orchestrator.providers.wire.finish_reasons import UNKNOWN_FINISH
from orchestrator.providers.wire.formats import FORMATS
from orchestrator.providers.wire.sse import EventReader
from tests.providers.wire import gemini_exchanges as gemini
from tests.providers.wire import openai_exchanges as openai
from tests.providers.wire.exchange import json_bytes, sse

OPENAI, GOOGLE = ProviderKind.OPENAI, ProviderKind.GOOGLE
MALFORMED, INTERRUPTED = FailureKind.MALFORMED, FailureKind.INTERRUPTED
XIN, CHAO, STOP, CALLED, COUNTED = (
    openai.piece("Xin "),
    openai.piece("chào"),
    openai.STOP,
    openai.CALLED,
    openai.COUNTED,
)


def read_stream(kind: ProviderKind, body: bytes) -> ProviderAnswer:
    reader, events = FORMATS[kind].reader(), EventReader()
    for event in (*events.feed(body), *events.close()):
        if reader.is_over:
            break
        reader.take(event)
    return reader.whole()


def failure_of(kind: ProviderKind, body: bytes, *, streamed: bool) -> FailureKind:
    with pytest.raises(UnreadableAnswerError) as caught:
        read_stream(kind, body) if streamed else FORMATS[kind].read(body)
    return caught.value.failure.kind


def _event(value: Any, before: bytes = b"data: ") -> bytes:
    return before + json_bytes(value) + b"\n\n"


@pytest.mark.parametrize(
    "before",
    [
        b"\xef\xbb\xbfdata: ",
        b" data: ",
        b"\tdata:",
        b"Data: ",
        b"DATA: ",
        b"data : ",
        b"\0\0data: ",
        b"",
        b" ",
    ],
)
def test_words_in_a_line_that_is_no_field_are_words_of_the_answer(before) -> None:
    answer = read_stream(OPENAI, sse([_event(XIN), _event(CHAO, before), STOP, COUNTED]))
    assert answer.text == "Xin chào"


@pytest.mark.parametrize(
    "line", [b"<html><h1>502</h1></html>", b"upstream connect error: reset", b'"chao"', b"[1]"]
)
def test_a_line_that_is_neither_a_field_nor_json_is_no_part_of_an_answer(line) -> None:
    body = sse([_event(XIN), line + b"\n\n", _event(CHAO), STOP, COUNTED])
    assert failure_of(OPENAI, body, streamed=True) is MALFORMED


def test_an_error_without_its_field_is_told_by_its_code() -> None:
    body = b'{"error": {"code": 429, "message": "slow down"}}\n'
    assert failure_of(OPENAI, body, streamed=True) is FailureKind.RATE_LIMITED


@pytest.mark.parametrize(
    "event",
    [
        {"choices": [{"index": 0, "delta": {"content": "a"}}, {"index": 0, "delta": {"content": "b"}}]},
        {"choices": [{"delta": {"content": "a"}}, {"delta": {"content": "b"}}]},
        {"choices": [{"index": 0, "message": {"content": "Xin "}}]},
        {"choices": [{"index": 0, "delta": {}, "message": {"content": "Xin "}}]},
        {"choices": [{"index": 0, "delta": {"role": "assistant"}, "message": {"content": "Xin "}}]},
        {
            "choices": [
                {"index": 0, "delta": {"role": "assistant", "content": ""}, "message": {"content": "Xin "}}
            ]
        },
        {"choices": [{"index": 0, "text": "Xin "}]},
        openai.piece([{"type": "markdown", "value": "Xin "}]),
        openai.piece([{"content": "Xin "}]),
        openai.piece([{"text": 7}]),
        openai.piece([{"type": {}, "text": 7}]),
    ],
)
def test_a_piece_whose_words_stand_elsewhere_is_no_piece(event) -> None:
    assert failure_of(OPENAI, sse([event, CHAO, STOP, COUNTED]), streamed=True) is MALFORMED


def test_a_stream_may_end_with_all_of_its_answer_once_more() -> None:
    """Nothing is lost where a message says what the pieces have said, or is all there is."""
    last = {
        "choices": [{"index": 0, "delta": {}, "message": {"content": "Xin chào"}, "finish_reason": "stop"}]
    }
    assert read_stream(OPENAI, sse([XIN, CHAO, last, COUNTED])).text == "Xin chào"
    assert read_stream(OPENAI, sse([last, COUNTED])).text == "Xin chào"
    more = copy.deepcopy(last)
    more["choices"][0]["message"]["content"] = "Xin chào chị"
    assert failure_of(OPENAI, sse([XIN, CHAO, more, COUNTED]), streamed=True) is MALFORMED


@pytest.mark.parametrize(
    "message",
    [
        {
            "content": None,
            "tool_calls": [{"id": "a", "function": openai.WEATHER}, {"id": "b", "function": openai.WEATHER}],
        },
        {"content": None, "tool_calls": "time"},
    ],
)
def test_a_call_that_stands_in_the_last_message_alone_is_not_lost(message) -> None:
    last = {"choices": [{"index": 0, "delta": {}, "message": message, "finish_reason": "tool_calls"}]}
    first = openai.call_piece(index=0, id="a", function=openai.WEATHER)
    assert failure_of(OPENAI, sse([first, last, COUNTED]), streamed=True) is MALFORMED


def test_a_call_in_the_older_place_of_the_last_message_is_not_lost() -> None:
    message = {"content": "Xin ", "function_call": openai.WEATHER}
    last = {"choices": [{"index": 0, "delta": {}, "message": message, "finish_reason": "stop"}]}
    assert failure_of(OPENAI, sse([XIN, last, COUNTED]), streamed=True) is MALFORMED


@pytest.mark.parametrize("calls", [None, [], [None]])
def test_an_end_by_tool_calls_without_any_is_no_answer(calls) -> None:
    whole = openai.body(openai.said("Em tìm ngay", tool_calls=calls), "tool_calls")
    assert failure_of(OPENAI, whole, streamed=False) is MALFORMED
    assert failure_of(OPENAI, sse([XIN, CALLED, COUNTED]), streamed=True) is MALFORMED


def test_a_call_in_the_older_place_is_a_call() -> None:
    whole = FORMATS[OPENAI].read(
        openai.body(openai.said("Đợi", function_call=openai.WEATHER), "function_call")
    )
    pieces = [openai.chunk({"function_call": piece}) for piece in ({"name": "weather"}, {"arguments": "{}"})]
    streamed = read_stream(OPENAI, sse([*pieces, STOP, COUNTED]))
    assert [(call.name, call.arguments) for call in whole.tool_calls] == [("weather", '{"city":"Huế"}')]
    assert [(call.name, call.arguments) for call in streamed.tool_calls] == [("weather", "{}")]


@pytest.mark.parametrize("places", [("0", "1"), (0.0, 1.0), ("00", "01")])
def test_an_index_written_otherwise_leads_arguments_to_their_own_call(places) -> None:
    first, second = places
    events = [
        openai.call_piece(index=first, id="a", function={"name": "weather", "arguments": ""}),
        openai.call_piece(index=second, id="b", function={"name": "time", "arguments": ""}),
        openai.call_piece(index=first, function={"arguments": '{"city":"Huế"}'}),
    ]
    answer = read_stream(OPENAI, sse([*events, CALLED, COUNTED]))
    calls = [(call.name, call.arguments) for call in answer.tool_calls]
    assert calls == [("weather", '{"city":"Huế"}'), ("time", "{}")]


@pytest.mark.parametrize("own", [{"index": 0}, {"index": 0, "id": "a"}, {}])
@pytest.mark.parametrize("arguments", [None, '{"a":'])
def test_a_call_with_two_names_may_be_two_calls_and_is_none(own, arguments) -> None:
    events = [
        openai.call_piece(**own, function={"name": "time", "arguments": arguments}),
        openai.call_piece(**own, function={"name": "list_orders"}),
    ]
    assert failure_of(OPENAI, sse([*events, CALLED, COUNTED]), streamed=True) is MALFORMED


def test_pieces_of_two_answers_are_told_apart_however_their_index_is_written() -> None:
    other = {"choices": [{"index": "1", "delta": {"content": "another"}}]}
    assert failure_of(OPENAI, sse([XIN, other, STOP, COUNTED]), streamed=True) is MALFORMED


@pytest.mark.parametrize(
    "event",
    [
        openai.chunk({"error": {"code": 502}}),
        {"errors": [{"code": 502}]},
        {"type": "error", "code": 502, "message": "overloaded"},
        {"object": "error", "code": 502},
        {"status": "error", "code": 502},
    ],
)
def test_an_error_ends_a_stream_wherever_it_stands(event) -> None:
    assert failure_of(OPENAI, sse([XIN, event, STOP, COUNTED]), streamed=True) is INTERRUPTED
    assert failure_of(OPENAI, sse([event, STOP, COUNTED]), streamed=True) is FailureKind.SERVER_ERROR


def test_an_error_within_a_message_is_no_answer() -> None:
    body = openai.body(openai.said("Xin", error={"code": 503}))
    assert failure_of(OPENAI, body, streamed=False) is FailureKind.UNAVAILABLE


@pytest.mark.parametrize(
    "text", ["\u200b\ufeff", "\0", "\u2060 \n\u00ad", "\u3164", "\u2800 \u034f", "\ufe0f"]
)
def test_what_cannot_be_seen_is_no_answer(text) -> None:
    assert failure_of(OPENAI, openai.body(openai.said(text)), streamed=False) is FailureKind.EMPTY


def test_what_googles_format_says_elsewhere_is_not_lost_either() -> None:
    def whole(*parts: Any, **more: Any) -> bytes:
        return json_bytes(gemini.response(*parts, finish="STOP", **more))

    in_pieces = {
        "functionCall": {"name": "weather", "willContinue": True, "partialArgs": [{"jsonPath": "$.city"}]}
    }
    assert failure_of(GOOGLE, whole(in_pieces), streamed=False) is MALFORMED
    failed = whole({"text": "Xin"}, error={"code": 503})
    assert failure_of(GOOGLE, failed, streamed=False) is FailureKind.UNAVAILABLE
    for thought in (True, "true", 1):
        answer = FORMATS[GOOGLE].read(whole({"text": "hm", "thought": thought}, {"text": "Chào"}))
        assert (answer.text, answer.reasoning) == ("Chào", "hm")
    ended = gemini.response({"text": "Chào"}, finish="STOP")
    assert read_stream(GOOGLE, sse([ended])).text == "Chào"


@pytest.mark.parametrize("native", ["MALFORMED_FUNCTION_CALL", "error", "abort", "OTHER", "ERROR_TOXIC"])
@pytest.mark.parametrize("finish", ["stop", "tool_calls", "length"])
def test_the_word_of_a_routers_host_says_that_it_failed(native, finish) -> None:
    whole = openai.body(openai.said("Xin"), finish, native_finish_reason=native)
    last = openai.chunk({}, finish)
    last["choices"][0]["native_finish_reason"] = native
    assert failure_of(OPENAI, whole, streamed=False) is INTERRUPTED
    assert failure_of(OPENAI, sse([XIN, last, COUNTED]), streamed=True) is INTERRUPTED


@pytest.mark.parametrize("native", ["STOP", "end_turn", "completed", "COMPLETE", "eos", "tool_use", None, ""])
def test_a_routers_host_ends_an_answer_well_in_its_own_word(native) -> None:
    answer = FORMATS[OPENAI].read(openai.body(openai.said("Xin"), "stop", native_finish_reason=native))
    assert (answer.text, answer.finish_reason, answer.notices) == ("Xin", "stop", ())


@pytest.mark.parametrize(
    ("native", "finish"),
    [("SAFETY", "content_filter"), ("refusal", "content_filter"), ("MAX_TOKENS", "length")],
)
def test_the_worse_of_a_routers_word_and_its_hosts_counts(native, finish) -> None:
    whole = openai.body(openai.said("Xin"), "stop", native_finish_reason=native)
    assert FORMATS[OPENAI].read(whole).finish_reason == finish
    last = openai.chunk({}, "stop")
    last["choices"][0]["native_finish_reason"] = native
    answer = read_stream(OPENAI, sse([XIN, last, COUNTED]))
    assert (answer.finish_reason, answer.usage.estimated) == (finish, False)
    empty = openai.body(openai.said(""), "stop", native_finish_reason="SAFETY")
    assert failure_of(OPENAI, empty, streamed=False) is FailureKind.CONTENT_FILTERED


def test_a_hosts_word_that_no_format_has_is_told() -> None:
    whole = openai.body(openai.said("Xin"), "stop", native_finish_reason="ran_dry")
    assert FORMATS[OPENAI].read(whole).notices == (UNKNOWN_FINISH,)


@pytest.mark.parametrize(
    "part",
    [
        {"function_call": {"name": "weather", "args": {}}},
        {"text": "", "function_call": {"name": "weather", "args": {}}},
        {"text": "Xin", "function_call": {"name": "weather", "args": {}}},
        {"inline_data": {"data": "AA=="}},
        {"content": "Xin "},
        {"thought": True, "markdown": "Xin "},
    ],
)
def test_a_part_whose_words_stand_elsewhere_is_no_part(part) -> None:
    event = gemini.response(part, {"text": "Chào"}, finish="STOP")
    assert failure_of(GOOGLE, json_bytes(event), streamed=False) is MALFORMED
    assert failure_of(GOOGLE, sse([event], end=b""), streamed=True) is MALFORMED


def test_a_picture_beside_the_words_is_told() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    for part in (picture, {"fileData": {"fileUri": "gs://a/b"}}):
        event = json_bytes(gemini.response(part, {"text": "Chào"}, finish="STOP"))
        assert FORMATS[GOOGLE].read(event).notices == (LEFT_OUT_FILE,)
    for more in ({"images": [{"type": "image_url"}]}, {"audio": {"data": "AA=="}}):
        assert FORMATS[OPENAI].read(openai.body(openai.said("Xin", **more))).notices == (LEFT_OUT_FILE,)
    parts = [{"type": "text", "text": "Xin"}, {"type": "image_url", "image_url": {"url": "data:"}}]
    assert FORMATS[OPENAI].read(openai.body(openai.said(parts))).notices == (LEFT_OUT_FILE,)


@pytest.mark.parametrize(
    "part",
    [
        {"executableCode": {"language": "PYTHON", "code": "print(7 * 6)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "42"}},
    ],
)
def test_code_that_was_run_beside_the_words_is_told(part) -> None:
    event = json_bytes(gemini.response(part, {"text": "Được 42."}, finish="STOP"))
    answer = FORMATS[GOOGLE].read(event)
    assert (answer.text, answer.notices) == ("Được 42.", (LEFT_OUT_CODE,))


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"code": 429, "message": "slow down"}, FailureKind.RATE_LIMITED),
        ({"code": "429", "message": "slow down", "choices": []}, FailureKind.RATE_LIMITED),
        ({"message": "upstream hung up"}, MALFORMED),
        ({"detail": [{"msg": "no"}]}, MALFORMED),
        ({"error_code": 18, "error_msg": "qps"}, MALFORMED),
        ({"code": 503, "status": "UNAVAILABLE", "message": "x"}, FailureKind.UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("of", [OPENAI, GOOGLE])
def test_an_event_with_a_code_in_the_place_of_an_answer_is_an_error(event, kind, of) -> None:
    first, rest = (XIN, [STOP, COUNTED]) if of is OPENAI else (gemini.PIECE, [gemini.LAST])
    assert failure_of(of, sse([event, *rest]), streamed=True) is kind
    assert failure_of(of, sse([first, event, *rest]), streamed=True) is INTERRUPTED
    assert failure_of(of, json_bytes(event), streamed=False) is kind


def test_an_event_with_a_code_that_all_is_well_is_none() -> None:
    for fine in ({"code": 0, "message": "success"}, {"code": "200", "msg": "ok"}, {"message": ""}):
        assert read_stream(OPENAI, sse([fine, XIN, STOP, COUNTED])).text == "Xin "


@pytest.mark.parametrize("nothing", [b"null", b"[]", b'""', b" null "])
@pytest.mark.parametrize("of", [OPENAI, GOOGLE])
def test_an_event_that_says_nothing_costs_no_answer(nothing, of) -> None:
    events = [XIN, STOP, COUNTED] if of is OPENAI else [gemini.PIECE, gemini.LAST]
    body = sse([each for event in events for each in (b"data: " + nothing + b"\n\n", event)], end=b"")
    assert read_stream(of, body).text.startswith("Xin ")


@pytest.mark.parametrize("mark", [b'"[DONE]"', b"[done]", b" [Done] ", b"'[DONE]'"])
def test_an_end_mark_written_otherwise_is_one(mark) -> None:
    end = b"data: " + mark + b"\n\n"
    assert read_stream(OPENAI, sse([XIN, STOP, COUNTED, end, CHAO], end=b"")).text == "Xin "
    assert read_stream(GOOGLE, sse([gemini.LAST], end=end)).text == "chào"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_arguments_with_a_number_that_is_none_are_no_arguments(number) -> None:
    """`null` in its place would be another order."""
    raw = f'{{"total": {number}, "note": null}}'
    written = {"name": "pay", "arguments": raw}
    assert failure_of(OPENAI, openai.body(openai.called(written), "tool_calls"), streamed=False) is MALFORMED
    piece = openai.call_piece(index=0, id="a", function=written)
    assert failure_of(OPENAI, sse([piece, CALLED, COUNTED]), streamed=True) is MALFORMED
    given = openai.body(openai.called({"name": "pay", "arguments": {"total": 5}}), "tool_calls")
    given = given.replace(b'"total":5', b'"total":' + number.encode())
    assert failure_of(OPENAI, given, streamed=False) is MALFORMED
    call = json_bytes(gemini.response({"functionCall": {"name": "pay", "args": {"total": 5}}}, finish="STOP"))
    call = call.replace(b'"total":5', b'"total":' + number.encode())
    assert failure_of(GOOGLE, call, streamed=False) is MALFORMED


ODD: tuple[Any, ...] = (
    *(None, [], {}, "", 0, -1, True, 2**70, 1e308, "²", "٤٠٠", "x", [None], [[]], {"": {}}, {"a": 1}),
    *([1, 2], {"text": None}, "null", 1.5, "\ud83d", "9" * 5000, -(2**63)),
)
"""What no format has in most of its places."""


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield from _places(each, (*place, key))


def _with(value: Any, place: tuple[Any, ...], odd: Any) -> Any:
    if not place:
        return odd
    changed = holder = copy.deepcopy(value)
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = odd
    return changed


def _events_of(body: bytes) -> list[Any] | None:
    events = EventReader()
    try:
        return [
            json.loads(event.data)
            for event in (*events.feed(body), *events.close())
            if event.data != b"[DONE]"
        ]
    except (ValueError, RecursionError):
        return None


@pytest.mark.parametrize(
    ("kind", "exchanges"),
    [(ProviderKind.OPENROUTER, openai.EXCHANGES), (GOOGLE, gemini.EXCHANGES)],
    ids=["openrouter", "google"],
)
def test_no_value_anywhere_breaks_a_reader(kind, exchanges) -> None:
    """Each place of each recorded answer holds three odd values in turn; what is read can be written again."""
    chance = random.Random(7)  # noqa: S311 -- the same in every run
    for exchange in exchanges:
        events = _events_of(
            exchange.body if exchange.name.startswith("stream") else b"data: " + exchange.body
        )
        for number, event in enumerate(events or ()):
            for place in _places(event):
                for odd in chance.sample(ODD, 3):
                    changed = [*(events or ())]
                    changed[number] = _with(event, place, odd)
                    _read_either_way(kind, exchange.name, changed)


def _read_either_way(kind: ProviderKind, name: str, events: list[Any]) -> None:
    bodies = [json.dumps(event).encode() for event in events]
    try:
        if name.startswith("whole"):
            answer = FORMATS[kind].read(bodies[0])
        else:
            answer = read_stream(kind, b"".join(b"data: " + body + b"\n\n" for body in bodies))
    except AttemptFailedError:
        return
    answer.text.encode()
    assert all(isinstance(json.loads(call.arguments), dict) for call in answer.tool_calls)
