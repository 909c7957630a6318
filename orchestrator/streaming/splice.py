"""One text of two: what a reader already has, and the words of an attempt that goes on with it.

The second attempt was asked to begin with an anchor, the last words that were delivered. It may
do that, or begin further back, or with the very beginning: then its words are swallowed until
they have come as far as the reader. Or it goes straight on. What it may not do is answer in other
words: then the two cannot be one text.

Compared are letters: characters with their accents, in Unicode's composed form, without white
space. A repetition of a word or two proves nothing, for `từ từ` and `had had` are good language:
where only that is to be seen, nothing is joined.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_PROOF_WORDS = 3
_PROOF_LETTERS = 10
_PROOF_LETTERS_WITHOUT_WORDS = 24
"""For scripts without spaces."""
_ALIKE_LETTERS = 12
"""A text that begins like the delivered one for so long, and then differs, is another answer."""
_LOOK_WORDS = 8
_LOOK_CHARS_MAX = 200
"""How much of a text that goes straight on is looked at before it is believed."""
_RUN_WORDS = 4
"""So many words in a row that the reader has already seen are a repetition."""
_BUFFER_SPARE_CHARS = 2_000
_SENTENCE_ENDS = ".!?…:;)]}\"'”’»*`|>"
_NO_SPACE_BEFORE = ".,;:!?…)]}”’»%"
_AFRESH = re.compile(
    r"(sure|certainly|of course|absolutely|sorry|apolog|i apolog|i'm sorry|here is|here's|hello|hi|dear|"
    r"dạ|vâng|xin chào|chào|xin lỗi|tất nhiên|dưới đây|rất tiếc)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")


class NotJoinableError(Exception):
    """The second text is another answer: the two cannot be one."""


@dataclass(frozen=True, slots=True)
class _Letter:
    """A character with its accents, composed."""

    text: str
    begins_word: bool
    end: int
    """Where it ends in the text it was read from."""


class Splice:
    """Takes the second text in pieces and returns what is new in it.

    `anchor` is the end of `delivered` that was asked for; `word_ended` says that `delivered` ends
    where a word ends, so that what follows needs a space.
    """

    def __init__(self, delivered: str, *, anchor: str, word_ended: bool) -> None:
        """Compare nothing yet."""
        self._delivered = delivered
        self._word_ended = word_ended
        self._delivered_letters = tuple(_letters(delivered))
        self._anchor_at = len(self._delivered_letters) - sum(1 for _ in _letters(anchor))
        self._gap = delivered[len(delivered.rstrip()) :]
        self._text = ""
        """What has come and is not decided."""
        self._read = 0
        self._count = 0
        self._alike = 0
        """How many letters it begins like the delivered text."""
        self._starts = list(range(len(self._delivered_letters)))
        """Where in the delivered text the second may have begun."""
        self._overlaps: list[tuple[int, int]] = []
        """Starts from which it has come as far as the reader, and where in it that was."""
        self._joined = False

    def feed(self, piece: str) -> str:
        """Return what the reader has not seen yet; empty while that is undecided.

        Raises:
            NotJoinableError: it is another answer.
        """
        if self._joined and not self._gap:
            return piece
        self._text += piece
        if len(self._text) > 2 * len(self._delivered) + _BUFFER_SPARE_CHARS:
            raise NotJoinableError
        return self._new(at_end=False)

    def finish(self) -> str:
        """Return what is left when the second text is whole.

        Raises:
            NotJoinableError: it is another answer, or a shorter one.
        """
        return self._new(at_end=True) if self._text or not self._joined else ""

    def _new(self, *, at_end: bool) -> str:
        if self._joined:
            return self._after_gap(at_end=at_end)
        end = self._compare(at_end=at_end)
        if end is None and (not self._starts or at_end) and self._text.strip():
            end = self._proven_end()
            if end is None:
                return self._straight_on(at_end=at_end)
        if end is None:
            return ""
        self._joined, self._text = True, self._text[end:]
        return self._after_gap(at_end=at_end)

    def _compare(self, *, at_end: bool) -> int | None:
        """Read the letters that have come; return where the anchor ended, None if it has not."""
        for letter in _letters(self._text, start=self._read, at_end=at_end):
            going: list[int] = []
            for start in self._starts:
                at = start + self._count
                if self._delivered_letters[at].text != letter.text:
                    continue
                if at + 1 < len(self._delivered_letters):
                    going.append(start)
                    continue
                self._overlaps.append((start, letter.end))
            self._alike += bool(self._starts) and self._starts[0] == 0 and bool(going) and going[0] == 0
            self._starts = going
            self._count += 1
            self._read = letter.end
            if self._overlaps and self._overlaps[-1][0] <= self._anchor_at:
                return self._overlaps[-1][1]
            if not self._starts:
                break
        return None

    def _proven_end(self) -> int | None:
        """Return where the longest overlap ended, None when there is none.

        Raises:
            NotJoinableError: it is too short to prove anything, and too long to be chance.
        """
        for start, end in reversed(self._overlaps):
            tail = self._delivered_letters[start:]
            words = sum(1 for letter in tail if letter.begins_word)
            enough = words >= _PROOF_WORDS and len(tail) >= _PROOF_LETTERS
            if enough or len(tail) >= _PROOF_LETTERS_WITHOUT_WORDS:
                return end
            in_a_word = self._word_ended and self._text[end : end + 1].isalnum()
            if tail[0].begins_word and not in_a_word:
                raise NotJoinableError
        return None

    def _straight_on(self, *, at_end: bool) -> str:
        shorter = at_end and self._starts[:1] == [0]
        if self._alike >= _ALIKE_LETTERS or shorter:
            raise NotJoinableError
        looked = self._text[:_LOOK_CHARS_MAX]
        if len(looked.split()) <= _LOOK_WORDS and len(looked) < _LOOK_CHARS_MAX and not at_end:
            return ""
        if self._is_afresh(looked.lstrip()):
            raise NotJoinableError
        text, self._text = self._text, ""
        self._joined, self._gap = True, ""
        needs_space = self._word_ended and not text[0].isspace() and text[0] not in _NO_SPACE_BEFORE
        return f" {text}" if needs_space else text

    def _is_afresh(self, looked: str) -> bool:
        """Return whether a text that shares no seam with the delivered one answers anew."""
        within_sentence = self._word_ended and not self._delivered.rstrip().endswith(tuple(_SENTENCE_ENDS))
        begins_sentence = looked[0].isupper() and looked[1:2].islower()
        if _AFRESH.match(looked) or (within_sentence and begins_sentence):
            return True
        begun = [word.casefold() for word in _WORD.findall(self._delivered)]
        arrived = [word.casefold() for word in _WORD.findall(looked)]
        known = {tuple(begun[at : at + _RUN_WORDS]) for at in range(len(begun) - _RUN_WORDS + 1)}
        runs = (tuple(arrived[at : at + _RUN_WORDS]) for at in range(len(arrived) - _RUN_WORDS + 1))
        return any(run in known for run in runs)

    def _after_gap(self, *, at_end: bool) -> str:
        """Return the text behind the seam, without the white space that the reader already has."""
        space = len(self._text) - len(self._text.lstrip())
        if self._gap and space == len(self._text) and not at_end:
            return ""
        text, self._text = self._text, ""
        if self._gap:
            text = text[len(self._gap) :] if text.startswith(self._gap) else text[space:]
            self._gap = ""
        return text


def _letters(text: str, *, start: int = 0, at_end: bool = True) -> Iterator[_Letter]:
    """Yield the letters from `start` on; the last one only when nothing can follow that belongs to it."""
    at = start
    while at < len(text):
        end = at + 1
        while end < len(text) and unicodedata.combining(text[end]):
            end += 1
        if end == len(text) and not at_end:
            return
        if not text[at].isspace():
            begins_word = at == 0 or text[at - 1].isspace()
            yield _Letter(unicodedata.normalize("NFC", text[at:end]), begins_word, end)
        at = end
