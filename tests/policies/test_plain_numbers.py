"""A number is one value however it is written; what can be two numbers is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.language import Language
from orchestrator.policies.plain_numbers import number_of, numbers_in

VI, EN = Language.VI, Language.EN


@pytest.mark.parametrize(
    ("text", "language", "spelling"),
    [
        ("90", None, "90"),
        ("90.0", None, "90"),
        ("1.234.567,5", None, "1234567.5"),
        ("1,234,567.5", None, "1234567.5"),
        ("1 000 000", None, "1000000"),
        ("1.234", VI, "1234"),
        ("1.234", EN, "1.234"),
        ("1,234", EN, "1234"),
        ("1,5", None, "1.5"),
        ("0.125", VI, "0.125"),
        ("-5", None, "-5"),
        ("−5", None, "-5"),
        ("1e3", None, "1000"),
        ("$115", None, "115 usd"),
        ("115 USD", None, "115 usd"),
        ("3,5 triệu đồng", None, "3500000 vnd"),
        ("3.5 triệu ₫", None, "3500000 vnd"),
        ("2 tỷ", None, "2000000000"),
        ("1.5 million", None, "1500000"),
        ("20%", None, "20 %"),
        ("50 kg", None, "50 kg"),
    ],
)
def test_a_number_has_one_spelling(text, language, spelling):
    assert str(number_of(text, language=language)) == spelling


@pytest.mark.parametrize("text", ["1.234", "1,234", "", "abc", "1.2.3", "12.34.567", "0901234567", "1" * 80])
def test_what_can_be_two_numbers_or_is_a_code_is_none(text):
    assert number_of(text) is None


@given(st.integers(0, 10**12))
def test_vietnamese_and_english_thousands_are_the_same_number(value):
    english = f"{value:,}"
    assert number_of(english, language=EN) == number_of(english.replace(",", "."), language=VI)


def test_the_numbers_of_a_sentence_come_in_their_order():
    assert [str(each) for each in numbers_in("26 + 46 = 72, so $1,092.50 in all.")] == [
        "26",
        "46",
        "72",
        "1092.5 usd",
    ]
