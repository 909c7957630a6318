"""The practice server: one loopback HTTP server that plays all providers.

It runs its own event loop in a daemon thread, so that tests, notebooks and drills use it from
sync and async code alike.
"""

import asyncio
import ipaddress
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from orchestrator.core.clock import Clock, SystemClock
from orchestrator.core.errors import OrchestratorError
from orchestrator.practice.answers import Answerer
from orchestrator.practice.bill import DEFAULT_PRICE, Bill, BilledWhen, PracticePrice, PracticePrices
from orchestrator.practice.connections import forever
from orchestrator.practice.desks import AT_ROOT, PREFIXES, Desk
from orchestrator.practice.exchange import House
from orchestrator.practice.faults import FaultQueue
from orchestrator.practice.prompt_cache import PromptCache
from orchestrator.practice.reception import Reception, SeenRequest
from orchestrator.practice.scripted import Scripted
from orchestrator.practice.wire_vertex import vertex_credentials

__all__ = ["PracticeError", "PracticeServer", "SeenRequest"]

_BODY_BYTES_MAX = 64 * 1024 * 1024
_STOP_TIMEOUT_S = 5.0
_POLL_S = 0.002


class PracticeError(OrchestratorError):
    """The practice server cannot do what was asked."""


@dataclass(slots=True)
class _Running:
    """The thread of a started server, and how its start went."""

    loop: asyncio.AbstractEventLoop
    thread: threading.Thread | None = None
    ready: threading.Event = field(default_factory=threading.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    failure: BaseException | None = None


class PracticeServer:
    """Plays OpenRouter, OpenAI, Gemini, Anthropic, Azure and others of OpenAI's format on a loopback port.

    Use it as a context manager, or call `start()` and `stop()`. `faults`, `bill` and `requests` may
    be used from any thread while it runs.

    Without `models` every model name is served, without `api_keys` every key or none.
    `seed_latency_s` comes before every answer, `piece_latency_s` before every piece of a stream.
    Port 0 takes a free one.

    Raises:
        PracticeError: `host` is not a loopback address.
    """

    def __init__(  # noqa: PLR0913 -- one keyword for each independent setting
        self,
        *,
        answerer: Answerer | None = None,
        prices: Mapping[tuple[str, str], PracticePrice] | None = None,
        default_price: PracticePrice = DEFAULT_PRICE,
        models: Mapping[str, Collection[str]] | None = None,
        api_keys: Collection[str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        seed_latency_s: float = 0.0,
        piece_latency_s: float = 0.0,
        billed_when: BilledWhen = BilledWhen.SENT,
        requests_kept: int = 1000,
        clock: Clock | None = None,
    ) -> None:
        if not _is_loopback(host):
            msg = f"practice providers listen on the loopback interface only, not on {host!r}; use 127.0.0.1"
            raise PracticeError(msg)
        self._host, self._port = host, port
        self._clock = clock or SystemClock()
        self.faults = FaultQueue()
        self.bill = Bill(clock=self._clock)
        price_list = PracticePrices(dict(prices or {}), default_price)
        self._reception = Reception(
            desk=Desk(price_list, self.bill, models),
            house=House(
                answerer=answerer or Scripted(),
                prices=price_list,
                bill=self.bill,
                prompts=PromptCache(),
                clock=self._clock,
                latency_s=seed_latency_s,
                piece_latency_s=piece_latency_s,
                billed_when=billed_when,
            ),
            faults=self.faults,
            api_keys=None if api_keys is None else frozenset(api_keys),
            requests_kept=requests_kept,
        )
        self._running: _Running | None = None
        self._answering: set[asyncio.Task[Any]] = set()

    @property
    def requests(self) -> tuple[SeenRequest, ...]:
        """The last requests to the providers, oldest first."""
        return tuple(self._reception.seen)

    @property
    def port(self) -> int:
        """The port that is listened on.

        Raises:
            PracticeError: the server does not run.
        """
        if self._running is None:
            msg = "the practice server does not run; call start() or use it in a with statement"
            raise PracticeError(msg)
        return self._running.port

    @property
    def url(self) -> str:
        """The server's own address, `http://127.0.0.1:PORT`."""
        return f"http://{self._host}:{self.port}"

    def base_url(self, provider: str) -> str:
        """Return the base URL that a client of a provider is given: one of `desks.PREFIXES`.

        Raises:
            ValueError: another provider.
        """
        if provider not in PREFIXES:
            msg = f"unknown provider {provider!r}; choose one of {', '.join(PREFIXES)}"
            raise ValueError(msg)
        return self.url if provider in AT_ROOT else self.url + PREFIXES[provider].rstrip("/")

    def vertex_credentials(self, key: str = "practice") -> str:
        """Return the JSON of credentials for Vertex AI whose tokens are fetched here, with `key` in them."""
        return vertex_credentials(self.url, key)

    def start(self) -> Self:
        """Listen, and return when requests are answered.

        Raises:
            PracticeError: it runs already, or the port cannot be had.
        """
        if self._running is not None:
            msg = f"the practice server runs already, on port {self._running.port}"
            raise PracticeError(msg)
        running = _Running(loop=asyncio.new_event_loop())
        running.thread = threading.Thread(
            target=self._run, args=(running,), name="practice-providers", daemon=True
        )
        running.thread.start()
        running.ready.wait()
        if running.failure is not None:
            running.thread.join()
            msg = (
                f"the practice server cannot listen on {self._host}:{self._port} ({running.failure}); "
                "choose another port, or 0 for any free one"
            )
            raise PracticeError(msg) from running.failure
        self._running = running
        return self

    def stop(self) -> None:
        """Close every connection and the port; without effect when it does not run."""
        running, self._running = self._running, None
        if running is None or running.thread is None:
            return
        running.loop.call_soon_threadsafe(running.stop.set)
        running.thread.join(_STOP_TIMEOUT_S)

    def wait_idle(self, *, timeout_s: float = 60.0) -> None:
        """Block until no request is being answered, so that the bill is complete.

        Raises:
            PracticeError: requests are still being answered after `timeout_s`.
        """
        until_s = self._clock.monotonic_s() + timeout_s
        while self._answering:
            if self._clock.monotonic_s() >= until_s:
                msg = f"{len(self._answering)} requests are still being answered after {timeout_s:g} s"
                raise PracticeError(msg)
            self._clock.pause(_POLL_S)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _run(self, running: _Running) -> None:
        asyncio.set_event_loop(running.loop)
        try:
            running.loop.run_until_complete(self._serve(running))
        finally:
            running.ready.set()
            running.loop.close()

    async def _serve(self, running: _Running) -> None:
        runner = web.ServerRunner(
            web.Server(self._answer, handler_cancellation=True, access_log=None, request_factory=_request),
            shutdown_timeout=_STOP_TIMEOUT_S,
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._host, self._port, reuse_address=True)
            await site.start()
        except OSError as exc:
            running.failure = exc
            await runner.cleanup()
            return
        running.port = runner.addresses[0][1]
        running.ready.set()
        await running.stop.wait()
        await site.stop()
        for task in tuple(self._answering):
            task.cancel()
        await runner.cleanup()

    async def _answer(self, http: web.BaseRequest) -> web.StreamResponse:
        task = asyncio.current_task()
        if task is None:
            raise PracticeError("a request was handled outside a task")
        self._answering.add(task)
        try:
            return await self._reception.answer(http)
        except ConnectionError:
            # The client has gone; the cancellation that tells so is on its way.
            return await forever()
        finally:
            self._answering.discard(task)


def _request(
    message: Any,
    payload: Any,
    protocol: Any,
    writer: Any,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    """Return aiohttp's request, with room for prompts of many megabytes."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_BODY_BYTES_MAX)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
