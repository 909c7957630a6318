"""Counting tokens as the practice providers do: deterministic, so that bills can be foretold.

A token is four UTF-8 bytes, and a begun token counts whole. Input is the bytes of all texts,
tool calls, tool definitions and the response schema together, plus 4 tokens for each message and
258 for each part that is not text. Output is the bytes of the text and of the tool calls' names
and arguments together, so a stream's tokens do not depend on how it was cut into pieces, and the tokens of
thoughts beside them.
"""

import orjson

from orchestrator.practice.answers import Content, PracticeRequest, Thought, text_of
from orchestrator.practice.json_types import JsonObject

BYTES_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
TOKENS_PER_MEDIA_PART = 258


def count_tokens(size_bytes: int) -> int:
    """Return the tokens of so many UTF-8 bytes, rounded up."""
    return -(-size_bytes // BYTES_PER_TOKEN)


def input_tokens(request: PracticeRequest) -> int:
    """Return the tokens that a request is billed for."""
    size_bytes = sum(map(message_bytes, request.messages))
    if request.tools:
        size_bytes += len(orjson.dumps(request.tools))
    if request.response_format is not None:
        size_bytes += len(orjson.dumps(request.response_format))
    media = sum(map(_media_parts, request.messages))
    fixed = TOKENS_PER_MESSAGE * len(request.messages) + TOKENS_PER_MEDIA_PART * media
    return count_tokens(size_bytes) + fixed


def message_bytes(message: JsonObject) -> int:
    """Return the bytes that a message's text and tool calls count."""
    content = message.get("content")
    size_bytes = len((content if isinstance(content, str) else text_of(message)).encode())
    calls = message.get("tool_calls")
    return size_bytes + len(orjson.dumps(calls)) if calls else size_bytes


def piece_bytes(piece: Content) -> int:
    """Return the bytes that a piece of an answer counts; a thought has as many as its tokens stand for."""
    if isinstance(piece, str):
        return len(piece.encode())
    if isinstance(piece, Thought):
        return piece.tokens * BYTES_PER_TOKEN
    return len(piece.name.encode()) + len(piece.arguments.encode())


def _media_parts(message: JsonObject) -> int:
    content = message.get("content")
    if not isinstance(content, list):
        return 0
    return sum(1 for part in content if isinstance(part, dict) and "text" not in part)
