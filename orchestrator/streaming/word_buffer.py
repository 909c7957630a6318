"""Whole words only: where a text breaks off, what a reader has of it ends with a word.

A text that ends within a word cannot be gone on with: nobody can tell whether `từ` is a word or
the beginning of one. So the word that is still coming is kept back, with the space before it.
"""

from orchestrator.core.visible_text import shows_something

HELD_BACK_MAX = 40
"""Longer than any word that is waited for: addresses, and scripts that write no spaces."""


class WordBuffer:
    """Takes a text in pieces and lets it through up to the end of its last whole word."""

    def __init__(self) -> None:
        """Keep nothing back yet."""
        self._kept = ""

    def feed(self, piece: str) -> str:
        """Return what may be read now; it never ends in white space."""
        text = self._kept + piece
        cut = _last_space(text)
        if len(text) - cut > HELD_BACK_MAX and shows_something(text[cut:]):
            # One character stays back: an accent that belongs to it may still come.
            cut = len(text) - 1
        self._kept = text[cut:]
        return text[:cut]

    def flush(self) -> str:
        """Return what was kept back: the text is whole."""
        kept, self._kept = self._kept, ""
        return kept


def _last_space(text: str) -> int:
    """Return where the last white space begins, 0 where there is none; in one look at the text.

    A pattern would try every space of a long row of them as the first one.
    """
    last_word = text.rsplit(None, 1)[-1] if text and not text[-1].isspace() else ""
    before = text[: len(text) - len(last_word)]
    return len(before.rstrip()) if before else 0
