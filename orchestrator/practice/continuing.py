"""Going on with an answer that broke off, in front of the answerer.

A request asks for that when its last two messages are a begun answer and a user's message that quotes
the answer's last words on lines of their own. The answer to the messages before them is given again from
there on: its words are counted, so that a model goes on with what another model began.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import replace

from orchestrator.practice.answers import Answerer, Piece, PracticeRequest, text_of
from orchestrator.practice.fault_kinds import Manner

_PIECE = re.compile(r"\s*\S{1,24}|\s+")
_WORD = re.compile(r"\S+")
_QUOTED_WORDS_MIN = 2
_QUOTED_WORDS_MAX = 100
_TAIL_WORDS = 14
_CONTINUATION_MESSAGES = 2


def begun_answer(request: PracticeRequest) -> str | None:
    """Return the text that a request asks to go on with, None when it asks for a whole answer."""
    if len(request.messages) <= _CONTINUATION_MESSAGES:
        return None
    answer, instruction = request.messages[-2:]
    text = text_of(answer)
    if answer.get("role") != "assistant" or instruction.get("role") != "user" or not text.strip():
        return None
    return text if _quoted_from(text, text_of(instruction)) is not None else None


async def continuation(
    answerer: Answerer, request: PracticeRequest, *, begun: str, manner: Manner
) -> AsyncIterator[Piece]:
    """Yield the rest of the answer of which `begun` was read, in a manner."""
    question = replace(request, messages=request.messages[:-_CONTINUATION_MESSAGES], begun=begun)
    pieces = [piece async for piece in answerer.answer(question)]
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    for piece in _PIECE.findall(
        _continued_text(text, begun, quoted_in=text_of(request.messages[-1]), manner=manner)
    ):
        yield piece
    for piece in pieces:
        if not isinstance(piece, str):
            yield piece


def _continued_text(text: str, begun: str, *, quoted_in: str, manner: Manner) -> str:
    if manner is Manner.OTHER:
        return f"Certainly! Here it is in other words: {text}"
    if manner is Manner.AFRESH:
        return text
    rest = _rest(text, begun)
    if manner is Manner.RESTART:
        return begun + rest
    if manner is Manner.STRAIGHT:
        return rest.lstrip()
    starts = _word_starts(begun)
    if manner is Manner.TAIL:
        return begun[starts[-_TAIL_WORDS:][0] :] + rest
    return begun[_quoted_from(begun, quoted_in) or 0 :] + rest


def _quoted_from(begun: str, instruction: str) -> int | None:
    """Return where the end of `begun` starts that `instruction` quotes on lines of its own, or None."""
    starts = _word_starts(begun)
    enough = starts[-_QUOTED_WORDS_MAX : len(starts) - _QUOTED_WORDS_MIN + 1] or starts[:1]
    lines = f"\n{instruction}\n"
    return next((start for start in enough if f"\n{begun[start:].strip()}\n" in lines), None)


def _rest(text: str, begun: str) -> str:
    """Return what follows in `text` behind as many words as have begun."""
    if text.startswith(begun):
        return text[len(begun) :]
    ends = [match.end() for match in _WORD.finditer(text)]
    count = len(_word_starts(begun))
    return text[ends[count - 1] :] if count <= len(ends) else ""


def _word_starts(text: str) -> list[int]:
    return [match.start() for match in _WORD.finditer(text)]
