"""One aiohttp session for each event loop, and a request handed to its socket once.

The session keeps no cookies, follows no redirects, reads no ~/.netrc, and connects within seconds or never.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import AttemptFailedError
from orchestrator.providers.tls import shared_tls_context
from orchestrator.providers.wire.outbound import UnsendableError, WireRequest
from orchestrator.providers.wire.proxies import ProxiesOfEnvironment

CONNECT_TIMEOUT_S = 5.0
"""From the look-up of the name to the end of the TLS handshake."""
KEEP_ALIVE_S = 30.0
"""How long a connection waits for the next request; providers close theirs after a minute or more."""
HEADER_BYTES_MAX = 8 * 1024
"""Of one header of a response."""
HEADERS_MAX = 128
END_WAIT_S = 1.0
"""How long a connection may take to end a response whose answer is whole, before it is closed."""

_DNS_KNOWN_S = 60
_OF_THE_PARENT: list[object] = []
"""Sessions that a forked child must neither use nor close."""
_WRITE_BYTES = 256 * 1024


def hung_up(error: Exception) -> AttemptFailedError:
    """Return the error for a connection that broke when the request had been sent."""
    return AttemptFailedError(Failure(FailureKind.DISCONNECTED), was_sent=True, detail=type(error).__name__)


class Sessions:
    """The sessions of a process; a loop gets its own with its first request, and so does a forked child."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopSession] = WeakKeyDictionary()
        self._process = os.getpid()

    async def send(self, request: WireRequest, on_sent: Callable[[], None]) -> aiohttp.ClientResponse:
        """Send a request and return its response, of which the headers have arrived.

        Raises:
            UnsendableError: its address is none.
            AttemptFailedError: there is no connection, or it broke before an answer.
        """
        body = _Body(request.body, on_sent)
        # The body alone holds its bytes, and lets them go when they are on their way.
        request = replace(request, body=b"")
        try:
            return await self._session().send(request, body)
        # A UnicodeError: a host with a part of no letters or too many, by an address or a proxy.
        except (aiohttp.InvalidURL, UnicodeError):
            error: Exception = UnsendableError("config.yaml names an address for it that cannot be called")
        except (aiohttp.ClientError, OSError) as exc:
            failure = _failure_of(exc, was_sent=body.was_sent)
            error = AttemptFailedError(failure, was_sent=body.was_sent, detail=type(exc).__name__)
        # Outside of the handler: aiohttp's error holds the headers, and so the key; it must not hang on.
        raise error

    def let_end(self, response: aiohttp.ClientResponse) -> None:
        """Let a response whose answer is whole end in the background, so that its connection is kept."""
        session = self._by_loop.get(asyncio.get_running_loop())
        if session is None:
            response.close()
        else:
            session.let_end(response)

    async def close(self) -> None:
        """Close the session of the running loop."""
        session = self._by_loop.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()

    def _session(self) -> "_LoopSession":
        if self._process != os.getpid():
            # The connections belong to the parent: what a child writes into them mixes with its words, and so
            # would the farewell that is written when they are collected.
            _OF_THE_PARENT.append(list(self._by_loop.values()))
            self._by_loop, self._process = WeakKeyDictionary(), os.getpid()
        loop = asyncio.get_running_loop()
        session = self._by_loop.get(loop)
        if session is None:
            session = self._by_loop[loop] = _LoopSession()
        return session


class _LoopSession:
    """The connections of one event loop."""

    def __init__(self) -> None:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=KEEP_ALIVE_S, ttl_dns_cache=_DNS_KNOWN_S
            ),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            max_headers=HEADERS_MAX,
        )
        self._proxies = ProxiesOfEnvironment()
        self._ending: set[asyncio.Task[None]] = set()

    async def send(self, request: WireRequest, body: "_Body") -> aiohttp.ClientResponse:
        proxy = self._proxies.for_url(request.url)
        return await self._http.request(
            request.method,
            request.url,
            data=body if body.size else None,
            headers=request.headers,
            allow_redirects=False,
            ssl=shared_tls_context("aiohttp") if request.url.startswith("https:") else True,
            proxy=proxy.url if proxy else None,
            proxy_headers=proxy.headers if proxy else None,
        )

    def let_end(self, response: aiohttp.ClientResponse) -> None:
        if response.content.at_eof():
            return
        task = asyncio.get_running_loop().create_task(_ended(response))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        for task in tuple(self._ending):
            task.cancel()
        await self._http.close()


async def _ended(response: aiohttp.ClientResponse) -> None:
    try:
        with contextlib.suppress(aiohttp.ClientError, OSError):
            async with asyncio.timeout(END_WAIT_S):
                while not response.content.at_eof() and response.content.total_bytes < _WRITE_BYTES:
                    await response.content.readany()
    finally:
        response.close()


class _Body(aiohttp.Payload):
    """A body that says when it is handed to the socket; aiohttp writes the headers with its first bytes."""

    _autoclose = True

    def __init__(self, body: bytes, on_sent: Callable[[], None]) -> None:
        super().__init__(body, content_type="application/json")
        self._size = len(body)
        self._on_sent = on_sent
        self.was_sent = False

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return bytes(self._value).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        del content_length  # of our own header, which says the whole
        self.was_sent = True
        self._on_sent()
        for start in range(0, len(self._value), _WRITE_BYTES):
            await writer.write(self._value[start : start + _WRITE_BYTES])
        # A call may wait for its answer for minutes.
        self._value = b""


def _failure_of(error: Exception, *, was_sent: bool) -> Failure:
    if not was_sent:
        return Failure(FailureKind.UNREACHABLE)
    # What was taken and answered with something that is no HTTP, or with headers beyond every measure.
    broken_http = isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError)
    return Failure(FailureKind.MALFORMED if broken_http else FailureKind.DISCONNECTED)
