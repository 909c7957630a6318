"""The body of a request: read within its bounds, and JSON that is not too deep."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request

from orchestrator.access.settings import ServerSettings
from orchestrator.core.plain_data import is_deeper
from orchestrator.server.error_answers import AnswerError, ErrorAnswer, refusal


async def json_object_of(request: Request, settings: ServerSettings) -> Mapping[str, Any]:
    """Return the body of a request as an object.

    Raises:
        AnswerError: it is too large, too slow, compressed, not JSON, too deep, or no object.
    """
    _check_kind(request.headers)
    body = await _read(request, settings)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        # Its own text quotes nothing of the body.
        raise refusal(f"the body is no JSON: {exc}", code="invalid_json") from None
    if not isinstance(value, dict):
        raise refusal("the body must be a JSON object", code="invalid_json")
    if is_deeper(value, settings.json_depth):
        raise refusal(f"lists and objects lie more than {settings.json_depth} deep", code="invalid_json")
    if _message_count(value) > settings.message_count:
        raise AnswerError(
            ErrorAnswer(
                413,
                f"more than {settings.message_count:,} messages and parts",
                "too_many_messages",
                param="messages",
            )
        )
    return value


def _message_count(body: Mapping[str, Any]) -> int:
    """Return how many messages and parts of them a body has; each is looked at, at everybody's cost."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return 0
    contents = (message.get("content") for message in messages if isinstance(message, dict))
    return len(messages) + sum(len(content) for content in contents if isinstance(content, list))


def _check_kind(headers: Headers) -> None:
    # A web page in a browser can send other kinds here without asking first.
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _unsupported("send 'content-type: application/json'")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise _unsupported("send the body as it is, without a content-encoding")


async def _read(request: Request, settings: ServerSettings) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > settings.body_bytes:
        raise _too_large(settings)
    body = bytearray()
    try:
        async with asyncio.timeout(settings.body_s):
            async for part in request.stream():
                body += part
                if len(body) > settings.body_bytes:
                    raise _too_large(settings)
    except TimeoutError:
        raise AnswerError(
            ErrorAnswer(408, f"the body took more than {settings.body_s:g} s to arrive", "too_slow"
)
        ) from None  # fmt: skip
    except ClientDisconnect:
        raise AnswerError(ErrorAnswer(400, "the body broke off", "incomplete_body")) from None
    return bytes(body)


def _too_large(settings: ServerSettings) -> AnswerError:
    return AnswerError(
        ErrorAnswer(413, f"the body is larger than {settings.body_bytes:,} bytes", "body_too_large"
)
    )  # fmt: skip


def _unsupported(message: str) -> AnswerError:
    return AnswerError(ErrorAnswer(415, message, "unsupported_media_type"))
