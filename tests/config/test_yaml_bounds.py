"""A configuration that would take the process down with it is one clear line, at once."""

import tracemalloc

import pytest

from orchestrator.config.yaml_bounds import DEPTH_MAX, FILE_BYTES_MAX
from orchestrator.config.yaml_file import parse_document
from orchestrator.core.errors import ConfigError

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MAPS_BOMB = "a: &a {x: 1, y: 2}\n" + "".join(
    f"k{level}: &k{level} {{x: *{'a' if level == 0 else f'k{level - 1}'}, y: *{'a' if level == 0 else f'k{level - 1}'}}}\n"
    for level in range(30)
)
LADDER = "k0: &k0 [x]\n" + "".join(f"k{level}: &k{level} [*k{level - 1}]\n" for level in range(1, 3000))
BOUNDLESS = {
    "nine aliases of nine, nine times": (BOMB, "aliases unfold to more than"),
    "maps of aliases": (MAPS_BOMB, "aliases unfold to more than|inside each other"),
    "a ladder of aliases": (LADDER, "inside each other"),
    "5,000 brackets": ("a: " + "[" * 5000 + "]" * 5000, "inside each other"),
    "500,000 brackets": ("a: " + "[" * 500_000, "inside each other"),
    "5,000 braces": ("a: " + "{a: " * 5000 + "}" * 5000, "inside each other"),
    "5,000 indents": ("\n".join(" " * depth + "a:" for depth in range(2000)), "inside each other"),
    "5,000 dashes": ("- " * 5000 + "a", "inside each other"),
    "a number of 50,000 digits": ("a: 0x" + "f" * 50_000, "no plain number"),
    "a plain number of 5,000 digits": ("a: " + "9" * 5_000, "no plain number"),
    "a fraction of 5,000 digits": ("a: 0." + "1" * 5_000, "no plain number"),
    "a list as a key": ("? [" + "a, " * 5000 + "]\n: 1", "where a key is meant"),
    "an alias of itself": ("a: &a [*a]", "used inside itself"),
    "a value of a megabyte": ("a: " + "1:" * 500_000 + "1", "a value of more than"),
    "variables without an end": ("a: '" + "${a:-" * 12_000 + "'", ""),
    "a file of five megabytes": ("# comment\n" * 500_000, "larger than 4 MB"),
}


@pytest.mark.parametrize("kind", BOUNDLESS)
def test_what_has_no_bound_is_one_clear_line(kind: str) -> None:
    text, reason = BOUNDLESS[kind]
    tracemalloc.start()
    try:
        if reason:
            with pytest.raises(ConfigError, match=reason) as caught:
                parse_document(text.encode(), name="config.yaml", environment={})
            assert len(str(caught.value).splitlines()) == 1
            assert len(str(caught.value)) < 200
        else:
            parse_document(text.encode(), name="config.yaml", environment={})
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Memory, which time on a busy machine is not, is the measure of what was unfolded.
    assert peak_bytes < 16 * FILE_BYTES_MAX


def test_aliases_and_depth_within_reason_are_read() -> None:
    text = "a: &a {x: 1}\nb: [*a, *a]\nc: " + "[" * (DEPTH_MAX - 2) + "]" * (DEPTH_MAX - 2)
    data = parse_document(text.encode(), name="config.yaml", environment={}).data
    assert data["b"] == [{"x": 1}, {"x": 1}]


@pytest.mark.parametrize("text", ["a: 1\na: 2", "a: {b: 1, b: 2}", "? a\n: 1\n'a': 2", "{a: 1, a: 1}"])
def test_a_key_twice_is_told_with_both_lines(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"config\.yaml:\d+:\d+: '[ab]' stands here again; it is first on line 1"
    ):
        parse_document(text.encode(), name="config.yaml", environment={})


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system [ls]",
        "a: !!python/name:os.system",
        "a: !secret key",
        "a: !!str 5",
        "a: !!int ${X:-5}",
        "a: !!set {b}",
        "a: !!binary aGk=",
        "!!python/tuple [1]",
        "!x b: 1",
        "%TAG !e! tag:example.com,2026:\n---\na: !e!f 1",
        "a: ! 5",
    ],
)
def test_a_tag_is_refused_by_its_line(text: str) -> None:
    """It was passed by, so `!!python/object/apply:... [ls]` was a list and `!secret key` a key."""
    with pytest.raises(ConfigError, match=r"config\.yaml:[13]:\d+: a tag .* means nothing here"):
        parse_document(text.encode(), name="config.yaml", environment={})
