"""The ranges of parameters that every vendor takes: one table for requests and for the vendors' own clients.

What one vendor takes and the next refuses would make a fallback fail, so a range is the part that all share.
https://platform.openai.com/docs/api-reference/chat/create, https://ai.google.dev/api/generate-content,
https://openrouter.ai/docs/api-reference/parameters
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.core.errors import InvalidRequestError, about

STOPS_MAX = 4
"""OpenAI takes so many, Google one more."""
CACHE_KEY_MAX = 1_024
"""Characters of OpenAI's `prompt_cache_key`."""
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
_INT32_MAX = 2**31 - 1
"""Google's seed has 32 bits."""
_NUMBER_MAX = 2**63 - 1
"""What SQLite and every wire hold."""
_SHOWN_MAX = 60

_NUMBERS: Mapping[str, tuple[type, float, float]] = {
    "temperature": (float, 0, 2),
    "top_p": (float, 0, 1),
    "presence_penalty": (float, -2, 2),
    "frequency_penalty": (float, -2, 2),
    "seed": (int, 0, _INT32_MAX),
    # Those that only a vendor's own client has.
    "top_k": (int, 1, _INT32_MAX),
    "n": (int, 1, 128),
    "candidate_count": (int, 1, 8),
    "top_logprobs": (int, 0, 20),
    "thinking_budget": (int, -1, _INT32_MAX),
    **dict.fromkeys(("max_tokens", "max_completion_tokens", "max_output_tokens"), (int, 1, _INT32_MAX)),
}
_SECONDS = frozenset({"timeout", "request_timeout", "stream_chunk_timeout"})
"""Numbers above 0; a day is more than any answer takes."""
_SECONDS_MAX = 86_400


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Check each parameter that has a range; None is one that is not set.

    Raises:
        InvalidRequestError: one is outside; the message names the range.
    """
    for name, value in parameters.items():
        check = _CHECKS.get(name)
        if check is not None and value is not None:
            with about(name):
                check(name, value)


def check_parameter_size(name: str, value: Any) -> None:
    """Check that a number is one that is kept.

    Raises:
        InvalidRequestError: it is larger.
    """
    # Not quoted: Python writes no number of thousands of digits.
    if isinstance(value, int) and abs(value) > _NUMBER_MAX:
        raise InvalidRequestError(f"'{name}' is larger than any number that is kept: at most 2**63 - 1")


def is_number(value: Any, kind: type) -> bool:
    """Return whether a value is a finite number of a kind; a whole one is a float too, and True is none."""
    kinds = int if kind is int else int | float
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)


def _check_number(name: str, value: Any) -> None:
    kind, least, most = _NUMBERS[name]
    check_parameter_size(name, value)
    if not is_number(value, kind) or not least <= value <= most:
        whole = "a whole number" if kind is int else "a number"
        raise InvalidRequestError(f"'{name}' must be {whole} from {least} to {most}, got {_shown(value)}")


def _check_seconds(name: str, value: Any) -> None:
    check_parameter_size(name, value)
    if not is_number(value, float) or not 0 < value <= _SECONDS_MAX:
        raise InvalidRequestError(
            f"'{name}' must be seconds, a number greater than 0 and at most {_SECONDS_MAX}, got {_shown(value)}"
        )


def _check_stops(name: str, value: Any) -> None:
    stops = (value,) if isinstance(value, str) else value
    if not isinstance(stops, list | tuple) or not all(isinstance(stop, str) and stop for stop in stops):
        raise InvalidRequestError(f"'{name}' must be a text or a list of texts, none of them empty")
    if len(stops) > STOPS_MAX:
        raise InvalidRequestError(f"'{name}' has at most {STOPS_MAX} texts, got {len(stops)}")


def _check_effort(name: str, value: Any) -> None:
    if not isinstance(value, str) or value not in EFFORTS:
        raise InvalidRequestError(f"'{name}' must be one of {', '.join(EFFORTS)}, got {_shown(value)}")


def _check_cache_key(name: str, value: Any) -> None:
    if (
        not isinstance(value, str)
        or not value.strip()
        or not value.isprintable()
        or len(value) > CACHE_KEY_MAX
    ):
        raise InvalidRequestError(
            f"'{name}' must be a text of 1 to {CACHE_KEY_MAX} characters, got {_shown(value)}"
        )


def _check_switch(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise InvalidRequestError(f"'{name}' must be true or false, got {_shown(value)}")


def _shown(value: Any) -> str:
    return repr(value)[:_SHOWN_MAX]


_CHECKS: Mapping[str, Callable[[str, Any], None]] = {
    **dict.fromkeys(_NUMBERS, _check_number),
    **dict.fromkeys(_SECONDS, _check_seconds),
    **dict.fromkeys(("stop", "stop_sequences"), _check_stops),
    "reasoning_effort": _check_effort,
    "parallel_tool_calls": _check_switch,
    "prompt_cache_key": _check_cache_key,
}
