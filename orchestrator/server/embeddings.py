"""`POST /v1/embeddings`: texts in, vectors out, in OpenAI's shape, with the same keys, limits and errors.

`model` names a use case that makes embeddings, or a model, an alias or a deployment that does.
"""

import base64
import logging
import sys
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from orchestrator.access.api_keys import Role
from orchestrator.catalog.models import Mode
from orchestrator.config.loader import Config
from orchestrator.core.embedding import EmbeddingReply, EmbeddingRequest, Vector
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.unknown_names import unknown
from orchestrator.server.callers import Caller
from orchestrator.server.chat_answer import fact_headers, reply_facts
from orchestrator.server.chat_request import fields_of_headers, route_of
from orchestrator.server.door import Door
from orchestrator.server.edge import send_error
from orchestrator.server.error_answers import AnswerError, ErrorAnswer, answer_of, refusal
from orchestrator.server.presence import ClientGoneError, while_connected
from orchestrator.server.request_body import json_object_of

logger = logging.getLogger("orchestrator.server")

_FIELDS = ("model", "input", "encoding_format", "dimensions", "user")
_FORMATS = ("float", "base64")


@dataclass(frozen=True, slots=True)
class AskedEmbedding:
    """A request as it was asked over HTTP."""

    request: EmbeddingRequest
    as_base64: bool


class Embeddings:
    """The application behind the route."""

    def __init__(self, door: Door) -> None:
        """Ask the orchestrator of a door."""
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            AnswerError: it is not let in, or is not one that can be asked.
        """
        door = self._door
        caller = door.callers.caller_of(scope, Role.CALL)
        request = Request(scope, receive)
        body = await json_object_of(request, door.settings)
        _check_count(body, door.settings.message_count)
        try:
            embedding = asked_embedding(body, request.headers, caller, door.orchestrator.config)
            reply = await while_connected(receive, door.orchestrator.aembed(embedding.request))
            await _send(send, reply, as_base64=embedding.as_base64)
        except OrchestratorError as error:
            answer = answer_of(error, now=door.clock.now(), scopes=caller.scopes)
            logger.info(
                "request %s of tenant %s: %s, answered %d", error.request_id, caller.tenant,
                type(error).__name__, answer.status,
            )  # fmt: skip
            await send_error(send, answer)
        except ClientGoneError:
            logger.info("a client of tenant %s left before its vectors were there", caller.tenant)


def asked_embedding(
    body: Mapping[str, Any], headers: Headers, caller: Caller, config: Config
) -> AskedEmbedding:
    """Return what a body and its headers ask for.

    Raises:
        AnswerError: a field is unknown, missing or of another type; not allowed.
        RequestError: a value is not one that a request may have.
    """
    fields = {name: value for name, value in body.items() if value is not None}
    for name in fields:
        if name not in _FIELDS:
            raise refusal(unknown("field", name, _FIELDS), param=name[:60], code="unknown_parameter")
    model, form = fields.get("model"), fields.get("encoding_format", "float")
    if not isinstance(model, str) or not model.strip():
        raise refusal("'model' must be a text", param="model")
    if "input" not in fields:
        raise refusal("'input' is missing: a text, or a list of texts", param="input")
    if form not in _FORMATS:
        raise refusal(f"'encoding_format' must be one of {', '.join(_FORMATS)}", param="encoding_format")
    if not isinstance(fields.get("user", ""), str):
        raise refusal("'user' must be a text", param="user")
    request = EmbeddingRequest.of(
        fields["input"],
        **route_of(model, headers, caller, config, mode=Mode.EMBEDDING),
        **fields_of_headers(headers, caller),
        tenant=caller.tenant,
        user=fields.get("user"),
        dimensions=fields.get("dimensions"),
    )
    return AskedEmbedding(request, as_base64=form == "base64")


def _check_count(body: Mapping[str, Any], count_max: int) -> None:
    texts = body.get("input")
    if isinstance(texts, list) and len(texts) > count_max:
        raise AnswerError(ErrorAnswer(413, f"more than {count_max:,} texts", "too_many_messages"))


async def _send(send: Send, reply: EmbeddingReply, *, as_base64: bool) -> None:
    facts = {**reply_facts(reply, notices=()), "cached_texts": reply.cached_texts}
    data = [
        {"object": "embedding", "index": place, "embedding": _base64(vector) if as_base64 else vector}
        for place, vector in enumerate(reply.vectors)
    ]
    tokens = reply.usage.input_tokens
    body = orjson.dumps(
        {
            "object": "list",
            "data": data,
            "model": reply.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            "nextflow": facts,
        }
    )
    headers = {
        **fact_headers(facts), "content-type": "application/json", "content-length": str(len(body)),
    }  # fmt: skip
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def _base64(vector: Vector) -> str:
    """Return a vector in single precision, the lowest byte first, as OpenAI's clients read it."""
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()
