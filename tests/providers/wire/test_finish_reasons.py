"""A finish is believed from a list, and a host's own word where it stands for something."""

import pytest

from orchestrator.providers.wire.finish_reasons import FAILED, FINISH_REASONS, UNKNOWN, native_finish


@pytest.mark.parametrize("reason", FINISH_REASONS)
def test_a_host_may_use_the_word_of_any_format_in_any_case(reason: str) -> None:
    assert native_finish(reason) == native_finish(reason.swapcase()) == FINISH_REASONS[reason]


@pytest.mark.parametrize(
    ("reason", "meaning"),
    [
        (None, None),
        ("", None),
        ("MALFORMED_FUNCTION_CALL", FAILED),
        ("UNEXPECTED_TOOL_CALL", FAILED),
        ("insufficient_system_resource", FAILED),
        ("FINISH_REASON_UNSPECIFIED", FAILED),
        ("network_error", FAILED),
        ("timeout", FAILED),
        ("pause_turn", FAILED),
        ("OTHER", FAILED),
        ("incomplete", "length"),
        ("another", UNKNOWN),
        (7, UNKNOWN),
        ({"a": 1}, UNKNOWN),
    ],
)
def test_a_host_that_failed_is_told_from_one_that_nobody_knows(reason: object, meaning: str | None) -> None:
    assert native_finish(reason) == meaning
