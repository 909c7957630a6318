"""A reply as OpenAI streams it: server-sent events, each a chunk, and `[DONE]` when all is there.

    first chunk     the role
    chunks          words and pieces of tool calls, as they come
    last chunk      why it ended, and the reply's own facts in its field `nextflow`
    usage           where `stream_options.include_usage` asks for it
    [DONE]          only behind a whole answer

What fails before the first piece is an error status. Later it is an event with an `error`, and no `[DONE]`.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from orchestrator.core.reply import ChatReply, Delta, ToolCallDelta
from orchestrator.server.chat_answer import finish_of, id_of, reply_facts, usage_of
from orchestrator.server.error_answers import ErrorAnswer
from orchestrator.streaming.reply_stream import ReplyStream

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class ChunkWriter:
    """Writes the chunks of one stream."""

    request_id: str
    created: int
    """Seconds since 1970."""
    model: str
    """As the caller named it; the last chunk says which model answered."""
    with_usage: bool
    notices: tuple[str, ...]

    def first(self) -> bytes:
        """Return the chunk that begins the answer."""
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, delta: Delta) -> bytes:
        """Return the chunk of a piece."""
        content: dict[str, Any] = {"content": delta.text} if delta.text else {}
        if delta.reasoning:
            content["reasoning_content"] = delta.reasoning
        if delta.tool_calls:
            content["tool_calls"] = [_piece_of_call(call) for call in delta.tool_calls]
        return self._chunk(content)

    def end(self, reply: ChatReply) -> bytes:
        """Return what follows the last piece."""
        facts = reply_facts(reply, notices=self.notices)
        last = self._chunk({}, finish_reason=finish_of(reply), model=reply.model, nextflow=facts)
        if self.with_usage:
            last += self._event([], model=reply.model, usage=usage_of(reply.usage))
        return last + DONE

    def _chunk(self, delta: Mapping[str, Any], *, finish_reason: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        # With usage asked for, OpenAI's chunks before it say null.
        usage = {"usage": None} if self.with_usage else {}
        return self._event([choice], **usage, **more)

    def _event(self, choices: list[Any], **more: Any) -> bytes:
        event = {
            "id": id_of(self.request_id),
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
            **more,
        }
        return b"data: " + orjson.dumps(event) + b"\n\n"


async def events_of(
    stream: ReplyStream, pieces: AsyncIterator[Delta], first: Delta | None, writer: ChunkWriter
) -> AsyncIterator[bytes]:
    """Yield the events of a stream whose first piece is there already; None where it has none."""
    yield writer.first() + (b"" if first is None else writer.piece(first))
    async for delta in pieces:
        yield writer.piece(delta)
    yield writer.end(stream.reply)


def error_event(answer: ErrorAnswer) -> bytes:
    """Return the event that ends a stream which failed."""
    return b"data: " + orjson.dumps(answer.as_json()) + b"\n\n"


def _piece_of_call(call: ToolCallDelta) -> dict[str, Any]:
    function = {
        name: value
        for name, value in (("name", call.name), ("arguments", call.arguments))
        if value is not None
    }
    piece: dict[str, Any] = {"index": call.index, "function": function}
    if call.id is not None:
        piece |= {"id": call.id, "type": "function"}
    return piece
