"""Refusals without the key that was sent: a vendor's client makes its error of the body, which may quote it.

Gateways answer a wrong key with the whole of it. Such an error is logged, traced and shown by whoever calls
the client; so the body of a refusal is read first, and each secret in it and in its headers is masked.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import httpx

from orchestrator.ledger.contents import without_secrets

REFUSAL_BYTES_MAX = 64 * 1024
"""Of a refusal's body; nobody reads more of an error."""
_REFUSED_FROM = 300


def without_echo(response: httpx.Response, sent: Mapping[str, str]) -> httpx.Response:
    """Return a response in which, where it is a refusal, no header that was `sent` is quoted."""
    if response.status_code < _REFUSED_FROM:
        return response
    # Of `Bearer ...` the key alone, too.
    secrets = (*sent.values(), *(value.rpartition(" ")[2] for value in sent.values()))
    for name, value in tuple(response.headers.items()):
        if without_secrets(value, secrets=secrets) != value:
            del response.headers[name]
    if isinstance(response.stream, httpx.SyncByteStream):
        response.stream = _SyncMasked(response.stream, secrets)
    elif isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _AsyncMasked(response.stream, secrets)
    return response


def _masked(body: bytes, secrets: Sequence[str]) -> bytes:
    text = without_secrets(body.decode("utf-8", "surrogateescape"), secrets=secrets)
    return text.encode("utf-8", "surrogateescape")[:REFUSAL_BYTES_MAX]


class _SyncMasked(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, secrets: Sequence[str]) -> None:
        self._stream = stream
        self._secrets = secrets

    def __iter__(self) -> Iterator[bytes]:
        body = b""
        for block in self._stream:
            body += block if len(body) < REFUSAL_BYTES_MAX else b""
        yield _masked(body, self._secrets)

    def close(self) -> None:
        self._stream.close()


class _AsyncMasked(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, secrets: Sequence[str]) -> None:
        self._stream = stream
        self._secrets = secrets

    async def __aiter__(self) -> AsyncIterator[bytes]:
        body = b""
        async for block in self._stream:
            body += block if len(body) < REFUSAL_BYTES_MAX else b""
        yield _masked(body, self._secrets)

    async def aclose(self) -> None:
        await self._stream.aclose()
