"""The same exchange on LiteLLM's path, as `providers.litellm` leads it."""

import json
from typing import Any

from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import ProviderAnswer, UnreadableAnswerError
from orchestrator.core.reply import Usage
from orchestrator.providers.litellm.error_mapping import failure_of
from orchestrator.providers.litellm.loading import load_litellm
from orchestrator.providers.litellm.responses import StreamedAnswer, check_answered, read_answer
from tests.providers.wire.exchange import Exchange
from tests.providers.wire.misbehaving import Exchanged, Server

Meaning = tuple[Any, ...]
"""What an exchange is read as: text, calls, finish and usage, or the kind of its failure."""
MODELS = {"openai": "openrouter/openai/gpt-6-luna", "gemini": "gemini/gemini-3.8-flash"}


class Recorded:
    """Answers each request with the exchange of the moment."""

    def __init__(self, *, is_stream: bool) -> None:
        self.exchange: Exchange | None = None
        self.is_stream = is_stream

    async def __call__(self, exchanged: Exchanged) -> None:
        assert self.exchange is not None
        await exchanged.answer(self.exchange.body, json=not self.is_stream)


def meaning_of(exchange: Exchange) -> Meaning:
    """Return what our wire reads; the tests of the formats hold it to that."""
    if exchange.failure is not None:
        return (exchange.failure,)
    calls = tuple((name, json.loads(arguments)) for name, arguments in exchange.calls)
    return exchange.text, calls, exchange.finish, _counts(exchange.usage)


class LiteLlmPath:
    """LiteLLM with the client that `providers.litellm` hands it."""

    def __init__(self) -> None:
        self._litellm = load_litellm()
        from orchestrator.providers.litellm.http_client import SendOnceClient

        self._client = SendOnceClient()

    async def send(self, server: Server, model: str, *, stream: bool = False, **request: Any) -> Any:
        """Return LiteLLM's response."""
        usual = {"messages": [{"role": "user", "content": "Xin chào"}], **request}
        if stream:
            usual |= {"stream": True, "stream_options": {"include_usage": True}}
        return await self._litellm.acompletion(
            model=model,
            api_base=server.base_url,
            api_key="sk-secret",
            client=self._client,
            num_retries=0,
            max_retries=0,
            **{"no-log": True},
            **usual,
        )

    async def read(self, server: Server, model: str, *, stream: bool) -> Meaning:
        """Return what is read of the exchange that the server answers with."""
        try:
            response = await self.send(server, model, stream=stream)
            check_answered(response)
            answer = await _streamed(response) if stream else read_answer(response, reports_cost=False)
        except Exception as exc:  # noqa: BLE001 -- LiteLLM raises anything
            return (failure_of(exc).kind,)
        calls = tuple((call.name, _decoded(call.arguments)) for call in answer.tool_calls)
        return answer.text, calls, answer.finish_reason, _counts(answer.usage)

    async def close(self) -> None:
        await self._client.close()


async def _streamed(response: Any) -> ProviderAnswer:
    """Read a stream as the gateway does: LiteLLM's own finish and usage are not believed."""
    streamed = StreamedAnswer()
    async for chunk in response:
        streamed.add(chunk)
    finished = any(chunk.choices and chunk.choices[0].finish_reason for chunk in response.chunks)
    if not finished and streamed.has_content:
        raise UnreadableAnswerError(Failure(FailureKind.INTERRUPTED))
    if not any(getattr(chunk, "usage", None) for chunk in response.chunks):
        streamed.usage = None
    return streamed.whole(reports_cost=False)


def _decoded(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def _counts(usage: Usage) -> tuple[int, int, bool]:
    return usage.input_tokens, usage.output_tokens, usage.estimated
