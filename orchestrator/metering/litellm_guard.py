"""LiteLLM's `completion` and `acompletion` for code that calls them itself: each send metered.

LiteLLM tells its hooks neither of synchronous calls nor of a cancelled call, a stream's end or a
stream that is given up, and it retries without asking. So `stand_guard` puts two functions around
its own ones, once per process. They do nothing while no `Guard` is in `litellm.callbacks`; its clients
follow no redirect from then on. Its Router calls the same two, so each of its attempts holds money of its
own (docs/why/budget-guard.md).
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from typing import Any

import httpx
import litellm
from litellm.integrations.custom_logger import CustomLogger
from litellm.litellm_core_utils.streaming_handler import CustomStreamWrapper
from litellm.llms.openai.common_utils import BaseOpenAILLM

from orchestrator.catalog.catalog import ProviderKind
from orchestrator.catalog.service_tiers import tier_percent
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import AttemptFailedError, BilledUsage, stated_name, stated_tier
from orchestrator.core.quiet_logs import quiet_libraries
from orchestrator.core.reply import Usage
from orchestrator.metering.first_byte import CURRENT_METERED
from orchestrator.metering.leaving import Leave
from orchestrator.metering.litellm_call import (
    MeteredCall,
    asks_leave,
    async_client,
    bounded,
    for_provider,
    is_watched,
    metered_call_of,
    named,
    priced_at,
    sent_once,
    sync_client,
    to_one_address,
    waits_s,
)
from orchestrator.metering.litellm_doors import final, stand_doors
from orchestrator.metering.litellm_size import size_of
from orchestrator.metering.meter import Meter, MeteredSend
from orchestrator.metering.vendor_answers import VendorAnswer
from orchestrator.providers.litellm.error_mapping import failure_of
from orchestrator.providers.litellm.free_errors import origin_of, was_refused, was_unconnected
from orchestrator.providers.litellm.responses import counted_usage, says_something
from orchestrator.providers.litellm.sending import CURRENT_SENDING
from orchestrator.providers.openrouter import token_costs_only


class Guard(CustomLogger):
    """Stands in `litellm.callbacks` and says what each send costs."""

    def meter(self, call: MeteredCall) -> Meter:
        """Return the meter of a call.

        Raises:
            OrchestratorError: it has no price or no payer, so it may not be sent.
        """
        raise NotImplementedError


class MeteredStream(CustomStreamWrapper):
    """LiteLLM's stream, which settles its send however it ends: read, broken, closed or given up."""

    _sending: MeteredSend

    @classmethod
    def around(cls, stream: CustomStreamWrapper, sending: MeteredSend) -> "MeteredStream":
        """Return the stream, metered."""
        metered = cls.__new__(cls)
        # LiteLLM keeps the stream it made in a cycle of its own, so this is another object, which goes when
        # its reader lets go of it. Both share their attributes: the Router reads and changes them.
        metered.__dict__ = stream.__dict__
        metered._sending = sending  # noqa: SLF001 -- its own
        return metered

    async def __anext__(self) -> Any:
        """Return the next chunk; settle when there is none."""
        with self._under_way():
            chunk = await super().__anext__()
        self._sending.began = True
        return chunk

    def __next__(self) -> Any:
        """Return the next chunk; settle when there is none."""
        with self._under_way():
            chunk = super().__next__()
        self._sending.began = True
        return chunk

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        # Some streams, Gemini's, are asked for with the first of their chunks only.
        before = CURRENT_METERED.get()
        CURRENT_METERED.set(self._sending)
        try:
            yield
        except BaseException as error:
            self._end(error)
            _raise_refusal(self._sending)
            raise
        finally:
            CURRENT_METERED.set(before)

    async def aclose(self) -> None:
        """Close the connection; what was not read may be billed all the same."""
        try:
            await super().aclose()  # type: ignore[no-untyped-call]
        finally:
            self._sending.end(self._given_up())

    def __del__(self) -> None:
        self._sending.end_apart(self._given_up())
        super().__del__()

    def _given_up(self) -> Failure:
        heard = _heard(self._sending)
        if heard is not None and heard.is_complete:
            # Its count has come, though its reader did not wait for it.
            self._note_heard(self.chunks[-1:])
        self._sending.was_sent = self._sending.was_sent and not _was_handed_to_nobody(self._sending)
        _keep_id(self._sending)
        return Failure(FailureKind.CANCELLED)

    def _end(self, error: BaseException) -> None:
        if not isinstance(error, StopIteration | StopAsyncIteration):
            _fail(self._sending, error)
            return
        counted = [chunk for chunk in self.chunks if getattr(chunk, "usage", None) is not None]
        heard = _heard(self._sending)
        if heard is not None and heard.is_complete:
            # Where a server counts within a choice, LiteLLM counts nothing.
            counted = counted or self.chunks[-1:]
        if counted and (self.received_finish_reason or self.intermittent_finish_reason):
            self._note_heard(counted)
            self._sending.end()
        else:
            # LiteLLM makes up an end and a usage for a connection that merely closed.
            _keep_id(self._sending)
            self._sending.end(Failure(FailureKind.INTERRUPTED))
        _check_heard(self._sending)

    def _note_heard(self, counted: list[Any]) -> None:
        tier = _dearest_tier(self.chunks)
        last = counted[-1] if counted else None
        _note_usage(self._sending, last, said=any(map(says_something, self.chunks)), tier=tier)


def stand_guard() -> None:
    """Put the metered functions in the place of LiteLLM's own; a second call changes nothing."""
    with _STANDING:
        if _STANDS:
            return
        quiet_libraries()
        stand_doors(lambda: _on_duty() is not None)
        for name, metered in (("completion", _metered), ("acompletion", _ametered)):
            setattr(litellm, name, metered(getattr(litellm, name)))
        for name in ("_get_sync_http_client", "_get_async_http_client"):
            # Where LiteLLM opens the connections of the openai SDK, which would follow redirects.
            setattr(BaseOpenAILLM, name, staticmethod(to_one_address(getattr(BaseOpenAILLM, name))))
        litellm.in_memory_llm_clients_cache.flush_cache()  # type: ignore[no-untyped-call]
        _STANDS.append(True)


def _metered(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def completion(*args: Any, **kwargs: Any) -> Any:
        # An Orchestrator sends nothing synchronously: within its sends this is a call of a hook's own.
        guard = _listed()
        if guard is None:
            return original(*args, **kwargs)
        with _held(guard, named(original, args, kwargs), client=sync_client) as (sending, arguments):
            return _settled(original(**arguments), sending)

    return completion


def _ametered(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def acompletion(*args: Any, **kwargs: Any) -> Any:
        guard = _on_duty()
        if guard is None:
            return await original(*args, **kwargs)
        with _held(guard, named(original, args, kwargs), client=async_client) as (sending, arguments):
            return _settled(await original(**arguments), sending)

    return acompletion


def _on_duty() -> Guard | None:
    """Return the guard of this call; None without a guard, and for what an Orchestrator sends and pays."""
    return None if CURRENT_SENDING.get() is not None else _listed()


def _listed() -> Guard | None:
    return next((callback for callback in litellm.callbacks if isinstance(callback, Guard)), None)


@contextmanager
def _held(
    guard: Guard, kwargs: dict[str, Any], *, client: Callable[[ProviderKind, Any], Any]
) -> Iterator[tuple[MeteredSend, dict[str, Any]]]:
    """Hold the money of a call, hand out the arguments to send it with, and settle it when it fails."""
    before, is_handed_out = CURRENT_METERED.get(), False
    sending: MeteredSend | None = None
    try:
        call = metered_call_of(kwargs)
        arguments = for_provider(sent_once(bounded(kwargs)), call)
        arguments["client"] = client(call.kind, arguments.get("client"))
        size, meter = size_of(call.kind, arguments), guard.meter(call)
        # The last before what may be interrupted: from here on whatever is raised settles the send.
        sending = meter.open(
            size.messages, max_tokens=size.max_tokens, answers=size.answers, declared=size.declared
        )
        address = priced_at(call)
        sending.origin = origin_of(httpx.URL(address))
        sending.leave = Leave(
            call.kind, call.upstream, address, sending.covers,
            is_asked=asks_leave(arguments["client"]), waits_s=waits_s(arguments),
        )  # fmt: skip
        if call.kind is ProviderKind.OPENROUTER:
            sending.reports_cost = True
            arguments["extra_body"] = token_costs_only(meter.offer.price.dearest)
        sending.was_sent = not is_watched(arguments["client"], asynchronous=client is async_client)
        CURRENT_METERED.set(sending)
        is_handed_out = True
        yield sending, arguments
    except BaseException as error:
        if sending is not None:
            sending.was_sent = sending.was_sent and is_handed_out
            _fail(sending, error)
            _raise_refusal(sending)
        elif isinstance(error, OrchestratorError):
            raise final(error) from error.__cause__
        raise
    finally:
        CURRENT_METERED.set(before)


def _settled(answer: Any, sending: MeteredSend) -> Any:
    """Settle a whole answer, or have a stream settle itself; return it."""
    if isinstance(answer, CustomStreamWrapper):
        return MeteredStream.around(answer, sending)
    if answer is None:
        # LiteLLM answers OpenAI's second 422 with nothing.
        sending.end(Failure(FailureKind.BAD_REQUEST, 422))
        return None
    _note_usage(sending, answer, said=says_something(answer), tier=_dearest_tier([answer]))
    sending.end()
    _check_heard(sending)
    return answer


def _fail(sending: MeteredSend, error: BaseException) -> None:
    """Settle a send that failed; only a refusal of the provider's own, or no connection to it, is free.

    LiteLLM makes up a status for whatever it cannot read, and follows redirects; both may have been billed.
    """
    _keep_id(sending)
    heard = _heard(sending)
    if heard is not None and heard.overrun is not None and heard.overrun.answer is not None:
        sending.take(heard.overrun.answer)
        sending.end(heard.overrun.failure)
        return
    failure = failure_of(error)
    sending.was_sent = sending.was_sent and not (
        (failure.kind in _NOT_BEGUN and not sending.has_left)
        or was_unconnected(error, origin=sending.origin)
        or _was_handed_to_nobody(sending)
    )
    sending.began = sending.began or not was_refused(error)
    sending.end(failure)


def _raise_refusal(sending: MeteredSend) -> None:
    """Raise why a request did not leave, if it did not: LiteLLM makes another error of it."""
    refusal = sending.leave and sending.leave.refusal
    if refusal:
        raise final(refusal) from None


def _was_handed_to_nobody(sending: MeteredSend) -> bool:
    """Return whether LiteLLM stopped by itself: a parameter, a key or a message is not as it wants it."""
    return sending.leave is not None and sending.leave.is_asked and not sending.leave.is_used


_NOT_BEGUN = frozenset({FailureKind.NOT_SENT, FailureKind.VETOED})


def _note_usage(sending: MeteredSend, answer: Any, *, said: bool, tier: str | None) -> None:
    counted = counted_usage(getattr(answer, "usage", None), reports_cost=sending.reports_cost).of(said)
    billed = BilledUsage(counted.usage, counted.reported_cost_nusd, counted.fee_nusd, tier)
    heard = _heard(sending)
    if heard is not None:
        billed = _billed_by(heard, sending)
    sending.billed = replace(billed, service_tier=tier)
    sending.upstream_id = stated_name(getattr(answer, "id", None))
    _keep_id(sending)


def _check_heard(sending: MeteredSend) -> None:
    """Check that what LiteLLM has made an answer of is one by the provider's own bytes.

    Raises:
        UnavailableError: it is none; LiteLLM says `stop` of an end that it does not know.
    """
    heard = _heard(sending)
    if heard is not None:
        heard.check()


def _heard(sending: MeteredSend) -> VendorAnswer | None:
    """Return what came back, by the provider's own bytes; None where they could not be heard."""
    return sending.leave.answer if sending.leave is not None else None


def _keep_id(sending: MeteredSend) -> None:
    """Keep what the provider calls an answer that is not whole, by which it is found in its records."""
    heard = _heard(sending)
    sending.upstream_id = sending.upstream_id or (heard.upstream_id if heard is not None else None)


def _billed_by(heard: VendorAnswer, sending: MeteredSend) -> BilledUsage:
    """Return what a provider's own bytes say; LiteLLM makes numbers of counts that are none."""
    try:
        return sending.billed_of(heard.whole())
    except AttemptFailedError as exc:
        return BilledUsage(Usage(estimated=True)) if exc.answer is None else sending.billed_of(exc.answer)


def _dearest_tier(pieces: Iterable[Any]) -> str | None:
    """Return the class of service of an answer; in a stream the piece that counts does not say it."""
    stated = (stated_tier(getattr(piece, "service_tier", None)) for piece in pieces)
    return max((tier for tier in stated if tier is not None), key=tier_percent, default=None)


_STANDING = threading.Lock()
_STANDS: list[bool] = []
"""Filled once the functions are in place."""
