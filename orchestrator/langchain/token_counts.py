"""How many tokens texts and messages take, for `trim_messages` and the like: estimated, nothing is loaded.

A model's own tokenizer is not at hand, and each counts otherwise. So these are the tokens that the language
usually takes, as for prices that are expected, and a quarter more: what is trimmed to a limit should fit.
"""

import math
from collections.abc import Sequence
from typing import Any

from orchestrator.core.request import ChatRequest, Message
from orchestrator.core.sampling import Sampling
from orchestrator.routing.estimate import expected_tokens, measure

CAUTION = 1.25
"""How much more than usual is counted."""


def tokens_of_text(text: str) -> int:
    """Return about how many tokens a text takes, rather too many than too few."""
    return math.ceil(expected_tokens(text) * CAUTION)


def tokens_of_messages(messages: Sequence[Message], tools: Sequence[Any] = ()) -> int:
    """Return about how many tokens messages and tools of the wire take, rather too many than too few."""
    if not messages and not tools:
        return 0
    sampling = Sampling(tools=tuple(tools) or None)
    request = ChatRequest(tuple(messages), use_case="counted", sampling=sampling)
    return math.ceil(measure(request).input_expected_tokens * CAUTION)
