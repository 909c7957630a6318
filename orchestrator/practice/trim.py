"""Stop sequences and token limits, kept while an answer streams by."""

from collections.abc import AsyncIterator

from orchestrator.practice.answers import Content, Finish, Piece, PracticeRequest, PracticeToolCall, Thought
from orchestrator.practice.tokens import BYTES_PER_TOKEN, piece_bytes


async def trimmed(pieces: AsyncIterator[Piece], *, request: PracticeRequest) -> AsyncIterator[Piece]:
    """Yield the pieces up to the first stop sequence or the token limit, and always a last `Finish`.

    The reason is `length` when the limit cut something off, else the answerer's own, else
    `tool_calls` after a tool call, else `stop`. A tool call that passes the limit loses the end
    of its arguments, as with the real providers.
    """
    limit = None if request.max_tokens is None else request.max_tokens * BYTES_PER_TOKEN
    source = _until_stop(pieces, request.stop) if request.stop else pieces
    called = False
    async for piece in source:
        if isinstance(piece, Finish):
            yield piece
            return
        called = called or isinstance(piece, PracticeToolCall)
        if limit is not None:
            kept = _within(piece, limit)
            limit -= piece_bytes(piece)
            if limit < 0:
                if piece_bytes(kept):
                    yield kept
                yield Finish("length")
                return
        yield piece
    yield Finish("tool_calls" if called else "stop")


async def _until_stop(pieces: AsyncIterator[Piece], stops: tuple[str, ...]) -> AsyncIterator[Piece]:
    # A stop sequence may lie across two pieces, so its possible beginning is held back.
    held_back = max(map(len, stops)) - 1
    text = ""
    async for piece in pieces:
        if not isinstance(piece, str):
            if text:
                yield text
                text = ""
            yield piece
            continue
        text += piece
        places = [at for stop in stops if (at := text.find(stop)) >= 0]
        if places:
            if text[: min(places)]:
                yield text[: min(places)]
            yield Finish("stop")
            return
        ready = len(text) - held_back
        if ready > 0:
            yield text[:ready]
            text = text[ready:]
    if text:
        yield text


def _within(piece: Content, limit_bytes: int) -> Content:
    if isinstance(piece, str):
        return piece.encode()[:limit_bytes].decode(errors="ignore")
    if isinstance(piece, Thought):
        text = piece.text.encode()[:limit_bytes].decode(errors="ignore")
        return Thought(limit_bytes // BYTES_PER_TOKEN, text)
    left = max(0, limit_bytes - len(piece.name.encode()))
    return PracticeToolCall(piece.name, piece.arguments.encode()[:left].decode(errors="ignore"), piece.id)
