"""The HTTP request for one question to one deployment, in the format that its provider speaks."""

from collections.abc import Mapping
from typing import Any

import orjson

from orchestrator.providers.wire.formats import FORMATS
from orchestrator.providers.wire.outbound import (
    OutboundRequest,
    UnsendableError,
    WireRequest,
    address_of,
    headers_of,
    parameters_of,
)
from orchestrator.providers.wire.parameter_rules import ModelRules, ParameterRules, documented_rules

_FOR_TOOLS = frozenset({"tool_choice", "parallel_tool_calls"})


def wire_request_of(outbound: OutboundRequest, rules: ParameterRules = documented_rules) -> WireRequest:
    """Return the HTTP request; neither the messages nor the tools of the caller are changed.

    Raises:
        UnsendableError: the format cannot carry a part of it; the message names the part.
    """
    form = FORMATS[outbound.kind]
    if outbound.vector_size is not None:
        url, headers = address_of(outbound, form.embedding.path(outbound)), headers_of(outbound)
        return WireRequest(url=url, headers=headers, body=_json(form.embedding.body(outbound)))
    parameters = parameters_of(outbound)
    model_rules = rules(outbound.kind, outbound.upstream, parameters)
    notices: list[str] = []
    parameters, renamed = _applied(parameters, model_rules, outbound.upstream, notices)
    body = form.body(outbound, parameters, notices)
    return WireRequest(
        url=address_of(outbound, form.path(outbound)),
        headers=headers_of(outbound),
        body=_json(body),
        notices=tuple(dict.fromkeys(notices)),
        renamed=renamed,
    )


def _applied(
    parameters: Mapping[str, Any], rules: ModelRules, upstream: str, notices: list[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    kept: dict[str, Any] = {}
    renamed: dict[str, str] = {}
    for name, value in parameters.items():
        if name in rules.dropped:
            notices.append(f"'{name}' is not taken by {upstream} and was left out")
            continue
        if name in _FOR_TOOLS and not parameters.get("tools"):
            # OpenAI refuses them then.
            notices.append(f"'{name}' says nothing without 'tools' and was left out")
            continue
        if name in rules.ignored:
            notices.append(f"'{name}' is not taken by {upstream}, and OpenRouter leaves it out")
        new_name = rules.renamed.get(name, name)
        if new_name != name:
            renamed[name] = new_name
        kept[new_name] = value
    return kept, renamed


def _json(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as exc:
        raise UnsendableError(
            f"messages and parameters must be plain data that JSON can hold: {exc}"
        ) from None
