"""What a request can cost at most, and what it will probably cost, before anything is sent.

The bound is hard: a tokenizer that works on bytes never makes more tokens than there are bytes,
so input is bounded by its UTF-8 length plus what each message and tool adds, and output by the
`max_tokens` that is sent: those of the request, with the model's room for reasoning on top. The
expectation uses the usual characters per token of the language, until `routing.token_calibration`
knows how a model counts.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from orchestrator.catalog.models import ModelSettings
from orchestrator.catalog.price_table import PriceTable
from orchestrator.core.money import NanoUsd
from orchestrator.core.prompt_size import WIDE_SHARE, PromptSize, Script
from orchestrator.core.request import ChatRequest, Message
from orchestrator.routing.file_bounds import bound_of_file

BOUND_TOKENS_PER_MESSAGE = 16
"""Role markers and separators; the dearest chat template known takes 12."""

BOUND_TOKENS_PER_REQUEST = 256
"""What a model's own chat template may put before a conversation."""

BOUND_TOKENS_FOR_TOOLS = 1_024
"""What a provider adds to a request that declares tools or a format; Anthropic adds about 350."""

EXPECTED_TOKENS_PER_PICTURE = 2_000
EXPECTED_TOKENS_PER_FILE = 25_000
"""Sound and documents."""

MIN_OUTPUT_TOKENS = 16
"""With room for fewer tokens than this a reply is not worth asking for."""

_EXPECTED_OUTPUT_SHARE = 0.4
"""How much of max_tokens a reply uses on average, until the ledger knows better."""

_EXPECTED_REASONING_SHARE = 0.25
"""How much of its room for reasoning a model uses on average."""

_ASCII_CHARS_PER_TOKEN = 4.0
_NON_ASCII_CHARS_PER_TOKEN = 1.2


class OutputLimit(NamedTuple):
    """The most output that a model is asked for."""

    max_tokens: int
    """Words and reasoning together, as it is sent."""
    reasoning_tokens: int = 0
    """How many of them are room for reasoning."""

    @property
    def least_tokens(self) -> int:
        """Return the fewest tokens worth asking for: a short reply, behind the reasoning."""
        return min(self.max_tokens, self.reasoning_tokens + MIN_OUTPUT_TOKENS)

    @property
    def expected_tokens(self) -> float:
        """Return how much output there will probably be."""
        words = self.max_tokens - self.reasoning_tokens
        return words * _EXPECTED_OUTPUT_SHARE + self.reasoning_tokens * _EXPECTED_REASONING_SHARE


class Estimate(NamedTuple):
    """What a request costs on one deployment."""

    size: PromptSize
    output: OutputLimit
    """What will be asked for at most."""
    bound_nusd: NanoUsd
    expected_nusd: NanoUsd
    clamped_from: int | None = None
    """What `output.max_tokens` was before a limit lowered it."""


def measure(request: ChatRequest, *, declared: Sequence[Any] = ()) -> PromptSize:
    """Return the bound and the expectation of a request's input tokens.

    `declared` are schemas that are sent along besides the request's own tools and format.
    """
    bound, expected, characters, wide = BOUND_TOKENS_PER_REQUEST, 0, 0, 0
    files: int | None = 0
    for message in request.messages:
        measured = _measure_message(message)
        bound += measured.bound_tokens + BOUND_TOKENS_PER_MESSAGE
        expected += measured.expected_tokens + 4
        characters += measured.characters
        wide += measured.non_ascii
        files = None if files is None or measured.file_tokens is None else files + measured.file_tokens
    schemas = [*(request.sampling.tools or ()), request.sampling.response_format, *declared]
    if any(schemas):
        bound += BOUND_TOKENS_FOR_TOOLS
    for schema in schemas:
        if schema is not None:
            measured = _measure_data(schema)
            # A schema may be re-written by the provider's template, so its bound has room to grow.
            bound += 2 * measured.bound_tokens + BOUND_TOKENS_PER_MESSAGE
            expected += measured.expected_tokens
    script = Script.WIDE if wide > WIDE_SHARE * characters else Script.PLAIN
    return PromptSize(bound, max(expected, 1), script, files)


def bounded_for(size: PromptSize, most_tokens: int) -> PromptSize:
    """Return a prompt's size for a model: a file takes what that reads at most, all if it does not tell."""
    if not size.has_files:
        return size
    if size.file_bound_tokens is None:
        return size._replace(input_bound_tokens=most_tokens, file_bound_tokens=most_tokens)
    text_tokens = size.input_bound_tokens - size.file_bound_tokens
    bound = min(size.input_bound_tokens, max(text_tokens, most_tokens))
    return size._replace(input_bound_tokens=bound, file_bound_tokens=min(size.file_bound_tokens, bound))


def output_limit(model: ModelSettings, *, words_tokens: int, reasons: bool = True) -> OutputLimit:
    """Return the most output that a model is asked for, so that `words_tokens` are left for the reply.

    Never more than the model writes; `reasons` says whether the request lets it reason.
    """
    words_tokens = min(words_tokens, model.max_output_tokens)
    if not reasons or not model.reasoning_tokens:
        return _words_alone(words_tokens)
    room_tokens = min(model.reasoning_tokens, model.max_output_tokens - words_tokens)
    return OutputLimit(words_tokens + room_tokens, room_tokens)


@lru_cache(maxsize=1024)
def _words_alone(words_tokens: int) -> OutputLimit:
    # Requests name few numbers, and each asks it of many deployments.
    return OutputLimit(words_tokens)


def bound_nusd(size: PromptSize, price: PriceTable, *, output_tokens: int) -> NanoUsd:
    """Return the most that a prompt and so much output can cost."""
    most, files = size.input_bound_tokens, size.file_bound_tokens
    return price.bound_of(
        input_tokens=most, output_tokens=output_tokens, file_tokens=most if files is None else files
    )


def expected_tokens(text: str) -> int:
    """Return the tokens a text usually takes; Vietnamese takes about twice those of English."""
    return _expected_tokens(len(text), _non_ascii(text))


def estimate(
    size: PromptSize,
    *,
    price: PriceTable,
    output: OutputLimit,
    ceiling_nusd: NanoUsd | None,
) -> Estimate | None:
    """Return the estimate on one deployment, its words lowered until the whole output fits `ceiling_nusd`.

    The room for reasoning stays: without it what is left of the words would not be written. None when not
    even `output.least_tokens` fit under the ceiling.
    """
    full_tokens = output.max_tokens
    allowed_tokens = full_tokens
    most_nusd = bound_nusd(size, price, output_tokens=full_tokens)
    if ceiling_nusd is not None and most_nusd > ceiling_nusd:
        allowed_tokens = _largest_output(size, price, full_tokens=full_tokens, ceiling_nusd=ceiling_nusd)
        if allowed_tokens < output.least_tokens:
            return None
        most_nusd = bound_nusd(size, price, output_tokens=allowed_tokens)
    is_clamped = allowed_tokens < full_tokens
    allowed = output._replace(max_tokens=allowed_tokens) if is_clamped else output
    return Estimate(
        size,
        allowed,
        most_nusd,
        price.cost_of(
            input_tokens=size.input_expected_tokens,
            output_tokens=max(1, round(allowed.expected_tokens)),
        ),
        full_tokens if is_clamped else None,
    )


def _largest_output(size: PromptSize, price: PriceTable, *, full_tokens: int, ceiling_nusd: NanoUsd) -> int:
    low, high = 0, full_tokens
    while low < high:
        middle = (low + high + 1) // 2
        fits = bound_nusd(size, price, output_tokens=middle) <= ceiling_nusd
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


class _Measured(NamedTuple):
    """The size of a piece of a prompt; `characters` and `non_ascii` are those of what people wrote."""

    bound_tokens: int
    expected_tokens: int
    characters: int = 0
    non_ascii: int = 0
    file_tokens: int | None = 0


def _measure_message(message: Message) -> _Measured:
    content = message.get("content")
    measured = _measure_text(content) if isinstance(content, str) else _together(_parts(content))
    for name, value in message.items():
        # Tool calls, names, and whatever else a provider may read of a message.
        if value and name not in {"role", "content"}:
            extra = _measure_data(value)
            measured = measured._replace(
                bound_tokens=measured.bound_tokens + extra.bound_tokens + BOUND_TOKENS_PER_MESSAGE,
                expected_tokens=measured.expected_tokens + extra.expected_tokens,
            )
    return measured


def _together(parts: Sequence[Mapping[str, Any]]) -> _Measured:
    measured = [_measure_part(part) for part in parts]
    told = [part.file_tokens for part in measured if part.file_tokens is not None]
    return _Measured(
        sum(part.bound_tokens for part in measured),
        sum(part.expected_tokens for part in measured),
        sum(part.characters for part in measured),
        sum(part.non_ascii for part in measured),
        sum(told) if len(told) == len(measured) else None,
    )


def _measure_part(part: Mapping[str, Any]) -> _Measured:
    kind, text = part.get("type", "text"), str(part.get("text", ""))
    if kind == "text":
        return _measure_text(text)
    bound = bound_of_file(part)
    is_picture = kind in {"image_url", "image"}
    expected = EXPECTED_TOKENS_PER_PICTURE if is_picture else EXPECTED_TOKENS_PER_FILE
    bound_tokens = (expected if bound is None else bound) + len(text.encode())
    return _Measured(bound_tokens, min(expected, bound_tokens), len(text), _non_ascii(text), bound)


def _measure_text(text: str) -> _Measured:
    characters, non_ascii = len(text), _non_ascii(text)
    return _Measured(len(text.encode()), _expected_tokens(characters, non_ascii), characters, non_ascii)


def _measure_data(value: Any) -> _Measured:
    written = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    return _Measured(len(written), expected_tokens(written.decode()))


def _expected_tokens(characters: int, non_ascii: int) -> int:
    return round((characters - non_ascii) / _ASCII_CHARS_PER_TOKEN + non_ascii / _NON_ASCII_CHARS_PER_TOKEN)


def _non_ascii(text: str) -> int:
    # Counts characters, as many as are left out; a loop over them takes twenty times as long.
    return 0 if text.isascii() else len(text) - len(text.encode("ascii", "ignore"))


def _parts(content: Any) -> Sequence[Mapping[str, Any]]:
    if content is None:
        return ()
    return [{"type": "text", "text": part} if isinstance(part, str) else part for part in content]
