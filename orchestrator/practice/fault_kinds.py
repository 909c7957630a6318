"""Faults on demand: what goes wrong, for which requests, and how often.

As text, for the command line: `<provider>:<kind>[=<value>][,<name>=<value>...]`

    openrouter:status=503                       every request fails, until cleared
    openrouter:status=429,retry_after_s=2,times=3
    openai:status=400,reason=context_length     or another of `REASONS`
    google:cut_stream=5,model=gemini-2.5-flash  the connection closes after 5 pieces
    google:continues=restart                    asked to go on, it begins again (see `Manner`)
    *:reset,times=1                             whichever provider is asked next

`<value>` is the kind's main parameter; `times` and `model` go with every kind.
"""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from orchestrator.core.unknown_names import hint_for, unknown
from orchestrator.practice.json_types import JsonValue
from orchestrator.practice.odd_bills import OddBill
from orchestrator.practice.odd_shapes import OddShape

PROVIDERS = (
    *("openrouter", "openai", "google", "anthropic", "azure", "bedrock", "vertex_ai"),
    "compatible",
)
ANY_PROVIDER = "*"
REASONS = (
    "context_length",
    "content_filter",
    "insufficient_quota",
    "output_limit",
    "request_too_large",
    "location",
    "deprecated_model",
    "schema",
    "html",
    "empty",
    "huge",
)


class Manner(StrEnum):
    """How a model goes on with an answer that broke off, when it is asked to."""

    ANCHOR = "anchor"
    """It begins with the words it was asked to begin with; so does every model without a fault."""
    TAIL = "tail"
    """It begins some words further back."""
    STRAIGHT = "straight"
    """It repeats nothing."""
    RESTART = "restart"
    """It begins again with the same words."""
    OTHER = "other"
    """It begins again in other words."""
    AFRESH = "afresh"
    """It answers the question as if nothing had begun, in the words it has for that."""
    REFUSE = "refuse"
    """It answers 400: it takes no conversation with a begun answer in it."""


class VectorFault(StrEnum):
    """What is wrong with the vectors of an answer."""

    MISSING = "missing"
    """The first is not there."""
    EXTRA = "extra"
    """The first comes once more, at the end."""
    SHORT = "short"
    """The first has a number too few."""
    NAN = "nan"
    """A number of the first is none."""


class Useless(StrEnum):
    """What comes of a stream that is alive and of no use."""

    THOUGHTS = "thoughts"
    SPACES = "spaces"
    WORDS = "words"
    """One at a time."""


class FaultKind(StrEnum):
    """What goes wrong."""

    STATUS = "status"
    """An HTTP error in the provider's shape."""
    REDIRECT = "redirect"
    """The way to another address, which nobody may follow; the request may have been carried out."""
    RESET = "reset"
    """The connection is reset (TCP RST) before an answer."""
    SILENCE = "silence"
    """The request is taken and never answered."""
    SLOW_FIRST_TOKEN = "slow_first_token"  # noqa: S105 -- a token of text is no secret
    """The answer begins late; a stream's headers come at once."""
    CUT_STREAM = "cut_stream"
    """The connection closes in the middle of the answer."""
    END_STREAM = "end_stream"
    """The stream ends properly for HTTP, but early: no finish reason, no usage, no `[DONE]`."""
    STALL_STREAM = "stall_stream"
    """The answer stops coming, the connection stays open."""
    MALFORMED_CHUNK = "malformed_chunk"
    """An event that is not JSON, then the stream goes on; an answer in one piece is broken JSON."""
    MALFORMED_BODY = "malformed_body"
    """200 with a page of HTML."""
    WRONG_TYPES = "wrong_types"
    """200 with an answer whose text is no text; one JSON body, also where a stream was asked for."""
    NO_CHOICES = "no_choices"
    """200 with a JSON body that holds no answer, also where a stream was asked for."""
    HUGE_BODY = "huge_body"
    """200 with an answer of many megabytes, in one JSON body."""
    EMPTY_CONTENT = "empty_content"
    """200 with no content and an ordinary finish."""
    ERROR_IN_200 = "error_in_200"
    """200 with an error in the body, or as an event of the stream."""
    ODD_ANSWER = "odd_answer"
    """200 with an answer that is odd in one way, and none or whole all the same (see `OddShape`)."""
    ODD_BILL = "odd_bill"
    """A whole answer whose counts or costs are odd in one way (see `OddBill`)."""
    USELESS = "useless"
    """A stream that is alive and never an answer; where no stream was asked for, silence."""
    ODD_CHUNK = "odd_chunk"
    """An event whose text is a number, then the stream goes on."""
    DRIP = "drip"
    """The answer comes a few bytes at a time."""
    CONTINUES = "continues"
    """Nothing goes wrong, but an answer that broke off is gone on with in a manner of its own.
    It waits for a request that asks to go on."""
    ODD_VECTORS = "odd_vectors"
    """200 with vectors that are not those that were asked for (see `VectorFault`).
    It waits for a request for embeddings."""


_VALUE_OF = {
    FaultKind.STATUS: "status",
    FaultKind.REDIRECT: "status",
    FaultKind.SLOW_FIRST_TOKEN: "delay_s",
    FaultKind.CUT_STREAM: "after_chunks",
    FaultKind.END_STREAM: "after_chunks",
    FaultKind.STALL_STREAM: "after_chunks",
    FaultKind.MALFORMED_CHUNK: "after_chunks",
    FaultKind.ODD_CHUNK: "after_chunks",
    FaultKind.ERROR_IN_200: "status",
    FaultKind.DRIP: "bytes_per_s",
    FaultKind.HUGE_BODY: "size_mb",
    FaultKind.CONTINUES: "manner",
    FaultKind.ODD_ANSWER: "shape",
    FaultKind.ODD_BILL: "bill",
    FaultKind.USELESS: "useless",
    FaultKind.ODD_VECTORS: "vectors",
}
"""The main parameter of each kind that has one."""

_OTHER_PARAMETERS_OF = {
    FaultKind.STATUS: ("retry_after_s", "reason"),
    FaultKind.ERROR_IN_200: ("after_chunks", "retry_after_s"),
    FaultKind.USELESS: ("every_s",),
}
_ALWAYS = ("times", "model")
_DEFAULTS: dict[FaultKind, dict[str, Any]] = {
    FaultKind.STATUS: {"status": 503},
    FaultKind.REDIRECT: {"status": 307},
    FaultKind.SLOW_FIRST_TOKEN: {"delay_s": 5.0},
    FaultKind.CUT_STREAM: {"after_chunks": 3},
    FaultKind.END_STREAM: {"after_chunks": 3},
    FaultKind.STALL_STREAM: {"after_chunks": 3},
    FaultKind.MALFORMED_CHUNK: {"after_chunks": 3},
    FaultKind.ODD_CHUNK: {"after_chunks": 3},
    FaultKind.ERROR_IN_200: {"status": 502, "after_chunks": 0},
    FaultKind.DRIP: {"bytes_per_s": 100},
    FaultKind.HUGE_BODY: {"size_mb": 20},
    FaultKind.CONTINUES: {"manner": Manner.ANCHOR},
    FaultKind.ODD_ANSWER: {"shape": OddShape.UNKNOWN_FINISH},
    FaultKind.ODD_BILL: {"bill": OddBill.OWN_KEY},
    FaultKind.USELESS: {"useless": Useless.THOUGHTS, "every_s": 3.0},
    FaultKind.ODD_VECTORS: {"vectors": VectorFault.MISSING},
}
_CHOSEN: dict[str, type[StrEnum]] = {
    "manner": Manner,
    "shape": OddShape,
    "bill": OddBill,
    "useless": Useless,
    "vectors": VectorFault,
}
_CHOICES: dict[str, tuple[str, tuple[str, ...]]] = {
    "reason": ("reason", REASONS),
    "manner": ("manner", tuple(Manner)),
    "shape": ("shape", tuple(OddShape)),
    "bill": ("bill", tuple(OddBill)),
    "useless": ("useless stream", tuple(Useless)),
    "vectors": ("fault of vectors", tuple(VectorFault)),
}
_INTEGERS = frozenset({"times", "status", "after_chunks", "bytes_per_s", "size_mb"})
_NUMBERS = frozenset({"retry_after_s", "delay_s", "every_s"})
_STATUS_MIN, _STATUS_MAX = 400, 599
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its kind, the requests it hits, how often, and the kind's parameters.

    A parameter that the kind does not have is None; one that is left out gets the kind's default.

    Raises:
        ValueError: an unknown provider, a parameter of another kind, or one out of range.
    """

    provider: str
    kind: FaultKind
    model: str | None = None
    """None: every model of the provider."""
    times: int | None = None
    """None: until cleared."""
    status: int | None = None
    reason: str | None = None
    """A particular error of that status, or a body that is no error of the provider's: see `REASONS`."""
    retry_after_s: float | None = None
    delay_s: float | None = None
    after_chunks: int | None = None
    """Pieces of the answer (text or tool call) that are sent before; a shorter answer fails at its end."""
    bytes_per_s: int | None = None
    size_mb: int | None = None
    manner: Manner | None = None
    """How `continues` goes on."""
    shape: OddShape | None = None
    """What is odd about an `odd_answer`."""
    bill: OddBill | None = None
    """What is odd about an `odd_bill`."""
    useless: Useless | None = None
    """What comes of a `useless` stream."""
    every_s: float | None = None
    """How often a piece of it comes."""
    vectors: VectorFault | None = None
    """What is wrong with `odd_vectors`."""

    def __post_init__(self) -> None:
        """Fill in the kind's defaults, then refuse what makes no sense."""
        if self.provider not in (*PROVIDERS, ANY_PROVIDER):
            raise ValueError(unknown("provider", self.provider, PROVIDERS) + " (or * for any)")
        object.__setattr__(self, "kind", _kind_of(self.kind))
        for name, value in _DEFAULTS.get(self.kind, {}).items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        allowed = _parameters_of(self.kind)
        for name, value in self._parameters():
            _check(self.kind, name=name, value=value, allowed=allowed)
        for name, choices in _CHOSEN.items():
            if getattr(self, name) is not None:
                object.__setattr__(self, name, choices(getattr(self, name)))

    def hits(self, provider: str, model: str, *, goes_on: bool = False, embeds: bool = False) -> bool:
        """Tell whether a request to this provider and model meets the fault.

        `goes_on` asks for the rest of an answer, `embeds` for vectors.
        """
        meant = (goes_on or self.kind is not FaultKind.CONTINUES) and (
            embeds or self.kind is not FaultKind.ODD_VECTORS
        )
        return meant and self.provider in (provider, ANY_PROVIDER) and self.model in (None, model)

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Return the fault that a compact text names.

        Raises:
            ValueError: the text is wrong; the message names the choices.
        """
        provider, colon, rest = text.strip().partition(":")
        if not colon:
            msg = (
                f"a fault reads <provider>:<kind>[=<value>], for example openrouter:status=503; got {text!r}"
            )
            raise ValueError(msg)
        first, *others = rest.split(",")
        name, equals, value = first.partition("=")
        kind = _kind_of(name.strip())
        parameters: dict[str, str] = {}
        if equals:
            if kind not in _VALUE_OF:
                msg = f"{kind} takes no value; got {first!r}"
                raise ValueError(msg)
            parameters[_VALUE_OF[kind]] = value
        for pair in others:
            key, equals, value = pair.partition("=")
            if not equals:
                msg = f"expected <name>=<value> in {text!r}, got {pair!r}"
                raise ValueError(msg)
            parameters[key.strip()] = value
        return cls.from_json({"provider": provider.strip(), "kind": kind, **parameters})

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Fault":
        """Return the fault that a JSON object describes; numbers may be strings.

        Raises:
            ValueError: a key is missing, unknown, or its value is wrong.
        """
        known = {field.name for field in fields(cls)}
        for name in value:
            if name not in known:
                kind = _kind_of(str(value.get("kind")))
                raise ValueError(_no_parameter(kind, name))
        for name in ("provider", "kind"):
            if not isinstance(value.get(name), str):
                msg = f"a fault needs {name!r} as text, got {value.get(name)!r}"
                raise ValueError(msg)  # noqa: TRY004 -- one error for all that is wrong with a fault
        kind = _kind_of(value["kind"])
        return cls(**{name: _typed(kind, name, each) for name, each in value.items()})

    def as_json(self) -> dict[str, Any]:
        """Return the fault as a JSON object without the parameters that do not apply."""
        return {"provider": self.provider, "kind": str(self.kind), **dict(self._parameters())}

    def __str__(self) -> str:
        """Return the compact text."""
        main = _VALUE_OF.get(self.kind)
        value = f"={_short(getattr(self, main))}" if main else ""
        others = "".join(
            f",{name}={_short(each)}"
            for name, each in self._parameters()
            if name != main and _DEFAULTS.get(self.kind, {}).get(name) != each
        )
        return f"{self.provider}:{self.kind}{value}{others}"

    def _parameters(self) -> list[tuple[str, Any]]:
        names = (field.name for field in fields(self) if field.name not in {"provider", "kind"})
        return [(name, value) for name in names if (value := getattr(self, name)) is not None]


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _parameters_of(kind: FaultKind) -> tuple[str, ...]:
    main = (_VALUE_OF[kind],) if kind in _VALUE_OF else ()
    return (*main, *_OTHER_PARAMETERS_OF.get(kind, ()), *_ALWAYS)


def _kind_of(name: str) -> FaultKind:
    try:
        return FaultKind(name)
    except ValueError:
        raise ValueError(unknown("fault", name, FaultKind)) from None


def _no_parameter(kind: FaultKind, name: str) -> str:
    return f"{kind} has no parameter '{name}'{hint_for(name, _parameters_of(kind))}"


def _called(kind: FaultKind, name: str) -> str:
    """Return a parameter as people write it: the main one stands behind the kind, without its name."""
    return f"{kind} ({name})" if name == _VALUE_OF.get(kind) != str(kind) else name


def _typed(kind: FaultKind, name: str, value: JsonValue) -> JsonValue:
    try:
        if name in _INTEGERS and value is not None:
            return int(value)
        if name in _NUMBERS and value is not None:
            return float(value)
    except (TypeError, ValueError):
        msg = f"{_called(kind, name)} must be a number, got {value!r}"
        raise ValueError(msg) from None
    return value


def _check(kind: FaultKind, *, name: str, value: JsonValue, allowed: tuple[str, ...]) -> None:
    if name not in allowed:
        msg = _no_parameter(kind, name)
    elif name in _CHOICES:
        what, choices = _CHOICES[name]
        if value in choices:
            return
        msg = unknown(what, str(value), choices)
    elif kind is FaultKind.REDIRECT and name == "status":
        if value in _REDIRECTS:
            return
        msg = f"redirect must be one of {', '.join(map(str, _REDIRECTS))}; got {value}"
    elif name == "status" and not _STATUS_MIN <= value <= _STATUS_MAX:
        msg = f"status must be an HTTP error, {_STATUS_MIN} to {_STATUS_MAX}; got {value}"
    elif name in {"times", "bytes_per_s", "size_mb"} and value < 1:
        msg = f"{_called(kind, name)} must be at least 1, got {value}"
    elif name in _INTEGERS | _NUMBERS and not 0 <= value < float("inf"):
        msg = f"{_called(kind, name)} must not be negative, got {value}"
    else:
        return
    raise ValueError(msg)
