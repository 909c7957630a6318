"""Two texts become one, exactly, or they are told to be two; never is a word missing or said twice."""

import contextlib
import unicodedata

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestrator.streaming.continuation import anchor_of
from orchestrator.streaming.splice import NotJoinableError, Splice

EXAMPLES = settings(max_examples=300, deadline=None)
WORDS = [
    "từ",
    "luôn",
    "had",
    "the",
    "a",
    "ngày",
    "càng",
    "đơn",
    "hàng",
    "của",
    "anh,",
    "giao.",
    "Xin",
    "chào",
    "order",
    "DH1001",
    "😊",
    "é",
    "ệ",
    "ha",
    "ha;",
    "b",
    "9",
]
TEXTS = st.lists(
    st.tuples(st.sampled_from(WORDS), st.sampled_from([" ", "  ", "\n\n", ""])), min_size=2, max_size=60
).map(lambda parts: "".join(word + space for word, space in parts).rstrip())


@st.composite
def cut_texts(draw) -> tuple[str, int]:
    """A whole text, and where it breaks off: anywhere but between a letter and its accent."""
    whole = draw(TEXTS)
    at = draw(st.integers(1, max(1, len(whole) - 1)))
    assume(at < len(whole) and not unicodedata.combining(whole[at]))
    assume(whole[:at].strip() and whole[at:].strip())
    return whole, at


def joined(delivered: str, second: str, *, word_ended: bool = False, sizes: tuple[int, ...] = (3,)) -> str:
    """Return what a reader has in the end, the second text coming in pieces of these sizes, in turn."""
    splice = Splice(delivered, anchor=anchor_of(delivered), word_ended=word_ended)
    text, at, turn = delivered, 0, 0
    while at < len(second):
        size = sizes[turn % len(sizes)]
        text += splice.feed(second[at : at + size])
        at, turn = at + size, turn + 1
    return text + splice.finish()


SIZES = st.lists(st.integers(1, 12), min_size=1, max_size=5).map(tuple)


@EXAMPLES
@given(cut_texts(), SIZES)
def test_a_text_that_begins_with_the_anchor_is_joined_exactly(cut, sizes):
    whole, at = cut
    assert joined(whole[:at], anchor_of(whole[:at]) + whole[at:], sizes=sizes) == whole


@EXAMPLES
@given(cut_texts(), SIZES)
def test_a_text_that_begins_again_is_joined_exactly(cut, sizes):
    """Unless the delivered text is one repetition from end to end: then its anchor is no place in it."""
    whole, at = cut
    anchor = anchor_of(whole[:at])
    assume(whole[:at].find(anchor) == at - len(anchor))
    assert joined(whole[:at], whole, sizes=sizes) == whole


@EXAMPLES
@given(cut_texts(), SIZES)
def test_a_text_that_goes_straight_on_is_joined_exactly_or_not_at_all(cut, sizes):
    """What it may not do by chance is begin with the very words it was asked to begin with."""
    whole, at = cut
    told, rest = "".join(whole[:at].split()), "".join(whole[at:].split())
    assume(
        not any(
            rest.startswith(told[-size:])
            for size in range(1, len(told) + 1)
            if size == len(told) or size >= 10
        )
    )
    with contextlib.suppress(NotJoinableError):
        assert joined(whole[:at], whole[at:], sizes=sizes) == whole


@EXAMPLES
@given(cut_texts(), SIZES)
def test_accents_may_come_composed_or_not(cut, sizes):
    whole, at = cut
    delivered = unicodedata.normalize("NFC", whole[:at])
    second = unicodedata.normalize("NFD", anchor_of(delivered) + whole[at:])
    assert unicodedata.normalize("NFC", joined(delivered, second, sizes=sizes)) == unicodedata.normalize(
        "NFC", whole
    )


DELIVERED = "Chào chị Ánh, đơn hàng DH1001 của chị đã rời kho hôm qua và đang được"


@pytest.mark.parametrize(
    ("second", "whole"),
    [
        ("giao đến chị trong ngày mai.", f"{DELIVERED} giao đến chị trong ngày mai."),
        (", như đã hẹn, giao đến chị.", f"{DELIVERED}, như đã hẹn, giao đến chị."),
        ("\n\nhôm qua và đang được giao.", f"{DELIVERED} giao."),
        ("DH1001  của chị đã rời kho\nhôm qua và đang được giao.", f"{DELIVERED} giao."),
        (DELIVERED, DELIVERED),
        ("", DELIVERED),
        (" \n", DELIVERED),
    ],
)
def test_spaces_come_out_right(second, whole):
    assert joined(DELIVERED, second, word_ended=True) == whole


@pytest.mark.parametrize(
    "second",
    [
        "Kiện hàng DH1001 dự kiến đến ngày mai.",
        "Chào chị Ánh, đơn hàng DH1001 sẽ đến ngày mai.",
        "Dạ, đơn của chị đang trên đường ạ.",
        "sorry, here is the rest: giao.",
        "rồi đơn hàng DH1001 của chị sẽ đến.",
        "Chào chị Ánh, đơn hàng DH1001 của chị",
    ],
    ids=["a new sentence", "begins alike", "a greeting", "a comment", "a repetition", "shorter"],
)
def test_another_answer_is_recognised(second):
    with pytest.raises(NotJoinableError):
        joined(DELIVERED, second, word_ended=True)


@pytest.mark.parametrize(
    ("delivered", "second"),
    [("Em sẽ làm việc đó từ", "từ từ thôi ạ."), ("All the faith he had", "had had no effect on him.")],
)
def test_one_repeated_word_proves_nothing(delivered, second):
    """Vietnamese and English repeat words; where only one is to be seen nobody can tell."""
    with pytest.raises(NotJoinableError):
        joined(delivered, second, word_ended=True)


def test_with_the_anchor_a_repeated_word_is_kept():
    delivered = "Chị yên tâm, em sẽ làm việc đó cho chị từ"
    assert (
        joined(delivered, f"{anchor_of(delivered)} từ thôi ạ.", word_ended=True) == f"{delivered} từ thôi ạ."
    )


def test_a_text_that_only_swallows_does_not_fill_the_memory():
    splice = Splice("Xin chào", anchor="Xin chào", word_ended=True)
    with pytest.raises(NotJoinableError):
        for _ in range(10_000):
            splice.feed(" ")


def test_behind_the_seam_everything_passes_at_once():
    splice = Splice(DELIVERED, anchor=anchor_of(DELIVERED), word_ended=True)
    assert splice.feed(anchor_of(DELIVERED)) == ""
    assert splice.feed(" giao") == " giao"
    assert splice.feed(" đi.") == " đi."
