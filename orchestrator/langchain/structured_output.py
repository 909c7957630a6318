"""Parsers of structured output that never answer with nothing: an answer of no such shape is an error.

A model may answer in prose though it was to call a function, because it does not take `tool_choice`. Its
words are read as JSON then, and if they are none, LangChain's OutputParserException says so. LangChain also
completes JSON that breaks off: half an answer would pass for a whole one, with half a name in it.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import BaseMessage, BaseMessageChunk
from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.output_parsers.transform import BaseCumulativeTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.utils.json import parse_json_markdown
from langchain_core.utils.pydantic import (
    TBaseModel,  # noqa: F401 -- mypy's pydantic plugin looks here for what JsonOutputParser's field names
    is_basemodel_subclass,
)

_FENCE = re.compile(r"```(?:json)?", re.IGNORECASE)
_NO_ANSWER = "the model did not answer in the shape that was asked for: {reason}"


class _NeverNone(BaseCumulativeTransformOutputParser[Any]):
    """What both kinds of parsers share: a whole answer is parsed or refused, also at the end of a stream."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Return the answer; None while it may still come.

        Raises:
            OutputParserException: it is whole, and not of the shape.
        """
        parsed = super().parse_result(result, partial=partial)
        if parsed is not None or partial:
            return parsed
        return self._from_text(_text_of(result))

    def _from_text(self, text: str) -> Any:
        raise _no_answer("it said nothing", text)

    def _transform(self, input: Iterator[str | BaseMessage]) -> Iterator[Any]:  # noqa: A002 -- LangChain's name
        chunks: list[str | BaseMessage] = []
        last = None
        for parsed in super()._transform(_kept(input, chunks)):
            last = parsed
            yield parsed
        whole = self.parse_result([_whole(chunks)])
        if whole != last:
            yield whole

    async def _atransform(self, input: AsyncIterator[str | BaseMessage]) -> AsyncIterator[Any]:  # noqa: A002 -- as above
        chunks: list[str | BaseMessage] = []
        last = None
        async for parsed in super()._atransform(_akept(input, chunks)):
            last = parsed
            yield parsed
        whole = self.parse_result([_whole(chunks)])
        if whole != last:
            yield whole


class _CalledObject(_NeverNone, JsonOutputKeyToolsParser):
    """Takes the arguments of the first call of one function."""

    def _from_text(self, text: str) -> Any:
        return _object_in(text)


class _CalledModel(_NeverNone, PydanticToolsParser):
    """Takes the first call of one function as a pydantic class."""

    def _from_text(self, text: str) -> Any:
        _object_in(text)
        parser: PydanticOutputParser[Any] = PydanticOutputParser(pydantic_object=cast("Any", self.tools[0]))
        return parser.parse_result([Generation(text=text)])


class _Written(_NeverNone):
    """Takes an answer that is JSON, and all of it."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """Return the answer; None while it may still come.

        Raises:
            OutputParserException: it is whole, and not of the shape.
        """
        try:
            parsed = super().parse_result(result, partial=partial)
        except RecursionError:
            raise _no_answer("its JSON lies too deep to be read", _text_of(result)) from None
        if not partial:
            _check_whole(_text_of(result))
        return parsed


class _WrittenObject(_Written, JsonOutputParser):
    """Takes any JSON."""


class _WrittenModel(_Written, PydanticOutputParser[Any]):
    """Takes JSON of a pydantic class."""


def parser_of_calls(schema: dict[str, Any] | type, name: str) -> BaseOutputParser[Any]:
    """Return what reads a call of function `name`, which stands for `schema`."""
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return _CalledModel(tools=[schema], first_tool_only=True)
    return _CalledObject(key_name=name, first_tool_only=True)


def parser_of_json(schema: dict[str, Any] | type) -> BaseOutputParser[Any]:
    """Return what reads an answer that is JSON of the shape `schema`."""
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return _WrittenModel(pydantic_object=schema)
    return _WrittenObject()


def _object_in(text: str) -> dict[str, Any]:
    """Return the JSON object that a text is.

    Raises:
        OutputParserException: it is none.
    """
    try:
        parsed = parse_json_markdown(text) if text.strip() else None
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise _no_answer("it called no function, and its words are no JSON object", text)
    _check_whole(text)
    return parsed


def _check_whole(text: str) -> None:
    """Check that a text is one whole JSON value, alone or in a block of code.

    Raises:
        OutputParserException: it breaks off, or something else stands beside it.
    """
    for written in _json_texts(text):
        try:
            # As LangChain reads it: a line break in a string is one.
            json.loads(written, strict=False)
        except (ValueError, RecursionError):
            continue
        return
    raise _no_answer("its JSON breaks off, or something else stands beside it", text)


def _json_texts(text: str) -> Iterator[str]:
    yield text
    fence = _FENCE.search(text)
    if fence is not None:
        inner = text[fence.end() :]
        yield inner
        yield inner.rpartition("```")[0]
        yield inner.partition("```")[0]


def _no_answer(reason: str, text: str) -> OutputParserException:
    return OutputParserException(_NO_ANSWER.format(reason=reason), llm_output=text)


def _text_of(result: list[Generation]) -> str:
    return result[0].text if result else ""


def _whole(chunks: list[str | BaseMessage]) -> Generation:
    """Return the pieces of a stream as one answer."""
    if not chunks:
        return Generation(text="")
    whole: Any = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    if isinstance(whole, BaseMessageChunk | BaseMessage):
        return ChatGeneration(message=whole)
    return Generation(text=str(whole))


def _kept(
    pieces: Iterator[str | BaseMessage], chunks: list[str | BaseMessage]
) -> Iterator[str | BaseMessage]:
    for piece in pieces:
        chunks.append(piece)
        yield piece


async def _akept(
    pieces: AsyncIterator[str | BaseMessage], chunks: list[str | BaseMessage]
) -> AsyncIterator[str | BaseMessage]:
    async for piece in pieces:
        chunks.append(piece)
        yield piece
