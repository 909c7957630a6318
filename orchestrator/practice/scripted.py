"""Answers from a script, then from rules."""

import re
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping

from orchestrator.practice.answers import (
    Finish,
    Piece,
    PracticeAnswer,
    PracticeRequest,
    PracticeToolCall,
    Thought,
    last_text,
)
from orchestrator.practice.rules import rule_based_answer
from orchestrator.practice.tokens import count_tokens

_PIECE = re.compile(r"\s*\S{1,24}|\s+")


Reply = str | PracticeToolCall | PracticeAnswer
"""A scripted reply: text, one tool call, or a whole answer."""


class Scripted:
    """Answers from a script, then from rules.

    A reply whose key in `matched` occurs in the last user message (case ignored; an empty key
    occurs in every message) comes first, then the `replies` in order, each once, then the rule-based
    answer of `orchestrator.practice.rules`. An answer that broke off is asked for again and is the
    same reply. Replies may be added from any thread.
    """

    def __init__(self, replies: Iterable[Reply] = (), *, matched: Mapping[str, Reply] | None = None) -> None:
        """Take the replies in order and those for matching messages."""
        self._replies = deque(map(_whole, replies))
        self._last_reply: PracticeAnswer | None = None
        """The last reply that was given in order."""
        self._matched: dict[str, PracticeAnswer] = {}
        self.match(matched or {})

    def add(self, *replies: Reply) -> None:
        """Append replies to those that are given in order."""
        self._replies.extend(map(_whole, replies))

    def match(self, matched: Mapping[str, Reply]) -> None:
        """Add replies for messages in which a key occurs."""
        self._matched |= {key.casefold(): _whole(reply) for key, reply in matched.items()}

    async def answer(self, request: PracticeRequest) -> AsyncIterator[Piece]:
        """Yield the scripted or rule-based answer in pieces of about a word."""
        answer = self.reply_to(request)
        if answer.reasoning_tokens:
            yield Thought(answer.reasoning_tokens)
        for text in _PIECE.findall(answer.reasoning):
            yield Thought(count_tokens(len(text.encode())), text)
        for text in _PIECE.findall(answer.text):
            yield text
        for call in answer.tool_calls:
            yield call
        if answer.finish_reason is not None:
            yield Finish(answer.finish_reason)

    def reply_to(self, request: PracticeRequest) -> PracticeAnswer:
        """Return the whole answer; uses up an ordered reply."""
        if self._matched:
            message = last_text(request.messages, role="user").casefold()
            for key, reply in self._matched.items():
                if key in message:
                    return reply
        last = self._last_reply
        if request.begun is not None and last is not None and last.text.startswith(request.begun):
            return last
        try:
            self._last_reply = self._replies.popleft()
            return self._last_reply
        except IndexError:
            return rule_based_answer(request)


def _whole(reply: Reply) -> PracticeAnswer:
    if isinstance(reply, PracticeAnswer):
        return reply
    if isinstance(reply, PracticeToolCall):
        return PracticeAnswer(tool_calls=(reply,))
    if not isinstance(reply, str):
        # Said where it is scripted: the request that gets it may be far away.
        msg = (  # type: ignore[unreachable]  # what a test without types writes
            f"a scripted reply is a text, a PracticeToolCall or a PracticeAnswer, not {type(reply).__name__}; "
            "json.dumps(...) makes a text of an object, and several replies are several arguments"
        )
        raise TypeError(msg)
    return PracticeAnswer(text=reply)
