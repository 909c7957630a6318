"""Answers without the key that was sent: a vendor's client makes errors of what comes, which may quote it.

Gateways answer a wrong key with the whole of it, as a refusal or as an error within a stream. Such an error
is logged, traced and shown by whoever calls the client; so what comes is read first, and each secret in it
and in its headers is masked: of a refusal the whole, of an answer line by line.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing

import httpx

from orchestrator.core.secret_values import SecretData, SecretText, secret_texts
from orchestrator.ledger.contents import SECRET_MIN, without_secrets

REFUSAL_BYTES_MAX = 64 * 1024
"""Of a refusal's body; nobody reads more of an error."""
_REFUSED_FROM = 300
_KEY_MIN = 4
"""Letters of a key that is masked in an error; keys of servers in the house are as short as that."""
_ERROR_MARK = b'"error"'
_LINE_BYTES_MAX = 4 * 1024 * 1024


def without_echo(response: httpx.Response, sent: Mapping[str, SecretText]) -> httpx.Response:
    """Return a response in which no header that was `sent` is quoted."""
    # Of `Bearer ...` the key alone, too.
    values = secret_texts(sent).values()
    secrets = (*values, *(value.rpartition(" ")[2] for value in values))
    for name, value in tuple(response.headers.items()):
        if without_secrets(value, secrets=secrets, shortest=_KEY_MIN) != value:
            del response.headers[name]
    is_refusal = response.status_code >= _REFUSED_FROM
    if isinstance(response.stream, httpx.SyncByteStream):
        response.stream = _SyncMasked(response.stream, _Mask(secrets, is_refusal=is_refusal))
    elif isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _AsyncMasked(response.stream, _Mask(secrets, is_refusal=is_refusal))
    return response


class _Mask:
    """What is read of one response; a client reads lines too, so holding one back delays nothing."""

    def __init__(self, secrets: Sequence[str], *, is_refusal: bool) -> None:
        # The response that it belongs to hangs on errors.
        self._secrets = SecretData(secrets)
        self._is_refusal = self._is_error = is_refusal
        self._held = b""
        # A secret that begins before the cut is known as one by its end.
        self._held_max = REFUSAL_BYTES_MAX + max((len(secret.encode()) for secret in secrets), default=0)

    def feed(self, block: bytes) -> bytes:
        """Return what may be shown now."""
        if self._is_refusal:
            self._held += block[: self._held_max - len(self._held)]
            return b""
        end = max(block.rfind(b"\n"), block.rfind(b"\r")) + 1
        if not end and len(self._held) < _LINE_BYTES_MAX:
            self._held += block
            return b""
        lines, self._held = self._held + block[:end], block[end:]
        return self._masked(lines)

    def rest(self) -> bytes:
        """Return what is left at the end."""
        lines, self._held = self._held, b""
        masked = self._masked(lines)
        return masked[:REFUSAL_BYTES_MAX] if self._is_refusal else masked

    def _masked(self, lines: bytes) -> bytes:
        if self._is_error or _ERROR_MARK not in lines:
            return self._masked_line(lines)
        return b"".join(map(self._masked_line, lines.splitlines(keepends=True)))

    def _masked_line(self, line: bytes) -> bytes:
        # An error may be written over several lines. Before it a short key may be a word of the answer.
        self._is_error = self._is_error or _ERROR_MARK in line
        text = line.decode("utf-8", "surrogateescape")
        shortest = _KEY_MIN if self._is_error else SECRET_MIN
        secrets = self._secrets.get_secret_value()
        return without_secrets(text, secrets=secrets, shortest=shortest).encode("utf-8", "surrogateescape")


class _SyncMasked(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, mask: _Mask) -> None:
        self._stream = stream
        self._mask = mask

    def __iter__(self) -> Iterator[bytes]:
        # Who stops reading here stops it below at once.
        with closing(iter(self._stream)) as blocks:  # type: ignore[type-var]
            for block in blocks:
                if shown := self._mask.feed(block):
                    yield shown
        if rest := self._mask.rest():
            yield rest

    def close(self) -> None:
        self._stream.close()


class _AsyncMasked(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, mask: _Mask) -> None:
        self._stream = stream
        self._mask = mask

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with aclosing(aiter(self._stream)) as blocks:  # type: ignore[type-var]
            async for block in blocks:
                if shown := self._mask.feed(block):
                    yield shown
        if rest := self._mask.rest():
            yield rest

    async def aclose(self) -> None:
        await self._stream.aclose()
