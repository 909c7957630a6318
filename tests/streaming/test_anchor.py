"""An anchor is where no answer begins, so that a text that begins with it is no other answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.streaming.anchor import anchor_of, is_within_clause

LONG = " ".join(f"word{number}" for number in range(200))


def test_it_is_the_last_words_and_stands_nowhere_else():
    assert anchor_of(LONG) == " ".join(f"word{number}" for number in range(192, 200))
    assert anchor_of("Xin chào") == "Xin chào"
    refrain = "một hai ba bốn năm sáu bảy tám chín mười " * 2
    anchor = anchor_of(refrain.rstrip())
    assert refrain.rstrip().endswith(anchor)
    assert refrain.find(anchor) == len(refrain.rstrip()) - len(anchor)


def test_of_a_text_without_spaces_it_is_short():
    assert anchor_of("你好" * 500) == "你好" * 20
    sentence = "今天下午一定会送到您手中的请您放心我们会再打电话给您确认时间和地点谢谢您的支持了"
    assert len(sentence) == 40
    begun = "您的订单已经从仓库发出" * 50
    assert anchor_of(f"{begun}了{sentence}") == sentence
    # Where a sentence begins an answer may begin: it is found further back.
    assert anchor_of(f"{begun}。{sentence}") == f"出。{sentence}"


@pytest.mark.parametrize(
    ("delivered", "anchor"),
    [
        (
            "I can tell you now: your order has left the house soon",
            "now: your order has left the house soon",
        ),
        (
            "I can tell you now: our order has left the big house",
            "now: our order has left the big house",
        ),
        (
            "It is here. We hope DH1 of June will make you very happy",
            "hope DH1 of June will make you very happy",
        ),
        ("A\nlist of\n- one thing of blue wool and one more", "of\n- one thing of blue wool and one more"),
    ],
)
def test_it_begins_within_a_clause(delivered, anchor):
    assert anchor_of(delivered) == anchor


def test_where_no_clause_has_several_words_it_is_the_whole_text():
    table = "| DH1 | 12 | DH2 | 13 | DH3 | 14 | DH4 | 15 |"
    assert anchor_of(table) == table
    long_table = table * 40
    assert len(anchor_of(long_table)) > 300


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab Ạ.\n1你", min_size=1, max_size=600))
def test_it_is_an_end_of_its_text_and_no_longer_than_it_may_be(text):
    anchor = anchor_of(text)
    assert text.endswith(anchor)
    assert anchor.strip() or not text.strip()
    within = len(text) - len(anchor)
    assert within == 0 or len(anchor.rstrip()) <= 400
    if within > 0 and len(anchor.rstrip()) < 200:
        assert is_within_clause(text, within)
