"""What LiteLLM is about to send, checked at the last moment: its bytes as they will stand on the wire.

LiteLLM may raise a limit of output, leave it out for a model that it thinks takes none, send something beside
the request, or take an address from a variable of its own. So what leaves must say itself that it writes no
more than money is held for, go to the host that config.yaml names, and may leave once.
"""

from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from orchestrator.catalog.litellm_prefixes import is_own_host
from orchestrator.dispatch.attempt import InFlightAttempt
from orchestrator.providers.litellm.left_out import left_out
from orchestrator.providers.litellm.sending import Sending

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


class StrangeAddressError(Exception):
    """LiteLLM was about to send to a host or a region that config.yaml does not name."""


class SecondSendError(Exception):
    """An attempt was about to be sent once more; its money is held for one send."""


def check_outgoing(request: httpx.Request, sending: Sending | None) -> None:
    """Let a request leave, once for each attempt; its first byte may still wait for a connection.

    Raises:
        UnsendableHeaderError: what would leave is no HTTP.
        StrangeAddressError: it would go to another host or region than the provider's.
        SecondSendError: the attempt has left before.
        UnboundedRequestError: it does not say that it writes no more than is held.
    """
    for name, value in request.headers.raw:
        if any(byte in _BREAKS for byte in value):
            raise UnsendableHeaderError(name.decode("ascii", "replace"))
    attempt = None if sending is None else sending.source.current
    if sending is None or attempt is None:
        return
    _check_address(request.url, attempt)
    if sending.has_left and sending.last_status != _REFUSED_UNBILLED:
        raise SecondSendError
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


def _check_address(url: httpx.URL, attempt: InFlightAttempt) -> None:
    provider = attempt.target.deployment.provider
    if provider.prefix is None:
        return
    if not is_own_host(provider.prefix, provider.base_url, url.host):
        attempt.remark(
            f"LiteLLM would send to {url.host}, which config.yaml does not name: unset the variable that does (such "
            "as AWS_BEDROCK_RUNTIME_ENDPOINT), or write it as the provider's base_url"
        )
        raise StrangeAddressError
    region = provider.parameters.vertex_location
    if region and f"/locations/{region}/" not in url.path:
        attempt.remark(
            f"LiteLLM would have it computed elsewhere than in {region}, where it knows no "
            f"{attempt.target.deployment.upstream}: write the region in vertex_location that may compute it"
        )
        raise StrangeAddressError


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
