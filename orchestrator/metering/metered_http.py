"""The HTTP of a vendor's own client: what leaves is held for, what comes back is read as our wire reads it.

    body → bound → hold → the first byte → every byte of the answer → settle

It sends to one address, follows no redirect, and holds money of its own for every send, a client's retry
included. It is given to the client in the place of httpx's transport, for threads and event loops alike.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple
from weakref import finalize

import httpx
import orjson

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import AttemptFailedError
from orchestrator.core.secret_values import SecretText, secret_texts
from orchestrator.metering.echoed_keys import without_echo
from orchestrator.metering.meter import Meter, MeteredSend
from orchestrator.metering.vendor_answers import AskedAnswer, VendorAnswer
from orchestrator.metering.vendor_bodies import bounded_body
from orchestrator.providers.litellm.free_errors import origin_of
from orchestrator.providers.litellm.heard_streams import Ear, hear
from orchestrator.providers.tls import shared_tls_context
from orchestrator.providers.wire.proxies import ProxiesOfEnvironment

_FREE_METHOD = ":countTokens"
_FIRST_BYTE = "send_request_headers.started"


@dataclass(slots=True)
class SendOfCall:
    """What becomes of one call of a client."""

    is_asked_for: bool = False
    """The client has made a request of it."""
    leave: Callable[[], None] = lambda: None
    """Books what was sent of it, where its answer is read no more."""


CURRENT_SEND: ContextVar[SendOfCall | None] = ContextVar("CURRENT_SEND", default=None)


@dataclass(frozen=True, slots=True)
class VendorAddress:
    """To whom a client sends."""

    kind: ProviderKind
    upstream: str
    url: str
    headers: Mapping[str, SecretText] = field(default_factory=dict, repr=False)
    """What goes along, by names in small letters: the key, and what config.yaml states; no client has it."""


class MeteredHttp(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """httpx's way to one vendor, metered."""

    def __init__(self, address: VendorAddress, meter: Meter) -> None:
        """Open nothing yet."""
        self._address = address
        self._meter = meter
        proxy = ProxiesOfEnvironment().for_url(address.url)
        self._proxy = httpx.Proxy(proxy.url, headers=proxy.headers) if proxy else None
        self._sync: httpx.HTTPTransport | None = None
        self._by_loop: dict[asyncio.AbstractEventLoop, _LoopConnections] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request from a thread.

        Raises:
            OrchestratorError: it may not be sent; nothing was.
        """
        if self._sync is None:
            self._sync = httpx.HTTPTransport(proxy=self._proxy, verify=shared_tls_context("httpx"))
            # A vendor's client is seldom closed by who made it.
            finalize(self, self._sync.close)
        tap = self._begun(request)
        if tap is None:
            return self._cleaned(self._sync.handle_request(self._with_key(request)))

        def note(event: str, _: Any) -> None:
            tap.note(event)

        request.extensions = {**request.extensions, "trace": note}
        try:
            response = self._sync.handle_request(self._with_key(request))
        except BaseException as exc:
            tap.fail(exc)
            raise
        hear(response, tap)
        return self._cleaned(response)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request on the running event loop.

        Raises:
            OrchestratorError: it may not be sent; nothing was.
        """
        transport = await self._of_this_loop()
        tap = self._begun(request)
        if tap is None:
            return self._cleaned(await transport.handle_async_request(self._with_key(request)))

        async def note(event: str, _: Any) -> None:
            tap.note(event)

        request.extensions = {**request.extensions, "trace": note}
        try:
            response = await transport.handle_async_request(self._with_key(request))
        except BaseException as exc:
            tap.fail(exc)
            raise
        hear(response, tap)
        return self._cleaned(response)

    def close(self) -> None:
        """Close the connections of threads."""
        if self._sync is not None:
            self._sync.close()

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        connections = self._by_loop.get(asyncio.get_running_loop())
        if connections is not None:
            await connections.end.aclose()

    def _with_key(self, request: httpx.Request) -> httpx.Request:
        """Return a request with the key; the client's own, which hangs on its errors, stays without."""
        headers = request.headers.copy()
        headers.update(secret_texts(self._address.headers))
        return httpx.Request(
            request.method,
            request.url,
            headers=headers,
            stream=request.stream,
            extensions=request.extensions,
        )

    def _cleaned(self, response: httpx.Response) -> httpx.Response:
        return without_echo(_without_cookies(response), self._address.headers)

    async def _of_this_loop(self) -> httpx.AsyncHTTPTransport:
        loop = asyncio.get_running_loop()
        connections = self._by_loop.get(loop)
        if connections is None:
            # A loop that was closed without its end, as `asyncio.run` gives it, can close nothing any more.
            for closed in [known for known in tuple(self._by_loop) if known.is_closed()]:
                self._by_loop.pop(closed, None)
            transport = httpx.AsyncHTTPTransport(proxy=self._proxy, verify=shared_tls_context("httpx"))
            end = _closed_at_the_end(transport, partial(self._by_loop.pop, loop, None))
            connections = self._by_loop[loop] = _LoopConnections(transport, end)
            # Begun, it is known to the loop.
            await anext(connections.end)
        return connections.transport

    def _begun(self, request: httpx.Request) -> "_Tap | None":
        """Hold the money of a request; None for one that is free."""
        call = CURRENT_SEND.get()
        if call is not None:
            call.is_asked_for = True
        own = httpx.URL(self._address.url)
        is_below = request.url.path.startswith(own.path.rstrip("/") + "/")
        if origin_of(request.url) != origin_of(own) or not is_below:
            raise InvalidRequestError("a metered client sends to the address of config.yaml alone")
        if self._address.kind is ProviderKind.GOOGLE and request.url.path.endswith(_FREE_METHOD):
            return None
        size = bounded_body(
            self._address.kind,
            self._address.upstream,
            path=request.url.path,
            body=_object(request.content),
        )
        # What comes packed cannot be read on its way.
        request.headers["accept-encoding"] = "identity"
        sending = self._meter.open(
            size.messages, max_tokens=size.max_tokens, answers=size.answers, declared=size.declared
        )
        sending.was_sent = False
        answer = VendorAnswer(
            self._address.kind,
            AskedAnswer(size.max_tokens, size.answers, size.in_pieces),
            path=request.url.path,
            clock=self._meter.clock,
        )
        tap = _Tap(sending, answer)
        if call is not None:
            call.leave = tap.leave
        return tap


class _LoopConnections(NamedTuple):
    """The connections of one event loop."""

    transport: httpx.AsyncHTTPTransport
    end: AsyncGenerator[None, None]


async def _closed_at_the_end(
    transport: httpx.AsyncHTTPTransport, forget: Callable[[], object]
) -> AsyncGenerator[None, None]:
    """Close connections with their event loop, which ends open generators before it closes."""
    try:
        yield
    finally:
        forget()
        await transport.aclose()


class _Tap(Ear):
    """One send, its answer read as it passes by."""

    def __init__(self, sending: MeteredSend, answer: VendorAnswer) -> None:
        super().__init__(answer)
        self._answer = answer
        self._sending = sending

    def note(self, event: str) -> None:
        if event.endswith(_FIRST_BYTE):
            self._sending.was_sent = True

    def feed(self, block: bytes) -> bytes:
        shown = super().feed(block)
        self._sending.began = self._sending.began or self._answer.has_content
        if self._answer.is_broken:
            # The client may trip over it too, and leave the connection to the garbage collector.
            self.finish()
        return shown

    def fail(self, error: BaseException) -> None:
        self._sending.upstream_id = self._answer.upstream_id
        if self._answer.is_broken:
            self.finish()
        self._sending.end(_failure_of(error, was_sent=self._sending.was_sent))

    def finish(self) -> None:
        self._sending.end(self._take_whole())

    def check(self) -> None:
        self._answer.check()

    def leave(self) -> None:
        self._sending.end(self._left())

    def let_go(self) -> None:
        self._sending.end_apart(self._left())

    def _left(self) -> Failure | None:
        self._sending.upstream_id = self._sending.upstream_id or self._answer.upstream_id
        return self._take_whole() if self._answer.is_complete else Failure(FailureKind.CANCELLED)

    def _take_whole(self) -> Failure | None:
        try:
            self._sending.take(self._answer.whole())
        except AttemptFailedError as exc:
            self._sending.upstream_id = self._answer.upstream_id
            if exc.answer is not None:
                self._sending.take(exc.answer)
            return exc.failure
        return None


def _without_cookies(response: httpx.Response) -> httpx.Response:
    """Return a response whose cookies no client keeps: they would go back with another tenant's request."""
    if "set-cookie" in response.headers:
        del response.headers["set-cookie"]
    return response


def _object(content: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise InvalidRequestError("a metered client sends JSON objects alone")
    return body


def _failure_of(error: BaseException, *, was_sent: bool) -> Failure:
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt | SystemExit):
        return Failure(FailureKind.CANCELLED)
    if not was_sent:
        return Failure(FailureKind.UNREACHABLE)
    if isinstance(error, httpx.TimeoutException):
        return Failure(FailureKind.TIMEOUT)
    if isinstance(error, httpx.ProtocolError):
        return Failure(FailureKind.MALFORMED)
    return Failure(FailureKind.DISCONNECTED if isinstance(error, httpx.HTTPError) else FailureKind.UNKNOWN)
