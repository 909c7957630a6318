"""A caller says what a stream does when it breaks off."""

import pytest

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.on_break import OnBreak
from orchestrator.core.request import ChatRequest


def test_a_stream_is_rescued_unless_the_caller_says_otherwise():
    assert ChatRequest.of("Hi", use_case="x").on_break is OnBreak.RESCUE
    assert ChatRequest.of("Hi", use_case="x", on_break="restart").on_break is OnBreak.RESTART


def test_a_word_that_is_none_is_refused():
    with pytest.raises(InvalidRequestError, match="'on_break' must be one of rescue, restart, error"):
        ChatRequest.of("Hi", use_case="x", on_break="ignore")
