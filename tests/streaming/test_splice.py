"""Two texts become one, exactly, or they are told to be two; never is a word missing or said twice."""

import contextlib
import unicodedata

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benchmarks.joins import measured
from orchestrator.streaming.anchor import anchor_of
from orchestrator.streaming.splice import NotJoinableError, Splice

EXAMPLES = settings(max_examples=100, deadline=None)
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
    """A whole text, and where it breaks off: behind a whole word, as readers have it."""
    whole = draw(TEXTS)
    places = [at for at in range(1, len(whole)) if whole[at].isspace() and whole[:at].strip()]
    assume(places)
    return whole, draw(st.sampled_from(places))


def joined(delivered: str, second: str, *, sizes: tuple[int, ...] = (3,)) -> str:
    """Return what a reader has in the end, the second text coming in pieces of these sizes, in turn."""
    splice = Splice(delivered, anchor=anchor_of(delivered))
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
            if size == len(told) or size >= 12
        )
    )
    with contextlib.suppress(NotJoinableError):
        assert joined(whole[:at], whole[at:], sizes=sizes) == whole


@pytest.mark.parametrize("mark", [".", ",", ";", "!", "?", ")", "”", " .", ". "])
def test_a_mark_that_ends_the_delivered_words_is_no_remark_before_them(mark):
    with pytest.raises(NotJoinableError):
        joined("giao", f"{mark} giao.")


@EXAMPLES
@given(cut_texts(), cut_texts(), SIZES)
def test_a_text_that_repeats_nothing_is_never_joined(cut, other, sizes):
    """Whatever two texts are: without a seam of several words the second one is another answer."""
    delivered, second = cut[0][: cut[1]], other[0]
    told, rest = "".join(delivered.split()), "".join(second.split())
    assume(not any(told[-size:] in rest for size in range(min(12, len(told)), len(told) + 1)))
    with pytest.raises(NotJoinableError):
        joined(delivered, second, sizes=sizes)


@EXAMPLES
@given(cut_texts(), SIZES)
def test_accents_may_come_composed_or_not(cut, sizes):
    whole, at = cut
    delivered = unicodedata.normalize("NFC", whole[:at])
    second = unicodedata.normalize("NFD", anchor_of(delivered) + whole[at:])
    assert unicodedata.normalize("NFC", joined(delivered, second, sizes=sizes)) == unicodedata.normalize(
        "NFC", whole
    )


LONGER = "Chào chị Ánh, đơn hàng DH1001 của chị đã rời kho hôm qua lúc chín giờ và đang được"
DELIVERED = "Chào chị Ánh, đơn hàng DH1001 của chị đã rời kho hôm qua và đang được"


@pytest.mark.parametrize(
    ("second", "whole"),
    [
        ("\n\nhôm qua và đang được giao.", f"{DELIVERED} giao."),
        ("của chị  đã rời kho\nhôm qua và đang được giao.", f"{DELIVERED} giao."),
        (DELIVERED, DELIVERED),
        ("", DELIVERED),
        (" \n", DELIVERED),
    ],
)
def test_spaces_come_out_right(second, whole):
    assert joined(DELIVERED, second) == whole


@pytest.mark.parametrize("behind", ["ng", "s", "0", ".5", ",5", "-x", "/6", "\u0301", "’s"])
@pytest.mark.parametrize(
    "delivered",
    [
        "Chào chị Ánh, đơn hàng của chị được giao ngày mai từ",
        "Chào chị Ánh, đơn hàng của chị được giao ngày mai lúc 1",
    ],
)
def test_an_anchor_whose_last_word_is_another_one_is_no_seam(delivered, behind):
    """Behind the reader's last word stood a space; `1` and `10` are two numbers."""
    for size in (1, 100):
        with pytest.raises(NotJoinableError):
            joined(delivered, f"{anchor_of(delivered)}{behind} giờ.", sizes=(size,))


@pytest.mark.parametrize("behind", [".", ", như đã hẹn.", ": nhé", "…", " – 2 ngày", "-", "\n\n1. Một"])
def test_an_anchor_may_be_gone_on_with_by_a_mark(behind):
    for size in (1, 100):
        assert joined(DELIVERED, f"{anchor_of(DELIVERED)}{behind}", sizes=(size,)) == DELIVERED + behind


def test_a_text_that_quotes_the_anchor_and_begins_anew_is_another_answer():
    again = "Chào chị Ánh, đơn hàng DH1001 của chị sẽ đến ngày mai."
    for size in (1, 100):
        with pytest.raises(NotJoinableError):
            joined(DELIVERED, f"“{anchor_of(DELIVERED)}”\n\n{again}", sizes=(size,))


@pytest.mark.parametrize(
    "opening",
    ["\n\n---\n\n", "\n\n## Trả lời\n\n", "…\n\nHere is all of it:\n\n> ", ". Sau đây là cả câu trả lời: "],
)
def test_a_text_that_begins_anew_under_a_line_a_headline_or_a_remark_is_another_answer(opening):
    for size in (1, 7, 500):
        with pytest.raises(NotJoinableError):
            joined(DELIVERED, f"{anchor_of(DELIVERED)}{opening}{DELIVERED}", sizes=(size,))


@pytest.mark.parametrize(
    "behind", [".\n\n---\n\nChào chị.", "\n\n## Đổi trả\n\nTrong bảy ngày.", ". Chào chị."]
)
def test_a_rest_may_go_on_under_a_line_or_a_headline(behind):
    for size in (1, 7, 500):
        assert joined(DELIVERED, f"{anchor_of(DELIVERED)}{behind}", sizes=(size,)) == DELIVERED + behind


def test_the_items_of_a_list_in_another_order_are_another_answer():
    items = [
        f"- {name}: còn hàng, giao trong ngày, miễn phí vận chuyển toàn quốc"
        for name in ("áo", "đèn", "giày")
    ]
    with pytest.raises(NotJoinableError):
        joined("\n".join(items[:2]), "\n".join([items[1], items[0], items[2]]))


AFRESH = {
    "a new sentence": "Kiện hàng DH1001 dự kiến đến ngày mai.",
    "begins alike": "Chào chị Ánh, đơn hàng DH1001 sẽ đến ngày mai.",
    "a greeting": "Dạ, đơn của chị đang trên đường ạ.",
    "a comment": "sorry, here is the rest: giao.",
    "a repetition": "rồi đơn hàng DH1001 của chị sẽ đến.",
    "shorter": "Chào chị Ánh, đơn hàng DH1001 của chị",
    "fits": "giao đến chị trong ngày mai.",
    "fits behind a comma": ", như đã hẹn, giao đến chị.",
    "I": "I am sorry, your order is late.",
    "A": "A courier has your parcel.",
    "bold": "**DH1001** đã rời kho.",
    "a numbered list": "1. Đơn hàng đã rời kho.",
    "a list": "- đơn hàng đã rời kho",
    "an id": "DH1001 đã rời kho.",
    "lower case": "dh1001 is on its way",
    "JSON": '{"order": "DH1001"}',
    "a table": "| Đơn | Tình trạng |",
    "a heading": "## DH1001",
    "a quotation": "“Đơn hàng của chị” là gì ạ?",
    "the last words in the middle": "Thưa chị, hôm qua và đang được là lúc đơn hàng rời kho.",
    "a whole answer behind a remark": f"Certainly! In other words: {DELIVERED} giao.",
    "an emoji": "😊 đơn hàng đang đến",
    "another language": "您的订单正在路上",
}


@pytest.mark.parametrize("second", AFRESH.values(), ids=AFRESH)
def test_another_answer_is_recognised(second):
    """However well it would fit: what shows no seam may be another answer."""
    with pytest.raises(NotJoinableError):
        joined(DELIVERED, second)


@pytest.mark.parametrize(
    "opening", ["…", "... ", "Certainly! Here is the rest:\n\n", "Phần còn lại: ", "Sure.\n\n…", "> "]
)
def test_an_anchor_behind_a_remark_is_a_seam_too(opening):
    assert joined(LONGER, f"{opening}{anchor_of(LONGER)} giao.") == f"{LONGER} giao."


@pytest.mark.parametrize(("begin", "end"), ["“”", "„“", "「」", '""', "``", "()", ("**", "**")])
def test_an_anchor_in_quotation_marks_is_a_seam_too(begin, end):
    assert joined(LONGER, f"{begin}{anchor_of(LONGER)}{end} giao.") == f"{LONGER} giao."


@pytest.mark.parametrize(
    ("delivered", "second"),
    [
        ("We look into it. Thank you for", "Thank you for your message."),
        ("Dạ em chào chị Ánh, đơn hàng DH1001 của chị", "đơn hàng DH1001 của chị đã rời kho."),
        ("The parcel is on its way. DH1001 of 12 June", "DH1001 of 12 June is on its way."),
        ("Here you are:\n\n1. Go to the page", "1. Go to the page of your orders"),
        ("The parts are\nthe red lamp and the cable", "the red lamp and the cable are late"),
    ],
)
def test_last_words_that_an_answer_may_begin_with_prove_nothing(delivered, second):
    with pytest.raises(NotJoinableError):
        joined(delivered, second)


@pytest.mark.parametrize(
    ("delivered", "second"),
    [("Em sẽ làm việc đó từ", "từ từ thôi ạ."), ("All the faith he had", "had had no effect on him.")],
)
def test_one_repeated_word_proves_nothing(delivered, second):
    """Vietnamese and English repeat words; where only one is to be seen nobody can tell."""
    with pytest.raises(NotJoinableError):
        joined(delivered, second)


def test_no_second_answer_is_mixed_in_and_no_rest_with_its_anchor_is_thrown_away():
    """The figures of `benchmarks/joins.py`, at every ninth cut."""
    joins = measured(step=9)
    print(joins.afresh, {manner: count.joins - count.joined for manner, count in joins.going_on.items()})
    assert joins.afresh["tried"] > 3_000
    assert joins.wrong == []
    for manner, count in joins.going_on.items():
        assert count.mixed == 0
        needless = count.joins - count.joined
        if manner == "straight on":
            assert needless == count.joins
        elif manner == "from further back":
            assert needless <= count.joins / 10
        elif manner in {"in quotation marks", "behind a remark"}:
            assert needless < count.joins / 2
        else:
            assert needless == 0, manner


def test_with_the_anchor_a_repeated_word_is_kept():
    delivered = "Chị yên tâm, em sẽ làm việc đó cho chị từ"
    assert joined(delivered, f"{anchor_of(delivered)} từ thôi ạ.") == f"{delivered} từ thôi ạ."


def test_a_text_that_only_swallows_does_not_fill_the_memory():
    splice = Splice("Xin chào", anchor="Xin chào")
    with pytest.raises(NotJoinableError):
        for _ in range(10_000):
            splice.feed(" ")


def test_behind_the_seam_everything_passes_at_once():
    splice = Splice(DELIVERED, anchor=anchor_of(DELIVERED))
    assert splice.feed(anchor_of(DELIVERED)) == ""
    assert splice.feed(" giao") == " giao"
    assert splice.feed(" đi.") == " đi."


BEGUN = "Your order has left our warehouse today and is on its way to you; the courier will call before"
ECHOED = anchor_of(BEGUN)


@pytest.mark.parametrize(
    "second",
    [
        ECHOED,
        f"{ECHOED} ",
        f"Assistant: {ECHOED}",
        f"“{ECHOED}”",
        f"{ECHOED} {ECHOED} the delivery.",
        f"```\n{ECHOED}\n```\n\nthe delivery.",
        f"Your answer broke off at: “{ECHOED}”. Here it is again: it was cancelled.",
        f'It ends with "{ECHOED}", and so I cannot go on.',
    ],
)
def test_an_anchor_that_is_only_repeated_or_spoken_of_proves_nothing(second: str) -> None:
    splice = Splice(BEGUN, anchor=ECHOED)
    with pytest.raises(NotJoinableError):
        print(splice.feed(second) + splice.finish())


@pytest.mark.parametrize(
    "delivered", [f"{BEGUN} five.", "Dạ, đơn của chị đã rời kho hôm qua và mai sẽ đến ạ!"]
)
def test_an_anchor_is_the_whole_rest_of_a_text_that_was_over(delivered: str) -> None:
    anchor = anchor_of(delivered)
    splice = Splice(delivered, anchor=anchor)
    assert splice.feed(anchor) + splice.finish() == ""
