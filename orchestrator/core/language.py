"""The languages that people are answered in, and whether a text is Vietnamese.

No letter is proof: `đ` is Croatian too, `ă` Romanian, `õ` Estonian, and `à` French. So words are weighed:

    for        a word with marks that is a Vietnamese syllable: an onset, a rime, at most one tone, and where
               it ends in c, ch, p or t the acute or the dot below
    against    a word that is no such syllable, with marks or without
    proof      a syllable as the other languages do not write it: with a horn, a hook or a dot below, with a
               tone on â, ê or ô, with marks and an onset or a rime that is Vietnamese alone

A text is Vietnamese when there is proof, and no more speaks against it than for it. Names prove nothing, so
words with a capital letter count only where nearly every word is Vietnamese. Vietnamese that is typed without
its marks is known by some of its commonest words: a good guess, and no more.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from functools import lru_cache
from typing import Any


class Language(StrEnum):
    """A language that people are answered in."""

    VI = "vi"
    EN = "en"


_SAMPLE_CHARS = 1_000
_RUN = re.compile(r"\w+")
_LETTERS = re.compile(r"[^\W\d_]+")

_ACUTE, _DOT_BELOW = "\N{COMBINING ACUTE ACCENT}", "\N{COMBINING DOT BELOW}"
_TONES = f"\N{COMBINING GRAVE ACCENT}{_ACUTE}\N{COMBINING TILDE}\N{COMBINING HOOK ABOVE}{_DOT_BELOW}"
_TONE = re.compile(f"[{_TONES}]")
_OWN_MARK = re.compile(f"[\N{COMBINING HORN}\N{COMBINING HOOK ABOVE}{_DOT_BELOW}]")
_LETTER_MARK = re.compile("[\N{COMBINING CIRCUMFLEX ACCENT}\N{COMBINING BREVE}]")

_ONSET = "(?:ngh?|nh|kh|ch|gh|gi|ph|qu|th|tr|[bcdđghklmnprstvx])?"
_OPEN = "a[iouy]?|â[uy]|eo?|êu?|i[au]?|iêu|o[aei]?|oa[ioy]|oeo|ôi?|ơi?|u[aiy]?|uây|uêu?|uôi|uơ|uy[au]|ư[aiu]?|ươ[iu]|y|yêu"
_NUCLEUS = "a|ă|â|e|ê|i|o|ô|ơ|u|ư|y|iê|yê|oa|oă|oe|uâ|uô|ươ|uy|uyê"
_BEFORE_NH = "a|ê|i|oa|uê|uy"
_SYLLABLE = re.compile(
    f"{_ONSET}(?:{_OPEN}|(?:{_NUCLEUS})(?:ng|[mn])|[aêiy]nh|(?:{_BEFORE_NH})nh"
    f"|(?P<stopped>(?:{_NUCLEUS})[cpt]|(?:{_BEFORE_NH})ch))"
)
"""Without its tone; the group takes part where it ends in c, ch, p or t."""

_OWN_ONSET = re.compile("ng|nh|kh|gi(?=..)")
_OWN_RIME = re.compile("(?:â[uy]|ôi|ông|ăng|êu|iê[cmnptu]|iêng|yê[mntu]|uô[cimnt]|uông|uâ[nty]|uâng)$")
_OWN_TONED_RIME = re.compile("(?:a[oy]|[aiu]nh|[aeou]ng)$")

_UNMARKED = frozenset(
    [
        "cua",
        "khong",
        "duoc",
        "nguoi",
        "nhung",
        "muon",
        "nhieu",
        "giup",
        "minh",
        "toi",
        "dau",
        "oi",
        "xin",
        "chao",
        "huy",
        "gui",
        "chua",
    ]
)
"""Common words without their marks; each is rare in other languages, and two of them rarer."""
_TELLING_WORDS = 3
"""Fewer tell no language: an order number, `ok`, a name."""
_FOREIGN_SHARE = 0.3
"""A French sentence has at most 20 letters of a hundred beyond ASCII, Thai and Russian have all."""
_UNMARKED_MIN = 2
_UNMARKED_SHARE = 1 / 3
_UNMARKED_ALONE = _UNMARKED - {"toi", "minh", "xin", "oi", "huy", "chao"}
"""One of these is enough where the words around it could all be Vietnamese; `toi` is French too."""
_SYLLABLES_MIN, _SYLLABLES_SHARE = 4, 0.75
_ENGLISH = frozenset(
    [
        *("the", "you", "your", "my", "mine", "we", "our", "they", "their", "there", "this", "that", "these"),
        *(
            "and",
            "but",
            "with",
            "from",
            "about",
            "into",
            "of",
            "where",
            "what",
            "when",
            "which",
            "who",
            "how",
        ),
        *("why", "is", "are", "has", "have", "does", "did", "was", "were", "been", "will", "would", "could"),
        *(
            "should",
            "can",
            "cannot",
            "please",
            "thanks",
            "thank",
            "hello",
            "help",
            "need",
            "want",
            "not",
            "any",
        ),
        *("some", "more", "make", "give", "tell", "get", "it", "its", "for"),
    ]
)
"""Words that hardly an English sentence is without; several of them no sentence of another language has."""
_ENGLISH_SHARE = 1 / 5


def language_of(text: str) -> Language | None:
    """Return Vietnamese where a text is written in it, else None; English is not looked for.

    A long text is judged by its beginning, its first line and its last: there people write what they want.
    """
    return Language.VI if any(_is_vietnamese(sample) for sample in _samples(text)) else None


@dataclass(frozen=True, slots=True)
class ReplyLanguage:
    """The language of a reply."""

    expected: Language | None
    """In which the user expects it; None is one that nobody here knows, in other letters than English."""
    evident: Language | None
    """Where it was named, or the user's words show it, else None."""


def reply_language(
    messages: Sequence[Mapping[str, Any]], *, named: str | None = None, otherwise: Language
) -> ReplyLanguage:
    """Return the language of the reply: the named one, else that of the user's words, which are read once.

    Where the last words are too few to tell, those before them do. `otherwise` is what he expects whose words
    look like neither language, and is evident where they are too few to tell any.
    """
    if named is not None:
        return ReplyLanguage(Language(named), Language(named))
    shown = _shown_by(messages)
    return ReplyLanguage(
        expected=_LANGUAGE_OF[shown] if shown in {_Shown.VIETNAMESE, _Shown.FOREIGN} else otherwise,
        evident=otherwise if shown is _Shown.NOTHING else _LANGUAGE_OF[shown],
    )


class _Shown(Enum):
    """What a user's words show of their language."""

    NOTHING = auto()
    """They are too few."""
    UNSURE = auto()
    """It is written in the letters of English, and nothing says that it is English."""
    FOREIGN = auto()
    VIETNAMESE = auto()
    ENGLISH = auto()


_LANGUAGE_OF: Mapping[_Shown, Language | None] = {
    _Shown.UNSURE: None,
    _Shown.FOREIGN: None,
    _Shown.VIETNAMESE: Language.VI,
    _Shown.ENGLISH: Language.EN,
}


def _shown_by(messages: Sequence[Mapping[str, Any]]) -> _Shown:
    """Return what the last of the user's words show that show anything."""
    for text in reversed(_user_texts(messages)):
        if language_of(text) is not None:
            return _Shown.VIETNAMESE
        words = _words_of(text[:_SAMPLE_CHARS])
        letters = "".join(words)
        # Few words of Chinese are written as one.
        if sum(map(_is_of_another_script, letters)) > _FOREIGN_SHARE * len(letters):
            return _Shown.FOREIGN
        if len(words) < _TELLING_WORDS:
            continue
        if sum(not letter.isascii() for letter in letters) > _FOREIGN_SHARE * len(letters):
            return _Shown.FOREIGN
        english = sum(word.lower() in _ENGLISH for word in words)
        return _Shown.ENGLISH if english >= max(1, _ENGLISH_SHARE * len(words)) else _Shown.UNSURE
    return _Shown.NOTHING


def _is_of_another_script(letter: str) -> bool:
    return not letter.isascii() and not unicodedata.name(letter, "").startswith("LATIN")


def last_user_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return what the user wrote last, empty where that is no text.

    What stood before it, instructions above all, may be in another language.
    """
    return next(reversed(_user_texts(messages)), "")


def _user_texts(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    return [_text_of(message.get("content")) for message in messages if message.get("role") == "user"]


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = (part if isinstance(part, str) else part.get("text") for part in content or ())
    return "\n".join(part for part in parts if isinstance(part, str))


def _words_of(text: str) -> list[str]:
    """Return what is made of letters alone, in the order of the text."""
    # One expression that looks around each word takes four times as long, and every request is read.
    return [run for run in _RUN.findall(text) if run.isalpha() or _LETTERS.fullmatch(run)]


def _samples(text: str) -> Iterator[str]:
    stripped = text.strip()
    yield stripped[:_SAMPLE_CHARS]
    if "\n" in stripped:
        yield stripped.partition("\n")[0][:_SAMPLE_CHARS]
        yield stripped.rpartition("\n")[2][:_SAMPLE_CHARS]


def _is_vietnamese(text: str) -> bool:
    if text.isascii():
        return _is_unmarked_vietnamese(text)
    words = Counter(_words_of(unicodedata.normalize("NFC", text)))
    if _weighed({word: times for word, times in words.items() if not _may_be_name(word)}).speaks_for:
        return True
    # With names and headlines counted, nearly every word has to be Vietnamese.
    weights = _weighed(words)
    return weights.speaks_for and 4 * weights.marked > 3 * words.total()


def _is_unmarked_vietnamese(text: str) -> bool:
    words = _words_of(text.lower())
    known = _UNMARKED & set(words)
    if len(known) >= _UNMARKED_MIN and len(known) >= _UNMARKED_SHARE * len(words):
        return True
    if len(words) < _SYLLABLES_MIN or not known & _UNMARKED_ALONE:
        return False
    may_be = sum(word in known or not _weight(word).foreign for word in words)
    return may_be >= _SYLLABLES_SHARE * len(words)


def _may_be_name(word: str) -> bool:
    return word[0].isupper() and not (len(word) > 1 and word.isupper())


@dataclass(frozen=True, slots=True)
class _Weights:
    """What the words of a text say of its language."""

    marked: int
    """Vietnamese syllables with marks."""
    proofs: int
    """Those of them that no other language writes so."""
    foreign: int

    @property
    def speaks_for(self) -> bool:
        return self.proofs > 0 and self.marked >= self.foreign


def _weighed(words: Mapping[str, int]) -> _Weights:
    """Weigh words, each with how often it is there."""
    marked = proofs = foreign = 0
    for word, times in words.items():
        weights = _weight(word.lower())
        marked += times * weights.marked
        proofs += times * weights.proofs
        foreign += times * weights.foreign
    return _Weights(marked, proofs, foreign)


@lru_cache(maxsize=4096)
def _weight(word: str) -> _Weights:
    """Weigh one word; few syllables make most of a text, and every request is read for its language."""
    decomposed = unicodedata.normalize("NFD", word)
    bare = unicodedata.normalize("NFC", _TONE.sub("", decomposed))
    if not _is_syllable(bare, _TONE.findall(decomposed)):
        return _Weights(marked=0, proofs=0, foreign=1)
    if word.isascii():
        return _Weights(marked=0, proofs=0, foreign=0)
    return _Weights(marked=1, proofs=int(_is_proof(bare, decomposed)), foreign=0)


def _is_syllable(bare: str, tones: Sequence[str]) -> bool:
    match = _SYLLABLE.fullmatch(bare)
    if match is None or len(tones) > 1:
        return False
    return match["stopped"] is None or (len(tones) == 1 and tones[0] in (_ACUTE, _DOT_BELOW))


def _is_proof(bare: str, decomposed: str) -> bool:
    if _OWN_MARK.search(decomposed) or _OWN_ONSET.match(bare) or _OWN_RIME.search(bare):
        return True
    has_tone, has_letter_mark = bool(_TONE.search(decomposed)), bool(_LETTER_MARK.search(decomposed))
    if has_tone and has_letter_mark:
        return True
    if bare.startswith("đ") and (has_tone or has_letter_mark):
        return True
    # A tilde on `ao` is Portuguese: não, são.
    return has_tone and "\N{COMBINING TILDE}" not in decomposed and bool(_OWN_TONED_RIME.search(bare))
