"""What is found in a prompt."""

import pytest

from orchestrator.practice.evidence import Evidence, formats_named, names_place, words


def test_quoted_texts_come_in_order_in_any_kind_of_quotes():
    """An apostrophe inside a word is no quote."""
    evidence = Evidence("It's 'Acme Corp' or \"Bình An\", maybe “你好” but don't ask «Đông»")
    assert [evidence.next_quoted() for _ in range(5)] == ["Acme Corp", "Bình An", "你好", "Đông", None]


def test_numbers_come_in_order_and_parts_of_names_are_none():
    """`DH1001` holds no number, `magic(3)` does."""
    evidence = Evidence("Order DH1001: magic(3), then -2.5 and 40.")
    assert [evidence.next_number() for _ in range(4)] == [3, -2.5, 40, None]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", "an@acme.vn"),
        ("phone", "+84 912 345 678"),
        ("date", "2026-03-04"),
        ("id", "DH1001"),
        ("uri", "https://acme.vn/a?b=1"),
    ],
)
def test_texts_of_known_formats_are_found(name, value):
    """Each in the middle of a sentence."""
    text = "Order DH1001 of an@acme.vn, call +84 912 345 678 on 2026-03-04, see https://acme.vn/a?b=1 please"
    assert Evidence(text).of_format(name) == value


def test_a_place_is_a_capitalised_name_after_a_preposition():
    """With diacritics and a comma."""
    assert Evidence("What is the weather in San Francisco, CA?").place() == "San Francisco, CA"
    assert Evidence("Thời tiết ở Đà Nẵng thế nào").place() == "Đà Nẵng"
    assert Evidence("what is it in general").place() is None


def test_words_are_mentioned_whole():
    """`high` is not mentioned by `highway`."""
    assert Evidence("priority HIGH please").mentions("high")
    assert not Evidence("the highway").mentions("high")


def test_names_are_taken_apart_into_words():
    """Both spellings, and tone marks left aside."""
    assert words("get_orderStatus") == ["get", "order", "status"]
    assert words("Mã_đơn") == ["ma", "don"]


def test_a_name_tells_its_format_in_either_language():
    """A phone number is no id first."""
    assert formats_named("so_dien_thoai")[0] == formats_named("phone_number")[0] == "phone"
    assert formats_named("mã đơn") == formats_named("order_id") == ["id"]
    assert names_place("thành phố")
    assert not names_place("pho")
