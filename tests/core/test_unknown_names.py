"""An unknown name is met with the one that is meant, or with all that there are."""

import pytest

from orchestrator.core.unknown_names import nearest, unknown

USE_CASES = ("customer_service", "data_analysis")


@pytest.mark.parametrize(
    ("name", "known", "words"),
    [
        ("custmer_service", USE_CASES, ". Did you mean 'customer_service'?"),
        ("Customer Service", USE_CASES, ". Did you mean 'customer_service'?"),
        ("zzz", USE_CASES, "; known: customer_service, data_analysis"),
        ("zzz", (), "; none is defined"),
        ("zzz", [f"model-{number}" for number in range(100, 300)], ", model-139 and 160 more"),
    ],
)
def test_the_nearest_name_is_proposed_or_the_known_ones_are_listed(name, known, words):
    """Whatever its capitals and dashes; a long list is cut, and says so."""
    said = unknown("use case", name, known)
    assert said.startswith(f"unknown use case '{name}'")
    assert said.endswith(words)


def test_a_name_is_not_repeated_without_end():
    """A caller may send a megabyte as a name."""
    assert len(unknown("model", "x" * 100_000, USE_CASES)) < 200
    assert nearest("x" * 100_000, USE_CASES) is None


def test_an_alias_is_proposed_by_what_it_stands_for():
    """It is the name of a model that is sold no more."""
    said = unknown("model", "gpt6", ["gpt-6.1-sol"], aliases={"gpt-4": "gpt-6.1-sol"})
    assert said == "unknown model 'gpt6'. Did you mean 'gpt-6.1-sol'?"
