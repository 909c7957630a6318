"""Answers by a real model behind an OpenAI-compatible address, such as the embedded local one.

A small model calls no tools and keeps to no schema. So tool calls, and the text after a tool's result,
come from the rules; a JSON schema is forwarded, for servers that enforce it, and the rules answer when
what comes back does not fit.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson

from orchestrator.core.json_schema import fits
from orchestrator.practice.answers import Finish, Piece, PracticeRequest, text_of
from orchestrator.practice.rules import rule_based_answer, schema_of, tool_to_call
from orchestrator.practice.wire_errors import Refusal

_MAX_TOKENS = 256
_ROLES = frozenset({"system", "user", "assistant"})
_OK = 200
_UNREACHABLE = 503


class Generated:
    """Asks a model and passes on what it says, piece by piece."""

    def __init__(
        self, base_url: str, *, model: str = "local", api_key: str = "", timeout_s: float = 120.0
    ) -> None:
        """Take an address such as `http://127.0.0.1:8080/v1`; `timeout_s` is for a whole answer."""
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._model = model
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def answer(self, request: PracticeRequest) -> AsyncIterator[Piece]:
        """Yield the model's words, or the rules' answer where a small model is no help.

        Raises:
            Refusal: 503, when the model does not answer.
        """
        after_tool = bool(request.messages) and request.messages[-1].get("role") == "tool"
        if after_tool or tool_to_call(request) is not None:
            pieces = _by_rule(request)
        elif request.response_format is not None:
            pieces = self._structured(request)
        else:
            pieces = self._generate(request)
        async for piece in pieces:
            yield piece

    async def warm_up(self) -> None:
        """Let the model say one word: its first takes many times as long as any other on a busy machine."""
        body = {"model": self._model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
        # One that does not answer is told when it is asked.
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with (
                aiohttp.ClientSession(timeout=self._timeout, headers=self._headers) as session,
                session.post(self._url, json=body, allow_redirects=False) as response,
            ):
                await response.read()

    async def _structured(self, request: PracticeRequest) -> AsyncIterator[Piece]:
        text = "".join([piece async for piece in self._generate(request) if isinstance(piece, str)])
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            value = None
        if isinstance(value, dict) and fits(value, schema_of(request) or {}):
            yield text
            return
        async for piece in _by_rule(request):
            yield piece

    async def _generate(self, request: PracticeRequest) -> AsyncIterator[Piece]:
        try:
            async with (
                # A session a request: the answerer belongs to no event loop, and the model is next door.
                aiohttp.ClientSession(timeout=self._timeout, headers=self._headers) as session,
                session.post(self._url, json=self._body(request), allow_redirects=False) as response,
            ):
                if response.status != _OK:
                    raise Refusal(_UNREACHABLE, message=f"the practice model answered HTTP {response.status}")
                async for line in response.content:
                    for piece in _read(line):
                        yield piece
        except (aiohttp.ClientError, TimeoutError) as exc:
            reason = f"the practice model at {self._url} does not answer ({type(exc).__name__})"
            raise Refusal(_UNREACHABLE, message=reason) from exc

    def _body(self, request: PracticeRequest) -> dict[str, Any]:
        # Tool messages are left out: the chat templates of small models do not know them.
        messages = [
            {"role": message["role"], "content": text_of(message)}
            for message in request.messages
            if message.get("role") in _ROLES and text_of(message)
        ]
        body: dict[str, Any] = {
            "model": self._model,
            "messages": messages,
            "stream": True,
            "max_tokens": request.max_tokens or _MAX_TOKENS,
        }
        if request.stop:
            body["stop"] = list(request.stop)
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.response_format is not None:
            body["response_format"] = request.response_format
        return body


async def _by_rule(request: PracticeRequest) -> AsyncIterator[Piece]:
    answer = rule_based_answer(request)
    if answer.text:
        yield answer.text
    for call in answer.tool_calls:
        yield call


def _read(line: bytes) -> list[Piece]:
    """Return the pieces in one line of server-sent events."""
    data = line.removeprefix(b"data:").strip()
    if not line.startswith(b"data:") or data == b"[DONE]":
        return []
    choices = orjson.loads(data).get("choices") or [{}]
    text = (choices[0].get("delta") or {}).get("content")
    pieces: list[Piece] = [text] if text else []
    if choices[0].get("finish_reason") == "length":
        pieces.append(Finish("length"))
    return pieces
