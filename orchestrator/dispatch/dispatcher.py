"""One plan to one answer: the dispatcher leads a cursor along the plan and reads what a transport brings.

It knows no library. The cursor says which attempt is next, the transport sends it, and what comes back is
booked, handed to the reader of a stream, or told as the error that says why no deployment answered.
"""

import logging
from dataclasses import replace

from orchestrator.catalog.models import ModelClass
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.json_answers import NO_JSON, is_broken_json, is_json
from orchestrator.core.on_break import OnBreak
from orchestrator.core.provider_answer import AttemptFailedError, ProviderAnswer, UnreadableAnswerError
from orchestrator.core.reply import Attempt
from orchestrator.dispatch.attempt import InFlightAttempt
from orchestrator.dispatch.cursor import Cursor
from orchestrator.dispatch.dispatch_request import DispatchRequest
from orchestrator.dispatch.history import DispatchHistory
from orchestrator.dispatch.outcome import DispatchResult, failure_error
from orchestrator.dispatch.services import Services
from orchestrator.dispatch.transport import Transport, in_flight
from orchestrator.streaming.stream_writer import StreamWriter, TakeDelta

logger = logging.getLogger("orchestrator.dispatch")


class Dispatcher:
    """One request on its way; used by one task on one event loop."""

    def __init__(
        self,
        dispatch: DispatchRequest,
        *,
        transport: Transport,
        services: Services,
        take: TakeDelta | None = None,
        history: DispatchHistory | None = None,
    ) -> None:
        """Send or hold nothing yet; `take` gets the pieces of a stream, other lanes share `history`."""
        self.dispatch = dispatch
        self._transport = transport
        self._history = DispatchHistory(drawn=dispatch.sends_before) if history is None else history
        self._writer = None if take is None else StreamWriter(dispatch.request, take)
        self._cursor = Cursor(dispatch, services=services, history=self._history, writer=self._writer)
        self._answer: ProviderAnswer | None = None
        self._answered_by: Attempt | None = None
        self._story: str | None = None

    async def run(self) -> DispatchResult:
        """Return the answer of the first deployment that gives one.

        Raises:
            OrchestratorError: no deployment answered; says what went wrong where.
            StreamInterruptedError: a stream broke off after its first piece, and could not be finished.
        """
        while await self._cursor.next() is not None:
            answer = await self._send()
            if answer is not None:
                self._answer = answer
                return self.result()
            if self._writer is not None and self._writer.begun:
                self._continue(self._writer)
        error = self._error()
        if self._writer is not None and self._writer.begun:
            raise self._writer.interrupted(error)
        raise error

    def close(self, reason: FailureKind = FailureKind.CANCELLED) -> None:
        """Book an attempt that is still in flight: the caller left, or the deadline is over."""
        if self._cursor.current is not None:
            self._cursor.current.fail(Failure(reason))

    def result(self) -> DispatchResult:
        """Return what has come of it so far."""
        return DispatchResult(
            dispatch=self.dispatch,
            answer=self._answer,
            answered_by=self._answered_by,
            attempts=tuple(self._history.attempts),
            notices=tuple(self._history.notices),
            remark=self._history.latest_remark,
            story=self._story,
            delivered="" if self._writer is None else self._writer.text,
            passed_over=tuple(self._history.skipped),
        )

    async def _send(self) -> ProviderAnswer | None:
        """Let the transport send from the current attempt on; None when the cursor has to choose again."""
        answer: ProviderAnswer | None = None
        try:
            async with self._cursor.timer:
                answer = await self._transport.send(self._cursor)
                if answer is not None:
                    attempt = in_flight(self._cursor)
                    return self._succeed(attempt, _checked_json(attempt, answer))
        except TimeoutError:
            self._fail(Failure(FailureKind.TIMEOUT))
        except AttemptFailedError as exc:
            self._fail(exc.failure, billed=exc.answer)
        except Exception:
            # A mistake of ours or of a transport: it goes on to the caller, but it is no cancellation of his.
            self._fail(Failure(FailureKind.UNKNOWN), billed=answer)
            raise
        # Has no effect but on an attempt of which the transport has told nothing.
        self._fail(Failure(FailureKind.UNKNOWN))
        return None

    def _succeed(self, attempt: InFlightAttempt, answer: ProviderAnswer) -> ProviderAnswer:
        if self._writer is not None:
            self._writer.finish(answer)
            self._tell_how(attempt, self._writer)
        attempt.succeed(answer)
        self._answered_by = self._history.attempts[-1]
        if len(self._history.attempts) > 1:
            logger.info(
                "fallback answered: request=%s attempt=%d deployment=%s",
                self.dispatch.request_id,
                attempt.number,
                attempt.name,
            )
        return answer if self._writer is None else replace(answer, text=self._writer.text)

    def _fail(self, failure: Failure, *, billed: ProviderAnswer | None = None) -> None:
        if self._cursor.current is not None:
            self._cursor.current.fail(failure, billed=billed)

    def _continue(self, writer: StreamWriter) -> None:
        """Prepare the next attempt at an answer whose beginning has been read.

        Raises:
            StreamInterruptedError: the caller wants no other attempt, or none can help.
        """
        last = self._history.attempts[-1]
        writer.broke_off(last.deployment, refused=last.failure == FailureKind.CONTINUATION_REFUSED)
        on_break = self.dispatch.request.on_break
        if on_break is OnBreak.ERROR:
            raise writer.interrupted(None)
        if on_break is OnBreak.RESCUE and last.failure == FailureKind.ENDLESS:
            # Nobody can go on with a text that is longer than any answer may be.
            raise writer.interrupted(self._error())
        self._cursor.continue_with(writer.request_for(""))

    def _tell_how(self, attempt: InFlightAttempt, writer: StreamWriter) -> None:
        """Let the reply say how the answer came about, where more than one attempt brought a part of it."""
        self._story = writer.story(attempt.name)
        most = attempt.target.candidate.words_tokens
        planned = next(
            (step.words_tokens for step in self.dispatch.plan.asked if step.deployment == attempt.name),
            most,
        )
        if most < planned:
            self._history.notices.append(
                f"max_tokens lowered from {planned} to {most} to fit what one request may cost"
            )

    def _error(self) -> OrchestratorError:
        """Return the error of a dispatch that no deployment answered."""
        cursor, history = self._cursor, self._history
        if cursor.refusal is not None and not history.attempts:
            return cursor.refusal
        return failure_error(
            history,
            failure=cursor.failure,
            advice=cursor.exclusions.advice(self.dispatch.targets),
            on_filtered=self.dispatch.on_filtered,
            room_in_s=cursor.room_in_s(),
            rested_in_s=self._rested_in_s(),
        )

    def _rested_in_s(self) -> float | None:
        """Return how long it is until one may be asked again, where all daily targets asked for a rest."""
        limiter = self._cursor.services.rate_limiter
        rests_s = [
            limiter.rests_s(target.name)
            for target in self.dispatch.targets
            if target.deployment.model.tier is not ModelClass.EMERGENCY
        ]
        return min(rests_s) if rests_s and all(rests_s) else None


def _checked_json(attempt: InFlightAttempt, answer: ProviderAnswer) -> ProviderAnswer:
    """Return an answer, saying of it where it is no JSON and a program asked for that.

    Raises:
        UnreadableAnswerError: it ends as a whole one and is half of an object; or the emergency model, whose
            limit is not the caller's own, has written no JSON.
    """
    if not attempt.request.sampling.asks_for_json or answer.tool_calls or is_json(answer.text):
        return answer
    if attempt.target.deployment.model.tier is ModelClass.EMERGENCY:
        raise UnreadableAnswerError(Failure(FailureKind.UNSUPPORTED), answer)
    if answer.finish_reason != "stop":
        return answer
    if is_broken_json(answer.text):
        raise UnreadableAnswerError(Failure(FailureKind.MALFORMED), answer)
    return replace(answer, notices=(*answer.notices, NO_JSON))
