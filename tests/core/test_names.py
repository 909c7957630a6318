"""What looks the same is one name, whichever way it was typed; what cannot be seen is none."""

import itertools
import unicodedata

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.errors import InvalidRequestError
from orchestrator.core.names import NAME_MAX, OWN_TAGS, TAGS_MAX, OwnTag, name_of, recorded_tag, tags_of

HANOI = "Hà Nội"
DECOMPOSED = unicodedata.normalize("NFD", HANOI)
# A circumflex and a dot below, in either order, or one of them composed with its letter.
SPELLINGS = [
    HANOI,
    DECOMPOSED,
    "Ha\u0300 No\u0302\u0323i",
    "Ha\u0300 No\u0323\u0302i",
    "Hà N\u1ecd\u0302i",
    f" {HANOI}  ",
    "Hà   Nội",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_name_is_one_name(spelling):
    assert name_of(spelling, "tenant") == HANOI


@pytest.mark.parametrize(
    "raw",
    [
        "", " ", "\u00a0", "\u3000", "a\n", "a\x00b", "a\u200bb", "a\u00adb", "a\u202eb", "a\ufeff", "a\ud83d",
        "acme\ufe0f", "ac\u034fme", "\u3164", "\u115f", "\u2800", "acme\U000e0101", "a\U0001d159", "a\u303fb", "a\U00016fe4", "a\ue000", "a\u0378",
        None, 7, 1.5, True, b"acme", ["acme"], {"acme": 1}, object(),
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused(raw):
    with pytest.raises(InvalidRequestError, match="^'tenant' must be a name, got ") as caught:
        name_of(raw, "tenant")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 100


def test_a_name_is_bounded_in_its_composed_form():
    assert name_of(DECOMPOSED[1:3] * NAME_MAX, "user") == HANOI[1] * NAME_MAX
    with pytest.raises(InvalidRequestError, match="'user' has at most 128 characters, got 1000000"):
        name_of("x" * 1_000_000, "user")


def test_a_text_is_one_tag_and_tags_are_bounded_in_number():
    assert tags_of("abc") == ("abc",)
    assert tags_of([DECOMPOSED, " x "]) == (HANOI, "x")
    assert tags_of(None) == tags_of([]) == tags_of(()) == ()
    assert tags_of(pd.Series(["a", "b"])) == ("a", "b")
    assert len(tags_of(str(number) for number in range(TAGS_MAX))) == TAGS_MAX
    with pytest.raises(InvalidRequestError, match="'tags' has at most 16 names"):
        tags_of(itertools.repeat("x"))


@pytest.mark.parametrize("raw", [7, True, b"abc", bytearray(b"abc"), memoryview(b"abc"), {"a": 1}, object()])
def test_what_is_no_list_of_tags_is_refused(raw):
    with pytest.raises(InvalidRequestError, match="'tags' must be a list, got "):
        tags_of(raw)


@pytest.mark.parametrize("raw", [[7], [None], ["x", b"y"], [["x"]], [""]])
def test_a_tag_that_is_no_name_is_named_by_its_place(raw):
    with pytest.raises(InvalidRequestError, match=rf"'tags\[{len(raw) - 1}\]' must be a name"):
        tags_of(raw)


@given(st.text())
def test_a_name_that_was_taken_is_taken_again_as_it_is(text):
    try:
        name = name_of(text, "tenant")
    except InvalidRequestError:
        return
    assert name_of(name, "tenant") == name
    assert name_of(unicodedata.normalize("NFD", name), "tenant") == name


@pytest.mark.parametrize("name", ["*", " * ", "x:*", "acme*"])
def test_no_name_is_that_of_every_name(name):
    """In a scope of config.yaml `tenant:*` means each tenant, and its limit is not one tenant's."""
    with pytest.raises(InvalidRequestError, match=r"'tenant' has '\*' in it, which stands for every name"):
        name_of(name, "tenant")


@pytest.mark.parametrize("begin", OWN_TAGS)
def test_a_tag_like_one_of_ours_is_ours_or_refused(begin):
    """Else a caller's would be counted with it, or escape a limit that is not for it."""
    for spelling in (f"{begin}x", f"  {begin}x", f"{begin}  x"):
        with pytest.raises(InvalidRequestError, match=f"begin with '{begin}'.*callers have none"):
            tags_of(["trial", spelling])
    own = tags_of(["trial", OwnTag(f"{begin}x")])
    assert own == ("trial", f"{begin}x")
    # Whatever is built of it is checked again: a request, its payer, a copy.
    assert tags_of(tags_of(own)) == own == tags_of(map(recorded_tag, map(str, own)))
