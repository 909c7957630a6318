"""What LiteLLM is about to send, checked at the last moment: its bytes as they will stand on the wire.

LiteLLM may raise a limit of output, leave it out for a model that it thinks takes none, or send something
beside the request. So what leaves must say itself that it writes no more than money is held for, may leave
once, and goes where config.yaml says.
"""

from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from orchestrator.dispatch.attempt import InFlightAttempt
from orchestrator.providers.litellm.destination import Destination
from orchestrator.providers.litellm.left_out import left_out
from orchestrator.providers.litellm.sending import Sending
from orchestrator.providers.wire.openai_request import is_kept_long

_BREAKS = frozenset(b"\r\n\0")
_LIMITS = (
    ("max_tokens",),
    ("max_completion_tokens",),
    ("max_output_tokens",),
    ("generationConfig", "maxOutputTokens"),
    ("generationConfig", "max_output_tokens"),
    ("inferenceConfig", "maxTokens"),
)
"""Where the formats that LiteLLM writes say how much a model may write."""
_ANSWERS = (("n",), ("generationConfig", "candidateCount"))
_THOUGHTS = (("thinking", "budget_tokens"), ("additionalModelRequestFields", "thinking", "budget_tokens"))
_REFUSED_UNBILLED = 422
"""LiteLLM answers OpenAI's by leaving parameters out and asking again."""


class UnsendableHeaderError(Exception):
    """A header, which may be the key, holds a line break or a NUL; carries its name and not its value."""


class UnboundedRequestError(Exception):
    """What would leave could cost more than is held, so it does not; carries no word of it."""


class MisdirectedRequestError(Exception):
    """What would leave goes elsewhere, or with another key, than config.yaml says; carries no word of it."""


class SecondSendError(Exception):
    """An attempt was about to be sent once more; its money is held for one send."""


def check_outgoing(request: httpx.Request, sending: Sending | None) -> None:
    """Let a request leave, once for each attempt; its first byte may still wait for a connection.

    Raises:
        UnsendableHeaderError: what would leave is no HTTP.
        SecondSendError: the attempt has left before.
        UnboundedRequestError: it does not say that it writes no more than is held.
        MisdirectedRequestError: it goes elsewhere than config.yaml says, or with another key.
    """
    for name, value in request.headers.raw:
        if any(byte in _BREAKS for byte in value):
            raise UnsendableHeaderError(name.decode("ascii", "replace"))
    attempt = None if sending is None else sending.source.current
    if sending is None or attempt is None:
        return
    if sending.has_left and sending.last_status != _REFUSED_UNBILLED:
        raise SecondSendError
    _direct(request, sending.destination, attempt)
    body = _body_of(request.content)
    fault = _fault_of_body(body, attempt.max_tokens)
    if fault is not None:
        attempt.remark(fault)
        raise UnboundedRequestError
    for parameter in left_out(body, sending.asked_for):
        upstream = attempt.target.deployment.upstream
        sending.notices.append(f"'{parameter}' is not taken by {upstream} as it was meant and was left out")
    if sending.words is not None:
        # Packed, it could not be read beside LiteLLM.
        request.headers["accept-encoding"] = "identity"
    sending.left = attempt.number


def _direct(request: httpx.Request, destination: Destination | None, attempt: InFlightAttempt) -> None:
    if destination is None:
        return
    destination.strip(request)
    fault = destination.fault_of(request)
    if fault is not None:
        attempt.remark(fault)
        raise MisdirectedRequestError


def _body_of(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _fault_of_body(body: Any, max_tokens: int) -> str | None:
    """Return why a body could cost more than is held for `max_tokens` of output, None where it cannot."""
    if not isinstance(body, dict):
        return "LiteLLM would send something that is no request for an answer"
    limits = [limit for path in _LIMITS if (limit := _at(body, path)) is not None]
    if not limits or not all(_is_within(limit, max_tokens) for limit in limits):
        return f"LiteLLM would not keep its answer within the {max_tokens} tokens that money is held for"
    if not all(_at(body, path) in {None, 1} for path in _ANSWERS):
        return "LiteLLM would ask for more than one answer"
    if is_kept_long(body):
        return (
            "LiteLLM would have the prompt kept for longer than 5m, which costs more than is held: unset "
            "LITELLM_ANTHROPIC_PROMPT_CACHING_TTL, or litellm.anthropic_prompt_caching_ttl"
        )
    thoughts = [budget for path in _THOUGHTS if (budget := _at(body, path)) is not None]
    thought = next((budget for budget in thoughts if not _is_within(budget, max_tokens - 1)), None)
    if thought is not None:
        return (
            f"LiteLLM asks for {thought} tokens of thought, and {max_tokens} are allowed for thought and words: "
            "ask for less effort, or raise the model's reasoning_tokens"
        )
    return None


def _at(body: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    held: Any = body
    for name in path:
        held = held.get(name) if isinstance(held, Mapping) else None
    return held


def _is_within(limit: Any, most: int) -> bool:
    return type(limit) is int and 0 < limit <= most
