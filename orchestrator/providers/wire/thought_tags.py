"""Thoughts that a server writes into the text, in tags before the answer: parted from it, in pieces too.

MiniMax does, Google where it speaks OpenAI's format, and vLLM, Ollama and others that are told of no parser.
These write tool calls into the text as well, in the marks of their model. Templates that begin the thoughts
in the prompt (DeepSeek-R1, Qwen) leave the text only their end.
"""

from dataclasses import dataclass, field

_TAGS = {
    "<think>": "</think>",
    "<thought>": "</thought>",
    "<|channel|>analysis<|message|>": "<|end|><|start|>assistant<|channel|>final<|message|>",
}
_STRAY_END = "</think>"
_NO_WORDS = (_STRAY_END, "<|channel|>final<|message|>")
"""Marks that say nothing where an answer begins with them."""
_OPENING, _CLOSING, _QUOTES = frozenset("“‘«(["), frozenset("”’»)]"), frozenset("`'\"")
_CALL_MARKS = (
    *("<tool_call>", "<tool_calls>", "<|tool_call", "<function=", "<|python_tag|>", "[TOOL_CALLS]"),
    *("<minimax:tool_call>", "<｜tool▁calls▁begin｜>", "<|channel|>commentary"),
)
_MARKS = (*_TAGS, *_NO_WORDS, *_CALL_MARKS)
_LONGEST = max(map(len, _MARKS))


def begins_as_call(text: str) -> bool:
    """Return whether a text begins with a model's own mark of a tool call, which nobody has read as one."""
    return text.lstrip().startswith(_CALL_MARKS)


def parted_at_stray_end(text: str) -> tuple[str, str] | None:
    """Return thoughts and answer of a text that has the end of thoughts and not their beginning.

    None where it has no such end, or speaks of the tag: in quotes, in code, or with its other half.
    """
    thoughts, end, words = text.partition(_STRAY_END)
    before, behind = thoughts[-1:], words[:1]
    is_quoted = before in _OPENING or behind in _CLOSING or (before == behind and before in _QUOTES)
    is_named = is_quoted or thoughts.count("`") % 2
    return None if not end or is_named or "<think>" in thoughts else (thoughts, words.lstrip())


def parted_from_thoughts(text: str) -> tuple[str, str]:
    """Return the thoughts within a whole text, and what is left of it."""
    tags = ThoughtTags()
    words, thoughts = tags.feed(text)
    last, more = tags.close()
    parted = None if tags.had_any else parted_at_stray_end(words + last)
    return parted or (thoughts + more, words + last)


@dataclass(slots=True)
class ThoughtTags:
    """How far the thoughts at the beginning of one answer have come."""

    begins_within: bool = False
    """The last answer of this model had the end of its thoughts alone: all is kept until that comes."""
    is_over: bool = False
    """What comes is the answer, whatever tags are in it."""
    is_call: bool = False
    """The answer begins as `begins_as_call` says."""
    had_any: bool = False
    _kept: str = ""
    """What may be a tag once the next piece is there."""
    _held: list[str] = field(default_factory=list)
    """What was kept before it, of thoughts whose end has not come."""
    _end: str = ""
    """The tag that ends the thoughts under way."""

    def feed(self, piece: str) -> tuple[str, str]:
        """Return what is the answer's of a piece, and what is thought."""
        text, self._kept = self._kept + piece, ""
        if self.is_over:
            return text, ""
        if self.begins_within:
            return self._from_within(text)
        return self._in_thoughts(text) if self._end else self._before_any(text)

    def close(self) -> tuple[str, str]:
        """Return what was kept back, at the end of the answer."""
        words = thoughts = ""
        if self.begins_within:
            # They have no end, so it is read as an answer that begins outside of them.
            self.begins_within, text = False, self._take_held(self._kept)
            words, thoughts = self._before_any(text)
        kept, self._kept = self._kept, ""
        self.is_over = True
        if self._end:
            return words, thoughts + kept
        return words + (kept.lstrip() if self.had_any else kept), thoughts

    def _from_within(self, text: str) -> tuple[str, str]:
        thoughts, has_ended, rest = text.partition(_STRAY_END)
        if not has_ended:
            # The end may be cut in two; what comes before it is looked at once.
            cut = max(0, len(text) - len(_STRAY_END) + 1)
            self._held.append(text[:cut])
            self._kept = text[cut:]
            return "", ""
        self.begins_within, self.had_any = False, True
        thoughts = self._take_held(thoughts).lstrip().removeprefix("<think>")
        words, more = self._before_any(rest)
        return words, thoughts + more

    def _take_held(self, last: str) -> str:
        held, self._held, self._kept = "".join((*self._held, last)), [], ""
        return held

    def _before_any(self, text: str) -> tuple[str, str]:
        begun = text.lstrip()
        if not begun and self.had_any:
            # The space between thoughts and answer is none of either.
            return "", ""
        for tag, end in _TAGS.items():
            if begun.startswith(tag):
                self._end, self.had_any = end, True
                return self._in_thoughts(begun.removeprefix(tag))
        for mark in _NO_WORDS:
            if begun.startswith(mark):
                self.had_any = True
                return self._before_any(begun.removeprefix(mark))
        self.is_call = begins_as_call(begun)
        if not self.is_call and len(begun) < _LONGEST and any(mark.startswith(begun) for mark in _MARKS):
            self._kept = text
            return "", ""
        self.is_over = True
        return begun if self.had_any else text, ""

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
