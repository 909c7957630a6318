"""The nouns of a call: what is asked, what comes back, and what happened in between.

All of them are frozen. Messages keep the OpenAI wire shape (`{"role": ..., "content": ...}`),
which every door of the system speaks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any, ClassVar, Self, TypeVar

import orjson

from orchestrator.core.errors import InvalidRequestError, about
from orchestrator.core.language import Language
from orchestrator.core.message_checks import (
    check_format,
    check_parts,
    check_pieces,
    check_tool_choice,
    check_tools,
    messages_of,
)
from orchestrator.core.money import NanoUsd
from orchestrator.core.names import as_text_hint, name_of, tags_of
from orchestrator.core.on_break import OnBreak
from orchestrator.core.parameter_ranges import check_parameter_size, check_parameters, is_number
from orchestrator.core.plain_data import REQUEST_DEPTH_MAX, check_depth, copied, kind_in_words
from orchestrator.core.run import Run, counted_for, run_of
from orchestrator.core.sampling import SAMPLING_NAMES, Sampling
from orchestrator.core.unknown_names import DEADLINE_HINT, TIMES_OF_OTHERS, unknown

Message = Mapping[str, Any]
"""One chat message in the OpenAI wire shape."""

IDEMPOTENCY_KEY_MAX = 255
_OPTIONAL_NAMES = ("model", "profile", "idempotency_key")
LANGUAGES = tuple(Language)
"""Of what is said to people."""

_ChoiceT = TypeVar("_ChoiceT", bound=StrEnum)


class CacheUse(StrEnum):
    """How a request uses the cache."""

    USE = "use"
    REFRESH = "refresh"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question to the orchestrator.

    Build it with `ChatRequest.of`, which checks it; the constructor is for tests of parts.
    """

    holds_conversation: ClassVar[bool] = True
    """Its messages are read as one, by every step; texts to embed are not."""

    messages: tuple[Message, ...]
    use_case: str
    tenant: str = "default"
    user: str | None = None
    tags: tuple[str, ...] = ()
    model: str | None = None
    """A model, an alias or a deployment to use instead of the use case's own choice."""
    max_tokens: int | None = None
    """The most output tokens; the use case's own limit when None."""
    max_cost_nusd: NanoUsd | None = None
    """The most this request may cost; it steers to cheaper models before it refuses."""
    deadline_s: float | None = None
    """Seconds for all attempts together; the retry profile's own when None."""
    profile: str | None = None
    """A retry profile of config.yaml; the use case's own when None."""
    cache: CacheUse = CacheUse.USE
    idempotency_key: str | None = None
    """A name of the caller's for this request; asked again, it gets the same reply and costs nothing."""
    graceful: bool | None = None
    """When no deployment answers: True replies with an apology, False raises, None follows the use case."""
    language: str | None = None
    """Of that apology, `vi` or `en`; seen from the prompt when None."""
    on_break: OnBreak = OnBreak.RESCUE
    """What a stream does when it breaks off after its first words."""
    run: Run | None = None
    """The run whose budget it counts against; `ChatRequest.of` takes its name and `max_cost_usd`, too."""
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        """Name its payer as the ledger counts it, also where `dataclasses.replace` made it.

        Raises:
            InvalidRequestError: a tenant, use case, user or tag is no name.
        """
        for name in ("tenant", "use_case", "user"):
            value = getattr(self, name)
            if value is not None or name != "user":
                with about(name):
                    object.__setattr__(self, name, name_of(value, name))
        with about("tags"):
            object.__setattr__(self, "tags", tags_of(self.tags))

    @classmethod
    def of(cls, prompt: "ChatRequest | str | Sequence[Message]", **overrides: Any) -> Self:
        """Check and build a request from a text or messages, and any fields and sampling parameters.

        Raises:
            InvalidRequestError: an unknown field, no messages, a message without a role,
                content that cannot be written as UTF-8, or a value out of range.
        """
        if isinstance(prompt, ChatRequest):
            if overrides:
                msg = "a finished ChatRequest takes no further fields; use dataclasses.replace on it"
                raise InvalidRequestError(msg)
            _messages_of(prompt.messages)
            _check(prompt)
            return _settled(replace(prompt))  # type: ignore[return-value]
        overrides = run_of(overrides)
        sampling = {name: overrides.pop(name) for name in SAMPLING_NAMES if name in overrides}
        _refuse_unknown(overrides, cls)
        for name in ("stop", "tools"):
            if sampling.get(name) is not None:
                with about(name):
                    sampling[name] = _several(name, sampling[name])
        for name, choices in (("cache", CacheUse), ("on_break", OnBreak)):
            if name in overrides:
                with about(name):
                    overrides[name] = _choice_of(choices, overrides[name], name)
        overrides.setdefault("use_case", None)
        request = cls(messages=_messages_of(prompt), sampling=Sampling(**sampling), **overrides)
        _check(request)
        return _settled(request)


_RequestT = TypeVar("_RequestT", bound=ChatRequest)


def with_run_around(request: _RequestT) -> _RequestT:
    """Return a request with the run that it counts for: that around it, where it names none."""
    run = counted_for(request.run)
    return request if run is request.run else replace(request, run=run)


def _settled(request: _RequestT) -> _RequestT:
    """Give a new request data of its own: who changes a message of theirs meanwhile changes no request.

    Its bound and its cache key were taken from what it holds, and each attempt sends that.
    """
    object.__setattr__(request, "messages", tuple(copied(message) for message in request.messages))
    object.__setattr__(request, "sampling", request.sampling.copied())
    return request


def _check(request: ChatRequest) -> None:
    """Check a whole request; one that `dataclasses.replace` has changed is checked again."""
    _check_ranges(request)
    _check_names(request)
    _check_apology(request)
    with about("tools"):
        check_tools(request.sampling.tools or ())
    with about("tool_choice"):
        check_tool_choice(request.sampling.tool_choice, request.sampling.tools)
    with about("response_format"):
        check_format(request.sampling.response_format)
    with about("messages"):
        if request.holds_conversation:
            check_pieces(request.messages)
        check_parts(request.messages)
        _check_plain(request)


def _messages_of(prompt: Any) -> tuple[Message, ...]:
    with about("messages"):
        return messages_of(prompt)


def _choice_of(choices: type[_ChoiceT], raw: Any, name: str) -> _ChoiceT:
    try:
        return choices(raw)
    except ValueError:
        msg = f"'{name}' must be one of {', '.join(choices)}, got {raw!r}"
        raise InvalidRequestError(msg) from None


def _refuse_unknown(overrides: Mapping[str, Any], kind: type) -> None:
    known = _fields_of(kind)
    for name in overrides:
        if name in known:
            continue
        if name in {"api_base", "base_url", "api_key", "headers", "extra_headers"}:
            msg = f"'{name}' is not taken per call: addresses, keys and headers come from config.yaml alone"
            raise InvalidRequestError(msg)
        if name in TIMES_OF_OTHERS:
            raise InvalidRequestError(f"unknown request field '{name}'. {DEADLINE_HINT}")
        raise InvalidRequestError(unknown("request field", name, [*known, *SAMPLING_NAMES]))


@lru_cache
def _fields_of(kind: type) -> tuple[str, ...]:
    return (*(f.name for f in fields(kind) if f.name not in {"messages", "sampling"}), "max_cost_usd")


def _several(name: str, raw: Any) -> tuple[Any, ...]:
    if isinstance(raw, str | Mapping):
        return (raw,)
    if isinstance(raw, Iterable) and not isinstance(raw, bytes):
        return tuple(raw)
    raise InvalidRequestError(f"'{name}' must be a list, got {kind_in_words(raw)}")


def _check_ranges(request: ChatRequest) -> None:
    for name, kind in (("max_tokens", int), ("max_cost_nusd", int), ("deadline_s", float)):
        value = getattr(request, name)
        if value is None:
            continue
        with about(name):
            check_parameter_size(name, value)
            if not (is_number(value, kind) and value > 0):
                whole = "whole number" if kind is int else "number"
                raise InvalidRequestError(f"'{name}' must be a {whole} greater than 0, got {value!r}")
    check_parameters(request.sampling.as_set)


def _check_names(request: ChatRequest) -> None:
    for name in _OPTIONAL_NAMES:
        value = getattr(request, name)
        if value is None:
            continue
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            with about(name):
                raise InvalidRequestError(f"'{name}' must be a name, got {value!r}{as_text_hint(value)}")
    if len(request.idempotency_key or "") > IDEMPOTENCY_KEY_MAX:
        with about("idempotency_key"):
            raise InvalidRequestError(f"'idempotency_key' has at most {IDEMPOTENCY_KEY_MAX} characters")


def _check_apology(request: ChatRequest) -> None:
    if not isinstance(request.graceful, bool | None):
        raise InvalidRequestError(f"'graceful' must be True, False or None, got {request.graceful!r}")
    if request.language is not None and request.language not in LANGUAGES:
        raise InvalidRequestError(
            f"'language' must be one of {', '.join(LANGUAGES)}, got {request.language!r}"
        )


def _check_plain(request: ChatRequest) -> None:
    """Refuse what cannot be written as JSON, before it is priced, hashed and sent as such."""
    plain = ([dict(message) for message in request.messages], request.sampling.as_wire())
    try:
        text = orjson.dumps(plain, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as exc:
        check_depth(plain)
        msg = f"messages, tools and sampling parameters must be plain data that JSON can hold: {exc}"
        raise InvalidRequestError(msg) from None
    if text.count(b"{") + text.count(b"[") > REQUEST_DEPTH_MAX:
        check_depth(plain)
