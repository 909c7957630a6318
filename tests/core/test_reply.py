"""What comes back of a request is frozen, and its stored words keep their meaning."""

from dataclasses import FrozenInstanceError

import pytest

from orchestrator.core.money import ZERO_NUSD
from orchestrator.core.reply import (
    Attempt,
    CacheState,
    ChatReply,
    CostSource,
    Delta,
    Outcome,
    ToolCall,
    Usage,
)

REPLY = ChatReply("id", "Chào chị", "m", "p/m", "p", Usage(1, 4), ZERO_NUSD, "stop")


@pytest.mark.parametrize(
    ("noun", "name"),
    [
        (REPLY, "text"),
        (REPLY.usage, "input_tokens"),
        (Attempt(1, "p/m", "p", "m", Outcome.SUCCEEDED), "cost_nusd"),
        (ToolCall("1", "find_order", "{}"), "arguments"),
        (Delta("Chào"), "text"),
    ],
)
def test_a_reply_and_each_of_its_parts_is_frozen(noun, name):
    """A reply from the cache goes to several callers at once."""
    with pytest.raises(FrozenInstanceError):
        setattr(noun, name, None)


def test_a_reply_is_a_whole_and_fresh_answer_unless_it_says_otherwise():
    assert (REPLY.cached, REPLY.degraded, REPLY.apology, REPLY.notices) == (CacheState.MISS, None, False, ())


def test_an_attempt_is_booked_at_nothing_until_its_cost_is_known():
    attempt = Attempt(1, "p/m", "p", "m", Outcome.FAILED)
    assert (attempt.cost_nusd, attempt.cost_source) == (ZERO_NUSD, CostSource.NONE)


@pytest.mark.parametrize(
    ("words", "stored"),
    [
        (CacheState, {"miss", "hit", "joined", "replayed", "stale"}),
        (CostSource, {"provider", "price_book", "estimate", "bound", "none", "operator"}),
        (Outcome, {"succeeded", "failed", "cancelled", "refused"}),
    ],
)
def test_the_words_that_ledgers_hold_already_stay_as_they_are(words, stored):
    assert set(words) == stored
