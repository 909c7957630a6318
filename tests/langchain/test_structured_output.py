"""Structured output is an object of the shape, or an error: never nothing."""

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, AIMessageChunk
from pydantic import BaseModel, ConfigDict

from orchestrator.langchain.structured_output import parser_of_calls, parser_of_json


class Order(BaseModel):
    """Đơn hàng."""

    model_config = ConfigDict(title="Đơn hàng")
    quantity: int


SHAPE = {"title": "order", "type": "object", "properties": {"quantity": {"type": "integer"}}}
CALLS = {"pydantic": (Order, "Đơn hàng", Order(quantity=3)), "schema": (SHAPE, "order", {"quantity": 3})}
BOTH = pytest.mark.parametrize(("schema", "name", "parsed"), CALLS.values(), ids=CALLS)


def called(name: str) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": {"quantity": 3}, "id": "1"}])


@BOTH
def test_a_call_is_taken_and_so_are_words_that_are_the_object(schema, name, parsed):
    parser = parser_of_calls(schema, name)
    assert parser.invoke(called(name)) == parsed
    assert parser.invoke(AIMessage('{"quantity": 3}')) == parsed
    assert parser.invoke(AIMessage('```json\n{"quantity": 3}\n```')) == parsed


@BOTH
@pytest.mark.parametrize("words", ["Dạ, ba cái ạ.", "", "null", "3"])
def test_prose_where_a_call_was_asked_for_is_an_error_and_not_none(schema, name, parsed, words):
    parser = parser_of_calls(schema, name)
    with pytest.raises(OutputParserException, match="called no function") as caught:
        parser.invoke(AIMessage(words))
    assert caught.value.llm_output == words
    with pytest.raises(OutputParserException):
        list(parser.transform(iter([AIMessageChunk(words)])))


@BOTH
async def test_a_stream_gives_the_object_and_one_without_it_ends_in_an_error(schema, name, parsed):
    parser = parser_of_calls(schema, name)
    chunk = AIMessageChunk(
        "",
        tool_call_chunks=[
            {"name": name, "args": '{"quantity": 3}', "id": "1", "index": 0, "type": "tool_call_chunk"}
        ],
    )
    assert list(parser.transform(iter([chunk])))[-1] == parsed

    async def pieces(*chunks):
        for each in chunks:
            yield each

    assert [each async for each in parser.atransform(pieces(chunk))][-1] == parsed
    with pytest.raises(OutputParserException):
        [each async for each in parser.atransform(pieces(AIMessageChunk("Dạ"), AIMessageChunk(" vâng")))]


@pytest.mark.parametrize("schema", [Order, SHAPE])
@pytest.mark.parametrize("words", ["null", "", "Dạ"])
def test_an_answer_that_is_no_json_object_is_an_error(schema, words):
    with pytest.raises(OutputParserException):
        parser_of_json(schema).invoke(AIMessage(words))


def test_json_is_taken_whole():
    assert parser_of_json(Order).invoke(AIMessage('{"quantity": 3}')) == Order(quantity=3)
    assert parser_of_json(SHAPE).invoke(AIMessage('{"quantity": 3}')) == {"quantity": 3}


WRITTEN = {"pydantic": (Order, Order(quantity=31)), "schema": (SHAPE, {"quantity": 31})}
HALVES = [
    '{"quantity": 31',
    '```json\n{"quantity": 31',
    '{"quantity": 31}\n{"quantity": 32}',
    '{"quantity": 31} Xong ạ.',
]
WHOLES = [
    '{"quantity": 31}',
    ' \n{"quantity": 31}\n',
    '```json\n{"quantity": 31}\n```',
    'Dạ đây ạ:\n```\n{"quantity": 31}\n```\nXong ạ.',
    '```json\n{"quantity": 31}',
]


def in_pieces(words: str) -> list[AIMessageChunk]:
    return [AIMessageChunk(words[at : at + 5]) for at in range(0, len(words), 5)]


@pytest.mark.parametrize(("schema", "parsed"), WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("words", HALVES)
async def test_half_a_json_is_no_answer_though_langchain_could_complete_it(schema, parsed, words):
    """A name or a number of which the second half is missing is another one."""
    for parser in (parser_of_json(schema), parser_of_calls(schema, "order")):
        with pytest.raises(OutputParserException):
            parser.invoke(AIMessage(words))
        with pytest.raises(OutputParserException):
            list(parser.transform(iter(in_pieces(words))))

        async def pieces():
            for each in in_pieces(words):
                yield each

        with pytest.raises(OutputParserException):
            [each async for each in parser.atransform(pieces())]


@pytest.mark.parametrize(("schema", "parsed"), WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("words", WHOLES)
def test_a_whole_json_is_one_with_a_block_of_code_around_it_and_words_around_that(schema, parsed, words):
    for parser in (parser_of_json(schema), parser_of_calls(schema, "order")):
        assert parser.invoke(AIMessage(words)) == parsed
        assert list(parser.transform(iter(in_pieces(words))))[-1] == parsed


@pytest.mark.parametrize("words", ["Dạ, ba cái ạ.", "", '{"quantity": "ba"}', "[]"])
def test_a_stream_of_no_such_shape_is_an_error_and_not_nothing(words):
    with pytest.raises(OutputParserException):
        list(parser_of_json(Order).transform(iter([AIMessageChunk(words)])))


@pytest.mark.parametrize("schema", [Order, SHAPE])
@pytest.mark.parametrize("words", ["[" * 3000, '{"a":' * 3000, "```json\n" + "[" * 3000])
def test_brackets_without_an_end_are_no_answer(schema, words) -> None:
    """They were a RecursionError, which no caller of LangChain expects of an answer."""
    for parser in (parser_of_json(schema), parser_of_calls(schema, "order")):
        with pytest.raises(OutputParserException):
            parser.invoke(AIMessage(words))
        with pytest.raises(OutputParserException):
            list(parser.transform(iter([AIMessageChunk(words)])))
