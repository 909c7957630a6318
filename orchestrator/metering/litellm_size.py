"""The size of a call of LiteLLM's `completion`: what of it bounds its cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litellm.llms.base_llm.base_utils import type_to_response_format_param
from pydantic import BaseModel

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.plain_data import check_depth
from orchestrator.core.request import Message
from orchestrator.metering.media_addresses import check_addresses
from orchestrator.metering.vendor_bodies import check_part_names

LIMITS = ("max_tokens", "max_completion_tokens")
"""The arguments that bound an answer; the largest counts."""
_DECLARED = ("tools", "functions", "response_format")


@dataclass(frozen=True, slots=True)
class Size:
    """How large the answers of a call can be, and what is sent along with its messages."""

    messages: list[Message]
    max_tokens: int
    answers: int
    declared: list[Any]


def size_of(kind: ProviderKind, arguments: Mapping[str, Any]) -> Size:
    """Return what bounds the cost of a call.

    Raises:
        InvalidRequestError: a number of tokens or answers is not a whole number, or LiteLLM would open the
            address of a picture itself, or lists and objects lie deeper than all who handle them read.
    """
    messages = [_plain(message) for message in arguments.get("messages") or ()]
    declared = [_schema(arguments[name]) for name in _DECLARED if arguments.get(name)]
    check_depth([messages, declared])
    check_part_names(messages)
    if kind is ProviderKind.GOOGLE:
        check_addresses(message.get("content") for message in messages)
    return Size(
        messages=messages,
        max_tokens=max(_whole(arguments, name) for name in LIMITS),
        answers=_whole(arguments, "n") or 1,
        declared=declared,
    )


def _whole(arguments: Mapping[str, Any], name: str) -> int:
    value = arguments.get(name) or 0
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidRequestError(f"'{name}' must be a whole number greater than 0, got {value!r}")
    return value


def _plain(message: Any) -> Message:
    """Return a message as a mapping; LiteLLM also takes its own objects.

    Raises:
        InvalidRequestError: it is none.
    """
    plain: Message = message.model_dump(exclude_none=True) if isinstance(message, BaseModel) else message
    if not isinstance(plain, Mapping):
        raise InvalidRequestError("'messages' must be a list of objects with 'role' and 'content'")
    return plain


def _schema(declared: Any) -> Any:
    """Return what is sent for a tool or a format; LiteLLM also takes a Pydantic class."""
    is_class = isinstance(declared, type) and issubclass(declared, BaseModel)
    return type_to_response_format_param(declared) if is_class else declared
