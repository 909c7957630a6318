"""`POST /v1/chat/completions`: who asks, for what, and the way of the answer, whole or in pieces."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import orjson
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from orchestrator.access.api_keys import Role
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.reply import ChatReply
from orchestrator.ledger.records import new_operation_id
from orchestrator.server.callers import Caller
from orchestrator.server.chat_answer import completion_of, fact_headers
from orchestrator.server.chat_request import AskedChat, asked_chat
from orchestrator.server.chat_stream import ChunkWriter, error_event, events_of
from orchestrator.server.door import Door
from orchestrator.server.edge import log_unforeseen, send_error, unforeseen
from orchestrator.server.error_answers import ErrorAnswer, answer_of
from orchestrator.server.presence import ClientGoneError, while_connected
from orchestrator.server.request_body import json_object_of

logger = logging.getLogger("orchestrator.server")

_STREAM_HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    # A proxy must not collect the pieces.
    (b"x-accel-buffering", b"no"),
)


class ChatCompletions:
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
        try:
            chat = asked_chat(body, request.headers, caller, door.orchestrator.config)
            if chat.is_streamed:
                await while_connected(receive, self._stream(chat, caller, send))
            else:
                reply = await while_connected(receive, door.orchestrator.acomplete(chat.request))
                await _send_whole(send, reply, chat)
        except OrchestratorError as error:
            await send_error(send, self._answer_of(error, caller))
        except ClientGoneError:
            logger.info("a client of tenant %s left before its answer was whole", caller.tenant)

    async def _stream(self, chat: AskedChat, caller: Caller, send: Send) -> None:
        async with self._door.orchestrator.stream(chat.request) as stream:
            pieces = aiter(stream)
            # What fails before it is no stream yet.
            first = await anext(pieces, None)
            now = self._door.clock.now()
            writer = ChunkWriter(
                stream.request_id or new_operation_id(now),
                int(now.timestamp()),
                chat.model,
                with_usage=chat.with_usage,
                notices=chat.notices,
            )
            await send(_stream_start(writer.request_id))
            events = events_of(stream, pieces, first, writer)
            await self._send_events(events, writer.request_id, caller, send)

    async def _send_events(
        self, events: AsyncIterator[bytes], request_id: str, caller: Caller, send: Send
    ) -> None:
        try:
            async for event in events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
            last = b""
        except OrchestratorError as error:
            last = error_event(self._answer_of(error, caller))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 -- the status has been sent: this is the last place that can say it
            log_unforeseen(error, request_id)
            last = error_event(unforeseen(request_id))
        await send({"type": "http.response.body", "body": last})

    def _answer_of(self, error: OrchestratorError, caller: Caller) -> ErrorAnswer:
        answer = answer_of(error, now=self._door.clock.now(), scopes=caller.scopes)
        logger.info(
            "request %s of tenant %s: %s, answered %d", error.request_id, caller.tenant, type(error).__name__,
            answer.status,
        )  # fmt: skip
        return answer


def _stream_start(request_id: str) -> Message:
    own = [(name, request_id.encode()) for name in (b"x-request-id", b"x-nextflow-request-id")]
    return {"type": "http.response.start", "status": 200, "headers": [*_STREAM_HEADERS, *own]}


async def _send_whole(send: Send, reply: ChatReply, chat: AskedChat) -> None:
    completion: dict[str, Any] = completion_of(reply, notices=chat.notices)
    body = orjson.dumps(completion)
    headers = {
        **fact_headers(completion["nextflow"]),
        "content-type": "application/json",
        "content-length": str(len(body)),
    }
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
