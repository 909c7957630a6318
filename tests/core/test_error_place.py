"""The place of an error is told without its text."""

from orchestrator.core.error_place import place_of_error


def test_the_type_and_the_place_are_told_and_nothing_that_it_says() -> None:
    def fail() -> None:
        raise ValueError("the prompt")

    try:
        fail()
    except ValueError as error:
        told = place_of_error(error, frames_max=2)
    assert told.startswith("ValueError at ")
    assert told.count("test_error_place.py:") == 2
    assert " fail < " in told
    assert "prompt" not in told
    assert place_of_error(KeyError("x")) == "KeyError"
