"""What a prompt says that may fill a field: quoted texts, numbers, names, addresses, dates."""

import re
import unicodedata
from collections import deque
from itertools import pairwise

_QUOTED = re.compile(
    r"(?<![A-Za-z0-9])'([^'\n]{1,200})'(?![A-Za-z0-9])"
    r'|"([^"\n]{1,200})"|“([^”\n]{1,200})”|‘([^’\n]{1,200})’|「([^」\n]{1,200})」|«([^»\n]{1,200})»|`([^`\n]{1,200})`'
)
_NUMBER = re.compile(r"(?<![\w.-])-?\d+(?:\.\d+)?(?![\w]|\.\d)|(?<=\()-?\d+(?:\.\d+)?(?=[),])")
_PLACE = re.compile(r"\b(?:in|at|for|from|to|near|tại|ở)\s+((?:[^\W\d_a-z]\w*)(?:,?\s+[^\W\d_a-z]\w*)*)")
_WORD = re.compile(r"\w+")
_BY_FORMAT = {
    "email": re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w"),
    "date-time": re.compile(r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})?"),
    "date": re.compile(r"\b\d{4}-\d{2}-\d{2}\b"),
    "time": re.compile(r"\b\d{2}:\d{2}(?::\d{2})?\b"),
    "uri": re.compile(r"https?://[^\s'\"<>)]+"),
    "phone": re.compile(r"(?<![\w+])\+?\d[\d .-]{7,14}\d(?!\w)"),
    "id": re.compile(r"\b(?=[A-Z0-9-]*\d)[A-Z]{1,6}-?[A-Z0-9-]{2,20}\b"),
    "digits": re.compile(r"(?<![\w.-])\d{2,20}(?![\w-]|[.,]\d)"),
    "uuid": re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"),
}

_FORMAT_NAMES = {
    "email": {"email", "mail"},
    "phone": {"phone", "tel", "sdt", "dien thoai"},
    "uri": {"url", "link", "duong dan", "lien ket"},
    "id": {"id", "code", "number", "ma", "so"},
}
"""The words of a field's name that tell its format; an id comes last, for `số điện thoại` is a phone."""
_PLACE_NAMES = {"location", "city", "place", "address", "country", "region"} | {
    *("dia chi", "dia diem", "thanh pho", "quoc gia", "tinh", "noi")
}


class Evidence:
    """The findings of one prompt; quoted texts and numbers are each used once, in order."""

    def __init__(self, prompt: str) -> None:
        """Search the prompt."""
        self.prompt = prompt
        self._quoted = deque(next(filter(None, groups)) for groups in _QUOTED.findall(prompt))
        self._numbers = deque(map(float, _NUMBER.findall(prompt)))
        self._folded = prompt.casefold()

    def next_quoted(self) -> str | None:
        """Return the next quoted text."""
        return self._quoted.popleft() if self._quoted else None

    def next_number(self) -> float | None:
        """Return the next number."""
        return self._numbers.popleft() if self._numbers else None

    def mentions(self, text: str) -> bool:
        """Tell whether a text stands in the prompt as whole words, case ignored."""
        return re.search(rf"(?<!\w){re.escape(text.casefold())}(?!\w)", self._folded) is not None

    def of_format(self, name: str) -> str | None:
        """Return the first text of a format: email, date, date-time, time, uri, uuid, phone, id, digits."""
        pattern = _BY_FORMAT.get(name)
        match = pattern.search(self.prompt) if pattern else None
        return match[0] if match else None

    def place(self) -> str | None:
        """Return the first capitalised name after a preposition: `in San Francisco, CA`."""
        match = _PLACE.search(self.prompt)
        return match[1] if match else None


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, without tone marks; `snake_case`, `camelCase` taken apart."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text.replace("_", " "))
    decomposed = unicodedata.normalize("NFD", parted.casefold().replace("đ", "d"))
    return _WORD.findall("".join(mark for mark in decomposed if not unicodedata.combining(mark)))


def formats_named(text: str) -> list[str]:
    """Return the formats that a field's name or description speaks of, in either language."""
    spoken = _spoken(text)
    return [form for form, names in _FORMAT_NAMES.items() if names & spoken]


def names_place(text: str) -> bool:
    """Tell whether a field's name speaks of a place, in either language."""
    return bool(_PLACE_NAMES & _spoken(text))


def _spoken(text: str) -> set[str]:
    """Return the words of a text, and each two that follow each other: a Vietnamese word has often two."""
    parts = words(text)
    return {*parts, *(f"{first} {second}" for first, second in pairwise(parts))}
