"""Answers by rule, for practice without a model: which tool fits, what the arguments are, what to say.

A forced tool is called. Under `required`, and for a user's message under `auto`, the tool is called
whose name, description and parameters share most words with the message, tone marks left aside, or
that needs an id (`order_id`, `ma_don`) such as the message has; under `auto` only if the message
calls for it. After a tool's result the answer is text that repeats the result. A
response format is answered with an instance of its schema; JSON mode without a schema with the
schema or the quoted keys that the prompt names.
"""

import json

import orjson

from orchestrator.practice.answers import (
    PracticeAnswer,
    PracticeRequest,
    PracticeToolCall,
    last_text,
    text_of,
)
from orchestrator.practice.evidence import Evidence, words
from orchestrator.practice.instances import InstanceMaker, takes_id
from orchestrator.practice.json_types import JsonObject, JsonValue

_QUOTE_CHARACTERS_MAX = 200
_WEIGHT_NAMED, _WEIGHT_NAME, _WEIGHT_ID, _WEIGHT_OTHER = 10, 3, 3, 1
_SCORE_MIN = 3
_LETTERS_MIN = 3
_DECODER = json.JSONDecoder()
_UNTELLING_WORDS = """
the and for with from that this what which who how can you your please use using tool value get set all any
một các của cho với là và trong này được không hãy giúp tôi bạn
"""
_UNTELLING = frozenset(words(_UNTELLING_WORDS))


def rule_based_answer(request: PracticeRequest) -> PracticeAnswer:
    """Return the answer that the rules give."""
    tool = tool_to_call(request)
    if tool is not None:
        return PracticeAnswer(tool_calls=(PracticeToolCall(tool["name"], _arguments(tool, request)),))
    if request.response_format is not None:
        return PracticeAnswer(text=_dumped(structured_value(request)))
    return PracticeAnswer(text=_text_answer(request))


def structured_value(request: PracticeRequest) -> JsonValue:
    """Return a JSON value for the request's response format."""
    evidence = Evidence(last_text(request.messages, role="user"))
    schema = schema_of(request) or _schema_in_prompt(request)
    if schema is not None:
        return InstanceMaker(schema, evidence=evidence, fill_optional=True).make()
    keys = []
    while (quoted := evidence.next_quoted()) is not None:
        if quoted.isidentifier():
            keys.append(quoted)
    question = evidence.prompt[:_QUOTE_CHARACTERS_MAX]
    return {key: f"{key}: {question}" for key in keys} or {"answer": question}


def schema_of(request: PracticeRequest) -> JsonObject | None:
    """Return the JSON schema of the response format, if it has one."""
    form = request.response_format or {}
    schema = (form.get("json_schema") or {}).get("schema")
    return schema if isinstance(schema, dict) else None


def tool_to_call(request: PracticeRequest) -> JsonObject | None:
    """Return the tool that the request forces or calls for."""
    if not request.tools or request.tool_choice == "none":
        return None
    if request.tool_choice == "named":
        return next((tool for tool in request.tools if tool["name"] == request.forced_tool), None)
    question = last_text(request.messages, role="user")
    best = max(request.tools, key=lambda tool: _fit(tool, question))
    if request.tool_choice == "required":
        return best
    from_user = request.messages[-1].get("role") == "user"
    return best if from_user and _fit(best, question) >= _SCORE_MIN else None


def _text_answer(request: PracticeRequest) -> str:
    last = request.messages[-1] if request.messages else {}
    if last.get("role") == "tool":
        return f"The {_tool_name(request, last)} tool says: {text_of(last)}"
    question = " ".join(last_text(request.messages, role="user").split())
    if len(question) > _QUOTE_CHARACTERS_MAX:
        question = f"{question[:_QUOTE_CHARACTERS_MAX]}…"
    return f"This is a practice answer by {request.model}. The question was: {question}"


def _tool_name(request: PracticeRequest, result: JsonObject) -> str:
    if result.get("name"):
        return str(result["name"])
    calls = (call for message in request.messages for call in message.get("tool_calls") or ())
    call_id = result.get("tool_call_id")
    return next((str(call["function"]["name"]) for call in calls if call.get("id") == call_id), "called")


def _fit(tool: JsonObject, question: str) -> int:
    """Return how well a tool fits a message: shared words, those of the name counted more, or an id."""
    message_words = set(map(_stem, words(question)))
    name = tool["name"]
    parameters = (tool.get("parameters") or {}).get("properties") or {}
    others = _telling(f"{tool.get('description') or ''} {' '.join(parameters)}") - _telling(name)
    named = _WEIGHT_NAMED * (name.casefold() in question.casefold())
    return (
        named
        + _WEIGHT_NAME * len(message_words & _telling(name))
        + _WEIGHT_OTHER * len(message_words & others)
        + _WEIGHT_ID * _needs_id_of(tool, question)
    )


def _needs_id_of(tool: JsonObject, question: str) -> bool:
    """Tell whether a message has an id, and the tool a parameter that has to be one."""
    schema = tool.get("parameters") or {}
    parameters, required = schema.get("properties") or {}, schema.get("required") or ()
    needs_id = any(takes_id(name, parameters.get(name)) for name in required)
    return needs_id and Evidence(question).of_format("id") is not None


def _telling(text: str) -> set[str]:
    return {_stem(word) for word in words(text) if len(word) >= _LETTERS_MIN and word not in _UNTELLING}


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= _LETTERS_MIN:
            return word.removesuffix(ending)
    return word


def _arguments(tool: JsonObject, request: PracticeRequest) -> str:
    evidence = Evidence(last_text(request.messages, role="user"))
    schema = tool.get("parameters") or {}
    return _dumped(InstanceMaker({"type": "object", **schema}, evidence=evidence, fill_optional=False).make())


def _schema_in_prompt(request: PracticeRequest) -> JsonObject | None:
    """Return the JSON schema that stands in a message, as LangChain's format instructions put it."""
    for message in reversed(request.messages):
        text = text_of(message)
        at = text.find("{")
        while at >= 0:
            schema = _object_at(text, at)
            if schema is not None and "properties" in schema and ("type" in schema or "required" in schema):
                return schema
            at = text.find("{", at + 1)
    return None


def _object_at(text: str, at: int) -> JsonObject | None:
    try:
        value, _ = _DECODER.raw_decode(text, at)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _dumped(value: JsonValue) -> str:
    return orjson.dumps(value).decode()
