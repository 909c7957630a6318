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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from functools import lru_cache
from typing import Any, NamedTuple


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


class ReplyLanguages(NamedTuple):
    """What the reply to a request is to be written in."""

    expected: Language | None
    """What its user expects; None is a language that nobody here knows."""
    evident: Language | None
    """The same where it was named or the user's words show it, else None."""


def reply_languages(
    messages: Sequence[Mapping[str, Any]], *, named: str | None = None, otherwise: Language
) -> ReplyLanguages:
    """Return the language of the reply, as it is expected and as far as it is evident, read once.

    Expected is the named one, else that of the user's words; where the last of them are too few to tell,
    those before them do; `otherwise` is for words that look like neither. None is a language that nobody
    here knows: its letters are not those of English. Evident is `otherwise` alone where the words are too
    few to tell any.
    """
    if named is not None:
        return ReplyLanguages(Language(named), Language(named))
    shown = _shown_by(messages)
    of_words = _LANGUAGE_OF.get(shown)
    return ReplyLanguages(
        of_words if shown in {_Shown.VIETNAMESE, _Shown.FOREIGN} else otherwise,
        otherwise if shown is _Shown.NOTHING else of_words,
    )


def reply_language(
    messages: Sequence[Mapping[str, Any]], *, named: str | None = None, otherwise: Language
) -> Language | None:
    """Return the language in which a user expects the reply, as `reply_languages` has it."""
    return reply_languages(messages, named=named, otherwise=otherwise).expected


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
        beyond_ascii = "" if letters.isascii() else "".join(filter(_is_beyond_ascii, letters))
        # Few words of Chinese are written as one.
        if sum(map(_is_of_another_script, beyond_ascii)) > _FOREIGN_SHARE * len(letters):
            return _Shown.FOREIGN
        if len(words) < _TELLING_WORDS:
            continue
        if len(beyond_ascii) > _FOREIGN_SHARE * len(letters):
            return _Shown.FOREIGN
        english = sum(map(_ENGLISH.__contains__, map(str.lower, words)))
        return _Shown.ENGLISH if english >= max(1, _ENGLISH_SHARE * len(words)) else _Shown.UNSURE
    return _Shown.NOTHING


def _is_beyond_ascii(letter: str) -> bool:
    return not letter.isascii()


def _is_of_another_script(letter: str) -> bool:
    return not unicodedata.name(letter, "").startswith("LATIN")


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
    # What blanks part is counted by what it says: a few kinds, however many words there are.
    kinds: dict[_Kind, int] = {}
    for piece, times in Counter(unicodedata.normalize("NFC", text).split()).items():
        kind = _kind_of(piece)
        kinds[kind] = kinds.get(kind, 0) + times
    words = [(weights, times) for kind, times in kinds.items() for weights in kind.words]
    if _weighed((weights, times) for weights, times in words if not weights.may_be_name).speaks_for:
        return True
    # With names and headlines counted, nearly every word has to be Vietnamese.
    weights = _weighed(words)
    return weights.speaks_for and 4 * weights.marked > 3 * sum(times for _, times in words)


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


class _Weights(NamedTuple):
    """What the words of a text say of its language."""

    marked: int
    """Vietnamese syllables with marks."""
    proofs: int
    """Those of them that no other language writes so."""
    foreign: int
    may_be_name: bool = False
    """Whether it is one word, with a capital letter."""

    @property
    def speaks_for(self) -> bool:
        return self.proofs > 0 and self.marked >= self.foreign


def _weighed(words: Iterable[tuple[_Weights, int]]) -> _Weights:
    """Weigh words, each with how often it is there."""
    marked = proofs = foreign = 0
    for weights, times in words:
        marked += times * weights.marked
        proofs += times * weights.proofs
        foreign += times * weights.foreign
    return _Weights(marked, proofs, foreign)


@dataclass(frozen=True, slots=True, eq=False)
class _Kind:
    """What pieces of a text say that say the same; the same object for most, so that counting is quick."""

    words: tuple[_Weights, ...]


_kind = lru_cache(maxsize=1024)(_Kind)


@lru_cache(maxsize=8192)
def _kind_of(piece: str) -> _Kind:
    """Weigh each word of what stands between blanks; few syllables make most of a text."""
    words = _words_of(piece)
    return _kind(tuple([_weight(word.lower())._replace(may_be_name=_may_be_name(word)) for word in words]))


@lru_cache(maxsize=4096)
def _weight(word: str) -> _Weights:
    """Weigh one word in small letters."""
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
