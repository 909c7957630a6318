"""What a request can cost at most, and what it will probably cost, before anything is sent.

The bound is hard: a tokenizer that works on bytes never makes more tokens than there are bytes,
so input is bounded by its UTF-8 length plus what each message and tool adds, and output by
`max_tokens`. The expectation uses the usual characters per token of the language, until
`routing.token_calibration` knows how a model counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from orchestrator.catalog.catalog import ModelSettings
from orchestrator.catalog.price import Price
from orchestrator.core.money import NanoUsd
from orchestrator.core.prompt_size import WIDE_SHARE, PromptSize, Script
from orchestrator.core.reply import Usage
from orchestrator.core.request import ChatRequest, Message

BOUND_TOKENS_PER_MESSAGE = 16
"""Role markers and separators; the dearest chat template known takes 12."""

BOUND_TOKENS_PER_REQUEST = 256
"""What a model's own chat template may put before a conversation."""

BOUND_TOKENS_FOR_TOOLS = 1_024
"""What a provider adds to a request that declares tools or a format; Anthropic adds about 350."""

BOUND_TOKENS_PER_IMAGE = 8_000
"""More than any provider of config.yaml bills for one image."""

BOUND_TOKENS_PER_FILE = 100_000
"""Audio and documents: their tokens cannot be counted here, so a large part of a context is held."""

MIN_OUTPUT_TOKENS = 16
"""With room for fewer tokens than this a reply is not worth asking for."""

EXPECTED_OUTPUT_SHARE = 0.4
"""How much of max_tokens a reply uses on average, until the ledger knows better."""

_ASCII_CHARS_PER_TOKEN = 4.0
_NON_ASCII_CHARS_PER_TOKEN = 1.2


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a request costs on one deployment."""

    size: PromptSize
    max_tokens: int
    """The output tokens that will be asked for at most."""
    bound_nusd: NanoUsd
    expected_nusd: NanoUsd
    clamped_from: int | None = None
    """What max_tokens was before a limit lowered it."""


def measure(request: ChatRequest, *, declared: Sequence[Any] = ()) -> PromptSize:
    """Return the bound and the expectation of a request's input tokens.

    `declared` are schemas that are sent along besides the request's own tools and format.
    """
    bound, expected = BOUND_TOKENS_PER_REQUEST, 0
    for message in request.messages:
        message_bound, message_expected = _measure_message(message)
        bound += message_bound + BOUND_TOKENS_PER_MESSAGE
        expected += message_expected + 4
    schemas = [*(request.sampling.tools or ()), request.sampling.response_format, *declared]
    if any(schemas):
        bound += BOUND_TOKENS_FOR_TOOLS
    for schema in schemas:
        if schema is not None:
            text = orjson.dumps(schema, option=orjson.OPT_NON_STR_KEYS, default=str).decode()
            # A schema may be re-written by the provider's template, so its bound has room to grow.
            bound += 2 * len(text.encode()) + BOUND_TOKENS_PER_MESSAGE
            expected += expected_tokens(text)
    return PromptSize(bound, max(expected, 1), _script_of(request.messages))


def expected_tokens(text: str) -> int:
    """Return the tokens a text usually takes; Vietnamese takes about twice those of English."""
    non_ascii = _non_ascii(text)
    return round((len(text) - non_ascii) / _ASCII_CHARS_PER_TOKEN + non_ascii / _NON_ASCII_CHARS_PER_TOKEN)


def estimate(
    size: PromptSize, *, model: ModelSettings, price: Price, max_tokens: int, ceiling_nusd: NanoUsd | None
) -> Estimate | None:
    """Return the estimate on one deployment, `max_tokens` lowered until it fits `ceiling_nusd`.

    None when not even `min(max_tokens, MIN_OUTPUT_TOKENS)` fit under the ceiling.
    """
    wanted = min(max_tokens, model.max_output_tokens)
    allowed = _largest_output(size, price, wanted=wanted, ceiling_nusd=ceiling_nusd)
    if allowed < min(wanted, MIN_OUTPUT_TOKENS):
        return None
    usage = Usage(size.input_expected_tokens, max(1, round(allowed * EXPECTED_OUTPUT_SHARE)))
    return Estimate(
        size=size,
        max_tokens=allowed,
        bound_nusd=price.bound_of(input_tokens=size.input_bound_tokens, output_tokens=allowed),
        expected_nusd=price.cost_of(usage),
        clamped_from=wanted if allowed < wanted else None,
    )


def _largest_output(size: PromptSize, price: Price, *, wanted: int, ceiling_nusd: NanoUsd | None) -> int:
    def bound(output_tokens: int) -> int:
        return price.bound_of(input_tokens=size.input_bound_tokens, output_tokens=output_tokens)

    if ceiling_nusd is None or bound(wanted) <= ceiling_nusd:
        return wanted
    low, high = 0, wanted
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if bound(middle) <= ceiling_nusd else (low, middle - 1)
    return low


def _measure_message(message: Message) -> tuple[int, int]:
    bound = expected = 0
    for part in _parts(message.get("content")):
        kind = part.get("type", "text")
        if kind == "text":
            text = str(part.get("text", ""))
            bound += len(text.encode())
            expected += expected_tokens(text)
        else:
            tokens = BOUND_TOKENS_PER_IMAGE if kind in {"image_url", "image"} else BOUND_TOKENS_PER_FILE
            bound += tokens
            expected += tokens // 4
    for name, extra in message.items():
        # Tool calls, names, and whatever else a provider may read of a message.
        if extra and name not in {"role", "content"}:
            text = orjson.dumps(extra, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
            bound += len(text.encode()) + BOUND_TOKENS_PER_MESSAGE
            expected += expected_tokens(text)
    return bound, expected


def _script_of(messages: Sequence[Message]) -> Script:
    texts = [str(part.get("text", "")) for message in messages for part in _parts(message.get("content"))]
    wide = sum(_non_ascii(text) for text in texts)
    return Script.WIDE if wide > WIDE_SHARE * sum(len(text) for text in texts) else Script.PLAIN


def _non_ascii(text: str) -> int:
    return 0 if text.isascii() else sum(1 for char in text if char > "\x7f")


def _parts(content: Any) -> Sequence[Mapping[str, Any]]:
    if content is None:
        return ()
    if isinstance(content, str):
        return ({"type": "text", "text": content},)
    return [{"type": "text", "text": part} if isinstance(part, str) else part for part in content]
