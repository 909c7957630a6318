"""Names of tools and schemas as every vendor takes them, and the caller's own in what comes back.

OpenAI takes letters and digits of ASCII, `_` and `-`, 64 of them; Google a letter or `_` first. Other names
(`Đơn hàng`, `crm.find`) get one that is made of them: the same in every turn, and no two the same.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Self

from orchestrator.core.reply import ChatReply, Delta, ToolCall, ToolCallDelta
from orchestrator.core.request import ChatRequest, Message

_FIT = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_NOT_FIT = re.compile(r"[^A-Za-z0-9_-]+")
_FIT_AUTHOR = re.compile(r"[^\s<|\\/>]{1,64}")
_NOT_FIT_IN_AUTHOR = re.compile(r"[\s<|\\/>]+")
_NAME_MAX = 64
_DIGEST_CHARS = 8


@dataclass(frozen=True, slots=True)
class FittedNames:
    """The names that were changed in one request."""

    fitted: Mapping[str, str]
    """By the caller's names."""

    @classmethod
    def of(cls, request: ChatRequest) -> Self:
        """Return the names of a request that have to be changed."""
        names = set(_names_in(request))
        taken = {name for name in names if _FIT.fullmatch(name)}
        fitted = {}
        for name in sorted(names - taken):
            fitted[name] = _fitted(name, taken)
            taken.add(fitted[name])
        return cls(fitted)

    def in_request(self, request: ChatRequest) -> ChatRequest:
        """Return a request with the names that are sent; the caller's own is not changed."""
        sampling = request.sampling
        messages = tuple(self._in_message(message) for message in request.messages)
        if not self.fitted:
            return request if messages == request.messages else replace(request, messages=messages)
        tools = None if sampling.tools is None else tuple(self._in_call(tool) for tool in sampling.tools)
        choice = sampling.tool_choice
        form = sampling.response_format
        if isinstance(form, Mapping) and isinstance(form.get("json_schema"), Mapping):
            form = {**form, "json_schema": self._in_holder(form["json_schema"])}
        changed = replace(
            sampling,
            tools=tools,
            tool_choice=self._in_call(choice) if isinstance(choice, Mapping) else choice,
            response_format=form,
        )
        return replace(request, messages=messages, sampling=changed)

    def in_reply(self, reply: ChatReply) -> ChatReply:
        """Return a reply with the caller's names."""
        if not self.fitted or not reply.tool_calls:
            return reply
        own = self._own
        calls = tuple(ToolCall(call.id, own(call.name), call.arguments) for call in reply.tool_calls)
        return replace(reply, tool_calls=calls)

    def in_piece(self, delta: Delta) -> Delta:
        """Return a piece of a stream with the caller's names."""
        if not self.fitted or not delta.tool_calls:
            return delta
        own = self._own
        calls = tuple(
            ToolCallDelta(call.index, call.id, call.name and own(call.name), call.arguments)
            for call in delta.tool_calls
        )
        return replace(delta, tool_calls=calls)

    @property
    def _own(self) -> Callable[[str], str]:
        own = {fitted: name for name, fitted in self.fitted.items()}
        return lambda name: own.get(name, name)

    def _in_message(self, message: Message) -> Message:
        changed: dict[str, Any] = {}
        if self.fitted and message.get("tool_calls"):
            changed["tool_calls"] = [self._in_call(call) for call in message["tool_calls"]]
        author = message.get("name")
        if isinstance(author, str) and author:
            fitted = self.fitted.get(author, author) if message.get("role") == "tool" else _author(author)
            if fitted != author:
                changed["name"] = fitted
        return {**message, **changed} if changed else message

    def _in_call(self, call: Any) -> Any:
        """Return a tool, a call or a choice, which all hold a `function`."""
        if not isinstance(call, Mapping) or not isinstance(call.get("function"), Mapping):
            return call
        return {**call, "function": self._in_holder(call["function"])}

    def _in_holder(self, holder: Mapping[str, Any]) -> Mapping[str, Any]:
        name = holder.get("name")
        fitted = self.fitted.get(name) if isinstance(name, str) else None
        return holder if fitted is None else {**holder, "name": fitted}


NO_NAMES_CHANGED = FittedNames({})


def _names_in(request: ChatRequest) -> list[str]:
    sampling = request.sampling
    holders: list[Any] = [_read(tool, "function") for tool in sampling.tools or ()]
    holders.append(_read(sampling.response_format, "json_schema"))
    for message in request.messages:
        calls = message.get("tool_calls")
        listed: Sequence[Any] = calls if isinstance(calls, list | tuple) else ()
        holders += [_read(call, "function") for call in listed]
    names = (_read(holder, "name") for holder in holders)
    return [name for name in names if isinstance(name, str) and name]


def _fitted(name: str, taken: set[str]) -> str:
    plain = unicodedata.normalize("NFKD", name.replace("đ", "d").replace("Đ", "D"))
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    stem = _NOT_FIT.sub("_", letters).strip("_-") or "name"
    stem = f"_{stem}" if not (stem[0].isalpha() or stem[0] == "_") else stem
    attempt = 0
    while True:
        digest = sha256(f"{name}{attempt or ''}".encode()).hexdigest()[:_DIGEST_CHARS]
        fitted = f"{stem[: _NAME_MAX - _DIGEST_CHARS - 1]}_{digest}"
        if fitted not in taken:
            return fitted
        attempt += 1


def _author(name: str) -> str:
    """Return the name of who speaks in a message, which may have any letters, as OpenAI takes it."""
    if _FIT_AUTHOR.fullmatch(name):
        return name
    return _NOT_FIT_IN_AUTHOR.sub("_", name.strip())[:_NAME_MAX] or "_"


def _read(holder: Any, key: str) -> Any:
    return holder.get(key) if isinstance(holder, Mapping) else None
