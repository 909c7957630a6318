"""A request in OpenAI's shape as fields of ours: an allow-list, and each field has one of three fates.

    taken      it means here what it means there
    ignored    it changes nothing about the answer, so it is left out and the reply says so: stock clients
               send some of these always
    refused    it would change the answer and cannot be done here, or nobody knows it; null, and the value
               that OpenAI documents as the default, are as good as leaving it out

`model` names a use case, whose route then decides, or a model, an alias or a deployment of config.yaml.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers

from orchestrator.catalog.models import Mode
from orchestrator.config.loader import Config
from orchestrator.config.modes import embedding_use_case, use_cases_of
from orchestrator.core.errors import InvalidRequestError, UnknownNameError
from orchestrator.core.money import is_read_alike, typed_limit
from orchestrator.core.request import ChatRequest
from orchestrator.core.unknown_names import hint_for, unknown
from orchestrator.server.callers import Caller, forbidden
from orchestrator.server.error_answers import refusal

_SAMPLING = (
    *("temperature", "top_p", "stop", "seed", "presence_penalty", "frequency_penalty", "reasoning_effort"),
    *("response_format", "tools", "tool_choice", "parallel_tool_calls", "prompt_cache_key"),
)
_HANDLED = ("model", "messages", "user", "max_tokens", "max_completion_tokens", "stream", "stream_options")
_IGNORED = frozenset(
    {
        *("metadata", "store", "service_tier", "prompt_cache_retention"),
        *("safety_identifier", "verbosity"),
    }
)
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "functions": ([],),
    "function_call": ("none",),
    "audio": (),
    "prediction": (),
    "web_search_options": (),
}
"""Fields of OpenAI's that cannot be done here, with the values that ask for nothing."""
_HINTS = {"functions": "; use 'tools'", "function_call": "; use 'tool_choice'", "n": "; ask several times"}
_STREAM_OPTIONS = ("include_usage", "include_obfuscation")
"""The second makes pieces equally long, against who counts their bytes on the way: it changes no answer."""
_KNOWN = (*_HANDLED, *_SAMPLING, *sorted(_IGNORED), *_NEUTRAL)

_OURS = "x-nextflow-"
_OWN_HEADERS = ("use-case", "tags", "cache", "deadline-s", "max-cost-usd", "run", "run-max-cost-usd")
_TAGS = f"{_OURS}tags"
_SAID_ONCE = frozenset({"idempotency-key", *(f"{_OURS}{own}" for own in _OWN_HEADERS)} - {_TAGS})
"""A list may be sent in several headers of its name; of two limits or runs one would be lost."""


@dataclass(frozen=True, slots=True)
class AskedChat:
    """A request as it was asked over HTTP."""

    request: ChatRequest
    model: str
    """As the caller named it."""
    is_streamed: bool
    with_usage: bool
    """Whether a stream ends with what it used."""
    notices: tuple[str, ...]
    """What of it was left out."""


def asked_chat(body: Mapping[str, Any], headers: Headers, caller: Caller, config: Config) -> AskedChat:
    """Return what a body and its headers ask for.

    Raises:
        AnswerError: a field is unknown, cannot be done here or is of another type; not allowed.
        RequestError: a value is not one that a request may have.
    """
    fields = {name: value for name, value in body.items() if value is not None}
    notices = _left_out(fields)
    model = _text(fields, "model")
    if not isinstance(fields.get("messages"), list):
        raise refusal("'messages' must be a list of messages", param="messages")
    if "tools" in fields and not isinstance(fields["tools"], list):
        raise refusal("'tools' must be a list", param="tools")
    sampling = {name: fields[name] for name in _SAMPLING if name in fields}
    limit_name, max_tokens = _max_tokens(fields)
    with _named_as_written(limit_name):
        request = ChatRequest.of(
            fields["messages"],
            **route_of(model, headers, caller, config),
            **fields_of_headers(headers, caller),
            tenant=caller.tenant,
            user=_text(fields, "user") if "user" in fields else None,
            max_tokens=max_tokens,
            **sampling,
        )
    options = _stream_options(fields)
    return AskedChat(
        request,
        model,
        is_streamed=_flag(fields, "stream"),
        with_usage=_flag(options, "include_usage"),
        notices=notices,
    )


def _left_out(fields: Mapping[str, Any]) -> tuple[str, ...]:
    for name, value in fields.items():
        if name in _NEUTRAL:
            # Not `in`: to Python 1 is True.
            if not any(type(value) is type(neutral) and value == neutral for neutral in _NEUTRAL[name]):
                hint = _HINTS.get(name, "")
                raise refusal(f"'{name}' cannot be done here{hint}", param=name, code="unsupported_parameter")
        elif name not in _KNOWN:
            raise refusal(unknown("field", name, _KNOWN), param=name[:60], code="unknown_parameter")
    return tuple(f"'{name}' has no effect here" for name in fields if name in _IGNORED)


def route_of(
    model: str,
    headers: Headers,
    caller: Caller,
    config: Config,
    *,
    mode: Mode = Mode.CHAT,
) -> dict[str, str]:
    """Return the use case and the model that `model` and the headers name.

    Raises:
        AnswerError: they contradict each other, or the caller may not name them.
        UnknownNameError: config.yaml does not define them, or not for requests of this mode.
    """
    use_case = _header(headers, f"{_OURS}use-case")
    if model in config.settings.use_cases:
        if use_case not in {None, model}:
            raise refusal(f"'model' and '{_OURS}use-case' name two use cases", param="model")
        route = {"use_case": model}
    elif caller.use_cases:
        hint = hint_for(model, caller.use_cases)
        raise forbidden(f"this key may name a use case as 'model', and no other{hint}")
    else:
        if not config.catalog.knows(model):
            use_cases = use_cases_of(config.settings, mode)
            raise UnknownNameError(config.catalog.unknown("use case or model", model, *use_cases))
        config.catalog.named(model, mode=mode)
        if use_case is None and mode is Mode.EMBEDDING:
            use_case = embedding_use_case(config.settings)
        route = {"use_case": config.use_case_named(use_case), "model": model}
    if caller.use_cases and route["use_case"] not in caller.use_cases:
        raise forbidden(f"this key may not ask for the use case '{route['use_case']}'; see /v1/models")
    return route


def fields_of_headers(headers: Headers, caller: Caller) -> dict[str, Any]:
    """Return what our own headers and the idempotency key ask for.

    Raises:
        AnswerError: a header is unknown or its value cannot be read.
    """
    for name in headers:
        if name.startswith(_OURS) and name.removeprefix(_OURS) not in _OWN_HEADERS:
            known = [f"{_OURS}{own}" for own in _OWN_HEADERS]
            raise refusal(unknown("header", name, known), param=name[:60], code="unknown_header")
        if name in _SAID_ONCE and len(headers.getlist(name)) > 1:
            raise refusal(f"the header '{name}' is given twice", param=name, code="invalid_header")
    lists = [_decoded(raw, _TAGS) for raw in headers.getlist(_TAGS)]
    tags: list[str] = [tag.strip() for tag in ",".join(lists).split(",") if tag.strip()]
    if caller.key is not None:
        tags.append(caller.key.tag)
    fields: dict[str, Any] = {"tags": tuple(tags), "idempotency_key": _header(headers, "idempotency-key")}
    if f"{_OURS}cache" in headers:
        fields["cache"] = headers[f"{_OURS}cache"]
    if f"{_OURS}deadline-s" in headers:
        fields["deadline_s"] = _number(headers, "deadline-s", float)
    if f"{_OURS}max-cost-usd" in headers:
        fields["max_cost_nusd"] = _number(headers, "max-cost-usd", typed_limit)
    return fields | _run_fields(headers)


def _run_fields(headers: Headers) -> dict[str, Any]:
    named = {"run": _header(headers, f"{_OURS}run"), "max_cost_usd": headers.get(f"{_OURS}run-max-cost-usd")}
    return {name: value for name, value in named.items() if value is not None}


def _header(headers: Headers, name: str) -> str | None:
    """Return a header that may hold a name in any script, sent as UTF-8; None where it is not there."""
    raw = headers.get(name)
    return None if raw is None else _decoded(raw, name)


def _decoded(raw: str, name: str) -> str:
    try:
        return raw.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        raise refusal(f"the header '{name}' is not UTF-8", param=name, code="invalid_header") from None


def _number(headers: Headers, name: str, read: Any) -> Any:
    try:
        written = headers[f"{_OURS}{name}"].strip()
        number = read(written) if is_read_alike(written) else 0
    except ValueError:
        number = 0
    if not 0 < number < math.inf:
        words = f"'{_OURS}{name}' must be a number greater than 0, in plain digits such as 0.5"
        raise refusal(words, param=f"{_OURS}{name}", code="invalid_header")
    return number


def _max_tokens(fields: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the limit with the name that it was given; OpenAI renamed it."""
    named = [(name, fields[name]) for name in ("max_tokens", "max_completion_tokens") if name in fields]
    if len(named) > 1 and named[0][1] != named[1][1]:
        raise refusal("'max_tokens' and 'max_completion_tokens' differ; give one", param="max_tokens")
    return named[0] if named else ("max_tokens", None)


@contextmanager
def _named_as_written(limit_name: str) -> Iterator[None]:
    """Let an error about the limit of tokens name it as the caller did."""
    try:
        yield
    except InvalidRequestError as error:
        if error.field == "max_tokens":
            raise refusal(str(error).replace("max_tokens", limit_name), param=limit_name) from None
        raise


def _stream_options(fields: Mapping[str, Any]) -> dict[str, Any]:
    options = fields.get("stream_options", {})
    if not isinstance(options, dict):
        raise refusal("'stream_options' must be an object", param="stream_options")
    for name in options:
        if name not in _STREAM_OPTIONS:
            words = unknown("field of 'stream_options'", name, _STREAM_OPTIONS)
            raise refusal(words, param="stream_options", code="unknown_parameter")
    return options


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value.strip():
        raise refusal(f"'{name}' must be a text", param=name)
    return value


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name)
    if not isinstance(value, bool | None):
        raise refusal(f"'{name}' must be true or false", param=name)
    return bool(value)
