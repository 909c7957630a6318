"""What a reader has always ends with a whole word, and in the end nothing is missing."""

import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.streaming.word_buffer import WordBuffer


def test_a_word_comes_when_the_next_one_begins():
    words = WordBuffer()
    assert [words.feed(piece) for piece in ("Xin", " ch", "ào", " anh", ".")] == ["", "Xin", "", " chào", ""]
    assert words.flush() == " anh."


def test_a_script_without_spaces_is_not_waited_for():
    words = WordBuffer()
    given_out = words.feed("你" * 60)
    assert len(given_out) == 59


def test_an_accent_stays_with_its_letter():
    words = WordBuffer()
    text = "x" * 60 + "e"
    assert words.feed(text) + words.feed("\u0301") + words.flush() == text + "\u0301"


@given(st.lists(st.text(alphabet="aă \n\u0301你", max_size=60), max_size=20))
def test_nothing_is_lost_and_no_word_is_cut(pieces):
    words = WordBuffer()
    whole = "".join(pieces)
    text = ""
    for piece in pieces:
        text += words.feed(piece)
        assert whole.startswith(text)
        assert text == text.rstrip()
        cut_at = whole[len(text) : len(text) + 1]
        # Only a script without spaces is cut anywhere else.
        assert not text or cut_at.isspace() or (not unicodedata.combining(cut_at) and len(text) >= 40)
    assert text + words.flush() == whole


def test_a_long_row_of_spaces_is_looked_at_once(stopwatch):
    """A model in a loop writes spaces; the event loop must not wait for them."""
    words = WordBuffer()
    watch = stopwatch()
    assert words.feed("từ" + " " * 400_000 + "khác x") == "từ" + " " * 400_000 + "khác"
    assert words.feed(" " * 400_000) == " x"
    assert watch.took_s() < 1


@given(st.text(alphabet="aă \n\t\u3000\u0085你", max_size=60))
def test_the_last_word_is_kept_with_the_space_before_it(text):
    """As a pattern says it that is too slow for long rows of spaces."""
    match = re.search(r"\s+\S*\Z", text)
    cut = match.start() if match else 0
    if len(text) - cut <= 40 or not text[cut:].strip():
        assert WordBuffer().feed(text) == text[:cut]


def test_what_cannot_be_seen_is_waited_with_like_spaces():
    words = WordBuffer()
    assert words.feed("\u200b" * 100) == ""
    assert words.feed("Dạ ") != ""
