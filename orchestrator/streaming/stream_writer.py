"""What one reader has of an answer, over all attempts, and how the next attempt's words join it.

By default a reader gets text as it comes, a word behind, so that it always ends with a whole word;
tool calls and JSON come when they are whole, for half of one is of no use, and so do the words where a
call has to be made. So a break in them is as invisible as one before the first word, and only plain text
ever has to be gone on with.
"""

from collections.abc import Callable
from dataclasses import replace

from orchestrator.core.errors import AllProvidersFailedError, OrchestratorError, StreamInterruptedError
from orchestrator.core.failures import Failure, FailureKind
from orchestrator.core.on_break import OnBreak, Restarted
from orchestrator.core.provider_answer import ProviderAnswer, UnreadableAnswerError
from orchestrator.core.reply import Delta, ToolCallDelta
from orchestrator.core.request import ChatRequest
from orchestrator.streaming.anchor import anchor_of
from orchestrator.streaming.continuation import continuation_request
from orchestrator.streaming.splice import NotJoinableError, Splice
from orchestrator.streaming.word_buffer import WordBuffer

TakeDelta = Callable[[Delta], None]
"""Takes a piece of a streamed reply at once, without waiting for the reader."""


class StreamWriter:
    """The way of one streamed answer to its reader."""

    def __init__(self, request: ChatRequest, emit: TakeDelta) -> None:
        """Nothing is delivered yet."""
        self.text = ""
        """What the reader has, and what still counts of it."""
        self.begun = False
        """The reader has a piece that counts."""
        self._request = request
        self._emit = emit
        self._words = WordBuffer()
        self._splice: Splice | None = None
        self._deployment = ""
        self._gave = False
        """The current attempt has handed something over."""
        self._thoughts = ""
        """What the current attempt has thought and the reader has not: it comes with the next words."""
        self._refusers: set[str] = set()
        self._broke: list[tuple[str, int]] = []
        """What broke off, and how many characters the reader had by then."""

    def request_for(self, name: str) -> ChatRequest:
        """Return what deployment `name` is to be asked: the rest of what broke off, or all of it."""
        if not self._goes_on or name in self._refusers:
            return self._request
        return continuation_request(self._request, self.text)

    def begin(self, name: str) -> None:
        """Let the attempt of deployment `name` come next."""
        self._deployment, self._gave, self._thoughts = name, False, ""
        self._words = WordBuffer()
        self._splice = None
        if self._goes_on:
            self._splice = Splice(self.text, anchor=anchor_of(self.text))

    def take(self, delta: Delta) -> None:
        """Hand over what a piece brings that the reader may have now.

        Raises:
            UnreadableAnswerError: it is another answer than the one that was begun.
        """
        if self._request.on_break is not OnBreak.RESCUE:
            self._give(delta)
            return
        self._thoughts += delta.reasoning
        if delta.text and not self._keeps_whole:
            self._give_text(delta.text if self._splice is None else self._joined(delta.text))

    def finish(self, answer: ProviderAnswer) -> None:
        """Hand over what was kept back of a whole answer.

        Raises:
            UnreadableAnswerError: it is another answer than the one that was begun.
        """
        if self._request.on_break is not OnBreak.RESCUE:
            return
        if self._splice is not None and not answer.text.strip() and not answer.tool_calls:
            # The limit of output was spent on thoughts: the begun answer is no more whole than before.
            raise UnreadableAnswerError(Failure(FailureKind.NOT_JOINABLE), answer)
        if not self._gave:
            self._thoughts = answer.reasoning
        if self._keeps_whole:
            self._give(Delta(answer.text))
        else:
            rest = "" if self._splice is None else self._joined(None, answer)
            self._give(Delta(self._words.feed(rest) + self._words.flush()))
        calls = (
            ToolCallDelta(place, call.id, call.name, call.arguments)
            for place, call in enumerate(answer.tool_calls)
        )
        self._give(Delta("", tuple(calls)))

    def broke_off(self, name: str, *, refused: bool) -> None:
        """Note that an attempt failed after the reader had a piece; `refused`: it would not go on."""
        if refused:
            self._refusers.add(name)
        if self._gave:
            self._broke.append((name, len(self.text)))
            # The next that fails may have said nothing.
            self._gave = False

    def story(self, name: str) -> str | None:
        """Return how the answer came about that deployment `name` finished; None without a break."""
        if not self._broke:
            return None
        how = "continued" if self._request.on_break is OnBreak.RESCUE else "answered afresh"
        broke = (f"{broken} broke off after {characters} characters" for broken, characters in self._broke)
        return f"{'; '.join(broke)}; {how} by {name}"

    def interrupted(self, verdict: OrchestratorError | None) -> StreamInterruptedError:
        """Return the error of an answer that was not finished."""
        steps = verdict.steps if isinstance(verdict, AllProvidersFailedError) else ()
        reasons = "; ".join(f"{step.deployment}: {step.reason}" for step in steps)
        why = f" and nobody could finish it ({reasons})" if reasons else ""
        return StreamInterruptedError(
            f"the answer broke off after {len(self.text)} characters{why}; "
            "what had arrived is in partial_text, and a whole answer is a new request",
            partial_text=self.text,
        )

    @property
    def _goes_on(self) -> bool:
        return bool(self.text) and self._request.on_break is OnBreak.RESCUE

    @property
    def _keeps_whole(self) -> bool:
        return self._request.sampling.is_kept_whole

    def _joined(self, piece: str | None, answer: ProviderAnswer | None = None) -> str:
        if self._splice is None:
            return piece or ""
        try:
            return self._splice.finish() if piece is None else self._splice.feed(piece)
        except NotJoinableError:
            raise UnreadableAnswerError(Failure(FailureKind.NOT_JOINABLE), answer) from None

    def _give_text(self, text: str) -> None:
        ready = self._words.feed(text)
        if ready:
            self._give(Delta(ready))

    def _give(self, delta: Delta) -> None:
        if self._thoughts and self._splice is None:
            # What another attempt thinks of its rest is none of the answer's.
            delta, self._thoughts = replace(delta, reasoning=self._thoughts + delta.reasoning), ""
        if not delta.text and not delta.tool_calls and not delta.reasoning:
            return
        if self.begun and not self._gave and self._request.on_break is OnBreak.RESTART:
            void, self.text = len(self.text), ""
            delta = replace(delta, restarted=Restarted(self._deployment, void))
        self.begun = self._gave = True
        self.text += delta.text
        self._emit(delta)
