"""How a model counts tokens beside our own count: what a prompt is expected to take, and a closer bound.

Vietnamese takes 1.5 to 2.3 times the tokens of English, and each family of models counts in its own way.
So what providers counted is kept beside what was expected, for each model and script, and corrects the
next expectation. The bound stays the number of bytes, which no tokenizer passes. Only where ops write
`budgets.input_bound: calibrated` it becomes the highest ratio that was seen, with a margin: closer, and
no longer proven.
"""

import math
from dataclasses import dataclass

from orchestrator.core.prompt_size import InputBound, PromptSize

SAMPLES_MIN = 20
"""With fewer answers than this the expectation is not corrected."""

BOUND_SAMPLES_MIN = 200
"""With fewer answers than this the bound stays the number of bytes."""

RATIO_TOKENS_MIN = 64
"""In a shorter prompt a model's own template weighs too much for a ratio."""

BOUND_MARGIN = 1.25
"""A calibrated bound is the highest ratio that was seen times this."""


@dataclass(frozen=True, slots=True)
class TokenRatio:
    """What one model counted in prompts of one script, beside what was expected."""

    samples: int = 0
    expected_tokens: int = 0
    counted_tokens: int = 0
    highest_ratio: float = 0.0
    """Counted tokens for each expected one, at most; of prompts that are long enough for a ratio."""

    def with_one(self, *, expected_tokens: int, counted_tokens: int) -> "TokenRatio":
        """Return it with one more answer."""
        ratio = counted_tokens / expected_tokens if expected_tokens >= RATIO_TOKENS_MIN else 0.0
        return TokenRatio(
            self.samples + 1,
            self.expected_tokens + expected_tokens,
            self.counted_tokens + counted_tokens,
            max(self.highest_ratio, ratio),
        )


def calibrated(size: PromptSize, seen: TokenRatio | None, *, input_bound: InputBound) -> PromptSize:
    """Return a prompt's size as one model will count it; unchanged where too little was seen of it."""
    if seen is None or seen.samples < SAMPLES_MIN or seen.expected_tokens == 0:
        return size
    if size.has_files:
        # What was seen are texts.
        return size
    expected = max(1, round(size.input_expected_tokens * seen.counted_tokens / seen.expected_tokens))
    bound = size.input_bound_tokens
    known = seen.samples >= BOUND_SAMPLES_MIN and size.input_expected_tokens >= RATIO_TOKENS_MIN
    if input_bound is InputBound.CALIBRATED and known and seen.highest_ratio > 0:
        bound = min(bound, math.ceil(size.input_expected_tokens * seen.highest_ratio * BOUND_MARGIN))
    return PromptSize(bound, min(expected, bound), size.script, size.file_bound_tokens)
