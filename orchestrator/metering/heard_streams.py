"""The body of an answer that LiteLLM reads, heard on its way as a native client's is.

LiteLLM turns a count of `true` or "7" into a number and a null into 0, so the bill is read from the bytes.
"""

from collections.abc import AsyncIterator, Iterator

import httpx

from orchestrator.metering.vendor_answers import VendorAnswer

_OK = 200


def hear(response: httpx.Response, answer: VendorAnswer) -> bool:
    """Let `answer` hear a response while it is read; False for one that is packed, or a refusal."""
    if response.status_code != _OK or response.headers.get("content-encoding", "identity") != "identity":
        return False
    answer.begin(response.status_code, response.headers)
    if isinstance(response.stream, httpx.SyncByteStream):
        response.stream = _HeardInThread(response.stream, answer)
    elif isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _HeardInTask(response.stream, answer)
    return True


class _HeardInThread(httpx.SyncByteStream):
    """A body that is read in a thread."""

    def __init__(self, stream: httpx.SyncByteStream, answer: VendorAnswer) -> None:
        self._stream = stream
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        for block in self._stream:
            self._answer.feed(block)
            yield block

    def close(self) -> None:
        self._stream.close()


class _HeardInTask(httpx.AsyncByteStream):
    """A body that is read on an event loop."""

    def __init__(self, stream: httpx.AsyncByteStream, answer: VendorAnswer) -> None:
        self._stream = stream
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for block in self._stream:
            self._answer.feed(block)
            yield block

    async def aclose(self) -> None:
        await self._stream.aclose()
