"""The nouns of a call: what is asked, what comes back, and what happened in between.

All of them are frozen. Messages keep the OpenAI wire shape (`{"role": ..., "content": ...}`),
which every door of the system speaks.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Self, TypeVar

import orjson

from orchestrator.breaks import OnBreak, Restarted
from orchestrator.errors import InvalidRequestError
from orchestrator.money import ZERO_NUSD, NanoUsd

Message = Mapping[str, Any]
"""One chat message in the OpenAI wire shape."""

_ChoiceT = TypeVar("_ChoiceT", bound=StrEnum)

ROLES = ("system", "developer", "user", "assistant", "tool")


class CacheUse(StrEnum):
    """What a request wants of the cache."""

    USE = "use"
    REFRESH = "refresh"
    OFF = "off"


class CacheState(StrEnum):
    """What the cache did for a reply."""

    MISS = "miss"
    HIT = "hit"
    JOINED = "joined"


@dataclass(frozen=True, slots=True)
class Sampling:
    """The parameters a caller may set; everything else comes from the configuration alone.

    An address, a key or a header in a call would send the configured key elsewhere, so this is
    an allow-list and not a dictionary.
    """

    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    reasoning_effort: str | None = None
    response_format: Mapping[str, Any] | None = None
    tools: tuple[Mapping[str, Any], ...] | None = None
    tool_choice: str | Mapping[str, Any] | None = None
    parallel_tool_calls: bool | None = None

    def as_wire(self) -> dict[str, Any]:
        """Return the parameters that were set, as a provider takes them."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value is not None
        }


SAMPLING_NAMES = tuple(f.name for f in fields(Sampling))


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question to the orchestrator.

    Build it with `ChatRequest.of`, which checks it; the constructor is for tests of parts.
    """

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
    on_break: OnBreak = OnBreak.RESCUE
    """What a stream does when it breaks off after its first words."""
    sampling: Sampling = field(default_factory=Sampling)

    @classmethod
    def of(cls, prompt: "ChatRequest | str | Sequence[Message]", **wanted: Any) -> Self:
        """Check and build a request from a text or messages, and any fields and sampling parameters.

        Raises:
            InvalidRequestError: an unknown field, no messages, a message without a role,
                content that cannot be written as UTF-8, or a value out of range.
        """
        if isinstance(prompt, ChatRequest):
            if wanted:
                msg = "a finished ChatRequest takes no further fields; use dataclasses.replace on it"
                raise InvalidRequestError(msg)
            _check(prompt)
            return prompt  # type: ignore[return-value]
        sampling = {name: wanted.pop(name) for name in SAMPLING_NAMES if name in wanted}
        _refuse_unknown(wanted, cls)
        for name in ("stop", "tools"):
            if sampling.get(name) is not None:
                sampling[name] = _several(name, sampling[name])
        for name, choices in (("cache", CacheUse), ("on_break", OnBreak)):
            if name in wanted:
                wanted[name] = _one_of(choices, wanted[name], name)
        wanted["tags"] = _several("tags", wanted.get("tags") or ())
        wanted.setdefault("use_case", None)
        request = cls(messages=_messages(prompt), sampling=Sampling(**sampling), **wanted)
        _check(request)
        return request


def _check(request: ChatRequest) -> None:
    """Check a whole request; one that `dataclasses.replace` has changed is checked again."""
    _check_ranges(request)
    _check_names(request)
    _check_shapes(request)
    _check_plain(request)


def _check_shapes(request: ChatRequest) -> None:
    """Check what the policies and the providers read inside a request.

    Raises:
        InvalidRequestError: a tool that is no function, a part without a kind, a response format that is none.
    """
    for tool in request.sampling.tools or ():
        _check_tool(tool)
    wanted = request.sampling.response_format
    if wanted is not None and not isinstance(_read(wanted, "type"), str):
        msg = "'response_format' must be a mapping with a 'type': text, json_object or json_schema"
        raise InvalidRequestError(msg)
    for place, message in enumerate(request.messages):
        content = message.get("content")
        for part in content if isinstance(content, list | tuple) else ():
            kind = part.get("type") if isinstance(part, Mapping) else "text"
            address = part.get("image_url", "") if isinstance(part, Mapping) else ""
            if not isinstance(kind, str) or (kind == "image_url" and not address):
                msg = f"a part of message {place} needs a 'type', and an image its 'image_url'"
                raise InvalidRequestError(msg)


def _check_tool(tool: Any) -> None:
    name = _read(_read(tool, "function"), "name")
    if _read(tool, "type") != "function" or not isinstance(name, str):
        msg = f"a tool must be {{'type': 'function', 'function': {{'name': ...}}}}, got {str(tool)[:40]!r}"
        raise InvalidRequestError(msg)


def _read(holder: Any, key: str) -> Any:
    return holder.get(key) if isinstance(holder, Mapping) else None


def _one_of(choices: type[_ChoiceT], given: Any, name: str) -> _ChoiceT:
    try:
        return choices(given)
    except ValueError:
        msg = f"'{name}' must be one of {', '.join(choices)}, got {given!r}"
        raise InvalidRequestError(msg) from None


def _refuse_unknown(wanted: Mapping[str, Any], kind: type) -> None:
    known = [f.name for f in fields(kind) if f.name not in {"messages", "sampling"}]
    for name in wanted:
        if name in known:
            continue
        if name in {"api_base", "base_url", "api_key", "headers", "extra_headers"}:
            msg = f"'{name}' is not taken per call: addresses, keys and headers come from config.yaml alone"
            raise InvalidRequestError(msg)
        close = get_close_matches(name, [*known, *SAMPLING_NAMES], n=1)
        hint = (
            f". Did you mean '{close[0]}'?" if close else f"; known: {', '.join([*known, *SAMPLING_NAMES])}"
        )
        raise InvalidRequestError(f"unknown request field '{name}'{hint}")


def _several(name: str, given: Any) -> tuple[Any, ...]:
    if isinstance(given, str | Mapping):
        return (given,)
    if isinstance(given, Iterable) and not isinstance(given, bytes):
        return tuple(given)
    raise InvalidRequestError(f"'{name}' must be a list, got {type(given).__name__}")


def _messages(prompt: Any) -> tuple[Message, ...]:
    if isinstance(prompt, bytes):
        raise InvalidRequestError("the prompt is bytes; decode it first, for example prompt.decode('utf-8')")
    if not isinstance(prompt, str) and (isinstance(prompt, Mapping) or not isinstance(prompt, Iterable)):
        raise InvalidRequestError(f"a prompt is a text or a list of messages, not {type(prompt).__name__}")
    messages: tuple[Message, ...]
    messages = ({"role": "user", "content": prompt},) if isinstance(prompt, str) else tuple(prompt)
    if not messages:
        raise InvalidRequestError("no messages: give at least one with a role and content")
    for place, message in enumerate(messages):
        role = message.get("role") if isinstance(message, Mapping) else None  # type: ignore[redundant-expr]
        if role not in ROLES:
            raise InvalidRequestError(f"message {place} needs a 'role', one of: {', '.join(ROLES)}")
        _check_content(message.get("content"), place)
    if not any(_has_content(message) for message in messages):
        raise InvalidRequestError("every message is empty: write something to answer")
    return messages


def _has_content(message: Message) -> bool:
    content = message.get("content") or ()
    parts = [content] if isinstance(content, str) else content
    texts = [part.get("text", "file") if isinstance(part, Mapping) else part for part in parts]
    return any(text and text.strip() for text in texts) or bool(message.get("tool_calls"))


def _check_content(content: Any, place: int) -> None:
    if content is None:
        return
    for part in content if isinstance(content, list | tuple) else [content]:
        text = part.get("text", "") if isinstance(part, Mapping) and part is not content else part
        if isinstance(text, bytes):
            msg = f"message {place} holds bytes; decode them first, for example content.decode('utf-8')"
            raise InvalidRequestError(msg)
        if not isinstance(text, str):
            msg = f"the content of message {place} must be text or a list of parts, not {type(text).__name__}"
            raise InvalidRequestError(msg)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as exc:
            msg = f"message {place} holds a character that is not valid Unicode at position {exc.start}"
            raise InvalidRequestError(msg) from None


def _check_ranges(request: ChatRequest) -> None:
    for name, kinds in (("max_tokens", int), ("max_cost_nusd", int), ("deadline_s", int | float)):
        value = getattr(request, name)
        if value is not None and not (_is_number(value, kinds) and value > 0):
            whole = "whole number" if kinds is int else "number"
            raise InvalidRequestError(f"'{name}' must be a {whole} greater than 0, got {value!r}")
    for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed"):
        value = getattr(request.sampling, name)
        if value is not None and not _is_number(value, int if name == "seed" else int | float):
            raise InvalidRequestError(f"'{name}' must be a number, got {value!r}")


def _is_number(value: Any, kinds: Any) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)


def _check_names(request: ChatRequest) -> None:
    given = {name: getattr(request, name) for name in ("tenant", "use_case", "user", "model", "profile")}
    given |= {f"tags[{place}]": tag for place, tag in enumerate(request.tags)}
    for name, value in given.items():
        if value is None and name in {"user", "model", "profile"}:
            continue
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise InvalidRequestError(f"'{name}' must be a name, got {value!r}")


def _check_plain(request: ChatRequest) -> None:
    """Refuse what cannot be written as JSON, before it is priced, hashed and sent as such."""
    told = ([dict(message) for message in request.messages], request.sampling.as_wire())
    try:
        orjson.dumps(told, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as exc:
        msg = f"messages, tools and sampling parameters must be plain data that JSON can hold: {exc}"
        raise InvalidRequestError(msg) from None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them, or as we estimated them where it did not say."""

    input_tokens: int = 0
    """All input tokens, cached ones included."""
    output_tokens: int = 0
    """All output tokens, reasoning included."""
    cached_input_tokens: int = 0
    """Input tokens the provider read from its own cache."""
    cache_write_tokens: int = 0
    """Input tokens the provider stored in its own cache, where it charges for that."""
    reasoning_tokens: int = 0
    estimated: bool = False


class CostSource(StrEnum):
    """Where the cost of an attempt comes from."""

    PROVIDER = "provider"
    """The provider reported it."""
    PRICE_BOOK = "price_book"
    """Reported tokens times our price."""
    ESTIMATE = "estimate"
    """Our count of the tokens that arrived, times our price."""
    BOUND = "bound"
    """It may have been billed and nobody can say how much: the whole reservation is booked."""
    NONE = "none"
    """Nothing was billed."""


class Outcome(StrEnum):
    """How an attempt or an operation ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One send to one deployment."""

    number: int
    deployment: str
    provider: str
    model: str
    outcome: Outcome
    failure: str | None = None
    """The kind of failure, one of `policy.failures.FailureKind`."""
    status: int | None = None
    latency_s: float = 0.0
    first_token_s: float | None = None
    usage: Usage = field(default_factory=Usage)
    cost_nusd: NanoUsd = ZERO_NUSD
    cost_source: CostSource = CostSource.NONE
    upstream_id: str | None = None
    """The provider's own id of the generation, to reconcile with its records."""
    price_version: str | None = None
    """The price its cost was computed with, discounts included; None: the one its money was held at."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One deployment of a plan, with why it stands where it stands."""

    deployment: str
    score: float
    parts: Mapping[str, float]
    """The four factors of the score, each 0 to 1: quality, cost, speed, specialisation."""
    expected_nusd: NanoUsd
    """What the request will probably cost there."""
    bound_nusd: NanoUsd
    """The most the request can cost there."""
    input_expected_tokens: int
    input_bound_tokens: int
    max_tokens: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Excluded:
    """A deployment that a plan leaves out, with the reason."""

    deployment: str
    reason: str
    too_small: bool = False
    """Its context does not hold the request."""
    needed_nusd: NanoUsd | None = None
    """The least the request can be bounded to there, where that is more than one request may cost."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The order in which deployments are asked, and why."""

    use_case: str
    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool that the model asks for; `arguments` is the JSON text as it came."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call in a stream; pieces with the same index belong together."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a streamed reply."""

    text: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    restarted: Restarted | None = None
    """Set when this piece begins a new answer and all before it is void (`on_break="restart"`)."""


_LONG_AGO = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class ChatReply:
    """The one standard reply, whoever answered."""

    request_id: str
    text: str
    model: str
    """The model that answered, by our name."""
    deployment: str
    provider: str
    usage: Usage
    cost_nusd: NanoUsd
    """What this request cost: every billed attempt, 0 for a cache hit or a joined request."""
    finish_reason: str
    tool_calls: tuple[ToolCall, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    cached: CacheState = CacheState.MISS
    degraded: str | None = None
    """Why the answer is not what the plan's first choice would have given; None when it is."""
    notices: tuple[str, ...] = ()
    """What was changed on the way, for example a lowered max_tokens."""
    latency_s: float = 0.0
    created_at: datetime = _LONG_AGO
    plan: Plan | None = None
