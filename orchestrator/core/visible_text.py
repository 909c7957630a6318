"""Text from models, tenants and files as text: what would act on a terminal is shown and does nothing.

An escape sequence changes a window's title, clears the screen, writes into the clipboard or hides a line;
marks of direction make `invoice_fdp.exe` look like `invoice_exe.pdf`; other characters cannot be seen at all.
Each is written as Python writes it, ESC as a backslash and x1b. A new line and a tab stay, and so do the
joiners of emoji and of Indic and Arabic letters.
"""

import json
import re

_ACTING = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, those of eight bits too
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # invisible ones
    "\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"  # marks of direction, ends of lines
    "\ud800-\udfff"  # half a character
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"  # and tags, which spell words unseen
    "]"
    # Selectors of a variant where nothing has so many: each can spell a byte of a hidden text.
    "|(?<=[\ufe00-\ufe0f])[\ufe00-\ufe0f]"
    "|(?<![\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])[\U000e0100-\U000e01ef]"
)

_LONG_WORD = re.compile(r"\S{300,}")
_WORD_BEGIN = 100
_LINE_LETTERS_MAX = 2_000

_EMPTY = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
"""Letters and marks by their class, and nothing is seen of them alone: fillers, joiners, selectors."""


def visible(text: str) -> str:
    r"""Return a text in which nothing acts on a terminal; `\r\n` is a new line as elsewhere."""
    return _ACTING.sub(_as_escape, text.replace("\r\n", "\n"))


def brief(line: str) -> str:
    """Return a line of ours in which no long word of somebody's stands whole, and which is no page itself."""
    cut = _LONG_WORD.sub(lambda word: f"{word[0][:_WORD_BEGIN]}…", line)
    return cut if len(cut) <= _LINE_LETTERS_MAX else f"{cut[:_LINE_LETTERS_MAX]}…"


def shows_something(text: str) -> bool:
    """Return whether anything can be seen in a text: spaces and characters of no width are nothing."""
    return any(map(_is_seen, text))


def letters_seen(text: str) -> int:
    """Return how many characters can be seen in a text."""
    return sum(map(_is_seen, text))


def _is_seen(letter: str) -> bool:
    return letter.isprintable() and not letter.isspace() and letter not in _EMPTY


def visible_json(text: str) -> str:
    r"""Return JSON text that says the same, with such characters in its strings as `\u001b`."""
    return _ACTING.sub(lambda match: json.dumps(match[0])[1:-1], text)


def _as_escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
