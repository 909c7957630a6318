"""JSON of a careless encoder is read where its meaning is plain, and is nothing else where it is not."""

import pytest

from orchestrator.core.provider_answer import UnreadableAnswerError
from orchestrator.providers.wire.wire_json import (
    arguments_text,
    event_objects,
    json_text,
    read_error_body,
    read_object,
    read_object_or_none,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a":1}', {"a": 1}),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'{"a":"\\ud83d"}', {"a": "�"}),
        (b'{"\\ud83d":[{"b":"\\udc00"}]}', {"�": [{"b": "�"}]}),
        (b'{"a":"x\ny"}', {"a": "x\ny"}),
        (b'{"a":"\xff"}', {"a": "�"}),
    ],
)
def test_an_object_is_read_and_its_text_can_be_written(text, value) -> None:
    assert read_object(text) == value
    assert read_object_or_none(text) == value


@pytest.mark.parametrize("text", [b"", b"[1]", b"7", b'"a"', b"{", b"<html>", b"[" * 100_000, b"{'a': 1}"])
def test_anything_else_is_no_object(text) -> None:
    assert read_object_or_none(text) is None
    with pytest.raises(UnreadableAnswerError, match="the body is not a JSON object"):
        read_object(text)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":[' + b"{}," * 200_000 + b"{}]}",
        b'{"a":[' + b"[]," * 200_000 + b"[]]}",
        b'{"a":"\\ud83d","b":"' + b"x" * 1024 * 1024 + b'"}',
    ],
    ids=["objects", "lists", "careless and long"],
)
def test_what_would_hold_up_the_event_loop_is_not_read(text) -> None:
    assert read_object_or_none(text) is None


def test_google_wraps_some_errors_into_a_list() -> None:
    assert read_error_body(b'[{"error":{"code":400}}]') == {"error": {"code": 400}}
    assert read_error_body(b"[]") is None


def test_events_that_no_blank_line_parts_are_read_line_by_line() -> None:
    assert event_objects(b'{"a":1}\n{"a":2}') == [{"a": 1}, {"a": 2}]
    assert event_objects(b'{"a":\n1}') == [{"a": 1}]
    with pytest.raises(UnreadableAnswerError, match="an event is not a JSON object"):
        event_objects(b'{"a":1}\n{"a":')


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", "{}"),
        ("  ", "{}"),
        ('{"a": 1}', '{"a": 1}'),
        ('{"a": "x\ny"}', '{"a":"x\\ny"}'),
        ("[1]", None),
        ("null", "{}"),
        (" null\n", "{}"),
        ('""', "{}"),
        ('"{\\"a\\": 1}"', '{"a": 1}'),
        ('"null"', "{}"),
        ('"[1]"', None),
        ("true", None),
        ('"a"', None),
        ('{"a": 1', None),
        ("a=1", None),
    ],
)
def test_arguments_are_a_json_object_or_none(text, arguments) -> None:
    assert arguments_text(text) == arguments


def test_json_is_written_of_numbers_beyond_64_bits_too() -> None:
    assert json_text({"a": 2**70, "b": "ế"}) == f'{{"a":{2**70},"b":"ế"}}'
