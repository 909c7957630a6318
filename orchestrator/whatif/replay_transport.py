"""The way out of a replay: what a provider would have answered, after as long as it would have taken.

Nothing is sent. An answer has no words but the recorded lengths; under a policy that compares or checks
answers, it is accepted as often as is assumed.
"""

import math

from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.provider_answer import AttemptFailedError, ProviderAnswer
from orchestrator.core.reply import Delta, Usage
from orchestrator.dispatch.attempt import InFlightAttempt
from orchestrator.dispatch.transport import AttemptSource, admitted_next
from orchestrator.whatif.drawn import drawn_share
from orchestrator.whatif.evidence import DrawnSend
from orchestrator.whatif.recorded_traffic import RecordedRequest
from orchestrator.whatif.world import RIGHT, World, wrong_answer_of

_PIECE_S = 2.0
"""A stream brings something at least so often."""
_CHARS_PER_TOKEN = 4


class ReplayTransport:
    """The providers as one recorded request finds them."""

    def __init__(self, world: World, request: RecordedRequest) -> None:
        """Serve the attempts of one request."""
        self._world = world
        self._request = request
        self._sent: dict[str, int] = {}

    @property
    def is_ready(self) -> bool:
        """Return True: there is nothing to load."""
        return True

    async def get_ready(self) -> None:
        """Do nothing: there is nothing to load."""

    async def send(self, source: AttemptSource) -> ProviderAnswer | None:
        """Answer the source's current attempt, or one that it admits; None when it has to choose again."""
        attempt = source.current
        while attempt is not None:
            try:
                return await self._answer(attempt, streams=source.streams)
            except AttemptFailedError as exc:
                attempt.fail(exc.failure)
            attempt = await admitted_next(source)
        return None

    async def _answer(self, attempt: InFlightAttempt, *, streams: bool) -> ProviderAnswer:
        attempt.start()
        nth = self._sent.get(attempt.name, 0)
        self._sent[attempt.name] = nth + 1
        drawn = self._world.evidence.draw(self._request, attempt.target.deployment, nth=nth)
        if drawn.failure is not FailureKind.UNREACHABLE:
            attempt.mark_sent()
        if drawn.failure is not None:
            await self._fail(drawn, drawn.failure, attempt)
        text = await self._told(drawn, attempt) if streams else await self._whole(drawn, attempt)
        output = min(drawn.output_tokens, attempt.max_tokens)
        return ProviderAnswer(
            text=text,
            tool_calls=(),
            finish_reason="stop",
            reported_cost_nusd=None,
            usage=Usage(drawn.input_tokens, output, drawn.cached_input_tokens),
            upstream_id=f"replay-{self._request.number}-{attempt.number}",
        )

    async def _fail(self, drawn: DrawnSend, kind: FailureKind, attempt: InFlightAttempt) -> None:
        """Fail as was recorded; silence lasts as long as this configuration bears it.

        Raises:
            AttemptFailedError: always.
        """
        # A stream that broke off is replayed as one that broke before its words: nobody knows them.
        kind = FailureKind.DISCONNECTED if kind is FailureKind.INTERRUPTED else kind
        is_silent = kind is FailureKind.TIMEOUT and drawn.status is None
        await self._world.clock.sleep(attempt.limit_s if is_silent else drawn.latency_s)
        raise AttemptFailedError(Failure(kind, drawn.status))

    async def _whole(self, drawn: DrawnSend, attempt: InFlightAttempt) -> str:
        await self._world.clock.sleep(drawn.latency_s)
        share = drawn_share(self._world.seed, "accepted", self._request.prompt, attempt.name)
        return RIGHT if share < self._world.accepted_share else wrong_answer_of(attempt.name)

    async def _told(self, drawn: DrawnSend, attempt: InFlightAttempt) -> str:
        """Say an answer piece by piece."""
        attempt.begin_stream()
        await self._world.clock.sleep(drawn.first_token_s)
        rest_s = drawn.latency_s - drawn.first_token_s
        pieces = max(1, math.ceil(rest_s / _PIECE_S))
        piece = "x" * max(1, drawn.output_tokens * _CHARS_PER_TOKEN // (pieces + 1))
        attempt.receive(Delta(piece))
        for _ in range(pieces):
            await self._world.clock.sleep(rest_s / pieces)
            attempt.receive(Delta(piece))
        return piece * (pieces + 1)
