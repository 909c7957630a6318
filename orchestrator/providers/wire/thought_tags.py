"""Thoughts that a server writes into the text, in tags before the answer: parted from it, in pieces too.

MiniMax does, Google where it speaks OpenAI's format, and vLLM, Ollama and others that are told of no parser.
These write tool calls into the text as well, in the marks of their model.
"""

from dataclasses import dataclass

_TAGS = {"<think>": "</think>", "<thought>": "</thought>"}
_CALL_MARKS = (
    *("<tool_call>", "<tool_calls>", "<|tool_call", "<function=", "<|python_tag|>", "[TOOL_CALLS]"),
    *("<minimax:tool_call>", "<｜tool▁calls▁begin｜>"),
)
_MARKS = (*_TAGS, *_CALL_MARKS)
_LONGEST = max(map(len, _MARKS))


def begins_as_call(text: str) -> bool:
    """Return whether a text begins with a model's own mark of a tool call, which nobody has read as one."""
    return text.lstrip().startswith(_CALL_MARKS)


@dataclass(slots=True)
class ThoughtTags:
    """How far the thoughts at the beginning of one answer have come."""

    is_over: bool = False
    """What comes is the answer, whatever tags are in it."""
    is_call: bool = False
    """The answer begins as `begins_as_call` says."""
    _kept: str = ""
    """What may be a tag once the next piece is there."""
    _end: str = ""
    """The tag that ends the thoughts under way."""
    _had_any: bool = False

    def feed(self, piece: str) -> tuple[str, str]:
        """Return what is the answer's of a piece, and what is thought."""
        text, self._kept = self._kept + piece, ""
        if self.is_over:
            return text, ""
        return self._in_thoughts(text) if self._end else self._before_any(text)

    def close(self) -> tuple[str, str]:
        """Return what was kept back, at the end of the answer."""
        kept, self._kept = self._kept, ""
        self.is_over = True
        return ("", kept) if self._end else (kept.lstrip() if self._had_any else kept, "")

    def _before_any(self, text: str) -> tuple[str, str]:
        begun = text.lstrip()
        if not begun and self._had_any:
            # The space between thoughts and answer is none of either.
            return "", ""
        for tag, end in _TAGS.items():
            if begun.startswith(tag):
                self._end, self._had_any = end, True
                return self._in_thoughts(begun.removeprefix(tag))
        self.is_call = begins_as_call(begun)
        if not self.is_call and len(begun) < _LONGEST and any(mark.startswith(begun) for mark in _MARKS):
            self._kept = text
            return "", ""
        self.is_over = True
        return begun if self._had_any else text, ""

    def _in_thoughts(self, text: str) -> tuple[str, str]:
        thoughts, has_ended, rest = text.partition(self._end)
        if has_ended:
            self._end = ""
            words, more = self._before_any(rest)
            return words, thoughts + more
        # The end may be cut in two.
        cut = next((n for n in range(len(self._end) - 1, 0, -1) if text.endswith(self._end[:n])), 0)
        self._kept = text[len(text) - cut :] if cut else ""
        return "", text[: len(text) - cut]
