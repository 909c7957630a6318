"""The anchor: the last words of a text that broke off, by which its continuation is recognised.

No answer begins with an anchor: it begins within a clause, at a word in lower case, and it stands
nowhere else in its text. So a text that begins with it goes on, and is no other answer.
"""

import re

_WORDS = 8
_CHARS_MAX = 400
_CHARS_WITHOUT_WORDS = 40
"""Of a script that writes no spaces."""
_SPACES_MAX = 8
"""Between two words of a clause."""


def anchor_of(delivered: str) -> str:
    """Return the anchor of a text: its last words, or all of it where it is short.

    Of a text that is one refrain, and of one that has no clause of several words, it is as long as it may be.
    """
    text = delivered.rstrip()
    starts = [match.start() for match in re.finditer(r"\S+", text)]
    if len(starts) <= _WORDS:
        return delivered if len(text) <= _CHARS_MAX else delivered[_start_within_letters(text) :]
    widest = len(text)
    for start in reversed(starts[: 1 - _WORDS]):
        if len(text) - start > _CHARS_MAX:
            return delivered[widest if widest < len(text) else _start_within_letters(text) :]
        if is_within_clause(text, start) and text.find(text[start:]) == start:
            return delivered[start:]
        widest = start
    return delivered


def is_within_clause(text: str, at: int) -> bool:
    """Return whether the letter at a place stands within a clause, where no answer begins.

    A word in capitals does not: it may be a name, and answers begin with names and numbers.
    """
    before = text[max(0, at - _SPACES_MAX) : at].rstrip(" ")
    return before[-1:].isalnum() and text[at].isalpha() and text[at] == text[at].lower()


def _start_within_letters(text: str) -> int:
    start = len(text) - _CHARS_WITHOUT_WORDS
    while start > len(text) - _CHARS_MAX and not is_within_clause(text, start):
        start -= 1
    return start
