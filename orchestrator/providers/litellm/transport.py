"""The way out through LiteLLM alone: it writes the request, sends it and reads the answer.

Its Router walks the fallbacks over these attempts, and the guard in its hooks lets nothing leave that holds
no money (docs/why/litellm.md). What our own wire speaks does not come this way.
"""

import os
from dataclasses import replace
from typing import Any

from orchestrator.catalog.catalog import Deployment, ProviderKind
from orchestrator.core.provider_answer import AttemptFailedError, ProviderAnswer, UnreadableAnswerError
from orchestrator.dispatch.attempt import InFlightAttempt
from orchestrator.dispatch.transport import AttemptSource, in_flight
from orchestrator.providers.litellm.prefix_request import Reader
from orchestrator.providers.litellm.responses import StreamedAnswer, check_answered, read_answer
from orchestrator.providers.litellm.router import CatalogRouter
from orchestrator.providers.litellm.sending import Means, Sending, in_this_task
from orchestrator.providers.local.model import LocalModel
from orchestrator.providers.wire.answer_checks import check_was_offered
from orchestrator.providers.wire.reasoning_turns import vendor_at


class LiteLLMConnections:
    """LiteLLM's HTTP client of one event loop, shared by the transports of all configurations."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._client: Any = None
        self._made_in = 0

    def client(self) -> Any:
        """Return the client, made with its first use on the loop that will use it; a fork makes its own."""
        if self._client is None or self._made_in != os.getpid():
            from orchestrator.providers.litellm.http_client import SendOnceClient  # noqa: PLC0415 -- needs LiteLLM

            self._client = SendOnceClient()
            self._made_in = os.getpid()
        return self._client

    async def close(self) -> None:
        """Close the connections that are kept open."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


class LiteLLMTransport:
    """The way to every provider, for one configuration, on one event loop."""

    def __init__(
        self, router: CatalogRouter, *, local_model: LocalModel, connections: LiteLLMConnections
    ) -> None:
        """Open nothing yet; LiteLLM is loaded with the first call."""
        self._router = router
        self._local_model = local_model
        self._connections = connections

    @property
    def is_ready(self) -> bool:
        """Return whether LiteLLM is loaded and the Router built."""
        return self._router.is_ready

    async def get_ready(self) -> None:
        """Load LiteLLM and build the Router, in a thread."""
        await self._router.get_ready()

    async def send(self, source: AttemptSource) -> ProviderAnswer | None:
        """Let the Router go from the source's current attempt on; None when the source has to choose again.

        Raises:
            AttemptFailedError: what came is no answer.
        """
        sending = Sending(source)
        try:
            return await self._ask(sending)
        except AttemptFailedError:
            raise
        except Exception as exc:  # noqa: BLE001 -- LiteLLM raises anything; failure_of names it or says unknown
            sending.fail(exc)
            if sending.error is not None:
                raise sending.error from None
            return None
        finally:
            # An error holds the frames that it passed, and with them what it is held by.
            sending.outer_error = None

    async def _ask(self, sending: Sending) -> ProviderAnswer:
        router = self._router.built()
        # What needs LiteLLM takes seconds to import, hence not at the head.
        from litellm._internal_context import is_internal_call  # noqa: PLC0415

        from orchestrator.providers.litellm.hooks import keep_guard  # noqa: PLC0415

        keep_guard()
        sending.means = Means(self._local_model, self._connections.client())
        # LiteLLM marks with it the calls that it makes for another call's sake, which is what an attempt is.
        # It then writes no traceback and no payload for log callbacks; the ledger has the record.
        unlogged = is_internal_call.set(True)
        try:
            with in_this_task(sending):
                return await self._answer(router, sending)
        finally:
            is_internal_call.reset(unlogged)

    async def _answer(self, router: Any, sending: Sending) -> ProviderAnswer:
        response = await router.acompletion(**_arguments(in_flight(sending.source), sending.source))
        try:
            answer = await _read(response, sending.source)
        except UnreadableAnswerError as exc:
            if exc.answer is not None and sending.words is not None:
                exc.answer = sending.words.billed(exc.answer)
            raise
        if sending.words is not None:
            answer = sending.words.checked(answer)
        check_was_offered(answer, in_flight(sending.source).request.sampling)
        if answer.reasoning or answer.reasoning_details:
            deployment = in_flight(sending.source).target.deployment
            answer = replace(answer, reasoning_vendor=_reader_of_thoughts(deployment))
        return replace(answer, notices=(*sending.notices, *answer.notices)) if sending.notices else answer


def _reader_of_thoughts(deployment: Deployment) -> str:
    """Return the vendor that reads again what a deployment's model has thought."""
    provider = deployment.provider
    if provider.kind is ProviderKind.LITELLM:
        return Reader.at(deployment).vendor
    is_openai = provider.kind is ProviderKind.OPENAI
    return vendor_at(
        provider.kind, deployment.upstream, is_openai=is_openai, provider_name=deployment.provider_name
    )


def _arguments(attempt: InFlightAttempt, source: AttemptSource) -> dict[str, Any]:
    outbound = attempt.outbound()
    arguments: dict[str, Any] = {
        "model": attempt.name,
        "messages": outbound.messages,
        "fallbacks": list(source.upcoming()),
        "num_retries": 0,
        # LiteLLM's own logging is not used and costs a fifth of a call.
        "no-log": True,
        # A cache that the program has set for its own calls (`litellm.cache`) knows no tenants.
        "cache": {"no-cache": True, "no-store": True},
        **outbound.parameters,
    }
    if source.streams:
        arguments["stream"] = True
        # Here and not in the guard: LiteLLM drops the usage it was not asked for by the caller.
        arguments["stream_options"] = {"include_usage": True}
    return arguments


async def _read(response: Any, source: AttemptSource) -> ProviderAnswer:
    if source.streams:
        return await _read_stream(response, source)
    check_answered(response)
    kind = in_flight(source).target.deployment.provider.kind
    return read_answer(response, reports_cost=kind is ProviderKind.OPENROUTER)


async def _read_stream(response: Any, source: AttemptSource) -> ProviderAnswer:
    # Not before: the Router may have gone on to another deployment than it was called with.
    attempt = in_flight(source)
    check_answered(response)
    attempt.begin_stream()
    streamed = StreamedAnswer()
    try:
        async for chunk in response:
            delta = streamed.add(chunk)
            attempt.identify(streamed.upstream_id)
            attempt.receive(delta)
        return _whole(response, streamed, attempt.target.deployment.provider.kind)
    finally:
        # A stream that is left must not go on, and be billed, until the garbage is collected.
        await response.aclose()


def _whole(response: Any, streamed: StreamedAnswer, kind: ProviderKind) -> ProviderAnswer:
    """Return the answer of a stream that came to its end, which its bytes have said.

    LiteLLM makes up a usage for one that has none.
    """
    if not any(getattr(chunk, "usage", None) for chunk in response.chunks):
        streamed.usage = None
    return streamed.whole(reports_cost=kind is ProviderKind.OPENROUTER)
