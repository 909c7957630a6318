"""What a prompt says that may fill a field: quoted texts, numbers, names, addresses, dates."""

import re
from collections import deque

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
    "uuid": re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"),
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
        """Return the first text of a format: email, date, date-time, time, uri, uuid, phone or id."""
        pattern = _BY_FORMAT.get(name)
        match = pattern.search(self.prompt) if pattern else None
        return match[0] if match else None

    def place(self) -> str | None:
        """Return the first capitalised name after a preposition: `in San Francisco, CA`."""
        match = _PLACE.search(self.prompt)
        return match[1] if match else None


def words(text: str) -> list[str]:
    """Return the words of a text in lower case; `snake_case` and `camelCase` are taken apart."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text.replace("_", " "))
    return [word.casefold() for word in _WORD.findall(parted)]
