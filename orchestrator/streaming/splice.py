"""One text of two: what a reader already has, and the words of an attempt that goes on with it.

The second attempt was asked to begin with the anchor, the last words that were delivered. It may do
that, or begin further back, or with the very beginning: then its words are swallowed until they have
come as far as the reader. Whatever shows no such seam is taken for another answer, however well it
would fit: two models' words in one text are worse than asking a third one.

Compared are letters: characters with their accents, in Unicode's composed form, without white space.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from orchestrator.streaming.anchor import is_within_clause
from orchestrator.streaming.word_buffer import HELD_BACK_MAX

_PROOF_WORDS = 4
_PROOF_LETTERS = 12
_PROOF_LETTERS_WITHOUT_WORDS = 24
"""For scripts without spaces."""
_PROOF_WORDS_AMID = 12
"""Two models that say the same thing may begin a sentence alike."""
_BEGINNING_WORDS = 4
"""A rest that begins like the whole text, for so long, is the whole text once more."""
_WITHIN_WORDS = tuple(".,:/-_'’@")
"""Between two letters or figures these are a part of a word: `1.5`, `12/6`, `e-mail`."""
_PREAMBLE_CHARS_MAX = 160
"""How far a remark like "Certainly, here is the rest:" may go before the anchor."""
_BUFFER_SPARE_CHARS = 2_000
_BEHIND_PREAMBLE = re.compile(r"(?:\A|:\s|\n\s*\n)(?P<opening>(?:[“„«‘「『(\[\"'>*_`~#-]|…|\.{2,})*)\s*\Z")
"""Before an anchor may stand a remark that ends in a colon or a blank line, a quote, or an ellipsis. A mark
that ends a sentence is none of these: it belongs to the words that were delivered."""
_LINE_BEGINS = re.compile(r":\s|\n\s*(?=\S)")
_FENCE = "```"
"""Around the anchor it is a block of its own, which would end within the text."""
_SENTENCE_ENDS = tuple(".!?…:;,)]}\"'”’»`|*_。！？」』")
"""With one of these a text may be over; without it, its last words have not come."""
_CLOSED_BY = str.maketrans(
    {"“": "”", "„": "“", "«": "»", "‘": "’", "「": "」", "『": "』", "(": ")", "[": "]"}
    | dict.fromkeys("….>")
)


class NotJoinableError(Exception):
    """Nothing shows that the second text goes on with the first: the two cannot be one."""


@dataclass(frozen=True, slots=True)
class _Letter:
    """A character with its accents, composed."""

    text: str
    begins_word: bool
    begin: int
    end: int
    """Where it stands in the text it was read from."""


@dataclass(frozen=True, slots=True)
class _Seam:
    """Where in the second text the reader's words end, and what else is left out there."""

    end: int
    closing: str = ""
    """The end of a quotation that the second text has put the reader's words in."""
    is_spoken_of: bool = False
    """The reader's words stand in quotation marks within a sentence of the second text."""
    is_whole: bool = False
    """The second text has said all of the reader's words itself, from the beginning on."""


class _Alignment:
    """The second text, read from one place of it on, beside every place of the first where it may begin."""

    def __init__(
        self,
        letters: tuple[_Letter, ...],
        starts: list[int],
        *,
        enough_at: int,
        closing: str,
        is_spoken_of: bool,
    ) -> None:
        """Compare nothing yet; a match from `enough_at` or before needs no longer one."""
        self._letters = letters
        self._starts = starts
        self._enough_at = enough_at
        self._closing = closing
        self._is_spoken_of = is_spoken_of
        self._count = 0
        self._longest: _Seam | None = None

    @property
    def is_alive(self) -> bool:
        """Return whether more of the text may still show a seam, or a longer one."""
        return bool(self._starts)

    @property
    def seam(self) -> _Seam | None:
        """Return the seam of the longest match so far."""
        return self._longest

    def take(self, letter: _Letter) -> None:
        """Read the next letter of the second text."""
        alive: list[int] = []
        for start in self._starts:
            at = start + self._count
            if self._letters[at].text != letter.text:
                continue
            if at + 1 < len(self._letters):
                alive.append(start)
                continue
            is_whole = start == 0 and not self._closing
            self._longest = _Seam(letter.end, self._closing, self._is_spoken_of, is_whole)
            if start <= self._enough_at:
                alive = []
                break
        self._starts = alive
        self._count += 1


class Splice:
    """Takes the second text in pieces and returns what is new in it.

    `anchor` is the end of `delivered` that was asked for.
    """

    def __init__(self, delivered: str, *, anchor: str) -> None:
        """Compare nothing yet."""
        self._chars_max = 2 * len(delivered) + _BUFFER_SPARE_CHARS
        self._letters = tuple(_letters(delivered))
        self._anchor_at = len(self._letters) - sum(1 for _ in _letters(anchor))
        self._gap = delivered[len(delivered.rstrip()) :]
        self._last_word = (delivered.split() or [""])[-1]
        beginnings = (_beginning_of(self._letters), _beginning_of(self._letters[self._anchor_at :]))
        self._never_behind = [words for words in beginnings if words]
        """What no rest begins with: the text once more, and the anchor once more."""
        starts = _proving_starts(delivered, self._letters, anchor_at=self._anchor_at)
        self._alignments = [self._alignment(starts)]
        self._text = ""
        """What has come and is not decided."""
        self._read = 0
        self._seam: _Seam | None = None
        self._is_settled = False
        """What is behind the seam goes on with the delivered words, and is handed on as it comes."""

    def feed(self, piece: str) -> str:
        """Return what the reader has not seen yet; empty while that is undecided.

        Raises:
            NotJoinableError: nothing shows that it goes on.
        """
        if self._is_settled:
            return piece
        self._text += piece
        if len(self._text) > self._chars_max:
            raise NotJoinableError
        return self._new(at_end=False)

    def finish(self) -> str:
        """Return what is left when the second text is whole; one without words adds nothing.

        Raises:
            NotJoinableError: nothing shows that it goes on, or it is shorter than what the reader has, or it
                repeats the end of that and stops there, within a sentence.
        """
        if not self._text.strip() and self._seam is None:
            return ""
        is_settled = self._is_settled
        new = self._new(at_end=True)
        is_echo = self._seam is not None and not self._seam.is_whole and not is_settled
        if is_echo and not new.strip() and not self._last_word.endswith(_SENTENCE_ENDS):
            raise NotJoinableError
        return new

    def _new(self, *, at_end: bool) -> str:
        if self._seam is None:
            self._seam = self._found_seam(at_end=at_end)
            if self._seam is None:
                return ""
            self._text = self._text[self._seam.end :]
        return self._behind_seam(self._seam, at_end=at_end)

    def _found_seam(self, *, at_end: bool) -> _Seam | None:
        """Read the letters that have come; return the seam, None while it may still come.

        Raises:
            NotJoinableError: it cannot come any more.
        """
        for letter in _letters(self._text, start=self._read, at_end=at_end):
            self._read = letter.end
            self._open_behind_preamble(letter)
            for alignment in self._alignments:
                alignment.take(letter)
                if alignment.seam is not None and not alignment.is_alive:
                    return alignment.seam
            self._alignments = [each for each in self._alignments if each.is_alive]
        if at_end:
            seams = [each.seam for each in self._alignments if each.seam is not None]
            if seams:
                return seams[0]
        if at_end or (not self._alignments and self._read > _PREAMBLE_CHARS_MAX):
            raise NotJoinableError
        return None

    def _open_behind_preamble(self, letter: _Letter) -> None:
        """Let the anchor begin at a letter that stands behind a remark, a quotation mark or an ellipsis.

        There no other words prove anything: a whole answer may stand there too.
        """
        before = self._text[: letter.begin]
        if (
            not before
            or before[-1].isalnum()
            or not letter.text.isalnum()
            or len(before) > _PREAMBLE_CHARS_MAX
        ):
            return
        preamble = _BEHIND_PREAMBLE.search(before)
        if (
            preamble is None
            or _FENCE in preamble["opening"]
            or (self._anchor_at == 0 and before.strip(" .…"))
        ):
            return
        closing = preamble["opening"][::-1].translate(_CLOSED_BY)
        is_spoken_of = bool(closing) and any(map(str.isalpha, before))
        starts = [self._anchor_at]
        self._alignments.append(self._alignment(starts, closing=closing, is_spoken_of=is_spoken_of))

    def _alignment(self, starts: list[int], *, closing: str = "", is_spoken_of: bool = False) -> _Alignment:
        at = self._anchor_at
        return _Alignment(self._letters, starts, enough_at=at, closing=closing, is_spoken_of=is_spoken_of)

    def _behind_seam(self, seam: _Seam, *, at_end: bool) -> str:
        """Return the text behind the seam, without the quotation mark and the space that belong before it.

        Raises:
            NotJoinableError: it goes on with another last word, begins the whole text or the anchor once
                more, or has only spoken of the anchor.
        """
        if not self._is_settled:
            if len(self._text) < len(seam.closing) and not at_end:
                return ""
            behind = self._text.removeprefix(seam.closing)
            is_quoted = seam.is_spoken_of and behind[:1] in _SENTENCE_ENDS
            is_other = not seam.is_whole and (is_quoted or self._is_other(behind, at_end=at_end))
            if is_other:
                raise NotJoinableError
            space = len(behind) - len(behind.lstrip())
            if not at_end and (is_other is None or space == len(behind)):
                return ""
            if self._gap:
                behind = behind[len(self._gap) :] if behind.startswith(self._gap) else behind[space:]
            self._text, self._is_settled = behind, True
        text, self._text = self._text, ""
        return text

    def _is_other(self, behind: str, *, at_end: bool) -> bool | None:
        """Return whether what comes behind the anchor shows another answer all the same, None until it tells.

        It may go on within the last word (`từ` was `từng`, `1` was `10`), or say the whole text or the
        anchor once more.
        """
        is_within = _goes_on_within(self._last_word, behind, at_end=at_end)
        if is_within is not False:
            return is_within
        for place in _beginnings_in(behind):
            is_again = _begins_with(behind[place:], self._never_behind, at_end=at_end)
            if is_again is not False:
                return is_again
        is_open = len(behind) <= _PREAMBLE_CHARS_MAX and _begins_anew(behind)
        return None if is_open and not at_end else False


def _goes_on_within(word: str, behind: str, *, at_end: bool) -> bool | None:
    """Return whether a word goes on in what comes behind it, None until it tells; behind it stood a space."""
    if len(word) >= HELD_BACK_MAX:
        # What is so long was cut anywhere.
        return False
    if behind[:1].isalnum() or unicodedata.combining(behind[:1] or " "):
        return True
    if not at_end and (not behind or behind in _WITHIN_WORDS):
        return None
    return behind[:1] in _WITHIN_WORDS and behind[1:2].isalnum()


def _beginnings_in(behind: str) -> Iterator[int]:
    """Yield where a text may begin: at its first letter, or where one of its first lines does."""
    yield 0
    yield from (each.end() for each in _LINE_BEGINS.finditer(behind[:_PREAMBLE_CHARS_MAX]))


def _begins_anew(behind: str) -> bool:
    """Return whether a text goes on with no word of its clause: a line, a heading or a sentence begins."""
    first = next(filter(str.isalnum, behind), "")
    return not first or first != first.lower() or "\n" in behind[: behind.index(first)]


def _begins_with(text: str, beginnings: list[str], *, at_end: bool) -> bool | None:
    """Return whether a text begins with one of these, whatever marks stand before it; None until it tells."""
    longest = max(map(len, beginnings), default=0)
    coming = "".join(islice(_words_of(_letters(text, at_end=at_end)), longest))
    if any(coming.startswith(each) for each in beginnings):
        return True
    return None if not at_end and any(each.startswith(coming) for each in beginnings) else False


def _beginning_of(letters: tuple[_Letter, ...]) -> str:
    """Return the letters that no rest begins with, empty where the text is too short to tell."""
    words = 0
    for at, letter in enumerate(letters):
        words += letter.begins_word
        if (words > _BEGINNING_WORDS and at >= _PROOF_LETTERS) or at >= _PROOF_LETTERS_WITHOUT_WORDS:
            return "".join(_words_of(iter(letters[:at])))
    return ""


def _words_of(letters: Iterator[_Letter]) -> Iterator[str]:
    """Yield what words are made of; marks before a text and around it are set one way or another."""
    return (each.text for each in letters if each.text[0].isalnum())


def _proving_starts(delivered: str, letters: tuple[_Letter, ...], *, anchor_at: int) -> list[int]:
    """Return the letters from which a repetition up to the end proves something, the first one first.

    From the beginning on it is the same text. From within a clause, where no answer begins, it is soon
    too long for chance, but not with a word or two: `từ từ` and `had had` are good language. From
    another place within a line it must be long. From where a line begins nothing proves: two models tell the
    items of a list in two orders.
    """
    starts: list[int] = []
    words = 0
    for at in range(len(letters) - 1, 0, -1):
        letter, size = letters[at], len(letters) - at
        words += letter.begins_word
        is_long = letter.begins_word and words >= _PROOF_WORDS and size >= _PROOF_LETTERS
        is_long = is_long or size >= _PROOF_LETTERS_WITHOUT_WORDS
        is_within = is_within_clause(delivered, letter.begin)
        is_amid = letter.begins_word and words >= _PROOF_WORDS_AMID and _is_amid(delivered, letter.begin)
        if at == anchor_at or is_amid or (is_long and is_within):
            starts.append(at)
    return [0, *reversed(starts)]


def _is_amid(text: str, at: int) -> bool:
    """Return whether a place stands behind words of its line, and not behind its number or mark alone."""
    return any(map(str.isalpha, text[text.rfind("\n", 0, at) + 1 : at]))


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
            yield _Letter(unicodedata.normalize("NFC", text[at:end]), begins_word, at, end)
        at = end
