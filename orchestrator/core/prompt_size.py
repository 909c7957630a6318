"""How large a prompt is, whichever model will read it."""

from enum import StrEnum
from typing import NamedTuple

WIDE_SHARE = 0.05
"""With this part of its characters beyond ASCII a text is not English; Vietnamese has about a quarter."""


class Script(StrEnum):
    """What a prompt is written in, as far as it changes the tokens it takes."""

    PLAIN = "plain"
    """ASCII: English, code, data."""
    WIDE = "wide"
    """Letters beyond ASCII: Vietnamese."""


class PromptSize(NamedTuple):
    """How large a prompt is, whichever model will read it."""

    input_bound_tokens: int
    input_expected_tokens: int
    script: Script = Script.PLAIN
    file_bound_tokens: int | None = 0
    """Of the bound: what its files take at most; None where a file does not tell, and may fill a context."""

    @property
    def has_files(self) -> bool:
        """Return whether it is more than text."""
        return self.file_bound_tokens != 0


class InputBound(StrEnum):
    """What bounds the input of a request."""

    BYTES = "bytes"
    """Its bytes: proven for every tokenizer."""
    CALIBRATED = "calibrated"
    """What its model was seen to count at most, with a margin; bytes until enough was seen."""
